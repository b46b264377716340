"""What is measured of an endpoint's variants, and when it is too much: pure functions of windows.

A *window* is what one variant did in one short period: requests, errors, latencies, bands. Windows add up, so that an
alarm's period may be any number of them. Alarms turn a rollout back; SLOs say how fast the error budget is being spent
(multiwindow, multi-burn-rate alerts: Google, The Site Reliability Workbook, 2018, chapter 5).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import reduce
from typing import Any, Literal

BANDS = ("match", "review", "no_match")
EDGES_MS = tuple(0.25 * 1.2**step for step in range(70))
"""Upper edges of the latency buckets: each a fifth wider than the one before, up to more than a minute."""

Metric = Literal["error_share", "throttled_share", "degraded_share", "match_share", "review_share", "latency_p99_ms"]


@dataclass(frozen=True)
class Alarm:
    """Rings when `metric` is beyond `threshold` in each of the newest `periods` periods that had requests enough.

    `when`: on which side of the threshold it rings. `least`: fewer requests in a period are no evidence.
    """

    metric: Metric
    threshold: float
    periods: int = 1
    period_seconds: float = 60.0
    when: Literal["above", "below"] = "above"
    least: int = 20


@dataclass(frozen=True)
class Window:
    """What one variant of one fleet did in the `seconds` before `at` (seconds since 1970).

    `latency`: counts of the buckets of EDGES_MS. `bands` and `degraded` count records, all else counts requests.
    """

    at: float
    seconds: float
    target: str
    requests: int = 0
    errors: int = 0
    throttled: int = 0
    degraded: int = 0
    bands: Mapping[str, int] = field(default_factory=dict)
    latency: tuple[int, ...] = ()

    def __add__(self, other: Window) -> Window:
        longer, shorter = sorted((self.latency, other.latency), key=len, reverse=True)
        return Window(
            at=max(self.at, other.at),
            seconds=self.seconds + other.seconds,
            target=self.target,
            requests=self.requests + other.requests,
            errors=self.errors + other.errors,
            throttled=self.throttled + other.throttled,
            degraded=self.degraded + other.degraded,
            bands={band: self.bands.get(band, 0) + other.bands.get(band, 0) for band in BANDS},
            latency=tuple(a + b for a, b in zip(longer, (*shorter, *[0] * len(longer)), strict=False)),
        )

    def to_json(self) -> dict[str, Any]:
        """As a line of the router's file."""
        return asdict(self)

    @classmethod
    def from_json(cls, known: Mapping[str, Any]) -> Window:
        """The inverse of `to_json`."""
        return cls(**{**known, "latency": tuple(known["latency"])})

    @property
    def records(self) -> int:
        """How many records were decided."""
        return sum(self.bands.values())

    def slower_than(self, milliseconds: float) -> int:
        """How many requests took longer, to the width of a bucket."""
        return sum(self.latency[bisect_left(EDGES_MS, milliseconds) + 1 :])


def bucket(milliseconds: float) -> int:
    """The bucket of a latency."""
    return min(bisect_left(EDGES_MS, milliseconds), len(EDGES_MS) - 1)


def quantile(window: Window, share: float) -> float | None:
    """The latency, in ms, that `share` of the requests keep within: the upper edge of a bucket. None without any."""
    seen, total = 0, sum(window.latency)
    for edge, count in zip(EDGES_MS, window.latency, strict=False):
        seen += count
        if count and seen >= share * total:
            return edge
    return None


def value(metric: Metric, window: Window) -> float | None:
    """What a metric is in a window; None when there is nothing to measure it on."""
    if metric == "latency_p99_ms":
        return quantile(window, 0.99)
    count, of = {
        "error_share": (window.errors, window.requests),
        "throttled_share": (window.throttled, window.requests),
        "degraded_share": (window.degraded, window.records),
        "match_share": (window.bands.get("match", 0), window.records),
        "review_share": (window.bands.get("review", 0), window.records),
    }[metric]
    return count / of if of else None


