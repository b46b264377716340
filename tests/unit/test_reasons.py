"""The catalogue of reason codes, the columns that tell them, and that no reason says what is not so."""

import re

import numpy as np
import pytest

from matching.explanation import GROUPS, RESIDUAL, Told
from matching.features import FEATURE_NAMES, FEATURES
from matching.reasons import CATALOGUE, catalogue, codes_of, contrast_column, entries, reasons_column, title_of

SIGNED = [g for g, told in catalogue()["groups"].items() if "agrees" in told]
NONE = {"AMBIGUOUS": np.zeros(1, np.bool_)}


def features(**values: float) -> np.ndarray:
    return np.array([[values.get(name, 0.0) for name in FEATURE_NAMES]], np.float32)


def told(*groups: tuple[int, float], row: int = 0) -> Told:
    """Groups and contributions told of one row."""
    number, contribution = zip(*groups, strict=True)
    return Told(np.full(len(groups), row), np.array(number), np.array(contribution))


def code(group: str, contribution: float, **values: float) -> str:
    return codes_of(told((GROUPS.index(group), contribution)), features(**values))[0]


def reason(group: int, contribution: float, evidence: str = "") -> dict[str, object]:
    first = np.zeros(1, np.int64)
    return reasons_column(told((group, contribution)), first, features(), [evidence], NONE)[0][0]


# The catalogue


def test_every_group_of_features_has_its_codes_and_no_other_has() -> None:
    assert set(catalogue()["groups"]) == set(GROUPS)


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_says_what_speaks_for_it_and_what_against(group: str) -> None:
    assert set(catalogue()["groups"][group]) - {"silent", "least"} in ({"supports", "against"}, {"agrees", "differs"})


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
@pytest.mark.parametrize(("value", "side"), [(1, "agrees"), (-1, "differs"), (0, "silent")])
@pytest.mark.parametrize("group", SIGNED)
def test_what_agrees_differs_or_is_missing_is_told_as_it_is(
    group: str, value: int, side: str, contribution: float
) -> None:
    one = next(f.name for f in FEATURES if f.reason_group == group)
    assert code(group, contribution, **{one: value}) == catalogue()["groups"][group][side]["code"]


def test_where_one_value_agrees_and_another_differs_the_weight_decides() -> None:
    values = {"same_country": 1.0, "same_city": -1.0}
    assert (code("geography", 0.5, **values), code("geography", -0.5, **values)) == ("PLACE_AGREES", "PLACE_DIFFERS")


def test_a_title_that_matched_is_not_called_an_alias() -> None:
    assert (code("alias", 0.5), code("alias", 0.5, by_alias=1)) == ("CURRENT_NAME", "KNOWN_ALIAS")


@pytest.mark.parametrize(
    ("lead", "contribution", "expected"),
    [
        (0.3, 0.5, "CLEARLY_AHEAD"),
        (0.3, -0.5, "NOT_CLEARLY_AHEAD"),
        (0.001, 0.5, "LEVEL_WITH_ANOTHER"),
        (0.0, 0.5, "LEVEL_WITH_ANOTHER"),
        (0.0, -0.5, "LEVEL_WITH_ANOTHER"),
        (-0.3, 0.5, "NOT_CLEARLY_AHEAD"),
        (-0.3, -0.5, "NOT_CLEARLY_AHEAD"),
    ],
)
def test_only_a_candidate_that_is_ahead_is_called_so(lead: float, contribution: float, expected: str) -> None:
    leads = {"lexical_lead": lead, "cover_lead": lead, "embedding_lead": lead}
    assert code("lead", contribution, **leads) == expected


@pytest.mark.parametrize("contribution", [0.5, -0.5])
def test_a_name_is_unique_only_without_namesakes(contribution: float) -> None:
    assert code("uniqueness", contribution) == "NAME_IS_UNIQUE"
    assert code("uniqueness", contribution, namesakes=1) != "NAME_IS_UNIQUE"


@pytest.mark.parametrize("contribution", [0.5, -0.5])
def test_no_word_is_left_over_only_where_none_is(contribution: float) -> None:
    assert code("unmatched_words", contribution) == "NO_WORD_LEFT_OVER"
    assert code("unmatched_words", contribution, rarest_lost_record=1) != "NO_WORD_LEFT_OVER"


# Columns


def test_the_direction_is_the_sign_of_the_contribution() -> None:
    assert [reason(0, c)["direction"] for c in (0.5, -0.5)] == ["supports", "against"]


def test_the_residual_takes_no_side() -> None:
    found = reason(RESIDUAL, -0.5)
    assert (found["code"], found["direction"], found["contribution"]) == ("OTHER_EVIDENCE", "neutral", -0.5)


def test_a_finding_weighs_nothing_and_comes_last() -> None:
    findings = {"AMBIGUOUS": np.array([False, True]), "NAME_UNREADABLE": np.array([True, True])}
    second = np.ones(1, np.int64)
    first, other = reasons_column(told((RESIDUAL, 0.5)), second, features(), [""], findings).to_list()
    assert [r["code"] for r in first] == ["NAME_UNREADABLE"]
    assert [r["code"] for r in other] == ["OTHER_EVIDENCE", "AMBIGUOUS", "NAME_UNREADABLE"]
    assert other[1] == {"code": "AMBIGUOUS", "direction": "neutral", "contribution": 0.0, "evidence": ""}


def test_each_record_gets_its_own_reasons_in_their_order() -> None:
    both = [told((RESIDUAL, 1.0), (0, 2.0)), told((0, 3.0), row=1)]
    joined = Told(*(np.concatenate(parts) for parts in zip(*(vars(t).values() for t in both), strict=True)))
    record, pairs = np.array([1, 3]), np.repeat(features(), 2, axis=0)
    findings = {"AMBIGUOUS": np.zeros(4, np.bool_)}
    column = reasons_column(joined, record, pairs, ["a", "b", "c"], findings)
    said = [[(r["contribution"], r["evidence"]) for r in reasons] for reasons in column.to_list()]
    assert said == [[], [(1.0, "a"), (2.0, "b")], [], [(3.0, "c")]]
    differences = contrast_column(joined, record, pairs, 4).to_list()
    assert [[d["difference"] for d in one] for one in differences] == [[], [1.0, 2.0], [], [3.0]]
