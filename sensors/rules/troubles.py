"""Which troubles to alert on: each cause once while it lasts, so that thirty failing days ring once.

A cause is a path such as `run:daily_matching:match_decisions` or `check:ranker/precision_gate:ERROR`. It lasts until
something that stands above it goes well: a success of `run:daily_matching:` closes every cause that starts so. While
it lasts it rings again every `REMIND_SECONDS`. WARN and ERROR of one check are two causes: a warning that turns into
an error rings again.
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

    `at`: epoch seconds.
    """

    cause: str
    at: float
    severity: Severity | None = None
    owner: str = ""
    runbook: str = ""
    sentence: str = ""


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
    """What to do, in this order, and the causes that stay open, with when each was last alerted on (epoch seconds)."""

    actions: tuple[Tell | Clear, ...]
    open: Mapping[str, float]


def decide(findings: Iterable[Finding], open_causes: Mapping[str, float]) -> Decision:
    """Decide what to alert on, given what was found since the last look and the causes that were open then."""
    in_order = sorted(findings, key=lambda finding: finding.at)
    counts = Counter(finding.cause for finding in in_order)
    still_open = dict(open_causes)
    actions: list[Tell | Clear] = []
    for finding in in_order:
        if finding.severity is None:
            well = sorted(cause for cause in still_open if cause.startswith(finding.cause))
            actions += [Clear(cause) for cause in well]
            for cause in well:
                del still_open[cause]
            continue
        told = still_open.get(finding.cause)
        if told is None or finding.at - told >= REMIND_SECONDS:
            actions.append(Tell(finding, counts[finding.cause], again=told is not None))
            still_open[finding.cause] = finding.at
    return Decision(tuple(actions), still_open)