def breach(alarm: Alarm, windows: Iterable[Window], now: float) -> str | None:
    """Whether an alarm rings on the windows of one target: a sentence, or None. Missing data rings no alarm."""
    seen: list[float] = []
    known = list(windows)
    for number in range(alarm.periods):
        end = now - number * alarm.period_seconds
        period = total(w for w in known if end - alarm.period_seconds < w.at <= end)
        measured = value(alarm.metric, period) if period and period.requests >= alarm.least else None
        if measured is None or (measured > alarm.threshold) != (alarm.when == "above") or measured == alarm.threshold:
            return None
        seen.append(measured)
    shown = ", ".join(f"{measured:.4g}" for measured in seen)
    return (
        f"{alarm.metric} was {shown}: {alarm.when} {alarm.threshold:g} for {alarm.periods} x {alarm.period_seconds:g} s"
    )


def total(windows: Iterable[Window]) -> Window | None:
    """Windows of one target added up; None when there are none."""
    known = list(windows)
    return reduce(lambda one, other: one + other, known) if known else None


@dataclass(frozen=True)
class Slo:
    """A promise: `objective` of the requests are good over `days`. Good: no error, and within `latency_ms` if set."""

    name: str
    objective: float
    latency_ms: float | None = None
    days: float = 30.0

    def bad(self, window: Window) -> int:
        """How many requests of a window broke the promise."""
        return window.errors if self.latency_ms is None else window.slower_than(self.latency_ms)


SLOS = (Slo("availability", 0.999), Slo("latency", 0.99, latency_ms=100.0))
"""What the endpoint promises, by default."""


@dataclass(frozen=True)
class BurnRule:
    """Rings when the budget burns `rate` times too fast, over a long window and still in a short one."""

    long_seconds: float
    short_seconds: float
    rate: float
    severity: Literal["ERROR", "WARN"]


HOUR = 3600.0
BURN_RULES: Sequence[BurnRule] = (
    BurnRule(1 * HOUR, HOUR / 12, 14.4, "ERROR"),  # 2 % of a month's budget in an hour
    BurnRule(6 * HOUR, HOUR / 2, 6.0, "ERROR"),  # 5 % in six hours
    BurnRule(72 * HOUR, 6 * HOUR, 1.0, "WARN"),  # 10 % in three days
)
"""The workbook's table 5-8, for a budget of 30 days."""


@dataclass(frozen=True)
class Burn:
    """An SLO whose budget burns too fast: by which rule, how fast over the long window, and a sentence for on-call."""

    slo: str
    severity: Literal["ERROR", "WARN"]
    rate: float
    sentence: str


def burn_rate(slo: Slo, windows: Iterable[Window], now: float, seconds: float) -> float | None:
    """How many times too fast the budget was spent in the last `seconds`; 1 spends it in exactly `slo.days`."""
    span = total(window for window in windows if now - seconds < window.at <= now)
    if span is None or span.requests == 0:
        return None
    return slo.bad(span) / span.requests / (1 - slo.objective)


def burning(slo: Slo, windows: Iterable[Window], now: float, rules: Sequence[BurnRule] = BURN_RULES) -> Burn | None:
    """The most urgent rule that rings for an SLO, or None. The short window ends an alert soon after its cause has."""
    known = list(windows)
    for rule in rules:
        rates = [burn_rate(slo, known, now, seconds) for seconds in (rule.long_seconds, rule.short_seconds)]
        if all(rate is not None and rate >= rule.rate for rate in rates):
            rate = rates[0] or 0.0
            hours = rule.long_seconds / HOUR
            sentence = (
                f"{slo.name}: over {hours:g} h the error budget of {slo.days:g} days burns {rate:.1f} times too fast; "
                f"at this rate it is gone in {slo.days * 24 / rate:.0f} h."
            )
            return Burn(slo.name, rule.severity, rate, sentence)
    return None
