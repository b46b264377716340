"""What was seen of a version while the traffic moved to it, for whoever asks later why it serves, or why it does not.

The figures are of the router's windows. Beside a baseline (a fresh instance of the old version) only moments count in
which both were asked. On SageMaker, where AWS measures, there are none: its deployment's events and CloudWatch say it.
"""

from __future__ import annotations

from collections.abc import Iterable

import dagster as dg

from matching_assets.checks.verdicts import verdict
from matching_assets.release import ENDPOINT
from resources.alarms import BANDS, Window, quantile, total, value
from resources.endpoint import Endpoint
from resources.rollout import Rollout

ROLLOUT = "rollout_quiet"
"""The check that keeps it."""


def watched(endpoint: Endpoint, began: float, version: int, rollout: Rollout, problem: str = "") -> dg.AssetCheckResult:
    """The check of a rollout that began then (seconds since 1970); failed by `problem`, if there was one."""
    numbers = figures(endpoint.windows(ENDPOINT, began), endpoint.describe(ENDPOINT).generation)
    asked = f"{numbers['requests']:.0f} requests" if numbers["requests"] else "no requests"
    parts = [
        f"{what} {seen:{form}}"
        for what, name, form in (
            ("error share", "error_share", ".2%"),
            ("the baseline's", "baseline_error_share", ".2%"),
            ("agreement of bands", "band_agreement", ".1%"),
            ("95 % latency to the baseline's", "latency_ratio", ".2f"),
        )
        if (seen := numbers[name]) is not None
    ]
    saw = f"Version {version}, {rollout.kind}, {asked}{''.join(f', {part}' for part in parts)}."
    return verdict(not problem, saw, problem, **numbers)._replace(check_name=ROLLOUT)


def figures(windows: Iterable[Window], generation: int) -> dict[str, float | None]:
    """What the new fleet did, alone and beside its baseline. `generation`: of the wish that brought it.

    band_agreement: the share of the records whose bands come out alike, 1 less the total variation distance of both
    mixes; the records are different ones. latency_ratio: of the 95 % quantiles. None: there is nothing to measure.
    """
    new: dict[float, list[Window]] = {}
    old: dict[float, list[Window]] = {}
    for window in windows:
        fleet, role, _ = window.target.split("/")
        if role == "baseline":
            old.setdefault(window.at, []).append(window)
        elif role == "production" and int(fleet) == generation:
            new.setdefault(window.at, []).append(window)
    both = new.keys() & old.keys()
    alone = total(window for at in new for window in new[at])
    beside, baseline = (total(window for at in both for window in side[at]) for side in (new, old))
    return {
        "requests": float(alone.requests if alone else 0),
        "error_share": value("error_share", alone) if alone else None,
        "baseline_requests": float(baseline.requests if baseline else 0),
        "baseline_error_share": value("error_share", baseline) if baseline else None,
        "band_agreement": _agreement(beside, baseline) if beside and baseline else None,
        "latency_ratio": _ratio(beside, baseline) if beside and baseline else None,
    }


def _agreement(one: Window, other: Window) -> float | None:
    if not one.records or not other.records:
        return None
    return sum(min(w.bands.get(band, 0) / w.records for w in (one, other)) for band in BANDS)


def _ratio(one: Window, other: Window) -> float | None:
    slow, fast = quantile(one, 0.95), quantile(other, 0.95)
    return slow / fast if slow and fast else None
