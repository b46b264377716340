"""One name in many writings: what does not identify changes nothing, what is shortened or misspelt still finds."""

import pytest

from .conftest import Matcher
from .mutations import (
    accented_letters_are_dropped,
    articles_are_kept,
    initials_are_not_looked_up,
    legal_forms_are_words,
    names_are_taken_as_they_stand,
    numerals_stay_as_written,
    only_equal_names_count,
    points_and_spaces_are_letters,
    the_ampersand_is_no_word,
    the_best_candidate_wins,
    the_security_line_is_part_of_the_name,
)

IBM = "INTERNATIONAL BUSINESS MACHINES CORP"


@pytest.mark.caught(by=names_are_taken_as_they_stand)
@pytest.mark.parametrize(
    ("plain", "other"),
    [
        ("Alphabet Inc.", "ALPHABET INC."),
        ("Berkshire Hathaway Inc", "berkshire hathaway inc"),
        ("Berkshire Hathaway Inc", "BerkShire haThaway iNc"),
    ],
)
def test_case_does_not_matter(matcher: Matcher, plain: str, other: str) -> None:
    assert matcher.outcome(other) == matcher.outcome(plain)


@pytest.mark.caught(by=accented_letters_are_dropped)
@pytest.mark.parametrize(
    "other",
    [
        "Banque Générale Européenne SA",
        "BANQUE GÉNÉRALE EUROPÉENNE SA",
        "Banque Ge\u0301ne\u0301rale Europe\u0301enne SA",
    ],
    ids=["accents", "capitals", "combining accents"],
)
def test_accents_do_not_matter(matcher: Matcher, other: str) -> None:
    assert matcher.outcome(other) == matcher.outcome("Banque Generale Europeenne SA")


@pytest.mark.caught(by=the_ampersand_is_no_word)
@pytest.mark.parametrize(
    ("sign", "word"),
    [
        ("Procter & Gamble Co", "Procter and Gamble Co"),
        ("Air Products & Chemicals, Inc.", "Air Products and Chemicals, Inc."),
    ],
)
def test_an_ampersand_is_the_word_and(matcher: Matcher, sign: str, word: str) -> None:
    assert matcher.outcome(sign) == matcher.outcome(word)


@pytest.mark.caught(by=points_and_spaces_are_letters)
@pytest.mark.parametrize(
    ("plain", "other"),
    [
        ("Berkshire Hathaway Inc", "  Berkshire   Hathaway,  Inc. "),
        ("Advanced Micro Devices Inc", "Advanced Micro-Devices, Inc"),
        ("US Bancorp", "U.S. Bancorp"),
    ],
)
def test_points_and_spaces_do_not_matter(matcher: Matcher, plain: str, other: str) -> None:
    assert matcher.outcome(other) == matcher.outcome(plain)


@pytest.mark.caught(by=articles_are_kept)
@pytest.mark.parametrize("other", ["The Kroger Company", "Kroger Company, The", "KROGER COMPANY (THE)"])
def test_the_x_company_is_x(matcher: Matcher, other: str) -> None:
    assert matcher.outcome(other) == matcher.outcome("Kroger Co")


@pytest.mark.caught(by=numerals_stay_as_written)
@pytest.mark.parametrize("number", ["II", "2", "Two", "02"])
def test_roman_and_other_numerals_are_one_number(matcher: Matcher, number: str) -> None:
    roman, other = (
        matcher.score("PIMCO Municipal Income Fund II"),
        matcher.score(f"PIMCO Municipal Income Fund {number}"),
    )
    assert matcher.names(other.decisions["reference_id"]).item() == "PIMCO MUNICIPAL INCOME FUND II"
    assert other.telemetry["f_numbers"].item() == 1
    assert other.decisions["probability"].item() == roman.decisions["probability"].item()


@pytest.mark.caught(by=legal_forms_are_words)
@pytest.mark.parametrize(
    ("words", "form", "reference"),
    [
        ("Alphabet", "Corporation Limited", "Alphabet Inc."),
        ("Berkshire Hathaway", "GmbH", "BERKSHIRE HATHAWAY INC"),
        ("Kroger", "Aktiengesellschaft", "KROGER CO"),
    ],
)
def test_a_swapped_legal_form_costs_less_than_any_word(matcher: Matcher, words: str, form: str, reference: str) -> None:
    swapped, with_a_word = matcher.decide(f"{words} {form}", f"{words} Group")
    assert swapped["reference"] == reference
    assert swapped["decision"] != "no_match"
    assert swapped["probability"] > with_a_word["probability"]


