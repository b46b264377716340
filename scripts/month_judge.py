"""What a simulated month has to show, and what it showed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from matching.evaluation import evaluate
from matching.experiments import mcnemar
from matching.intervals import clopper_pearson
from matching.judging import judge
from matching.scoring import Scorer
from matching.verdicts import audited

TARGET = 0.99
SEEN_WITHIN = 2
ALARM_REASONS = ("drift", "predictions", "concept", "performance")
SURE = 0.01


@dataclass(frozen=True)
class Expectation:
    """One thing that had to happen, whether it did, and what was seen."""

    what: str
    held: bool
    saw: str


@dataclass(frozen=True)
class Training:
    """A retraining: the day it was started on, why, and what became of its version."""

    day: int
    reason: str
    version: int
    status: str


@dataclass(frozen=True)
class Seen:
    """What is judged. alarms: monitor to the days on which it alarmed. promoted: day to version.

    `poisoned_by`: the first training after the wrong labels.
    """

    alarms: Mapping[str, Sequence[int]]
    trainings: Sequence[Training]
    promoted: Mapping[int, int]
    verdicts: pl.DataFrame
    change: int
    poison: int


def expectations(seen: Seen, better: Expectation) -> list[Expectation]:
    """All that is asked of the month; `better` as `compare_versions` found it."""
    return [_quiet(seen), _noticed(seen), _answered(seen), better, _promoted(seen), _precise(seen), _refused(seen)]


def compare_versions(before: Path, after: Path, records: pl.DataFrame, labels: pl.DataFrame) -> Expectation:
    """Two bundles on the same records of the new feed, which neither has seen: decided rightly without people."""
    what = "the challenger is better on the new feed (paired, exact McNemar)"
    right, shares = [], []
    for bundle in (before, after):
        decisions = Scorer.load(bundle).score(records, reasons=False).decisions
        metrics = evaluate(decisions, labels)
        shares.append(f"precision {metrics['precision']:.4f} at coverage {metrics['coverage']:.3f}")
        judged = judge(decisions, labels).sort("record_id")
        right.append((judged["decision"] == "match") & judged["named_right"])
    gained, lost = int((right[1] & ~right[0]).sum()), int((right[0] & ~right[1]).sum())
    p = mcnemar(gained, lost)
    saw = f"{records.height} records: {shares[0]} before, {shares[1]} after; {gained} gained, {lost} lost, p {p:.1g}"
    return Expectation(what, gained > lost and p < SURE, saw)


def _quiet(seen: Seen) -> Expectation:
    wrong = [t for t in seen.trainings if 0 < t.day < seen.change and t.reason in ALARM_REASONS]
    days = sorted({day for found in seen.alarms.values() for day in found if 0 < day < seen.change})
    saw = f"{len(wrong)} retrainings for alarms, {len(days)} days with an alarm"
    return Expectation(f"days 1 to {seen.change - 1} are quiet: no false retraining", not wrong, saw)


def _noticed(seen: Seen) -> Expectation:
    days = {m: min((d for d in found if d >= seen.change), default=None) for m, found in seen.alarms.items()}
    first = min((day for day in days.values() if day is not None), default=None)
    saw = ", ".join(f"{monitor} on day {day}" for monitor, day in days.items() if day is not None) or "nothing"
    last = seen.change + SEEN_WITHIN
    return Expectation(
        f"the change of day {seen.change} is seen by day {last}", first is not None and first <= last, saw
    )


def _answered(seen: Seen) -> Expectation:
    found = [t for t in seen.trainings if t.day >= seen.change and t.reason in ALARM_REASONS]
    saw = "; ".join(f"day {t.day} for {t.reason}: version {t.version} {t.status}" for t in found) or "none"
    return Expectation("it is answered by a retraining whose gates are passed", _any_approved(found), saw)


def _any_approved(trainings: Iterable[Training]) -> bool:
    return any(training.status == "Approved" for training in trainings)


def _promoted(seen: Seen) -> Expectation:
    days = [day for day in seen.promoted if day >= seen.change]
    saw = ", ".join(f"version {seen.promoted[day]} on day {day}" for day in days) or "none"
    return Expectation("it is promoted by a canary", bool(days), saw)


def _precise(seen: Seen) -> Expectation:
    matches = audited(seen.verdicts).filter(shown_decision="match")
    right, of = int(matches["right"].sum()), matches.height
    share = right / of if of else 0.0
    low, high = clopper_pearson(right, of) if of else (0.0, 1.0)
    saw = f"{right} of {of} audited matches right: {share:.4f} [{low:.4f}, {high:.4f}]"
    return Expectation(f"audited precision of the month is at least {TARGET}", share >= TARGET, saw)


def _refused(seen: Seen) -> Expectation:
    after = [t for t in seen.trainings if t.day >= seen.poison]
    first = after[0] if after else None
    saw = f"day {first.day}: version {first.version} {first.status}" if first else "no training read them"
    held = first is not None and first.status != "Approved"
    return Expectation("a version learnt from the wrong labels is refused by the gates", held, saw)
