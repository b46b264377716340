"""Alarms and budgets on windows: when they ring, and when they must not."""

import pytest

from resources.alarms import Alarm, BurnRule, Slo, Window, breach, bucket, burning, quantile, total, value

HOUR = 3600.0


def window(at: float, requests: int = 100, errors: int = 0, ms: float = 2.0, **bands: int) -> Window:
    latency = [0] * (bucket(ms) + 1)
    latency[-1] = requests
    return Window(at, 1.0, "1/production/champion", requests, errors, bands=bands, latency=tuple(latency))


ERRORS = Alarm("error_share", 0.05, period_seconds=2.0)


def test_an_alarm_rings_above_its_threshold_and_says_what_it_saw():
    assert "error_share was 0.1: above 0.05" in breach(ERRORS, [window(1.0, errors=10)], now=1.5)
    assert breach(ERRORS, [window(1.0, errors=5)], now=1.5) is None


def test_an_alarm_rings_below_its_threshold_where_that_is_bad():
    starved = Alarm("match_share", 0.2, when="below", period_seconds=2.0)
    assert breach(starved, [window(1.0, match=1, review=99)], now=1.0)
    assert breach(starved, [window(1.0, match=50, review=50)], now=1.0) is None


def test_too_few_requests_are_no_evidence():
    assert breach(ERRORS, [window(1.0, requests=19, errors=19)], now=1.0) is None
    assert breach(ERRORS, [], now=1.0) is None


def test_what_is_older_than_the_period_does_not_count():
    assert breach(ERRORS, [window(1.0, errors=50), window(4.0)], now=4.0) is None


def test_each_of_the_periods_has_to_be_bad():
    twice = Alarm("error_share", 0.05, periods=2, period_seconds=1.0)
    assert breach(twice, [window(1.0, errors=10), window(2.0, errors=10)], now=2.0)
    assert breach(twice, [window(1.0), window(2.0, errors=10)], now=2.0) is None


def test_windows_add_up():
    both = total([window(1.0, errors=1, ms=1.0, match=3), window(2.0, errors=2, ms=100.0, review=4)])
    assert (both.requests, both.errors, both.records, sum(both.latency)) == (200, 3, 7, 200)
    assert Window.from_json(both.to_json()) == both


@pytest.mark.parametrize("ms", [0.3, 2.0, 17.0, 900.0])
def test_a_quantile_is_right_to_a_bucket(ms: float):
    assert ms <= quantile(window(1.0, ms=ms), 0.99) <= 1.2 * ms


def test_nothing_measured_has_no_value():
    empty = Window(1.0, 1.0, "t")
    assert value("error_share", empty) is value("latency_p99_ms", empty) is value("match_share", empty) is None


SLO = Slo("availability", objective=0.999)


def hours(count: int, errors: int) -> list[Window]:
    """A window for each five minutes."""
    return [window(300.0 * n, requests=1000, errors=errors) for n in range(1, 12 * count + 1)]


def test_a_budget_that_burns_fast_is_an_error():
    found = burning(SLO, hours(2, errors=20), now=2 * HOUR)
    assert (found.severity, round(found.rate)) == ("ERROR", 20)
    assert "gone in 36 h" in found.sentence


def test_a_budget_that_burns_slowly_is_a_warning():
    assert burning(SLO, hours(72, errors=2), now=72 * HOUR).severity == "WARN"


def test_a_budget_that_is_kept_is_no_alarm():
    assert burning(SLO, [window(HOUR * n, requests=100_000, errors=50) for n in range(1, 80)], now=79 * HOUR) is None


def test_an_alert_ends_soon_after_its_cause():
    rule = [BurnRule(HOUR, HOUR / 12, 14.4, "ERROR")]
    bad = hours(1, errors=100)
    mended = [window(HOUR + 60.0 * n, requests=1000) for n in range(1, 7)]

    assert burning(SLO, bad, HOUR, rule)
    assert burning(SLO, [*bad, *mended], HOUR + 360, rule) is None


def test_slow_answers_spend_the_budget_of_latency():
    slow = Slo("latency", objective=0.99, latency_ms=10.0)
    assert burning(slow, [window(60.0 * n, ms=50.0) for n in range(1, 61)], now=HOUR)
    assert burning(slow, [window(60.0 * n, ms=5.0) for n in range(1, 61)], now=HOUR) is None
