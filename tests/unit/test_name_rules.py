"""The rules as the compiled pass has them are the rules as they are written."""

from importlib.metadata import version

import pytest

from matching.name_rules import LEGAL_FORMS, canonical_token, known_forms, legal_form_of, rules
from matching.name_tables import ABBREVIATIONS, FORM_ALIASES, NUMBER_WORDS, ROMAN
from matching.names import parse_name


def test_the_legal_forms_are_those_of_the_installed_library() -> None:
    from rigour.names.org_types import extract_org_types

    assert f" {version('rigour')} " in LEGAL_FORMS.read_text().splitlines()[0]
    own = set(FORM_ALIASES)
    assert {w: f for w, f in known_forms().items() if w not in own and extract_org_types(w) != [(w, f)]} == {}


@pytest.mark.parametrize(
    "writing", ["co ltd", "company limited", "cos ltd", "s a", "g m b h", "public company limited"]
)
def test_a_form_is_known_in_all_its_writings(writing: str) -> None:
    assert legal_form_of(writing)
    assert parse_name(f"Boeing {writing}").legal_form == legal_form_of(writing)


def test_every_legal_form_comes_off_as_the_table_says() -> None:
    table, forms = rules()
    text = table.chars.tobytes().decode()
    words = [text[a:b] for a, b in zip(table.starts[:-1], table.starts[1:], strict=True)]
    known = {w: forms[f] for w, f in zip(words, table.form, strict=True) if f >= 0}
    assert len(known) > 800
    assert {w: f for w, f in known.items() if legal_form_of(w) != f} == {}


@pytest.mark.parametrize("word", [*ROMAN, *NUMBER_WORDS, *ABBREVIATIONS, "007", "0", "zenith"])
def test_a_word_is_spelt_as_the_rules_say(word: str) -> None:
    assert parse_name(f"Northolt {word} Zenith").tokens == ("northolt", canonical_token(word), "zenith")
