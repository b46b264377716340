"""Which troubles to alert on: each cause once while it lasts, so that thirty failing days ring once.

A cause is a path such as `run:daily_matching:match_decisions` or `check:ranker/precision_gate:ERROR`. It lasts until
something that stands above it goes well: a success of `run:daily_matching:` closes every cause that starts so. While
it lasts it rings again every `REMIND_SECONDS`. WARN and ERROR of one check are two causes: a warning that turns into
an error rings again.
"""

from __future__ import annotations

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
class Trouble:
    """A finding to alert on, and how many times its cause was found since the last look."""

    finding: Finding
    count: int


@dataclass(frozen=True)
class Decision:
    """The alerts to send, and the causes that stay open, with when each was last alerted on (epoch seconds)."""

    alerts: tuple[Trouble, ...]
    open: Mapping[str, float]


def decide(findings: Iterable[Finding], open_causes: Mapping[str, float]) -> Decision:
    """Decide what to alert on, given what was found since the last look and the causes that were open then."""
    still_open = dict(open_causes)
    alerts: dict[str, Finding] = {}
    counts: dict[str, int] = {}
    for finding in sorted(findings, key=lambda f: f.at):
        if finding.severity is None:
            still_open = {cause: at for cause, at in still_open.items() if not cause.startswith(finding.cause)}
            continue
        counts[finding.cause] = counts.get(finding.cause, 0) + 1
        alerted = still_open.get(finding.cause)
        if alerted is None or finding.at - alerted >= REMIND_SECONDS:
            still_open[finding.cause] = finding.at
            alerts[finding.cause] = finding
    return Decision(tuple(Trouble(finding, counts[cause]) for cause, finding in alerts.items()), still_open)
