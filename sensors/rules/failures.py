"""What a run that ended says: a failure with its cause, or that the job is well again.

Says nothing of the error's message: it may quote a record. The class of the error and the step are enough to know the
cause, and the run's own page has the rest.
"""

from __future__ import annotations

from dataclasses import dataclass

from matching_assets import runbooks
from matching_assets.owners import ON_CALL
from sensors.rules.troubles import Finding

RUNBOOK = runbooks.page("run-failed")
CHECK_FAILED = "DagsterAssetCheckFailedError"


@dataclass(frozen=True)
class EndedRun:
    """A run that succeeded or failed. `step` and `error` (a class name) are None when it failed before any step."""

    run_id: str
    job: str
    succeeded: bool
    at: float
    partition: str | None = None
    step: str | None = None
    error: str | None = None
    will_retry: bool = False


def finding_of(run: EndedRun) -> Finding | None:
    """The finding of one run; None when its retry, or the check that stopped it, will speak for it."""
    if run.succeeded:
        return Finding(f"run:{run.job}:", run.at, day=run.partition or "")
    if run.will_retry or run.error == CHECK_FAILED:
        return None
    day = f" for {run.partition}" if run.partition else ""
    place = f"in {run.step} with {run.error}" if run.step else "before its first step"
    remedy = f"Open run {run.run_id[:8]}, mend the cause, and re-execute it from failure."
    return Finding(
        cause=f"run:{run.job}:{run.step or 'start'}:{run.error or 'unknown'}",
        at=run.at,
        severity="ERROR",
        owner=ON_CALL,
        runbook=RUNBOOK,
        day=run.partition or "",
        sentence=f"{run.job}{day} failed {place}. {remedy}",
    )
