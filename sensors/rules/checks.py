"""What one evaluation of an asset check says: a failure with its severity, or that the check passes again."""

from __future__ import annotations

from dataclasses import dataclass

from matching_assets import runbooks
from sensors.rules.troubles import Finding, Severity


@dataclass(frozen=True)
class Evaluation:
    """One evaluation of a check.

    `description`: the check's own sentence on what failed and what to do. `at`: epoch seconds. `number`: what was
    judged.
    """

    asset: str
    check: str
    passed: bool
    severity: Severity
    at: float
    description: str | None = None
    partition: str | None = None
    number: float | None = None


def finding_of(evaluation: Evaluation) -> Finding:
    """The finding of one evaluation.

    The day is no part of the cause: a check that fails for thirty days has one cause.
    """
    cause = f"check:{evaluation.asset}/{evaluation.check}:"
    if evaluation.passed:
        return Finding(cause, evaluation.at, day=evaluation.partition or "")
    runbook = runbooks.of_check(evaluation.check)
    day = f" for {evaluation.partition}" if evaluation.partition else ""
    effect = "it blocks what follows" if evaluation.severity == "ERROR" else "nothing is blocked"
    sentence = f"{evaluation.check} of {evaluation.asset} failed{day}, {effect}. {evaluation.description or ''}"
    return Finding(
        cause=cause + evaluation.severity,
        at=evaluation.at,
        severity=evaluation.severity,
        owner=runbook.owner,
        runbook=runbook.page,
        sentence=sentence.strip(),
        day=evaluation.partition or "",
        number=evaluation.number,
    )
