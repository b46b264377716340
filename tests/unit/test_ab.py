"""An A/B judged on labels: what counts as right, and when one side is shown to be better."""

import random

import polars as pl

from matching.ab import Outcome, judge_outcomes, outcomes_of

SIDES = {"champion": "A", "challenger": "B"}


def outcomes(share_a: float, share_b: float, wrong_b: float = 0.0, count: int = 800) -> list[Outcome]:
    draw = random.Random(3)
    found = []
    for _ in range(count):
        side = draw.choice("AB")
        right = draw.random() < (share_a if side == "A" else share_b)
        found.append(Outcome(side, right, not right and side == "B" and draw.random() < wrong_b))
    return found


def test_more_right_decisions_are_shown_to_be_better():
    assert judge_outcomes(outcomes(0.5, 0.8)).verdict == "better"


def test_fewer_right_decisions_are_shown_to_be_worse():
    assert judge_outcomes(outcomes(0.8, 0.5)).verdict == "worse"


def test_more_wrong_matches_are_worse_whatever_else_is_better():
    judged = judge_outcomes(outcomes(0.3, 0.6, wrong_b=1.0))
    assert judged.right.share_b > judged.right.share_a
    assert judged.verdict == "worse"


def test_equal_versions_stay_undecided():
    assert judge_outcomes(outcomes(0.7, 0.7)).verdict == "undecided"


def test_without_labels_nothing_is_decided():
    judged = judge_outcomes([])
    assert (judged.verdict, judged.sentence) == ("undecided", "Undecided: no labelled records of both sides yet.")


def test_one_side_alone_decides_nothing():
    assert judge_outcomes([Outcome("B", True, False)] * 500).verdict == "undecided"


def test_a_match_is_right_by_label_or_namesake_and_a_refusal_by_there_being_none():
    answers = pl.DataFrame(
        [
            ("named", "champion", "match", "R1"),
            ("namesake", "challenger", "match", "R2"),
            ("other", "challenger", "match", "R3"),
            ("asked", "champion", "review", "R1"),
            ("refused", "champion", "no_match", None),
            ("missed", "champion", "no_match", "R1"),
            ("invented", "challenger", "match", "R1"),
            ("unlabelled", "challenger", "match", "R1"),
            ("elsewhere", "shadow", "match", "R1"),
        ],
        schema=["record_id", "variant", "decision", "reference_id"],
        orient="row",
    )
    known = ("named", "namesake", "other", "asked", "refused", "missed", "invented", "elsewhere")
    labels = pl.DataFrame(
        {
            "record_id": known,
            "reference_id": [None if name in ("refused", "invented") else "R1" for name in known],
            "same_name_alternatives": [["R2"] if name == "namesake" else [] for name in known],
        }
    )
    told = {row[0]: row[1:] for row in outcomes_of(answers, labels, SIDES).iter_rows()}
    assert told == {
        "named": ("A", True, False),
        "namesake": ("B", True, False),
        "other": ("B", False, True),
        "asked": ("A", False, False),
        "refused": ("A", True, False),
        "missed": ("A", False, False),
        "invented": ("B", False, True),
    }
