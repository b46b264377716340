"""Whether a window of scoring telemetry still looks like the reference: features, predictions, retrieval similarity.

Two monitors read it: *drift* judges features, *predictions* what was decided and how near the retrieval came. A column
alarms when both hold: the test, adjusted for the number of the monitor's columns, says that the difference is no
chance, and the effect size is above a bound that windows of the reference itself stay below. Either alone cries wolf:
one test a column at p < .05 alarms in two of three quiet windows, and on many rows a test finds differences that matter
to nobody. Together they keep each monitor's false alarms below its share of `matching.findings.FALSE_ALARMS`.

Numbers: Kolmogorov-Smirnov test, Wasserstein distance in standard deviations of the reference. Categories: chi-square
test, Jensen-Shannon distance. The distances are Evidently's, so that its page (`matching.drift_page`) shows the same
numbers; its chi-square test is not used, because it takes the reference for the exact truth and finds too much.

A window of too few rows, and a column that is missing, is UNKNOWN and never OK. A column that the reference does not
have is not judged.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from matching.drift_statistics import (
    IS_MISSING,
    Values,
    distances,
    draw_windows,
    effect_size,
    holm,
    p_value,
    pairs,
    typical,
    unit_of,
)
from matching.findings import ALARM, FALSE_ALARMS, OK, UNKNOWN, Finding, ordered, unknown, verdict
from matching.records import InputError

SMALLEST_EFFECT = 0.1  # Evidently's threshold for both distances: less is no news, however certain
REPLICATES = 1000
MOST_ROWS = 1500  # of the reference, in calibration; fewer rows only widen the bounds
MOST_DAYS = 7
NOT_JUDGED = ("record_id", "reference_id", "bundle_version", "day")
GROUPS = {
    "probability": "predictions",
    "decision": "predictions",
    "lexical_similarity": "retrieval similarity",
    "embedding_similarity": "retrieval similarity",
    "candidate_count": "retrieval similarity",
}
MONITORS = {"drift": ("features",), "predictions": ("predictions", "retrieval similarity")}
"""The groups of columns that each monitor judges."""


def take_window(telemetry: pl.DataFrame, day: date, rows: int, most_days: int = MOST_DAYS) -> pl.DataFrame:
    """The telemetry of `day` and of as many days before it as it takes to have `rows`; `most_days` in all at most.

    `telemetry` has a column `day` (Date). Empty when the day itself has none: the days before it say nothing about it.
    """
    near = telemetry.filter(pl.col("day").is_between(day - timedelta(days=most_days - 1), day))
    days = near.group_by("day").len().sort("day", descending=True)
    if days.is_empty() or days["day"][0] != day:
        return telemetry.clear()
    needed = days.filter(pl.col("len").cum_sum().shift(1, fill_value=0) < rows)
    return near.filter(pl.col("day") >= needed["day"].min())


def calibrate(reference: pl.DataFrame, window: int, seed: int, entity: pl.Series | None = None) -> dict[str, Any]:
    """Bounds on the effect sizes, from windows of `window` rows of the reference compared with the reference.

    Windows are drawn with replacement and by whole rows, so that columns' moving together counts; the reference by
    whole entities (`entity`, of each row; each row its own by default), because records of one entity are alike, and
    another reference would have other entities. A bound is the column's own scale times a quantile of the largest
    scaled effect of the columns of its monitor (max-T: Westfall & Young, "Resampling-based multiple testing", 1993);
    the quantile leaves FALSE_ALARMS above it.

    `window` is also the fewest rows that `compare` judges. The bounds can be written as JSON, and the same arguments
    give the same bounds. Raises InputError for a reference without rows.
    """
    if reference.is_empty():
        raise InputError("the reference telemetry has no rows", remedy="Score the records of the evaluation first.")
    generator = np.random.default_rng(seed)
    cluster = np.arange(reference.height) if entity is None else entity.rank("dense").to_numpy().astype(np.int64) - 1
    kept = np.isin(cluster, _some(generator, cluster))
    reference, cluster = reference.filter(pl.Series(kept)), np.unique(cluster[kept], return_inverse=True)[1]
    entities = int(cluster.max()) + 1
    ours = draw_windows(generator, entities, entities, REPLICATES)[:, cluster]
    theirs = draw_windows(generator, reference.height, window, REPLICATES)
    effects = {
        column: np.nan_to_num(distances(values, ours, theirs, unit_of(values)))
        for column, (values, _) in judged_pairs(reference, reference).items()
    }
    # Scales are taken far out, or the columns with the longest tails would set the bounds of all.
    scales = {column: float(np.quantile(effect, 0.99)) for column, effect in effects.items()}
    bounds: dict[str, float] = {}
    for monitor in MONITORS:
        own = {column: scale for column, scale in scales.items() if monitor_of(column) == monitor}
        scaled = [effects[column] / scale for column, scale in own.items() if scale > 0]
        factor = float(np.quantile(np.max(scaled, axis=0), 1 - FALSE_ALARMS[monitor])) if scaled else 0.0
        bounds |= {column: round(factor * scale, 6) for column, scale in own.items()}
    sizes = np.bincount(cluster)
    worth = float(sizes.sum() / (sizes @ sizes))
    return {"window": window, "reference_rows": reference.height, "worth": worth, "seed": seed, "columns": bounds}


def _some(generator: np.random.Generator, cluster: NDArray[np.int64]) -> NDArray[np.int64]:
    """As many whole clusters as have MOST_ROWS rows."""
    drawn = generator.permutation(int(cluster.max()) + 1)
    return drawn[: int(np.searchsorted(np.cumsum(np.bincount(cluster)[drawn]), MOST_ROWS)) + 1]


def bound_of(bounds: dict[str, Any], column: str, rows: int, reference_rows: int) -> float:
    """The bound on a column's effect size in a window of `rows`: what chance can do, and SMALLEST_EFFECT at least.

    Chance shrinks with sqrt(1/n + 1/m), for distances between distributions as for the difference of two means, where
    m counts the rows of the reference as what they are worth: rows of one entity are alike.
    """
    worth = bounds.get("worth", 1.0)  # bundles of before know no clusters
    calibrated = 1 / bounds["window"] + 1 / (worth * bounds["reference_rows"])
    shrink = np.sqrt((1 / rows + 1 / (worth * reference_rows)) / calibrated)
    return max(SMALLEST_EFFECT, float(shrink) * float(bounds["columns"].get(column, 0.0)))


def compare(current: pl.DataFrame, reference: pl.DataFrame, bounds: dict[str, Any], monitor: str) -> Finding:
    """Compare the columns of a monitor in a window of telemetry with the reference that `bounds` were calibrated on."""
    for what, frame in (("window", current), ("reference", reference)):
        if frame.height < bounds["window"]:
            sentence = f"The {what} has {frame.height} rows; below {bounds['window']} nothing can be said about drift."
            return unknown(sentence, current.height)
    judged = {c: pair for c, pair in judged_pairs(reference, current).items() if monitor_of(c) == monitor}
    adjusted = holm(
        [1.0 if now is None else p_value(before, now, bounds.get("worth", 1.0)) for before, now in judged.values()]
    )
    columns = ordered(
        [
            _judge(column, before, now, p, bound_of(bounds, column, current.height, reference.height))
            for (column, (before, now)), p in zip(judged.items(), adjusted, strict=True)
        ]
    )
    if columns.is_empty():
        return unknown("The reference has no column that can be judged.", current.height)
    worst = columns.row(0, named=True)
    return Finding(worst["status"], _sentence(columns), worst["effect"], columns, current.height)


def monitor_of(column: str) -> str:
    """The monitor that judges a column."""
    return next(name for name, groups in MONITORS.items() if group_of(column) in groups)


def group_of(column: str) -> str:
    """What a column says something about."""
    return GROUPS.get(column.removesuffix(IS_MISSING), "features")


def judged_pairs(reference: pl.DataFrame, current: pl.DataFrame) -> dict[str, tuple[Values, Values | None]]:
    """The values of what is judged, then and now: see `drift_statistics.pairs`."""
    return pairs(reference.drop(NOT_JUDGED, strict=False), current)


def _judge(column: str, before: Values, now: Values | None, adjusted_p: float, bound: float) -> dict[str, object]:
    """The report's row about a column."""
    group = group_of(column)
    row: dict[str, object] = {"column": column, "group": group, "status": UNKNOWN, "bound": bound}
    if now is None:
        return row
    row["reference"], row["current"] = typical(before, now)
    effect = effect_size(before, now)
    if np.isfinite(effect):
        status = verdict(effect, bound, adjusted_p, FALSE_ALARMS[monitor_of(column)])
        row |= {"effect": effect, "adjusted_p": adjusted_p, "status": status}
    return row


def _sentence(columns: pl.DataFrame) -> str:
    """What on-call reads: the worst column and its number."""
    worst = columns.row(0, named=True)
    name, group = worst["column"], worst["group"]
    if worst["status"] == UNKNOWN:
        return f"{name} ({group}) cannot be compared: the window lacks the column or its values."
    numbers = (
        f"{name} ({group}) is {worst['effect']:.2f} from the reference"
        f" (bound {worst['bound']:.2f}, adjusted p {worst['adjusted_p']:.2g}):"
        f" {worst['reference']} then, {worst['current']} now"
    )
    if worst["status"] == OK:
        return f"No column has drifted; the farthest, {numbers}."
    alarms = columns.filter(pl.col("status") == ALARM).height
    return f"{alarms} of {columns.height} columns drifted; the worst, {numbers}."
