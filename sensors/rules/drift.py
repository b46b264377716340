"""When drift is worth a retraining: 2 alarms in the last 3 judged windows, and 7 days since it last was.

One alarm in three is what chance brings. An UNKNOWN window (too few records) has no verdict: it counts neither as an
alarm nor as a window that was fine, and it takes no place among the three. Windows that an earlier retraining for
drift answered do not count again. However that one ended: what failed, or was rejected, needs a person and not another
try on the same data.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

ALARMS = 2
WINDOWS = 3
COOLDOWN_SECONDS = 7 * 24 * 3600.0
REACH = 10


@dataclass(frozen=True)
class Window:
    """One drift report: its day, `OK`, `ALARM` or `UNKNOWN`, its sentence, and when it was made (epoch seconds)."""

    day: str
    status: str
    sentence: str
    reported_at: float


@dataclass(frozen=True)
class Decision:
    """The run key to retrain under (None.

    Not now), the days that alarmed, and the sentence that says why, or why not.
    """

    run_key: str | None
    alarms: tuple[str, ...]
    sentence: str


def judged(windows: Iterable[Window]) -> list[Window]:
    """The last `WINDOWS` windows with a verdict, oldest first, by business day."""
    known = sorted((w for w in windows if w.status in ("OK", "ALARM")), key=lambda w: w.day)
    return known[-WINDOWS:]


def decide(windows: Sequence[Window], last_retrain: float | None, retraining: bool, now: float) -> Decision:
    """Decide whether to retrain for drift.

    `windows`: the newest report of each day. `last_retrain`: when the last retraining for drift was asked for (epoch
    seconds). `retraining`: any `retrain` run is queued or running.
    """
    recent = judged(windows)
    alarms = [w for w in recent if w.status == "ALARM" and (last_retrain is None or w.reported_at > last_retrain)]
    days = tuple(w.day for w in alarms)
    unknown = sum(w.status not in ("OK", "ALARM") for w in windows)
    if len(alarms) < ALARMS:
        return Decision(
            None, days, f"{len(alarms)} unanswered alarms in {len(recent)} judged windows, {unknown} unknown."
        )
    if retraining:
        return Decision(None, days, f"Drift on {', '.join(days)} waits for the retraining that is under way.")
    if last_retrain is not None and now - last_retrain < COOLDOWN_SECONDS:
        left = (COOLDOWN_SECONDS - (now - last_retrain)) / 86400
        return Decision(
            None, days, f"Drift on {', '.join(days)}, but the cooldown of the last retraining has {left:.1f} days left."
        )
    why = f"Drift in {len(alarms)} of the last {len(recent)} judged windows ({', '.join(days)}): {alarms[-1].sentence}"
    return Decision(f"drift:{','.join(days)}:{int(alarms[-1].reported_at)}", days, why)
