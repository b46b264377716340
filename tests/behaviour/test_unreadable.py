"""What cannot be read, or reads otherwise than it looks, is never matched without a person."""

import pytest

from .conftest import Matcher
from .mutations import nothing_bars_a_match, only_ascii_is_read

LOOK_ALIKES = {
    "Cyrillic A": "\u0410lphabet Inc.",
    "Cyrillic o": "Micr\u043esoft Corp",
    "Greek omicron": "Micr\u03bfsoft Corp",
    "Armenian o": "Micr\u0585soft Corp",
    "Cherokee A": "\u13aapple Inc.",
    "phonetic g": "Kro\u0261er Co",
    "a whole word": "\u0410\u041e\u041d Corp",
}
HIDDEN = {
    "zero-width space": "Alpha\u200bbet Inc.",
    "zero-width joiner": "Alpha\u200dbet Inc.",
    "soft hyphen": "Alpha\u00adbet Inc.",
    "right-to-left override": "\u202eAlphabet Inc.",
    "byte-order mark": "\ufeffAlphabet Inc.",
    "grapheme joiner": "Alpha\u034fbet Inc.",
    "Hangul filler": "Alpha\u3164bet Inc.",
    "tag": "Alpha\U000e0041bet Inc.",
}
LONG = {
    "one word again and again": "Alphabet " * 1_200,
    "one long word": "Alphabet" * 1_250,
    "a name and a page": "Alphabet Inc. " + "is a company among many others and " * 300,
    "commas": "Alphabet Inc." + "," * 10_000,
}


@pytest.mark.caught(by=nothing_bars_a_match)
@pytest.mark.parametrize("name", LOOK_ALIKES.values(), ids=LOOK_ALIKES)
def test_a_name_with_look_alike_letters_is_reviewed(matcher: Matcher, name: str) -> None:
    [found] = matcher.decide(name)
    assert found["decision"] == "review"
    assert "NAME_UNREADABLE" in [reason["code"] for reason in found["reasons"]]


@pytest.mark.caught(by=nothing_bars_a_match)
@pytest.mark.parametrize("name", HIDDEN.values(), ids=HIDDEN)
def test_a_name_with_hidden_characters_is_reviewed_against_what_it_looks_like(matcher: Matcher, name: str) -> None:
    clean, hidden = matcher.decide("Alphabet Inc.", name)
    assert clean["decision"] == "match"
    assert hidden["decision"] == "review"
    assert hidden["reference_id"] == clean["reference_id"]


@pytest.mark.caught(by=nothing_bars_a_match)
@pytest.mark.parametrize("name", [None, "", "   ", "...", "\u200b"], ids=["none", "empty", "blank", "points", "hidden"])
def test_an_empty_name_is_reviewed_without_a_candidate(matcher: Matcher, name: str | None) -> None:
    [found] = matcher.decide(name)
    assert (found["decision"], found["reference_id"], found["probability"]) == ("review", None, 0.0)
    assert {"NAME_UNREADABLE", "NO_CANDIDATE"} <= {reason["code"] for reason in found["reasons"]}


@pytest.mark.caught(by=nothing_bars_a_match)
@pytest.mark.parametrize("name", LONG.values(), ids=LONG)
def test_a_name_of_ten_thousand_characters_is_reviewed(matcher: Matcher, name: str) -> None:
    [found] = matcher.decide(name)
    assert len(name) >= 10_000
    assert found["decision"] == "review"
    assert "NAME_UNREADABLE" in [reason["code"] for reason in found["reasons"]]


@pytest.mark.caught(by=nothing_bars_a_match)
@pytest.mark.parametrize(
    "name",
    ["\U00012000\U00012001 \U00012079", "\U0001f680\U0001f680", "\ue000\ue001"],
    ids=["cuneiform", "pictures", "private"],
)
def test_a_script_that_cannot_be_read_is_reviewed(matcher: Matcher, name: str) -> None:
    [found] = matcher.decide(name)
    assert found["decision"] == "review"
    assert "NAME_UNREADABLE" in [reason["code"] for reason in found["reasons"]]


@pytest.mark.caught(by=only_ascii_is_read)
@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("\u0418\u043d\u0442\u0435\u043b", "INTEL CORP"),
        ("\u041d\u043e\u043a\u0438\u0430", "NOKIA CORP"),
        ("\uff2e\uff4f\uff4b\uff49\uff41", "NOKIA CORP"),
    ],
    ids=["Cyrillic", "Cyrillic capital", "full width"],
)
def test_a_script_that_can_be_read_finds_the_company(matcher: Matcher, name: str, reference: str) -> None:
    [found] = matcher.decide(name)
    assert found["reference"] == reference
    assert found["decision"] != "no_match"
