"""How good decisions are, judged by labels: for all records, by band, by slice, and with intervals.

precision = right matches / matches made, where any of `same_name_alternatives` is right and a match of a record without
one is wrong. coverage = matches made / all records. recall@k counts over the records that have a match. `best_f1` and
the curve of risk against coverage accept the best candidates with a score of at least t, equal scores together.

Intervals are 95 %. `precision_ci95` is exact (Clopper & Pearson 1934) and takes records for independent; one entity has
many records, so `intervals` gives bootstrap percentiles over entities (Field & Welsh 2007) beside it: read the wider.
Nothing in the result names a record.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from matching.calibration import brier_score, calibration_error, equal_mass_bins
from matching.intervals import clopper_pearson
from matching.judging import judge
from matching.kinds import KINDS

BANDS = ("match", "review", "no_match")
DEPTHS = (1, 10, 50)
NAME_LENGTHS = (10, 20, 30)  # characters; 30 and 31 are where feeds cut names off
SMALLEST_SLICE = 50  # records; a smaller slice is reported, but is never the worst one
MOST_SLICES = 30  # of one column; the rest is judged as one
CURVE_POINTS = 100
RESAMPLES = 1_000


def evaluate(
    decisions: pl.DataFrame,
    labels: pl.DataFrame,
    candidates: pl.DataFrame | None = None,
    slices: pl.DataFrame | None = None,
) -> dict[str, Any]:
    """Judge the decisions on labelled records. JSON-able.

    `candidates` (record_id, reference_id, rank, score) are needed for recall beyond rank 1; without them the score is
    the probability. `slices` has `record_id` and the columns to slice by (see `slice_columns`); its `name` becomes
    `name_length`. Whether a record has a match is always a slice.

    Keys, None where there is nothing to count:
    - records, entities, no_match_records, unlabelled_records, labels_without_decision
    - recall@1, recall@10, recall@50; best_f1, best_f1_precision, best_f1_recall
    - bands: of each band records, share, right, errors, precision, precision_ci95. Right is the named reference, and
      for no_match that there is none
    - precision, precision_ci95, coverage; false_accepts, false_accept_share (of records without a match);
      refused_share (no_match among records that have one); ece, brier
    - intervals: of precision, coverage, recall@1
    - reliability: [probability, share right, records] by bin; risk_coverage: [coverage, precision] by threshold
    - slices: by column and value, the figures above without curves; worst_slices: for recall@1, precision and ece the
      column, value, figure and records

    Raises InputError when a record is decided or labelled twice, or when no decision has a label.
    """
    judged = judge(decisions, labels, candidates)
    facets = _facets(judged, slices)
    by_column = {column: _by_value(judged.with_columns(values)) for column, values in facets.items()}
    return figures(judged) | {
        "entities": judged["entity"].n_unique(),
        "unlabelled_records": decisions.height - judged.height,
        "labels_without_decision": labels.height - judged.height,
        "intervals": _bootstrap(judged),
        "reliability": _reliability(judged),
        "risk_coverage": _risk_coverage(judged),
        "slices": by_column,
        "worst_slices": _worst(by_column),
    }


def slice_columns(records: pl.DataFrame) -> pl.DataFrame:
    """What `evaluate` slices records by: `record_id`, `name`, and those of source and line_type that they have."""
    return records.select(c for c in ("record_id", "name", *KINDS) if c in records.columns)


def figures(judged: pl.DataFrame) -> dict[str, Any]:
    """The figures of any set of judged records."""
    answerable = judged.filter("has_match")
    none = judged.filter(~pl.col("has_match"))
    matched = judged.filter(pl.col("decision") == "match")
    bands = {band: _band(judged.filter(pl.col("decision") == band), judged.height) for band in BANDS}
    accepts = none.filter(pl.col("decision") == "match").height
    return (
        {"records": judged.height, "no_match_records": none.height}
        | {f"recall@{k}": _share(answerable.filter(pl.col("hit") <= k).height, answerable.height) for k in DEPTHS}
        | _best_f1(judged)
        | {
            "bands": bands,
            "precision": bands["match"]["precision"],
            "precision_ci95": bands["match"]["precision_ci95"],
            "coverage": _share(matched.height, judged.height),
            "false_accepts": accepts,
            "false_accept_share": _share(accepts, none.height),
            "refused_share": _share(answerable.filter(pl.col("decision") == "no_match").height, answerable.height),
            "ece": calibration_error(judged["probability"].to_numpy(), judged["event"].to_numpy()),
            "brier": brier_score(judged["probability"].to_numpy(), judged["event"].to_numpy()),
        }
    )


def _band(band: pl.DataFrame, of: int) -> dict[str, Any]:
    right = band.filter(pl.when(pl.col("decision") == "no_match").then(~pl.col("has_match")).otherwise("named_right"))
    return {
        "records": band.height,
        "share": _share(band.height, of),
        "right": right.height,
        "errors": band.height - right.height,
        "precision": _share(right.height, band.height),
        "precision_ci95": list(clopper_pearson(right.height, band.height)),
    }


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _sweep(judged: pl.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Candidates accepted and right ones among them, for each distinct score from high to low."""
    levels = judged.drop_nulls("score").group_by("score").agg(made=pl.len(), right=pl.col("top_right").sum())
    levels = levels.sort("score", descending=True).select(pl.col("made", "right").cum_sum().cast(pl.Float64))
    return levels["made"].to_numpy(), levels["right"].to_numpy()