@pytest.mark.caught(by=the_security_line_is_part_of_the_name)
@pytest.mark.parametrize(
    "line",
    [
        "DL-,01",
        "  DL 1",
        "INH O.N.",
        "ADR",
        "SPONS ADR",
        "Class A",
        "Common Stock",
        "Registered Shares",
        "Ord 20p",
        "/NEW/",
    ],
)
def test_a_security_line_is_not_part_of_the_name(matcher: Matcher, line: str) -> None:
    assert matcher.outcome(f"Morgan Stanley {line}") == matcher.outcome("Morgan Stanley")


@pytest.mark.caught(by=only_equal_names_count)
@pytest.mark.parametrize(
    ("short", "reference"),
    [
        ("SAREPTA THERAPEU", "Sarepta Therapeutics, Inc."),
        ("INTL BUS MACHINES", IBM),
        ("FIRST TR COMB SERIES 584", "First Trust Combined Series 584"),
        ("ADVANCED MICRO DEV", "ADVANCED MICRO DEVICES INC"),
        ("AUTOMATIC DATA PROC", "AUTOMATIC DATA PROCESSING INC"),
    ],
)
def test_an_abbreviated_name_finds_its_company(matcher: Matcher, short: str, reference: str) -> None:
    [found] = matcher.decide(short)
    assert found["reference"] == reference
    assert found["decision"] != "no_match"


@pytest.mark.caught(by=only_equal_names_count)
@pytest.mark.parametrize(
    ("cut", "reference"),
    [
        ("Fidelity National Information S", "Fidelity National Information Services, Inc."),
        ("JOHN HANCOCK PREFERRED INCOME F", "JOHN HANCOCK PREFERRED INCOME FUND"),
        ("INTERNATIONAL FLAVORS & FRAGRAN", "INTERNATIONAL FLAVORS & FRAGRANCES INC"),
        ("CHARLES RIVER LABORATORIES INTE", "CHARLES RIVER LABORATORIES INTERNATIONAL, INC."),
    ],
)
def test_a_name_cut_at_31_characters_finds_its_company(matcher: Matcher, cut: str, reference: str) -> None:
    [found] = matcher.decide(cut)
    assert len(cut) == 31
    assert found["reference"] == reference
    assert found["decision"] != "no_match"


@pytest.mark.caught(by=only_equal_names_count)
@pytest.mark.parametrize(
    ("joined", "reference"),
    [
        ("JPMorganChase", "JPMORGAN CHASE & CO"),
        ("BerkshireHathaway Inc", "BERKSHIRE HATHAWAY INC"),
        ("J P Morgan Chase", "JPMORGAN CHASE & CO"),
    ],
)
def test_words_written_together_or_apart_find_their_company(matcher: Matcher, joined: str, reference: str) -> None:
    [found] = matcher.decide(joined)
    assert found["reference"] == reference
    assert found["decision"] != "no_match"


@pytest.mark.caught(by=only_equal_names_count)
@pytest.mark.parametrize(
    ("turned", "reference"),
    [
        ("Hathaway Berkshire", "BERKSHIRE HATHAWAY INC"),
        ("Machines International Business", IBM),
        ("AMERICA BANK OF", "BANK OF AMERICA CORP /DE/"),
    ],
)
def test_words_in_another_order_find_their_company(matcher: Matcher, turned: str, reference: str) -> None:
    [found] = matcher.decide(turned)
    assert found["reference"] == reference
    assert found["decision"] != "no_match"


@pytest.mark.caught(by=only_equal_names_count)
@pytest.mark.parametrize(
    ("misspelt", "reference"),
    [
        ("Internatoinal Busines Machines", IBM),
        ("Berkshire Hathawya", "BERKSHIRE HATHAWAY INC"),
        ("Teledine Technologies", "TELEDYNE TECHNOLOGIES INC"),
    ],
)
def test_a_slip_in_a_long_name_still_finds_its_company(matcher: Matcher, misspelt: str, reference: str) -> None:
    [found] = matcher.decide(misspelt)
    assert found["reference"] == reference
    assert found["decision"] != "no_match"


@pytest.mark.caught(by=the_best_candidate_wins)
@pytest.mark.parametrize(("misspelt", "reference"), [("Appel Inc", "Apple Inc."), ("Mircosoft Corp", "MICROSOFT CORP")])
def test_a_slip_in_a_short_name_keeps_the_candidate_but_is_never_matched(
    matcher: Matcher, misspelt: str, reference: str
) -> None:
    scored = matcher.score(misspelt)
    assert reference in matcher.names(scored.candidates["reference_id"]).to_list()
    assert scored.decisions["decision"].item() != "match"


@pytest.mark.caught(by=initials_are_not_looked_up)
@pytest.mark.parametrize(("initials", "reference"), [("IBM", IBM), ("AMD", "ADVANCED MICRO DEVICES INC")])
def test_initials_find_their_company(matcher: Matcher, initials: str, reference: str) -> None:
    assert reference in matcher.names(matcher.score(initials).candidates["reference_id"]).to_list()
