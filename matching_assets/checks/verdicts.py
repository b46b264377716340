"""The result of a check: passed or not, the numbers it saw, and a sentence for whoever is woken by it."""

import dagster as dg

from matching_assets.reporting import measured

ERROR, WARN = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN


def verdict(
    passed: bool,
    saw: str,
    remedy: str,
    severity: dg.AssetCheckSeverity = ERROR,
    **numbers: float | None,
) -> dg.AssetCheckResult:
    """A check's result. `saw`: what was measured, in a sentence; `remedy`: what to do, told when it failed.

    `numbers`: the one that is judged comes first. It is in the metadata as `number` too, which is what an alert shows.
    """
    description = saw if passed else f"{saw} {remedy}"
    known = measured(numbers)
    judged = {"number": next(iter(known.values()))} if known else {}
    return dg.AssetCheckResult(passed=passed, severity=severity, description=description, metadata=known | judged)