def _best_f1(judged: pl.DataFrame) -> dict[str, float | None]:
    made, right = _sweep(judged)
    answerable = int(judged["has_match"].sum())
    if not len(made) or not answerable:
        return dict.fromkeys(("best_f1", "best_f1_precision", "best_f1_recall"))
    f1 = 2 * right / (made + answerable)
    best = int(np.argmax(f1))
    figures = (f1[best], right[best] / made[best], right[best] / answerable)
    return dict(zip(("best_f1", "best_f1_precision", "best_f1_recall"), map(float, figures), strict=True))


def _risk_coverage(judged: pl.DataFrame) -> list[list[float]]:
    """[coverage, precision] at evenly spread counts of accepted candidates, from few to all."""
    made, right = _sweep(judged)
    if not len(made):
        return []
    wanted = np.linspace(0, made[-1], CURVE_POINTS + 1)[1:]
    at = np.unique(np.searchsorted(made, wanted))
    return [[float(made[i] / judged.height), float(right[i] / made[i])] for i in at]


def _reliability(judged: pl.DataFrame) -> list[list[float]]:
    bins = pl.Series("bin", equal_mass_bins(judged["probability"].to_numpy()))
    points = judged.group_by(bins).agg(pl.col("probability").mean(), pl.col("event").mean(), pl.len()).sort("bin")
    return [[p, share, n] for _, p, share, n in points.rows()]


def _bootstrap(judged: pl.DataFrame) -> dict[str, list[float] | None]:
    """95 % percentile intervals from drawing entities with replacement; None where nothing is counted."""
    match, answerable = pl.col("decision") == "match", pl.col("has_match")
    first = (answerable & (pl.col("hit") == 1)).fill_null(False)
    ratios = {
        "precision": (match & pl.col("named_right"), match),
        "coverage": (match, match.is_not_null()),
        "recall@1": (first, answerable),
    }
    sums = [
        side.cast(pl.Float64).sum().alias(f"{name} {i}") for name, pair in ratios.items() for i, side in enumerate(pair)
    ]
    table = judged.group_by("entity").agg(sums).sort("entity").drop("entity").to_numpy()
    generator, n = np.random.default_rng(0), len(table)
    drawn = (np.bincount(generator.integers(0, n, n), minlength=n) for _ in range(RESAMPLES))
    totals = np.array([weight @ table for weight in drawn])
    found: dict[str, list[float] | None] = {}
    for i, name in enumerate(ratios):
        part, whole = totals[:, 2 * i], totals[:, 2 * i + 1]
        counted = whole > 0
        found[name] = np.quantile(part[counted] / whole[counted], [0.025, 0.975]).tolist() if counted.any() else None
    return found


def _facets(judged: pl.DataFrame, slices: pl.DataFrame | None) -> dict[str, pl.Series]:
    """The values to slice by, for each judged record, by column."""
    facets = {"has_match": pl.Series("slice", np.where(judged["has_match"].to_numpy(), "yes", "no"))}
    if slices is None:
        return facets
    aligned = judged.select("record_id").join(slices, on="record_id", how="left", maintain_order="left")
    for column in aligned.drop("record_id").columns:
        values = aligned[column].cast(pl.String).fill_null("(none)").alias("slice")
        if column == "name":
            named = [f"up to {n} characters" for n in NAME_LENGTHS] + [f"over {NAME_LENGTHS[-1]} characters"]
            facets["name_length"] = pl.Series("slice", named)[np.searchsorted(NAME_LENGTHS, values.str.len_chars())]
        else:
            counts = values.value_counts().sort(["count", "slice"], descending=[True, False])
            facets[column] = values.replace(counts["slice"][MOST_SLICES:], pl.Series(["(others)"], dtype=pl.String))
    return facets


def _by_value(judged: pl.DataFrame) -> dict[str, dict[str, Any]]:
    parts = sorted(judged.group_by("slice"), key=lambda part: str(part[0]))
    return {str(value): figures(part) for (value,), part in parts}


def _worst(by_column: dict[str, dict[str, dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """The worst slice by each figure, of the given columns, with enough records and any that have a match."""
    large = [
        {"column": column, "value": value, **counted}
        for column, values in by_column.items()
        if column != "has_match"
        for value, counted in values.items()
        if counted["records"] >= SMALLEST_SLICE and counted["records"] > counted["no_match_records"]
    ]
    worst: dict[str, dict[str, Any]] = {}
    for name, direction in (("recall@1", 1), ("precision", 1), ("ece", -1)):
        judged = [s for s in large if s[name] is not None]
        if judged:
            lowest = min(judged, key=lambda s: (direction * s[name], s["column"], s["value"]))
            worst[name] = {k: lowest[k] for k in ("column", "value", "records")} | {"figure": lowest[name]}
    return worst
