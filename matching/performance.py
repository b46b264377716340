"""How precise automatic matches are: as people audit them, and as the probabilities alone would have it.

The audit is a permanent random sample of automatic matches (`matching.review`), so its share of right ones estimates
their precision without bias; the interval is a confidence sequence (`matching.confidence_sequence`), which may be
looked at daily and acted on. The certificate is broken when that interval lies wholly below its target.

CBPE ("confidence-based performance estimation", NannyML) needs no labels: of records with calibrated probabilities p,
the mean of p over the matched ones is their expected precision. It is there today, where audits take days, and sees
what feeds do to probabilities; it is blind where the probabilities themselves have become wrong (concept drift). So it
is held against the audit: `error` is by how much it missed the same matches.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from matching.confidence_sequence import confidence_sequence
from matching.findings import ALARM, OK, UNKNOWN, Finding, ordered
from matching.intervals import at_least

HOLDS, BROKEN, UNCERTAIN = "holds", "broken", "unknown"
SAID = {
    HOLDS: "The certificate holds.",
    BROKEN: "The certificate is broken.",
    UNCERTAIN: "Whether the certificate holds is not known.",
}
LEVEL = 0.98
"""Of the sequence: a bundle that keeps its target is called broken, in all its life, with probability 0.01 at most."""
FARTHEST_ESTIMATE = 0.005
"""By how much the estimate without labels may lie below the target before it alarms: the error that it has itself."""


@dataclass(frozen=True)
class Performance:
    """What is known of the precision of automatic matches; None where there is nothing to tell it from.

    certificate: `holds`, `broken` or `unknown`. estimated: by CBPE on the window; error: of CBPE on what was audited.
    """

    finding: Finding
    certificate: str
    audited: int
    precision: float | None
    low: float
    high: float
    estimated: float | None
    error: float | None


def check_performance(
    audited: pl.DataFrame, matched: pl.Series, target: float, granted: bool, fewest: int
) -> Performance:
    """Judge the matches of a bundle.

    audited: `matching.concept.outcomes` of its audited matches (probability, wrong), all of them ever; matched: the
    probabilities of the matches of the window. Fewer than `fewest` of either say nothing.
    """
    trials, right = audited.height, audited.height - int(audited["wrong"].sum())
    low, high = confidence_sequence(right, trials, LEVEL)
    precision = right / trials if trials else None
    estimated = float(matched.mean()) if len(matched) >= fewest else None  # type: ignore[arg-type]
    error = float(audited["probability"].mean()) - precision if precision is not None else None  # type: ignore[arg-type]
    certificate = UNCERTAIN
    if granted and (high < target or trials >= fewest):
        certificate = BROKEN if high < target else HOLDS
    goal = f"target {at_least(target)}"
    rows: list[dict[str, object]] = [
        {"column": "audited precision", "group": "audit", "bound": 0.0, "effect": target - high if trials else None}
        | {"status": _status(trials > 0, high < target), "reference": goal}
        | {"current": f"{right} of {trials} right, {low:.2%} to {high:.2%}"},
        {"column": "estimated precision", "group": "estimate", "bound": FARTHEST_ESTIMATE}
        | {"effect": None if estimated is None else target - estimated}
        | {"status": _status(estimated is not None, (estimated or 0.0) < target - FARTHEST_ESTIMATE)}
        | {"reference": goal, "current": "too few matches" if estimated is None else f"{estimated:.2%}"},
    ]
    columns = ordered(rows)
    statuses = columns["status"].to_list()
    status = ALARM if ALARM in statuses else OK if OK in statuses else UNKNOWN
    told = f"Audited: {rows[0]['current']}; estimated without labels: {rows[1]['current']}; {goal}"
    number = precision if precision is not None else estimated
    finding = Finding(status, f"{told}. {SAID[certificate]}", number, columns, trials)
    return Performance(finding, certificate, trials, precision, low, high, estimated, error)


def _status(known: bool, beyond: bool) -> str:
    if not known:
        return UNKNOWN
    return ALARM if beyond else OK
