"""Near is not equal: relatives, series and namesakes are told apart, or a person is asked."""

from dataclasses import replace

import pytest

from .conftest import Matcher
from .mutations import (
    a_tie_goes_to_the_first,
    another_country_rules_a_candidate_out,
    countries_are_not_seen,
    numbers_are_left_out,
    share_classes_are_not_seen,
    the_best_candidate_wins,
    the_first_word_decides,
    the_security_line_is_part_of_the_name,
    unknown_countries_agree,
)


@pytest.mark.caught(by=numbers_are_left_out)
@pytest.mark.parametrize(
    ("name", "reference", "sibling"),
    [
        ("Galvestine Income Fund II", "Galvestine-II", "Galvestine-III"),
        ("GALVESTINE INCOME FD III", "Galvestine-III", "Galvestine-II"),
        ("First Trust Combined Series 583", "TRUST-583", "TRUST-584"),
        ("First Trust Comb Series 584", "TRUST-584", "TRUST-583"),
    ],
)
def test_another_number_is_another_company(matcher: Matcher, name: str, reference: str, sibling: str) -> None:
    scored = matcher.score(name)
    probability = dict(scored.candidates.select("reference_id", "score").iter_rows())
    assert scored.decisions["reference_id"].item() == reference
    assert scored.telemetry["f_numbers"].item() == 1
    assert probability[reference] > 5 * probability[sibling]


@pytest.mark.caught(by=the_best_candidate_wins)
@pytest.mark.parametrize(
    "absent",
    [
        "Galvestine Income Fund IV",
        "PIMCO Municipal Income Fund III",
        "First Trust Combined Series 585",
        "First Trust Combined Series585",
        "First Trust Combined Series",
    ],
)
def test_a_number_that_the_reference_lacks_is_never_matched(matcher: Matcher, absent: str) -> None:
    assert matcher.outcome(absent)[2] != "match"


@pytest.mark.caught(by=the_first_word_decides)
@pytest.mark.parametrize(
    ("name", "reference", "relative"),
    [
        ("Daimler AG", "DAIMLER AG", "Daimler Truck Holding AG"),
        ("Daimler Truck Holding AG", "Daimler Truck Holding AG", "DAIMLER AG"),
        ("Morgan Stanley", "MORGAN STANLEY", "Morgan Stanley Bitcoin Trust"),
        ("Apple", "Apple Inc.", "Apple iSports Group, Inc."),
    ],
)
def test_parent_and_subsidiary_are_told_apart(matcher: Matcher, name: str, reference: str, relative: str) -> None:
    scored = matcher.score(name)
    probability = dict(zip(matcher.names(scored.candidates["reference_id"]), scored.candidates["score"], strict=True))
    assert scored.decisions["decision"].item() == "match"
    assert probability[reference] > 10 * probability[relative]


@pytest.mark.caught(by=the_best_candidate_wins)
@pytest.mark.parametrize(
    ("absent", "neighbour"),
    [
        ("Republic Services Group LLC", "REPUBLIC SERVICES, INC."),
        ("Daimler Mobility Services GmbH", "DAIMLER AG"),
        ("Berkshire Hathaway Energy Company", "BERKSHIRE HATHAWAY INC"),
        ("Microsoft Mobile Oy", "MICROSOFT CORP"),
    ],
)
def test_an_absent_company_is_not_matched_to_its_neighbour(matcher: Matcher, absent: str, neighbour: str) -> None:
    [found] = matcher.decide(absent)
    assert found["reference"] == neighbour
    assert found["decision"] != "match"


@pytest.mark.caught(by=share_classes_are_not_seen)
@pytest.mark.parametrize(
    ("name", "reference", "sibling"),
    [
        ("Kestrelton Media Corp Class A", "Kestrelton-A", "Kestrelton-B"),
        ("KESTRELTON MEDIA CORP CL B", "Kestrelton-B", "Kestrelton-A"),
        ("Kestrelton Media Corp. - Class B Common Stock", "Kestrelton-B", "Kestrelton-A"),
    ],
)
def test_share_classes_that_the_reference_tells_apart_are_told_apart(
    matcher: Matcher, name: str, reference: str, sibling: str
) -> None:
    [found] = matcher.decide(name)
    assert (found["reference_id"], found["runner_up_id"]) == (reference, sibling)
    assert found["decision"] != "no_match"
    assert found["probability"] > 5 * found["runner_up_probability"]


@pytest.mark.caught(by=the_security_line_is_part_of_the_name)
@pytest.mark.parametrize("share_class", ["Class A", "Class C Capital Stock", "- Class A Common Stock", "CL C"])
def test_a_share_class_that_the_reference_does_not_tell_apart_does_not_matter(
    matcher: Matcher, share_class: str
) -> None:
    assert matcher.outcome(f"Alphabet Inc. {share_class}") == matcher.outcome("Alphabet Inc.")


@pytest.mark.caught(by=a_tie_goes_to_the_first)
@pytest.mark.parametrize("name", ["Zenith Copper Mining Corp", "ZENITH COPPER MINING", "Kestrelton Media Corp"])
def test_namesakes_go_to_review_as_ambiguous(matcher: Matcher, name: str) -> None:
    [found] = matcher.decide(name)
    assert found["decision"] == "review"
    assert found["probability"] == found["runner_up_probability"]
    assert "AMBIGUOUS" in [reason["code"] for reason in found["reasons"]]


@pytest.mark.caught(by=a_tie_goes_to_the_first)
def test_namesakes_are_reviewed_where_one_of_them_is_likely_enough_though_none_alone_is(matcher: Matcher) -> None:
    [tied] = matcher.decide("Zenith Copper Mining Corp")
    stricter = replace(matcher.scorer.policy, review_floor=min(1.2 * tied["probability"], 0.999))
    [found] = replace(matcher, scorer=replace(matcher.scorer, policy=stricter)).decide("Zenith Copper Mining Corp")
    assert found["decision"] == "review"


@pytest.mark.caught(by=countries_are_not_seen)
@pytest.mark.caught(by=another_country_rules_a_candidate_out)
@pytest.mark.parametrize(("country", "there", "elsewhere"), [("Canada", "CA", "DE"), ("Deutschland", "DE", "CA")])
def test_a_namesake_in_another_country_is_less_probable_but_not_lost(
    matcher: Matcher, country: str, there: str, elsewhere: str
) -> None:
    [found] = matcher.decide("Orion Harbour Lines", country=country)
    assert (found["reference_id"], found["runner_up_id"]) == (f"ORION-{there}", f"ORION-{elsewhere}")
    assert found["probability"] > found["runner_up_probability"] > 0.05


@pytest.mark.caught(by=another_country_rules_a_candidate_out)
@pytest.mark.parametrize("name", ["Alphabet Inc.", "Galvestine Income Fund II", "Republic Services"])
def test_a_company_without_a_namesake_is_found_under_another_country(matcher: Matcher, name: str) -> None:
    at_home, abroad = matcher.outcome(name, country="United States"), matcher.outcome(name, country="Germany")
    assert abroad[0] == at_home[0]
    assert abroad[1] < at_home[1]
    assert abroad[2] != "no_match"


@pytest.mark.caught(by=unknown_countries_agree)
def test_a_country_that_nobody_has_agrees_with_none(matcher: Matcher) -> None:
    unknown, missing = matcher.outcome("Alphabet Inc.", country="Atlantis"), matcher.outcome("Alphabet Inc.")
    assert unknown[0] == missing[0]
    assert unknown[1] < missing[1]
