"""When drift is worth a retraining."""

import pytest

from sensors.rules.drift import COOLDOWN_SECONDS, Decision, Window, decide

NOW = 100 * 86400.0


def windows(*statuses: str, reported_at: float = NOW) -> list[Window]:
    return [Window(f"2026-11-{10 + i}", status, f"window {i}", reported_at) for i, status in enumerate(statuses)]


def decided(
    *statuses: str, last_retrain: float | None = None, retraining: bool = False, reported_at: float = NOW
) -> Decision:
    return decide(windows(*statuses, reported_at=reported_at), last_retrain, retraining, now=NOW)


@pytest.mark.parametrize("statuses", [("ALARM", "ALARM"), ("ALARM", "OK", "ALARM"), ("OK", "OK", "ALARM", "ALARM")])
def test_two_alarms_in_the_last_three_windows_start_a_retraining(statuses: tuple[str, ...]) -> None:
    assert decided(*statuses).run_key is not None


@pytest.mark.parametrize("statuses", [(), ("ALARM",), ("OK", "ALARM", "OK"), ("ALARM", "OK", "OK", "ALARM")])
def test_fewer_than_two_alarms_in_the_last_three_windows_start_nothing(statuses: tuple[str, ...]) -> None:
    assert decided(*statuses).run_key is None


def test_an_unknown_window_is_not_an_alarm() -> None:
    assert decided("ALARM", "UNKNOWN", "UNKNOWN").run_key is None


def test_an_unknown_window_is_not_ok_either_and_takes_no_place_among_the_three() -> None:
    assert decided("ALARM", "UNKNOWN", "UNKNOWN", "UNKNOWN", "ALARM").run_key is not None
    assert decided("ALARM", "OK", "OK", "OK", "ALARM").run_key is None


def test_windows_are_taken_by_day_and_not_by_the_order_of_their_reports() -> None:
    shuffled = list(reversed(windows("ALARM", "ALARM", "OK", "OK", "OK")))
    assert decide(shuffled, None, False, now=NOW).run_key is None


def test_the_sentence_names_the_days_that_alarmed_and_what_they_said() -> None:
    decision = decided("OK", "ALARM", "ALARM")
    assert decision.alarms == ("2026-11-11", "2026-11-12")
    assert all(words in decision.sentence for words in ("2 of the last 3", "window 2"))


def test_no_second_retraining_starts_within_the_cooldown() -> None:
    last = NOW - COOLDOWN_SECONDS + 1
    assert decided("ALARM", "ALARM", last_retrain=last).run_key is None
    assert "cooldown" in decided("ALARM", "ALARM", last_retrain=last).sentence
    assert decided("ALARM", "ALARM", last_retrain=last - 1).run_key is not None


def test_windows_that_a_retraining_has_answered_do_not_count_again() -> None:
    last = NOW - 2 * COOLDOWN_SECONDS
    assert decided("ALARM", "ALARM", last_retrain=last, reported_at=last - 1).run_key is None
    assert decided("ALARM", "ALARM", last_retrain=last, reported_at=last + 1).run_key is not None


def test_drift_waits_while_a_retraining_is_under_way() -> None:
    assert decided("ALARM", "ALARM", retraining=True).run_key is None


def test_the_same_windows_have_the_same_run_key() -> None:
    assert decided("ALARM", "ALARM").run_key == decided("ALARM", "ALARM").run_key
    assert decided("ALARM", "ALARM").run_key != decided("OK", "ALARM", "ALARM").run_key
