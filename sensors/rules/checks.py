"""What one evaluation of an asset check says: a failure with its severity, or that the check passes again."""

from __future__ import annotations

from dataclasses import dataclass

from sensors.rules.troubles import Finding, Severity

RUNBOOK = "docs/RUNBOOK.md#a-check-failed"


@dataclass(frozen=True)
class Evaluation:
    """One evaluation of a check.

    `description`: the check's own sentence on what failed and what to do. `at`: epoch seconds.
    """

    asset: str
    check: str
    passed: bool
    severity: Severity
    at: float
    owner: str
    description: str | None = None
    partition: str | None = None


def finding_of(evaluation: Evaluation) -> Finding:
    """The finding of one evaluation.

    The day is no part of the cause: a check that fails for thirty days has one cause.
    """
    cause = f"check:{evaluation.asset}/{evaluation.check}:"
    if evaluation.passed:
        return Finding(cause, evaluation.at, day=evaluation.partition or "")
    day = f" for {evaluation.partition}" if evaluation.partition else ""
    effect = "it blocks what follows" if evaluation.severity == "ERROR" else "nothing is blocked"
    sentence = f"{evaluation.check} of {evaluation.asset} failed{day}, {effect}. {evaluation.description or ''}"
    return Finding(
        cause=cause + evaluation.severity,
        at=evaluation.at,
        severity=evaluation.severity,
        owner=evaluation.owner,
        runbook=RUNBOOK,
        sentence=sentence.strip(),
        day=evaluation.partition or "",
    )
