"""What follows what the monitors report, in business days."""

import pytest

from sensors.rules.responses import (
    CONCEPT,
    DRIFT,
    PERFORMANCE,
    PREDICTIONS,
    Decision,
    Memory,
    Report,
    Run,
    business_days,
    counts,
    decide,
)

DAYS = ["2026-11-06", *(f"2026-11-{day:02}" for day in (9, 10, 11, 12, 13, 16, 17, 18, 19, 20))]
TODAY = DAYS[-1]


def reports(monitor: str, *statuses: str, version: str = "v1", certificate: str = "") -> list[Report]:
    """The last reports of a monitor, up to today."""
    days = DAYS[len(DAYS) - len(statuses) :]
    return [
        Report(monitor, day, status, f"{monitor} was {status}", 3.0, version, certificate)
        for day, status in zip(days, statuses, strict=True)
    ]


def decided(*found: list[Report], **memory: object) -> Decision:
    return decide([report for some in found for report in some], Memory(**{"versions": ("v1",), **memory}))


# What is asked for


@pytest.mark.parametrize("monitor", [DRIFT, PREDICTIONS, CONCEPT])
@pytest.mark.parametrize(
    ("statuses", "asked"),
    [
        (("ALARM", "ALARM"), True),
        (("ALARM", "OK", "ALARM"), True),
        (("ALARM",), False),
        (("OK", "ALARM", "OK"), False),
        (("ALARM", "OK", "OK", "ALARM"), False),
        (("ALARM", "UNKNOWN", "UNKNOWN", "UNKNOWN", "ALARM"), True),
        (("ALARM", "UNKNOWN", "UNKNOWN"), False),
        ((), False),
    ],
)
def test_two_alarms_in_the_last_three_judged_reports_retrain(monitor, statuses, asked) -> None:
    assert (decided(reports(monitor, *statuses)).retrain is not None) == asked


def test_feature_drift_alone_is_a_ticket_and_a_shadow() -> None:
    decision = decided(reports(DRIFT, "ALARM", "ALARM"), reports(PREDICTIONS, "OK", "OK"))
    assert (decision.retrain.shadow, decision.retrain.reason) == (True, "drift")
    assert decision.ticket.day == TODAY
    assert decision.close is None


@pytest.mark.parametrize(
    ("monitor", "reason"), [(PREDICTIONS, "predictions"), (CONCEPT, "concept"), (PERFORMANCE, "performance")]
)
def test_what_reaches_decisions_is_no_shadow_and_no_ticket(monitor: str, reason: str) -> None:
    decision = decided(reports(DRIFT, "ALARM", "ALARM"), reports(monitor, "ALARM", "ALARM"))
    assert (decision.retrain.shadow, decision.retrain.reason, decision.ticket) == (False, reason, None)
    assert f"{monitor} was ALARM" in decision.retrain.sentence
    assert "drift_report was ALARM" in decision.retrain.sentence


def test_one_performance_alarm_is_enough() -> None:
    assert decided(reports(PERFORMANCE, "ALARM", certificate="holds")).retrain.reason == "performance"


def test_the_same_alarms_ask_under_one_run_key_and_new_ones_under_another() -> None:
    first, again = (decided(reports(CONCEPT, "ALARM", "ALARM")).retrain.run_key for _ in range(2))
    assert first == again != decided(reports(CONCEPT, "ALARM", "OK", "ALARM")).retrain.run_key


def test_reports_of_a_version_that_serves_no_more_count_for_nothing() -> None:
    assert decided(reports(CONCEPT, "ALARM", "ALARM", version="v0")).retrain is None
    assert decided(reports(CONCEPT, "ALARM", "ALARM", version="v0"), versions=("v1", "v0")).retrain is not None


# Time


def test_a_weekend_is_no_time() -> None:
    assert [business_days("2026-11-06", day) for day in ("2026-11-06", "2026-11-09", "2026-11-17")] == [0, 1, 7]


