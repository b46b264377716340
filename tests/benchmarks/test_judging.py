"""A peer's output judged: its threshold comes from the entities to learn from, and only applies to the others."""

import polars as pl
import pytest

from benchmarks.judging import decided, judge_peer, threshold_for, undecided
from matching.judging import judge


def labels(*references: str | None) -> pl.DataFrame:
    ids = [f"q{i}" for i in range(len(references))]
    return pl.DataFrame({"record_id": ids, "reference_id": references}, schema_overrides={"reference_id": pl.String})


def candidates(*rows: tuple[str, str, int, float]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["record_id", "reference_id", "rank", "score"], orient="row")


FOUND = candidates(("q0", "A", 1, 0.9), ("q1", "B", 1, 0.8), ("q2", "X", 1, 0.7), ("q2", "C", 2, 0.6))
GOLD = labels("A", "B", "C", None)


def judged() -> pl.DataFrame:
    return judge(undecided(FOUND, GOLD), GOLD, FOUND)


def test_the_threshold_is_the_lowest_score_at_which_precision_reaches_the_target():
    assert threshold_for(judged(), 0.99) == 0.8
    assert threshold_for(judged(), 0.6) == 0.7


def test_there_is_no_threshold_where_no_score_reaches_the_target():
    wrong = candidates(("q0", "X", 1, 0.9))
    assert threshold_for(judge(undecided(wrong, GOLD), GOLD, wrong), 0.99) is None


def test_equal_scores_are_matched_or_refused_together():
    even = candidates(("q0", "A", 1, 0.8), ("q1", "X", 1, 0.8))
    assert threshold_for(judge(undecided(even, GOLD), GOLD, even), 0.99) is None


def test_a_record_without_a_candidate_is_never_matched():
    assert decided(FOUND, GOLD, 0.0)["decision"].to_list() == ["match", "match", "match", "review"]


def test_the_records_that_are_judged_have_no_say_in_the_threshold():
    first, second = GOLD.head(2), GOLD.tail(2)
    slices = second.select("record_id")
    found = judge_peer(FOUND, first, second, slices)
    assert found["threshold"] == 0.8
    assert found["coverage"] == 0.0
    assert judge_peer(FOUND, first, second, slices, target=0.5)["threshold"] == 0.8


def test_figures_are_of_the_judged_records_alone():
    found = judge_peer(FOUND, GOLD.tail(2), GOLD.head(2), GOLD.head(2).select("record_id"), target=0.9)
    assert (found["records"], found["recall@1"], found["threshold"]) == (2, 1.0, None)


def test_the_best_coverage_is_read_off_the_judged_records():
    found = judge_peer(FOUND, GOLD, GOLD, GOLD.select("record_id"))
    assert found["oracle_coverage"] == pytest.approx(0.5)
    assert (found["precision"], found["coverage"]) == (1.0, 0.5)


def test_a_few_labels_certify_nothing():
    found = judge_peer(FOUND, GOLD, GOLD, GOLD.select("record_id"))
    assert found["certified"] == {"coverage": 0.0, "precision": None}
