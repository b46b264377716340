"""The review queue: what people are asked, and in which order."""

from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest

from matching.review import SHOWN, ReviewPlan, expected_information, is_audited, review_queue

PLAN = ReviewPlan(capacity=50, match_audit=0.05, no_match_audit=0.02, double_share=0.1)


def decided(bands: Sequence[str], probability: Sequence[float] | None = None) -> pl.DataFrame:
    """Decisions in these bands, r0, r1, ..."""
    n = len(bands)
    return pl.DataFrame(
        {
            "record_id": [f"r{i}" for i in range(n)],
            "reference_id": ["A"] * n,
            "probability": [0.5] * n if probability is None else probability,
            "decision": bands,
            "runner_up_id": ["B"] * n,
            "runner_up_probability": [0.0] * n,
            "bundle_version": ["v"] * n,
        }
    )


DAY = decided(["match"] * 4000 + ["no_match"] * 2000 + ["review"] * 500)


def test_the_likeliest_to_be_right_and_wrong_alike_come_first() -> None:
    queue = review_queue(decided(["review"] * 4, [0.95, 0.6, 0.5, 0.02]), ReviewPlan(double_share=0))
    assert queue["record_id"].to_list() == ["r2", "r1", "r0", "r3"]


def test_two_equal_candidates_tell_as_much_as_a_coin() -> None:
    found = expected_information([0.5, 0.5, 1.0, np.nan], [0.5, 0.0, 0.0, np.nan])
    assert found.tolist() == pytest.approx([1, 1, 0, 0])


def test_people_are_not_asked_for_more_verdicts_than_they_can_give() -> None:
    queue = review_queue(DAY, ReviewPlan(capacity=400))
    assert 395 <= queue["reviewers"].sum() <= 400


def test_the_audit_is_never_cut_to_fit() -> None:
    audited = review_queue(DAY, ReviewPlan(capacity=1)).filter(pl.col("why") == "audit")
    assert set(audited["record_id"]) == set(DAY.filter(is_audited(DAY, PLAN))["record_id"])


def test_the_audit_draws_its_share_of_matches_and_of_refusals_and_no_review() -> None:
    drawn = DAY.filter(is_audited(DAY, PLAN))["decision"].value_counts()
    counts = dict(drawn.iter_rows())
    assert 150 <= counts["match"] <= 250
    assert 20 <= counts["no_match"] <= 60
    assert set(counts) == {"match", "no_match"}


def test_the_audit_is_the_same_whoever_asks_and_in_whatever_order() -> None:
    shuffled = DAY.sample(fraction=1, shuffle=True, seed=3)
    first, second = (set(d.filter(is_audited(d, PLAN))["record_id"]) for d in (DAY, shuffled))
    assert first == second


def test_another_seed_draws_another_audit() -> None:
    other = is_audited(DAY, ReviewPlan(seed=8))
    assert (is_audited(DAY, ReviewPlan()) & other).sum() < other.sum() / 3


def test_half_a_queue_holds_half_of_its_audit() -> None:
    queue = review_queue(DAY, ReviewPlan(capacity=600))
    half = queue.head(queue.height // 2)
    assert abs((half["why"] == "audit").mean() - (queue["why"] == "audit").mean()) < 0.01


def test_a_record_is_asked_for_once() -> None:
    queue = review_queue(DAY, PLAN)
    assert queue["record_id"].is_duplicated().sum() == 0
    assert queue["priority"].to_list() == list(range(1, queue.height + 1))


def test_a_tenth_is_judged_by_two_people() -> None:
    queue = review_queue(DAY, ReviewPlan(capacity=600))
    assert 0.05 < (queue["reviewers"] == 2).mean() < 0.17


def test_what_is_labelled_is_not_asked_for_again_but_is_audited() -> None:
    queue = review_queue(DAY, PLAN, labelled=DAY["record_id"])
    assert queue["why"].unique().to_list() == ["audit"]


def test_what_a_person_has_judged_before_is_not_audited_again() -> None:
    assert review_queue(DAY, PLAN, labelled=DAY["record_id"], reviewed=DAY["record_id"]).is_empty()


def test_the_queue_keeps_what_a_person_was_shown() -> None:
    queue = review_queue(DAY, PLAN).select("record_id", *SHOWN)
    assert queue.join(DAY, on=["record_id", *SHOWN], how="anti").is_empty()


def test_a_day_without_decisions_has_an_empty_queue_of_the_same_columns() -> None:
    assert review_queue(DAY.head(0), PLAN).schema == review_queue(DAY, PLAN).schema
