"""Which troubles to alert on: each cause once while it lasts, so that thirty failing days ring once.

A cause is a path such as `run:daily_matching:match_decisions` or `check:ranker/precision_gate:ERROR`. It lasts until
something that stands above it goes well: a success of `run:daily_matching:` closes every cause that starts so. While
it lasts it rings again every `REMIND_SECONDS`. What goes well for a day says nothing of later days: a backfill of last
week does not close yesterday's trouble. WARN and ERROR of one check are two causes: a warning that turns into an error
rings again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

REMIND_SECONDS = 24 * 3600.0
Severity = Literal["WARN", "ERROR"]


@dataclass(frozen=True)
class Finding:
    """Something that went wrong, or (severity None) that all causes starting with `cause` are well again.

    `at`: epoch seconds. `number`: the one that broke; None: how often it did is told.
    """

    cause: str
    at: float
    severity: Severity | None = None
    owner: str = ""
    runbook: str = ""
    sentence: str = ""
    day: str = ""
    number: float | None = None


@dataclass(frozen=True)
class Trouble:
    """One alert of a rule that always says all that is wrong: its cause, how bad, the page on it, a number."""

    cause: str
    severity: Severity
    runbook: str
    number: float
    sentence: str


@dataclass(frozen=True)
class Open:
    """An open cause: when it was last alerted on (epoch seconds), and the latest day that it was found for, if any."""

    told_at: float
    day: str = ""


@dataclass(frozen=True)
class Tell:
    """A finding to alert on, how often its cause was found since the last look, and whether this is a reminder."""

    finding: Finding
    count: int
    again: bool


@dataclass(frozen=True)
class Clear:
    """A cause that is well again."""

    cause: str


@dataclass(frozen=True)
class Decision:
    """What to do, in this order, and the causes that stay open."""

    actions: tuple[Tell | Clear, ...]
    open: Mapping[str, Open]


def decide(findings: Iterable[Finding], open_causes: Mapping[str, Open]) -> Decision:
    """Decide what to alert on, given what was found since the last look and the causes that were open then."""
    in_order = sorted(findings, key=lambda finding: finding.at)
    counts = Counter(finding.cause for finding in in_order)
    still_open = dict(open_causes)
    actions: list[Tell | Clear] = []
    for finding in in_order:
        if finding.severity is None:
            well = sorted(cause for cause, open_ in still_open.items() if _is_closed(cause, open_, finding))
            actions += [Clear(cause) for cause in well]
            for cause in well:
                del still_open[cause]
            continue
        known = still_open.get(finding.cause)
        told_at = known.told_at if known else finding.at
        if known is None or finding.at - told_at >= REMIND_SECONDS:
            actions.append(Tell(finding, counts[finding.cause], again=known is not None))
            told_at = finding.at
        still_open[finding.cause] = Open(told_at, max(finding.day, known.day if known else ""))
    return Decision(tuple(actions), still_open)


def _is_closed(cause: str, found: Open, well: Finding) -> bool:
    return cause.startswith(well.cause) and (not well.day or found.day <= well.day)
