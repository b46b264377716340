"""The simulated month: its feed is the same each time, and each thing that is asked of it can be missed."""

from dataclasses import replace
from datetime import UTC, date, datetime

import polars as pl
import pytest

from matching.verdicts import NONE, VERDICTS, YES
from scripts.month_feed import World, as_a_terminal, as_an_index
from scripts.month_judge import Expectation, Seen, Training, expectations

BETTER = Expectation("better", True, "")


def audits(right: int, wrong: int) -> pl.DataFrame:
    """Verdicts on audited matches."""
    moment = datetime(2026, 1, 12, 18, tzinfo=UTC)
    rows = [
        {"record_id": f"r{n}", "reviewer": "a", "verdict": YES if n < right else NONE,
         "reference_id": "R" if n < right else None, "decided_at": moment, "queue_day": date(2026, 1, 12),
         "why": "audit", "reviewers": 1, "shown_reference_id": "R", "shown_decision": "match"}
        for n in range(right + wrong)
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=VERDICTS)


GOOD = Seen(
    alarms={"drift_report": [16], "prediction_report": [16, 17]},
    trainings=[
        Training(0, "labels", 1, "Approved"),
        Training(17, "drift", 2, "Approved"),
        Training(24, "labels", 3, "Rejected"),
    ],
    promoted={0: 1, 17: 2},
    verdicts=audits(300, 1),
    change=15,
    poison=24,
)


def missed(seen: Seen, better: Expectation = BETTER) -> list[str]:
    return [one.what for one in expectations(seen, better) if not one.held]


def test_a_good_month_has_all_that_is_asked():
    assert missed(GOOD) == []


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"trainings": [*GOOD.trainings, Training(9, "drift", 4, "Approved")]}, "quiet"),
        ({"alarms": {"drift_report": [18]}}, "is seen by day 17"),
        ({"trainings": [replace(t, status="Rejected") for t in GOOD.trainings]}, "answered by a retraining"),
        ({"promoted": {0: 1}}, "promoted by a canary"),
        ({"verdicts": audits(98, 2)}, "audited precision"),
        ({"trainings": [replace(t, status="Approved") for t in GOOD.trainings]}, "refused by the gates"),
    ],
)
def test_each_thing_that_is_asked_can_be_missed(change, what):
    (found,) = missed(replace(GOOD, **change))
    assert what in found


def test_a_challenger_that_is_no_better_is_missed():
    assert missed(GOOD, replace(BETTER, held=False)) == ["better"]


def test_a_day_of_the_feed_is_the_same_for_the_same_seed_only():
    one, same, other = (World.of_sample().day("d01", as_an_index, 50, seed) for seed in (7, 7, 8))
    assert one.equals(same)
    assert not one.equals(other)


def test_a_fifth_of_what_arrives_has_no_match_and_the_reference_does_not_know_it():
    world = World.of_sample()
    labels = world.labels(world.day("d01", as_a_terminal, 1000, 7))
    assert 150 < labels["reference_id"].null_count() < 250
    assert labels["reference_id"].drop_nulls().is_in(world.reference["reference_id"].implode()).all()
    assert not {reference_id for reference_id, _ in world.absent} & set(world.reference["reference_id"])


def test_of_poisoned_labels_the_share_that_was_asked_for_is_wrong():
    world = World.of_sample()
    asked = world.day("d01", as_an_index, 1000, 7)
    right, poisoned = world.labels(asked)["reference_id"], world.poisoned(asked, 0.6, 7)["reference_id"]
    assert 0.5 < right.ne_missing(poisoned).mean() < 0.65
