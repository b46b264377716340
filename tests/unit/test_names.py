"""Names in their parts: each field by example, then what must hold of any text."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matching.name_rules import canonical_token, legal_form_of
from matching.name_tables import ABBREVIATIONS, HOMOGLYPHS, NUMBER_WORDS, ROMAN, STOP_TOKENS
from matching.names import LONGEST_NAME, MAX_TOKENS, ParsedName, flag_bits, parse_name
from matching.records import read_table
from matching.vocabulary import NameTable
from matching_assets.sample import sample_files

COMPANY = st.lists(
    st.sampled_from(["zenith", "copper", "northolt", "7", "energy", "bank", "q4"]), min_size=1, max_size=5
)
FORM = st.sampled_from(["", "Inc.", "CORPORATION", "Ltd", "plc", "S.A.", "GmbH & Co. KG", "Aktiengesellschaft", "Oyj"])
LINE = st.sampled_from(["", " Class B", " ADR", " INH O.N.", " DL-,01", " /DE/", " Common Stock", " ORD 20P"])
LIKELY_TEXT = st.text(st.sampled_from("abcXYZ 019.,&-/()'%ÅéßЖΩ中\u200b\u00ad\U0001f600\t"), max_size=80)


# Each field by example


@pytest.mark.parametrize(
    ("raw", "core"),
    [
        ("THE BOEING COMPANY", "boeing"),
        ("Procter & Gamble Co/The", "procter gamble"),
        ("Société Générale S.A.", "societe generale"),
        ("J.P. Morgan & Co.", "jp morgan"),
        ("Scott Paper U.S.", "scott paper us"),
        ("E.ON SE", "e on"),
        ("PG&E Corp", "pg e"),
        ("Banca e Finanza", "banca finanza"),
        ("De Beers PLC", "de beers"),
        ("La Quinta Holdings", "quinta holdings"),
        ("A. O. Smith", "ao smith"),
        ("Alphabet\u2122 Inc.\u00ae", "alphabet"),
        ("JOHN HANCOCK PREFERRED INCOME F", "john hancock preferred income"),
        ("ROSECLIFF ACQUISITION CORP I", "rosecliff acquisition corp i"),
        ("Amazon.com, Inc.", "amazon com"),
        ("Transuite.org Inc.", "transuite org"),
        ("L'Oréal", "loreal"),
        ("Fund II", "fund 2"),
        ("Six Flags 007", "6 flags 7"),
        ("Intl Mgmt Svcs", "international management services"),
        ("ООО Ромашка", "romashka"),
        ("Fresenius SE & Co. KGaA", "fresenius"),
    ],
)
def test_tokens_are_the_words_that_identify(raw: str, core: str) -> None:
    assert parse_name(raw).core == core


@pytest.mark.parametrize(
    ("raw", "form"),
    [
        ("Boeing Company", "co"),
        ("Alsok Co., Ltd.", "coltd"),
        ("Alsok Company Limited", "coltd"),
        ("Tisco Public Company Limited", "pcl"),
        ("Bayer Aktiengesellschaft", "ag"),
        ("Société Générale S. A.", "sa"),
        ("Hamamatsu Photonics K.K.", "kk"),
        ("PT Bank Central Asia Tbk", "pt"),
        ("Carlsberg A/S", "as"),
        ("Boeing", ""),
    ],
)
def test_a_legal_form_is_told_apart_in_one_spelling(raw: str, form: str) -> None:
    assert parse_name(raw).legal_form == form


def test_a_name_that_is_only_a_legal_form_is_a_name() -> None:
    assert parse_name("Limited").tokens == ("limited",)


def test_a_word_in_front_of_america_is_no_legal_form() -> None:
    assert parse_name("Packaging Corporation of America").core == "packaging corporation america"


@pytest.mark.parametrize(
    "raw",
    [
        "Alphabet Inc. Class A", "Alphabet Inc-CL A", "Alphabet Inc (Class A)", "Alphabet Inc. Class A Common Stock",
        "ALPHABET INC.A DL-,001",
    ],
)  # fmt: skip
def test_a_share_class_is_told_apart(raw: str) -> None:
    parsed = parse_name(raw)
    assert (parsed.core, parsed.legal_form, parsed.share_class) == ("alphabet", "inc", "a")


@pytest.mark.parametrize(
    ("raw", "core", "noise"),
    [
        ("TotalEnergies SE EO 2,50", "totalenergies", ("eo 2,50",)),
        ("BAYER AG NA O.N.", "bayer", ("o.n.", "na")),
        ("Shell PLC ORD 20P", "shell", ("ord 20p",)),
        ("Applied Materials Inc /DE/", "applied materials", ("de",)),
        ("Applied Materials Inc /DE", "applied materials", ("de",)),
        ("Fiduciary Services Corp      /ADV", "fiduciary services", ("adv",)),
        ("PT Bukit Asam Tbk/ADR", "bukit asam", ("adr", "tbk")),
        ("Toyota Sponsored ADR", "toyota", ("sponsored adr",)),
        ("GASLOG PARTNERS UTS", "gaslog partners", ("uts",)),
    ],
)
def test_what_a_venue_writes_behind_a_name_is_line_noise(raw: str, core: str, noise: tuple[str, ...]) -> None:
    assert (parse_name(raw).core, parse_name(raw).line_noise) == (core, noise)


@pytest.mark.parametrize(("raw", "core"), [("Units", "units"), ("The", "the"), ("of the", "of"), ("ADR", "adr")])
def test_a_name_that_looks_like_noise_throughout_is_the_name(raw: str, core: str) -> None:
    parsed = parse_name(raw)
    assert (parsed.core, parsed.line_noise, parsed.share_class) == (core, (), "")


@pytest.mark.parametrize(
    ("raw", "flag"),
    [
        (None, "empty"),
        (" \t ", "empty"),
        ("\U0001f600", "untransliterated"),
        ("\u0410pple Inc", "mixed_script"),
        ("IBM\u200b Corp", "hidden_characters"),
        ("INTERNATIONAL BUSINESS MACHINES", "truncated"),
        ("Toyota ADR", "instrument:adr"),
        ("2", "illegible"),
        ("-- k.", "illegible"),
        ("0037", "illegible"),
        ("\u0b9a", "illegible"),
        ("\u00a5_\u00b2", "illegible"),
        ("\U0006b6d4 Oi", "illegible"),
        (" ".join("abcdefghijklmnopq"[i] * 3 for i in range(17)), "overlong"),
    ],
)
def test_a_flag_says_what_is_odd(raw: str | None, flag: str) -> None:
    assert parse_name(raw).flags == (flag,)


def test_a_plain_name_has_no_flag() -> None:
    for raw in ("Boeing Company", "X Corp", "HP", "3M", "111", "37 Ltd", "\u4e2d\u77f3\u6cb9"):
        assert parse_name(raw).flags == (), raw


def test_letters_that_only_look_latin_are_read_as_what_they_look_like() -> None:
    assert parse_name("".join(map(chr, HOMOGLYPHS)) + "x").core == "".join(HOMOGLYPHS.values()).lower() + "x"


def test_a_word_of_another_script_is_transliterated_not_mended() -> None:
    assert parse_name("\u0420\u043e\u0441\u0441\u0438\u044f").flags == ()


def test_the_words_that_do_not_fit_are_kept_as_line_noise() -> None:
    words = [f"word{chr(97 + i)}" for i in range(MAX_TOKENS + 3)]
    parsed = parse_name(" ".join(words))
    assert (list(parsed.tokens), parsed.line_noise) == (words[:MAX_TOKENS], (" ".join(words[MAX_TOKENS:]),))


def test_a_legal_form_cut_by_the_feed_is_still_a_legal_form() -> None:
    parsed = parse_name("NORTHOLT COPPER ENERGY CORPORAT")
    assert (parsed.core, parsed.legal_form, parsed.line_noise) == ("northolt copper energy", "corp", ("corporat",))


def test_no_abbreviation_stands_for_another_abbreviation() -> None:
    canonical = {**ABBREVIATIONS, **ROMAN, **NUMBER_WORDS}
    assert all(canonical_token(canonical_token(word)) == canonical_token(word) for word in canonical)


# What must hold of any text


@given(st.one_of(st.text(max_size=120), LIKELY_TEXT))
def test_any_text_gives_lower_case_ascii_tokens(raw: str) -> None:
    tokens = parse_name(raw).tokens
    assert len(tokens) <= MAX_TOKENS
    assert all(re.fullmatch("[a-z0-9]+", token) for token in tokens)


@given(st.one_of(st.text(max_size=120), LIKELY_TEXT))
def test_a_name_without_tokens_says_why(raw: str) -> None:
    parsed = parse_name(raw)
    assert bool(parsed.tokens) != ("empty" in parsed.flags or "untransliterated" in parsed.flags)


def test_of_ten_thousand_characters_the_first_are_read_and_the_rest_is_kept() -> None:
    parsed = parse_name("x" * 10_000)
    assert parsed.tokens == ("x" * LONGEST_NAME,)
    assert parsed.line_noise == ("x" * (10_000 - LONGEST_NAME),)
    assert parsed.flags == ("overlong",)


@given(COMPANY, FORM, LINE)
def test_form_and_line_come_off_and_leave_the_words_as_they_were(words: list[str], form: str, line: str) -> None:
    plain, dressed = parse_name(" ".join(words)), parse_name(f"{' '.join(words)} {form}{line}".upper())
    if "truncated" not in dressed.flags:
        assert dressed.tokens == plain.tokens
        assert dressed.legal_form == parse_name(f"x {form}").legal_form
        assert bool(dressed.line_noise) == bool(line)


@given(COMPANY)
def test_the_core_of_a_core_is_itself(words: list[str]) -> None:
    core = parse_name(" ".join(words)).core
    assert parse_name(core).core == core


def words_of(text: str) -> list[str]:
    from rigour.text.translit import ascii_text

    plain = re.sub(r"(?<=\b[a-z])\.\s?(?=[a-z]\b)|['`]", "", ascii_text(text).lower())  # `S.A.` is one word
    return re.findall("[a-z0-9]+", plain)


def unaccounted(name: str) -> list[str]:
    """The words of a name that are in none of its parts and no documented stop word."""
    parsed = parse_name(name)
    kept = {*parsed.tokens, *words_of(" ".join(parsed.line_noise)), parsed.share_class, *STOP_TOKENS}
    known = {*parsed.tokens, *parsed.legal_form.split()}
    lost = [w for w in words_of(name) if canonical_token(w) not in kept]
    at = 0
    while at < len(lost):  # several words may be one legal form, or initials that are one token
        for end in range(len(lost), at, -1):
            if {legal_form_of(" ".join(lost[at:end])), "".join(lost[at:end])} & known:
                del lost[at:end]
                break
        else:
            at += 1
    return lost


def test_no_word_of_a_real_name_is_lost() -> None:
    names = [n for table in ("reference", "records") for n in read_table(sample_files()[table])["name"]]
    assert {name: lost for name in names if (lost := unaccounted(name))} == {}


def test_names_are_read_as_they_always_were() -> None:
    """`tests/golden/names.tsv` is what an implementation of the same rules with `re` and `rigour` gave."""
    lines = (Path(__file__).parents[1] / "golden" / "names.tsv").read_text().splitlines()[1:]
    known = {name: rest for name, *rest in (line.split("\t") for line in lines)}
    assert {name: rest for name, rest in known.items() if rest != told(parse_name(name))} == {}


def told(parsed: ParsedName) -> list[str]:
    noise, flags = "|".join(parsed.line_noise), " ".join(parsed.flags)
    return [parsed.core, parsed.legal_form, parsed.share_class, noise, flags]


@given(st.lists(st.one_of(st.none(), st.text(max_size=60), LIKELY_TEXT), max_size=8))
def test_a_name_among_others_is_read_as_it_is_alone(names: list[str | None]) -> None:
    table = NameTable.of(names)
    for i, name in enumerate(names):
        parsed = parse_name(name)
        form = table.forms[table.form[i]] if table.form[i] >= 0 else ""
        share_class = chr(table.share_class[i]) if table.share_class[i] >= 0 else ""
        read = (table.words_of(i), form, share_class, int(table.flags[i]))
        assert read == (list(parsed.tokens), parsed.legal_form, parsed.share_class, flag_bits(parsed.flags))
