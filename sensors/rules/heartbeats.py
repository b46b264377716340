"""Which sensors are dead: on, and without a tick that ended well for ten of their intervals, and ten minutes at least.

Nothing else would say so: a sensor that does not look finds nothing wrong. One that raises in each tick is as dead as
one that is never called. While the daemon was off no sensor looked, so time counts from when it came back.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from matching_assets import runbooks
from sensors.rules.troubles import Trouble

ABOVE = "heartbeat:"
INTERVALS = 10
LEAST_SECONDS = 600.0
PAUSE_SECONDS = 300.0
"""The watcher's own silence from which on it takes the daemon to have been off."""
WAITING_SECONDS = 900.0
"""For how long a webhook may not take an alert until that is one itself."""


@dataclass(frozen=True)
class Beat:
    """A sensor: how often it should look (seconds), whether it is on, and its last ticks (epoch seconds).

    `last`: the newest tick, however it ended. `last_good`: the newest that ended well; None: none that is remembered.
    """

    sensor: str
    interval: float
    on: bool
    last: float | None = None
    last_good: float | None = None


def awake_since(before: tuple[float, float] | None, now: float) -> float:
    """Since when the daemon runs without a pause. `before`: what was said at the last look, and when that was."""
    if before is None or not 0 <= now - before[1] <= PAUSE_SECONDS:
        return now
    return before[0]


def decide(beats: Iterable[Beat], since: float, now: float) -> list[Trouble]:
    """The sensors that are dead, or off. `since`: when the daemon came up."""
    page, found = runbooks.page("sensor-dead"), []
    for beat in beats:
        cause = f"{ABOVE}{beat.sensor}"
        if not beat.on:
            sentence = f"{beat.sensor} is switched off, and nothing else does what it does. Switch it on in the UI."
            found.append(Trouble(cause, "WARN", page, 0, sentence))
            continue
        silent = now - max(beat.last_good or since, since)
        if silent <= max(LEAST_SECONDS, INTERVALS * beat.interval):
            continue
        failing = beat.last is not None and beat.last > (beat.last_good or 0.0) and beat.last >= since
        why = "each of its ticks fails" if failing else "it is not called"
        sentence = (
            f"{beat.sensor} should look every {beat.interval:.0f} s and has not for {silent / 60:.0f} min: {why}."
        )
        found.append(Trouble(cause, "ERROR", page, round(silent / 60, 1), sentence))
    return found


def undelivered(messages: int, oldest: float | None, now: float) -> list[Trouble]:
    """That webhooks do not take alerts, when they have not for `WAITING_SECONDS`."""
    if oldest is None or now - oldest < WAITING_SECONDS:
        return []
    sentence = f"{messages} messages wait for a webhook, the oldest for {(now - oldest) / 60:.0f} min. None is lost."
    return [Trouble("webhooks:waiting", "WARN", runbooks.page("webhook-down"), messages, sentence)]
