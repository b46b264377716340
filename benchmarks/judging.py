"""A peer judged: its threshold is chosen on entities to learn from, and then only applied to the others.

The same code judges everybody (`matching.judging`, `matching.evaluation`). A peer's score is not a probability, so its
calibration is not spoken of.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from matching.certificate import certify
from matching.evaluation import evaluate
from matching.judging import judge

TARGET = 0.99
KEPT = (
    "records", "no_match_records", "recall@1", "recall@10", "recall@50", "best_f1", "precision", "precision_ci95",
    "coverage", "false_accept_share", "risk_coverage", "slices"
)  # fmt: skip


def judge_peer(
    candidates: pl.DataFrame, chosen_on: pl.DataFrame, asked: pl.DataFrame, slices: pl.DataFrame, target: float = TARGET
) -> dict[str, Any]:
    """The figures of a peer on the labels `asked`, with its threshold from the labels `chosen_on`.

    Also `threshold` (None: no score reaches the target), `oracle_coverage` (threshold read off `asked`: optimistic),
    and `certified`, what the certificate of `matching.certificate` would let it match, learnt from `chosen_on` alone.
    """
    known = judge(undecided(candidates, chosen_on), chosen_on, candidates)
    threshold = threshold_for(known, target)
    figures = evaluate(decided(candidates, asked, threshold), asked, candidates, slices)
    judged = judge(undecided(candidates, asked), asked, candidates)
    granted = certify(
        known["score"].fill_null(np.nan), known["top_right"], known["entity"], known["has_match"], target
    ).threshold
    strict = judge(decided(candidates, asked, granted), asked, candidates).filter(pl.col("decision") == "match")
    return {name: figures[name] for name in KEPT} | {
        "threshold": threshold,
        "oracle_coverage": oracle_coverage(judged, target),
        "certified": {
            "coverage": strict.height / judged.height,
            "precision": strict["named_right"].mean() if strict.height else None,
        },
    }


def undecided(candidates: pl.DataFrame, labels: pl.DataFrame) -> pl.DataFrame:
    """A decision for each labelled record: its best candidate, to be reviewed."""
    best = candidates.filter(pl.col("rank") == 1).select("record_id", "reference_id", probability="score")
    asked = labels.select("record_id").join(best, on="record_id", how="left", maintain_order="left")
    return asked.with_columns(pl.col("probability").fill_null(0.0), decision=pl.lit("review"))


def decided(candidates: pl.DataFrame, labels: pl.DataFrame, threshold: float | None) -> pl.DataFrame:
    """The same, with a match where the score is at the threshold or above."""
    decisions = undecided(candidates, labels)
    if threshold is None:
        return decisions
    matched = pl.col("reference_id").is_not_null() & (pl.col("probability") >= threshold)
    return decisions.with_columns(decision=pl.when(matched).then(pl.lit("match")).otherwise("decision"))


def threshold_for(judged: pl.DataFrame, target: float) -> float | None:
    """The smallest score at which precision reaches the target; None where no score does."""
    levels = sweep(judged)
    good = levels.filter(pl.col("right") >= target * pl.col("made"))
    return None if good.is_empty() else float(good["score"][-1])


def oracle_coverage(judged: pl.DataFrame, target: float) -> float:
    """The most that could be matched at the target, had the threshold been known."""
    good = sweep(judged).filter(pl.col("right") >= target * pl.col("made"))
    return 0.0 if good.is_empty() else float(good["made"][-1]) / judged.height


def sweep(judged: pl.DataFrame) -> pl.DataFrame:
    """score, from high to low; made and right, the best candidates that have it or more, and the right ones of them."""
    levels = judged.drop_nulls("score").group_by("score").agg(made=pl.len(), right=pl.col("top_right").sum())
    return levels.sort("score", descending=True).with_columns(pl.col("made", "right").cum_sum())
