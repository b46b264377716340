"""What is otherwise when a day is scored again, and which part of the bundle did it."""

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from matching.closing import close_bundle
from matching.policy import Policy
from matching.rescoring import WHY, Side, diff_decisions
from matching.scoring import Scorer

COLUMNS = {
    "record_id": pl.String,
    "decision": pl.String,
    "reference_id": pl.String,
    "probability": pl.Float64,
    "degraded": pl.Boolean,
    "bundle_version": pl.String,
    "reasons": pl.List(pl.Struct({"code": pl.String})),
}
USUAL = {"decision": "review", "reference_id": "R1", "probability": 0.5, "degraded": False, "codes": []}


def decisions(version: str, **records: dict) -> pl.DataFrame:
    """Decisions of one bundle: each record as usual, but for what is said of it."""
    rows = []
    for record_id, said in records.items():
        row = {**USUAL, **said, "record_id": record_id, "bundle_version": version}
        rows.append({**row, "reasons": [{"code": code} for code in row.pop("codes")]})
    return pl.DataFrame(rows, schema=COLUMNS)


@pytest.fixture
def policy(small_scorer: Scorer) -> Policy:
    """Matched from .9, reviewed from .3."""
    return Policy(replace(small_scorer.policy.certificate, granted=True, threshold=0.9), 0.3)


def difference(policy: Policy, was: dict, now: dict, since: Policy | None = None) -> tuple[str, str] | None:
    """Change and why of one record, by a new bundle with the policy `since`."""
    then = Side(policy, pl.Series(["R1", "R2", "GONE"]))
    after = Side(since or policy, pl.Series(["R1", "R2", "ADDED"]))
    found = diff_decisions(decisions("old", r=was), decisions("new", r=now), then, after)
    return found.select("change", "why").row(0) if found.height else None


MATCH, NONE = {"decision": "match", "probability": 0.95}, {"decision": "no_match", "probability": 0.1}


@pytest.mark.parametrize(
    ("was", "now", "expected"),
    [
        ({}, {}, None),
        ({}, {"probability": 0.6}, ("details", "models")),
        ({"codes": ["A"]}, {"codes": ["B"]}, ("details", "models")),
        ({}, MATCH, ("band", "probability")),
        ({}, {"reference_id": "R2"}, ("reference", "ranking")),
        ({"reference_id": "GONE"}, {}, ("reference", "reference_gone")),
        ({}, {"reference_id": "ADDED"}, ("reference", "reference_added")),
        ({**NONE, "reference_id": None}, {}, ("band and reference", "candidate")),
        (MATCH, {**MATCH, "decision": "review", "codes": ["MATCHING_CLOSED"]}, ("band", "closed")),
        (MATCH, {**MATCH, "decision": "review", "codes": ["KIND_NOT_CERTIFIED"]}, ("band", "kind")),
        ({**MATCH, "decision": "review", "degraded": True}, MATCH, ("band", "degraded")),
        ({**MATCH, "decision": "review", "codes": ["AMBIGUOUS"]}, MATCH, ("band", "ambiguous")),
    ],
)
def test_each_difference_has_its_change_and_its_reason(policy, was, now, expected) -> None:
    assert difference(policy, was, now) == expected


def test_another_threshold_is_told_apart_from_another_probability(policy) -> None:
    lower = Policy(replace(policy.certificate, threshold=0.4), 0.3)
    assert difference(policy, {}, {"decision": "match"}, since=lower) == ("band", "thresholds")
    looser = Policy(replace(policy.certificate, threshold=0.7), 0.3)
    assert difference(policy, {}, {"decision": "match", "probability": 0.8}, since=looser) == ("band", "both")


def test_a_record_that_only_one_of_the_two_decided_is_told(policy) -> None:
    side = Side(policy, pl.Series(["R1"]))
    found = diff_decisions(decisions("old", a={}, b={}), decisions("new", b={}, c={}), side, side)
    assert found.select("record_id", "change", "why").rows() == [
        ("a", "undecided", "not_there_now"),
        ("c", "undecided", "undecided_then"),
    ]


def test_codes_that_went_and_came_are_listed_with_both_versions(policy) -> None:
    side = Side(policy, pl.Series(["R1"]))
    found = diff_decisions(
        decisions("old", a={"codes": ["A", "B"]}), decisions("new", a={"codes": ["B", "C"]}), side, side
    )
    row = found.row(0, named=True)
    assert (row["codes_gone"], row["codes_new"]) == (["A"], ["C"])
    assert (row["bundle_version_was"], row["bundle_version_now"]) == ("old", "new")


def test_a_difference_of_a_bundle_with_itself_is_called_so(policy) -> None:
    side = Side(policy, pl.Series(["R1"]))
    found = diff_decisions(decisions("one", a={}), decisions("one", a=MATCH), side, side)
    assert found["why"].to_list() == ["other_input"]


def test_the_same_bundle_decides_alike_and_its_closed_form_differs_in_matches_only(
    small_scorer: Scorer, small_bundle: Path, small_frames, tmp_path: Path
) -> None:
    close_bundle(small_bundle, tmp_path / "closed")
    records = small_frames.records.head(100)
    was, again = small_scorer.score(records).decisions, Scorer.load(small_bundle).score(records).decisions
    closed = Scorer.load(tmp_path / "closed").score(records).decisions
    then, since = Side.of(small_bundle), Side.of(tmp_path / "closed")
    assert diff_decisions(was, again, then, then).is_empty()
    found = diff_decisions(was, closed, then, since)
    assert found["record_id"].to_list() == was.filter(pl.col("decision") == "match")["record_id"].to_list()
    assert set(found["why"]) == {"closed"}


def test_every_reason_has_a_sentence() -> None:
    assert all(sentence.endswith(".") for sentence in WHY.values())
