from datetime import UTC, date, datetime
from itertools import product

import numpy as np
import polars as pl
import pytest

from matching.concept import KINDS, at_least, check_concept, outcomes
from matching.verdicts import VERDICTS

MATCH, REFUSAL, REVIEW = KINDS["match"], KINDS["no_match"], KINDS["review"]


def judged(kind: str, rows: int, wrong: int, probability: float = 0.99) -> pl.DataFrame:
    return pl.DataFrame({"kind": kind, "probability": probability, "wrong": [n < wrong for n in range(rows)]})


def verdict(record_id: str, answer: str, decision: str = "match", reference_id: str | None = "x", **more) -> dict:
    shown = {"shown_reference_id": "x", "shown_decision": decision, "shown_probability": 0.9, "bundle_version": "v"}
    told = {"record_id": record_id, "reviewer": "r1", "verdict": answer, "reference_id": reference_id, "reviewers": 1}
    when = {"decided_at": datetime(2026, 3, 4, tzinfo=UTC), "queue_day": date(2026, 3, 3), "why": "audit"}
    return dict.fromkeys(VERDICTS) | shown | told | when | more


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        (verdict("a", "yes"), False),
        (verdict("a", "yes", reference_id="y"), True),
        (verdict("a", "no", reference_id=None), True),
        (verdict("a", "none", reference_id=None), True),
        (verdict("a", "none", "no_match", None), False),
        (verdict("a", "yes", "no_match", "y"), True),
        (verdict("a", "yes", "review"), False),
        (verdict("a", "none", "review", None), True),
    ],
)
def test_an_outcome_is_wrong_when_people_say_otherwise(given, wrong):
    (found,) = outcomes(pl.DataFrame([given], schema=VERDICTS)).to_dicts()
    assert found["wrong"] is wrong
    assert (found["kind"], found["probability"]) == (KINDS[given["shown_decision"]], 0.9)


@pytest.mark.parametrize(
    "given",
    [verdict("a", "unsure", reference_id=None), verdict("a", "no", "no_match", None), verdict("a", "yes", reviewers=2)],
)
def test_what_people_have_not_settled_is_no_outcome(given):
    assert outcomes(pl.DataFrame([given], schema=VERDICTS)).is_empty()


def test_the_tail_is_that_of_all_ways_to_go_wrong():
    p = np.array([0.1, 0.5, 0.02, 0.3, 0.9])
    for errors in range(6):
        ways = (way for way in product([0, 1], repeat=5) if sum(way) >= errors)
        exact = sum(float(np.prod(np.where(way, p, 1 - p))) for way in ways)
        assert at_least(errors, p) == pytest.approx(exact)


def test_errors_as_predicted_are_quiet():
    found = check_concept(pl.concat([judged(MATCH, 200, 2), judged(REVIEW, 100, 50, 0.5)]), (5, 100))
    assert found.status == "OK"
    assert found.sentence.startswith("Errors are as predicted")


@pytest.mark.parametrize(
    ("outcome", "number"),
    [(judged(MATCH, 100, 8), 0.07), (judged(REVIEW, 100, 80, 0.5), 0.3), (judged(REFUSAL, 100, 40), None)],
)
def test_more_errors_than_predicted_alarm_and_are_told(outcome, number):
    found = check_concept(outcome, (5, 100))
    assert found.status == "ALARM"
    assert outcome["kind"][0] in found.sentence
    assert number is None or found.number == pytest.approx(number)


def test_fewer_errors_than_predicted_are_quiet():
    assert check_concept(judged(REVIEW, 200, 0, 0.5), (0, 0)).status == "OK"


def test_a_small_gap_is_quiet_however_certain():
    assert check_concept(judged(MATCH, 20_000, 500), (0, 0)).status == "OK"


def test_too_few_outcomes_are_unknown():
    found = check_concept(judged(MATCH, 29, 29), (5, 100))
    assert (found.status, found.number) == ("UNKNOWN", None)


def test_refusals_are_not_judged_by_a_version_that_refused_nothing_when_it_was_measured():
    assert check_concept(judged(REFUSAL, 100, 40), (0, 0)).status == "UNKNOWN"


def test_probabilities_that_are_right_alarm_in_fewer_than_one_month_in_a_hundred():
    g, alarms = np.random.default_rng(7), 0
    for _ in range(300):
        p = g.beta(8, 1, 150)
        month = pl.DataFrame({"kind": REVIEW, "probability": p, "wrong": g.random(150) > p})
        alarms += check_concept(month, (0, 0)).status == "ALARM"
    assert alarms <= 1
