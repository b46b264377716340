"""What becomes of people's verdicts: labels, open questions, agreement."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from matching.records import InputError
from matching.verdicts import VERDICTS, agreement, audited, checked_reviewer, labels_of, settle, standing

NOON = datetime(2026, 1, 7, 12, tzinfo=UTC)


def given(*rows: tuple[Any, ...], reviewers: int = 1) -> pl.DataFrame:
    """Verdicts (record, reviewer, verdict, reference), a minute apart; the proposed reference is always A."""
    return pl.DataFrame(
        [
            {
                "record_id": record,
                "reviewer": reviewer,
                "verdict": verdict,
                "reference_id": (reference or [None])[0],
                "decided_at": NOON + timedelta(minutes=i),
                "seconds": 5.0,
                "queue_day": date(2026, 1, 7),
                "why": "audit",
                "reviewers": reviewers,
                "shown_reference_id": "A",
                "shown_decision": "match",
                "shown_probability": 0.99,
                "bundle_version": "v",
            }
            for i, (record, reviewer, verdict, *reference) in enumerate(rows)
        ],
        schema=VERDICTS,
    )


def statuses(verdicts: pl.DataFrame) -> dict[str, str]:
    return dict(settle(verdicts).select("record_id", "status").sort("record_id").iter_rows())


def test_a_yes_labels_its_reference_and_a_none_labels_that_there_is_none() -> None:
    labels = labels_of(given(("r1", "ann", "yes", "A"), ("r2", "ann", "none")))
    assert labels.select("record_id", "reference_id").rows() == [("r1", "A"), ("r2", None)]


def test_a_label_says_who_gave_it_when_and_on_which_decision() -> None:
    (label,) = labels_of(given(("r1", "ann", "yes", "A"))).to_dicts()
    assert (label["reviewer"], label["decided_at"], label["why"]) == ("ann", NOON, "audit")
    assert (label["bundle_version"], label["shown_decision"], label["seconds"]) == ("v", "match", 5.0)


def test_unsure_is_no_label_and_leaves_the_record_to_others() -> None:
    verdicts = given(("r1", "ann", "unsure"))
    assert labels_of(verdicts).is_empty()
    assert statuses(verdicts) == {"r1": "open"}


def test_a_no_settles_the_record_without_a_label() -> None:
    verdicts = given(("r1", "ann", "no"))
    assert labels_of(verdicts).is_empty()
    assert statuses(verdicts) == {"r1": "settled"}


def test_a_record_for_two_waits_for_the_second() -> None:
    verdicts = given(("r1", "ann", "yes", "A"), reviewers=2)
    assert labels_of(verdicts).is_empty()
    assert statuses(verdicts) == {"r1": "open"}


def test_two_who_agree_make_one_label() -> None:
    verdicts = given(("r1", "ann", "yes", "A"), ("r1", "ben", "yes", "A"), reviewers=2)
    assert labels_of(verdicts).select("record_id", "reference_id", "reviewer").rows() == [("r1", "A", "ben")]


def test_two_who_disagree_make_no_label_but_an_adjudication() -> None:
    verdicts = given(("r1", "ann", "yes", "A"), ("r1", "ben", "yes", "B"), reviewers=2)
    assert labels_of(verdicts).is_empty()
    assert statuses(verdicts) == {"r1": "adjudication"}


def test_an_unasked_second_opinion_that_differs_takes_the_label_away() -> None:
    assert labels_of(given(("r1", "ann", "yes", "A"), ("r1", "ben", "none"))).is_empty()


def test_a_third_person_settles_what_two_disagree_on() -> None:
    verdicts = given(("r1", "ann", "yes", "A"), ("r1", "ben", "none"), ("r1", "cai", "none"), reviewers=2)
    assert labels_of(verdicts).select("reference_id", "reviewer").rows() == [(None, "cai")]


def test_three_who_all_differ_leave_it_open() -> None:
    verdicts = given(("r1", "ann", "yes", "A"), ("r1", "ben", "none"), ("r1", "cai", "yes", "B"), reviewers=2)
    assert statuses(verdicts) == {"r1": "adjudication"}


def test_somebody_who_is_unsure_does_not_outvote() -> None:
    verdicts = given(("r1", "ann", "unsure"), ("r1", "ben", "yes", "A"))
    assert labels_of(verdicts)["reviewer"].to_list() == ["ben"]


def test_of_two_verdicts_by_one_person_the_newest_stands() -> None:
    verdicts = given(("r1", "ann", "yes", "A"), ("r1", "ann", "none"))
    assert standing(verdicts)["verdict"].to_list() == ["none"]
    assert labels_of(verdicts)["reference_id"].to_list() == [None]


def test_a_verdict_that_is_withdrawn_is_gone() -> None:
    verdicts = given(("r1", "ann", "yes", "A"), ("r1", "ann", "withdrawn"))
    assert standing(verdicts).is_empty()
    assert labels_of(verdicts).is_empty()


def test_an_audit_counts_a_match_that_is_only_known_to_be_wrong() -> None:
    verdicts = given(("r1", "ann", "yes", "A"), ("r2", "ann", "no"), ("r3", "ann", "none"), ("r4", "ann", "yes", "B"))
    assert audited(verdicts)["right"].to_list() == [True, False, False, False]


def test_a_refusal_is_right_where_there_is_none_and_wrong_where_there_is_one() -> None:
    refused = given(("r1", "ann", "none"), ("r2", "ann", "yes", "A"), ("r3", "ann", "no"))
    refused = refused.with_columns(shown_decision=pl.lit("no_match"))
    assert audited(refused)["right"].to_list() == [True, False, None]


def test_an_audit_that_is_not_settled_is_not_counted() -> None:
    assert audited(given(("r1", "ann", "unsure"), ("r2", "ann", "yes", "A"), ("r2", "ben", "none"))).is_empty()


def test_kappa_is_that_of_a_table_worked_by_hand() -> None:
    # 10 pairs: 4 both yes, 4 both none, 2 apart; chance agreement 0.5; kappa (0.8 - 0.5) / 0.5.
    rows: list[tuple[str, ...]] = []
    for i in range(10):
        first = ("yes", "A") if i < 5 else ("none",)
        second = ("yes", "A") if i < 4 or i == 9 else ("none",)
        rows += [(f"r{i}", "ann", *first), (f"r{i}", "ben", *second)]
    assert agreement(given(*rows, reviewers=2)) == (pytest.approx(0.6), pytest.approx(0.8), 10)


def test_two_other_references_do_not_agree_because_both_are_others() -> None:
    assert agreement(given(("r1", "ann", "yes", "B"), ("r1", "ben", "yes", "C")))[1:] == (0.0, 1)


def test_without_a_pair_there_is_no_agreement_to_tell() -> None:
    assert agreement(given(("r1", "ann", "yes", "A"))) == (None, None, 0)


def test_where_all_answers_are_the_same_kappa_is_not_defined() -> None:
    assert agreement(given(("r1", "ann", "none"), ("r1", "ben", "none"))) == (None, 1.0, 1)


@pytest.mark.parametrize("reviewer", ["Ann Smith", "../x", "", "-", "a" * 33])
def test_a_reviewer_is_an_id_and_not_a_name_or_a_path(reviewer: str) -> None:
    with pytest.raises(InputError, match="reviewer id"):
        checked_reviewer(reviewer)