@pytest.mark.parametrize(("day", "asked"), [(DAYS[3], True), (DAYS[4], False), (DAYS[8], False)])
def test_seven_business_days_pass_between_trainings_for_alarms(day: str, asked: bool) -> None:
    memory = {"trainings": [Run(day, "predictions")]}
    assert (decided(reports(CONCEPT, "ALARM", "ALARM"), **memory).retrain is not None) == asked


def test_alarms_that_a_training_answered_do_not_count_again() -> None:
    decision = decided(reports(CONCEPT, "ALARM", "ALARM"), trainings=[Run(DAYS[-2], "concept")])
    assert decision.retrain is None
    assert "answered" in decision.sentence


def test_a_training_that_failed_answers_too() -> None:
    assert decided(reports(CONCEPT, "ALARM", "ALARM"), trainings=[Run(TODAY, "concept", done=False)]).retrain is None


def test_a_shadow_does_not_hold_up_a_training_but_another_shadow() -> None:
    shadow = [Run(DAYS[-3], "drift", shadow=True)]
    assert decided(reports(CONCEPT, "ALARM", "ALARM"), trainings=shadow).retrain is not None
    assert decided(reports(DRIFT, "ALARM", "ALARM"), trainings=shadow).retrain is None


def test_a_training_for_labels_starts_no_cooldown() -> None:
    assert decided(reports(CONCEPT, "ALARM", "ALARM"), trainings=[Run(TODAY, "labels")]).retrain is not None


def test_two_trainings_are_started_for_a_business_day_and_no_third() -> None:
    both = [Run(TODAY, "labels"), Run(TODAY, "labels")]
    decision = decided(reports(CONCEPT, "ALARM", "ALARM"), trainings=both)
    assert decision.retrain is None
    assert "2 trainings" in decision.sentence
    assert counts(both, DAYS[-2]) is None


def test_an_alarm_waits_for_the_training_that_is_under_way() -> None:
    decision = decided(reports(CONCEPT, "ALARM", "ALARM"), training=True)
    assert decision.retrain is None
    assert "under way" in decision.sentence


# A broken certificate


def broken(*certificates: str) -> list[Report]:
    """Performance reports with these certificates, up to today."""
    days = DAYS[len(DAYS) - len(certificates) :]
    return [
        Report(PERFORMANCE, d, "ALARM", "12 of 300 wrong", 0.96, "v1", c)
        for d, c in zip(days, certificates, strict=True)
    ]


def test_a_broken_certificate_closes_and_retrains_at_once() -> None:
    decision = decided(broken("broken"))
    assert (decision.close.reason, decision.close.day, decision.close.sentence) == (
        "certificate",
        TODAY,
        "12 of 300 wrong",
    )
    assert decision.retrain.reason == "performance"


@pytest.mark.parametrize("certificates", [("holds",), ("unknown",), ("broken", "holds"), ()])
def test_a_certificate_that_is_not_shown_to_be_broken_closes_nothing(certificates: tuple[str, ...]) -> None:
    assert decided(broken(*certificates), reports(DRIFT, "OK")).close is None


def test_neither_cooldown_nor_a_training_under_way_holds_up_a_closing() -> None:
    busy = {"trainings": [Run(TODAY, "performance")] * 2, "training": True}
    assert decided(broken("broken"), **busy).close is not None


def test_what_is_closed_or_being_closed_is_not_closed_again() -> None:
    assert decided(broken("broken"), closed=True).close is None
    assert decided(broken("broken"), closing=True, closings=[Run(TODAY, done=False)]).close is None


def test_who_opens_again_is_not_overruled_by_the_same_report_but_by_the_next() -> None:
    assert decided(broken("broken"), closings=[Run(TODAY)]).close is None
    assert decided(broken("broken", "broken"), closings=[Run(DAYS[-2])]).close is not None


def test_a_closing_that_failed_is_tried_again_under_another_key_and_not_for_ever() -> None:
    keys = [decided(broken("broken"), closings=[Run(TODAY, done=False)] * n).close for n in range(4)]
    assert keys[3] is None
    assert len({found.run_key for found in keys[:3]}) == 3
