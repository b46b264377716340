"""What follows what the monitors report: a retraining, one in the shadow, the end of automatic matching, or nothing.

| the monitors say | so |
|---|---|
| features drift, and nothing else | a ticket, and a retraining in the shadow: no rule approves its version |
| predictions drift, or predicted and found errors part | a retraining |
| precision is below what is promised | a retraining |
| precision is *shown* to be below (`certificate` is `broken`) | automatic matching is closed at once, besides |

Time is business days of the partitions, never a clock: a month that is taken in within an hour is a month. An alarm
counts for the version that serves, and until a retraining answered it. However that one ended: what failed, or was
rejected, needs a person and not another try on the same data. An UNKNOWN report (too little to judge) has no verdict:
it counts neither as an alarm nor as a day that was fine.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

DRIFT, PREDICTIONS, CONCEPT, PERFORMANCE = "drift_report", "prediction_report", "concept_report", "performance_report"
ALARMS: Final = {DRIFT: 2, PREDICTIONS: 2, CONCEPT: 2, PERFORMANCE: 1}
"""How many of the last `WINDOWS` judged reports have to alarm. One in three is what chance brings, but for performance,
which is judged on all that was audited so far."""
REASONS: Final = {DRIFT: "drift", PREDICTIONS: "predictions", CONCEPT: "concept", PERFORMANCE: "performance"}
WINDOWS = 3
COOLDOWN_DAYS = 7
MOST_A_DAY = 2
MOST_CLOSINGS = 3
"""Tries to close on what one day's report says."""
BROKEN = "broken"


@dataclass(frozen=True)
class Report:
    """The newest report of a monitor on a day (ISO); see docs/ARCHITECTURE.md for what it says."""

    monitor: str
    day: str
    status: str
    sentence: str = ""
    number: float = 0.0
    bundle_version: str = ""
    certificate: str = ""


@dataclass(frozen=True)
class Run:
    """A run that was asked for on a business day (ISO). `shadow`: of a training. `done`: it has succeeded."""

    day: str
    reason: str = ""
    shadow: bool = False
    done: bool = True


@dataclass(frozen=True)
class Memory:
    """What was done before.

    `versions`: bundles whose reports speak of what serves; empty: any. `closed`: it matches nothing already.
    """

    trainings: Sequence[Run] = ()
    closings: Sequence[Run] = ()
    versions: Collection[str] = ()
    closed: bool = False
    training: bool = False
    closing: bool = False


@dataclass(frozen=True)
class Request:
    """A run to ask for on a business day, and why, in a sentence."""

    run_key: str
    reason: str
    day: str
    sentence: str
    number: float
    shadow: bool = False


@dataclass(frozen=True)
class Decision:
    """The runs to ask for (None: not now), the ticket that feature drift is worth, and why, or why not."""

    retrain: Request | None
    close: Request | None
    ticket: Report | None
    sentence: str


def business_days(first: str, last: str) -> int:
    """Weekdays from one day to another: 0 on the same day, 1 from a Friday to the Monday after it."""
    return int(np.busday_count(first, last))


def decide(reports: Iterable[Report], memory: Memory) -> Decision:
    """Decide what follows from the newest reports of the last days."""
    ours = [report for report in reports if not memory.versions or report.bundle_version in memory.versions]
    if not ours:
        return Decision(None, None, None, "No monitor has reported on the version that serves.")
    today = max(report.day for report in ours)
    alarms = {monitor: _alarms(monitor, ours) for monitor in ALARMS}
    loud = [monitor for monitor, found in alarms.items() if len(found) >= ALARMS[monitor]]
    ticket = alarms[DRIFT][-1] if loud == [DRIFT] else None
    retrain, said = _retrain(alarms, loud, today, memory)
    close, about_closing = _close([report for report in ours if report.monitor == PERFORMANCE], memory)
    return Decision(retrain, close, ticket, " ".join(filter(None, [said, about_closing])))


def counts(trainings: Iterable[Run], today: str) -> str | None:
    """Why no rule may start another training on this day, or None: however many people start."""
    made = sum(run.day == today for run in trainings)
    return f"{made} trainings were started on {today} already." if made >= MOST_A_DAY else None


def _alarms(monitor: str, reports: Iterable[Report]) -> list[Report]:
    """The alarms among the last judged reports of a monitor, oldest first, by business day."""
    judged = sorted((r for r in reports if r.monitor == monitor and r.status in ("OK", "ALARM")), key=lambda r: r.day)
    return [report for report in judged[-WINDOWS:] if report.status == "ALARM"]


def _retrain(
    alarms: dict[str, list[Report]], loud: list[str], today: str, memory: Memory
) -> tuple[Request | None, str]:
    if not loud:
        return None, f"{sum(map(len, alarms.values()))} alarms in the last {WINDOWS} judged reports of each monitor."
    shadow = loud == [DRIFT]
    asked = [run.day for run in memory.trainings if run.reason in REASONS.values() and (shadow or not run.shadow)]
    last = max(asked, default="")
    new = {m: found for m in loud if len(found := [a for a in alarms[m] if a.day > last]) >= ALARMS[m]}
    if not new:
        return None, f"The alarms of {', '.join(loud)} were answered by the training of {last}."
    worst = list(new)[-1]  # in the order of ALARMS: the nearer to what is promised, the worse
    days, reason = [alarm.day for alarm in new[worst]], REASONS[worst]
    said = "; ".join(
        f"{monitor} of {', '.join(a.day for a in found)}: {found[-1].sentence}" for monitor, found in new.items()
    )
    if memory.training:
        return None, f"It waits for the training that is under way. {said}"
    if last and (passed := business_days(last, today)) < COOLDOWN_DAYS:
        return None, f"The training of {last} has {COOLDOWN_DAYS - passed} business days of cooldown left. {said}"
    if why := counts(memory.trainings, today):
        return None, f"{why} {said}"
    key = f"{'shadow' if shadow else reason}:{','.join(days)}:{new[worst][-1].bundle_version}"
    return Request(key, reason, today, said, new[worst][-1].number, shadow), said


def _close(performance: Sequence[Report], memory: Memory) -> tuple[Request | None, str]:
    newest = max(performance, key=lambda report: report.day, default=None)
    if newest is None or newest.certificate != BROKEN:
        return None, ""
    if memory.closed:
        return None, "The certificate is broken, and automatic matching is closed."
    tried = [run for run in memory.closings if run.day >= newest.day]
    if any(run.done for run in tried):
        return None, f"Automatic matching was closed for the report of {newest.day}, and somebody opened it since."
    if memory.closing:
        return None, "Automatic matching is being closed."
    if len(tried) >= MOST_CLOSINGS:
        return None, f"Automatic matching could not be closed {len(tried)} times: run `matching close`, or stop it."
    key = f"close:{newest.bundle_version}:{newest.day}:{len(tried)}"
    return Request(key, "certificate", newest.day, newest.sentence, newest.number), "The certificate is broken."
