"""The catalogue of reason codes, the evidence beside them, and that no reason says what is not so."""

import re

import numpy as np
import polars as pl
import pytest

from matching.explanation import GROUPS, RESIDUAL, Told
from matching.features import FEATURE_NAMES, FEATURES, feature_matrix
from matching.master import build_reference_master
from matching.reasons import (
    CATALOGUE,
    align_pair,
    catalogue,
    entries,
    evidence_of,
    finding,
    reason,
    reference_words,
    title_of,
)
from matching.retrieval.index import RetrievalIndex

SIGNED = [g for g, told in catalogue()["groups"].items() if "agrees" in told]


def features(**values: float) -> np.ndarray:
    return np.array([values.get(name, 0.0) for name in FEATURE_NAMES], np.float32)


def code(group: str, contribution: float, **values: float) -> str:
    return reason(Told(GROUPS.index(group), contribution), features(**values), {})["code"]


def evidence(record: dict[str, str], reference: dict[str, str]) -> dict[str, str]:
    """Evidence of one record and the only reference."""
    index = RetrievalIndex.build(build_reference_master(pl.DataFrame([{"reference_id": "r", **reference}])), None)
    records, queries = pl.DataFrame([{"record_id": "1", **record}]), index.queries([record["name"]])
    one, similar = np.zeros(1, np.int32), np.ones(1, np.float32)
    row = feature_matrix(index, queries, records, one, one, similar, similar)[0]
    words = reference_words(index)
    rarity = dict(zip(words, index.arrays["word_idf"].tolist(), strict=True))
    return evidence_of(align_pair(index, queries, 0, 0, words), row, record, reference, rarity)


# The catalogue


def test_every_group_of_features_has_its_codes_and_no_other_has() -> None:
    assert set(catalogue()["groups"]) == set(GROUPS)


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_says_what_speaks_for_it_and_what_against(group: str) -> None:
    assert set(catalogue()["groups"][group]) - {"silent"} in ({"supports", "against"}, {"agrees", "differs"})


def test_no_code_is_given_twice() -> None:
    codes = re.findall(r"code: (\w+)", CATALOGUE.read_text()) + list(catalogue()["findings"])
    assert len(codes) == len(set(codes)) == len(entries())


@pytest.mark.parametrize("found", entries())
def test_a_code_has_a_title_and_a_sentence(found: str) -> None:
    assert re.fullmatch("[A-Z_]+", found)
    assert title_of(found)
    assert entries()[found]["text"].endswith(".")


def test_a_catalogue_with_other_groups_than_the_features_is_refused(tmp_path) -> None:
    (tmp_path / "reasons.yaml").write_text("groups: {meaning: {}}\n")
    with pytest.raises(ValueError, match="do not have the same groups"):
        catalogue(tmp_path / "reasons.yaml")


# Which code is told


def test_a_weighed_group_is_told_by_the_sign_of_its_contribution() -> None:
    assert (code("meaning", 0.5), code("meaning", -0.5)) == ("LEARNED_SIMILAR", "LEARNED_DISSIMILAR")


@pytest.mark.parametrize("contribution", [0.5, -0.5])
@pytest.mark.parametrize(("value", "told"), [(1, "agrees"), (-1, "differs"), (0, "silent")])
@pytest.mark.parametrize("group", SIGNED)
def test_what_agrees_differs_or_is_missing_is_told_as_it_is(
    group: str, value: int, told: str, contribution: float
) -> None:
    one = next(f.name for f in FEATURES if f.reason_group == group)
    assert code(group, contribution, **{one: value}) == catalogue()["groups"][group][told]["code"]


def test_where_one_value_agrees_and_another_differs_the_weight_decides() -> None:
    values = {"same_country": 1.0, "same_city": -1.0}
    assert (code("geography", 0.5, **values), code("geography", -0.5, **values)) == ("PLACE_AGREES", "PLACE_DIFFERS")


def test_a_title_that_matched_is_not_called_an_alias() -> None:
    assert (code("alias", 0.5), code("alias", 0.5, by_alias=1)) == ("CURRENT_NAME", "KNOWN_ALIAS")


def test_the_direction_is_the_sign_of_the_contribution() -> None:
    told = [reason(Told(0, c), features(), {})["direction"] for c in (0.5, -0.5)]
    assert told == ["supports", "against"]


def test_the_residual_takes_no_side() -> None:
    told = reason(Told(RESIDUAL, -0.5), features(), {})
    assert (told["code"], told["direction"], told["contribution"]) == ("OTHER_EVIDENCE", "neutral", -0.5)


def test_a_finding_weighs_nothing() -> None:
    assert finding("AMBIGUOUS") == {"code": "AMBIGUOUS", "direction": "neutral", "contribution": 0.0, "evidence": ""}


# Evidence


def test_an_abbreviation_is_shown_beside_what_it_stands_for() -> None:
    found = evidence({"name": "Zenith Therapeu"}, {"name": "Zenith Therapeutics Inc"})
    assert found["abbreviation"] == "therapeu ~ therapeutics (abbreviation)"


def test_initials_are_shown_beside_all_their_words() -> None:
    found = evidence({"name": "IBM"}, {"name": "International Business Machines"})
    assert found["abbreviation"] == "ibm ~ international business machines (initials)"


def test_a_misspelt_word_is_shown_beside_the_right_one() -> None:
    assert evidence({"name": "Zenyth Copper"}, {"name": "Zenith Copper"})["spelling"] == "zenyth ~ zenith (spelling)"


def test_words_that_are_shared_and_words_that_are_left_over_are_quoted() -> None:
    found = evidence({"name": "Zenith Gold"}, {"name": "Zenith Copper Mining"})
    left = "only in the record: gold; only in the reference: copper mining"
    assert (found["name_words"], found["unmatched_words"]) == (f"shared: zenith; {left}", left)


def test_the_same_name_leaves_nothing_over() -> None:
    found = evidence({"name": "Zenith Copper"}, {"name": "Zenith Copper"})
    assert (found["name_words"], found["unmatched_words"]) == ("shared: zenith copper", "")


def test_values_are_shown_with_their_verdict() -> None:
    found = evidence(
        {"name": "Zenith", "country": "DE", "city": "Bonn", "currency": None},
        {"name": "Zenith", "country": "Germany", "city": "Kiel", "currency": "EUR"},
    )
    assert found["geography"] == "country: DE = Germany; city: Bonn / Kiel"
    assert "listing" not in found
