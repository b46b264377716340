"""From out-of-fold margins to a calibration and a policy with its certificate, and what that policy decides of them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from matching.calibration import Calibration
from matching.certificate import Certificate, certify
from matching.decision import bands, is_ambiguous, is_unreadable, rank
from matching.fit_config import RANKER, FitConfig, assign_use
from matching.kinds import KINDS, judge_kinds, outside
from matching.policy import Policy, may_be_matched, review_floor
from matching.vocabulary import NameTable

UNCERTIFIED = (
    "No certificate, so nothing is matched without review: the version was trained on made-up writings of the "
    "reference's names, which show nothing about real records. Fit with labels."
)


def best_of(out_of_fold: pl.DataFrame, records: pl.DataFrame, labels: pl.DataFrame, config: FitConfig) -> pl.DataFrame:
    """One row for each labelled record of the ranker entities, decided from out-of-fold margins as the scorer would.

    record_id, entity_key, has_match, reference_id, margin, runner_up_margin (NaN: none), right, readable, clear, and
    those of KINDS that the records have.
    """
    asked = assign_use(labels, config).filter(pl.col("use") == RANKER)
    asked = asked.select("record_id", "entity_key", has_match=pl.col("reference_id").is_not_null())
    told = records.select(c for c in ("record_id", "name", *KINDS) if c in records.columns)
    asked = asked.join(told, on="record_id", maintain_order="left")
    number = dict(zip(asked["record_id"].to_list(), range(asked.height), strict=True))
    pairs = out_of_fold.filter(pl.col("record_id").is_in(asked["record_id"].implode()))
    owner = np.array([number[r] for r in pairs["record_id"]], np.int32)
    ranked = rank(owner, pairs["margin"].to_numpy(), asked.height)
    right = np.r_[pairs["right"].to_numpy(), False]
    ids = np.r_[pairs["reference_id"].to_numpy().astype(object), None]
    return asked.drop("name").with_columns(
        pl.Series("reference_id", ids[ranked.best].tolist(), dtype=pl.String),
        pl.Series("margin", ranked.margin),
        pl.Series("runner_up_margin", ranked.runner_up_margin),
        pl.Series("right", right[ranked.best]),
        pl.Series("readable", ~is_unreadable(NameTable.of(asked["name"]))),
        pl.Series("clear", ~is_ambiguous(ranked)),
    )


def fit_policy(best: pl.DataFrame, config: FitConfig) -> tuple[Calibration, Policy]:
    """Calibration and policy from `best_of`.

    Without enough labels the certificate is refused and nothing is auto-matched. Kinds of record that are shown to be
    worse than promised among what it would match are barred, and it is earned again without them.
    """
    there = best.filter(pl.col("margin").is_not_nan())
    calibration = Calibration.fit(there["margin"].to_numpy(), there["right"].to_numpy())
    probability = calibration.probability(best["margin"].to_numpy())
    allowed = may_be_matched(
        probability,
        calibration.probability(best["runner_up_margin"].to_numpy()),
        (best["readable"] & best["clear"]).to_numpy(),
    )
    right = best["right"].to_numpy()

    def earn(asked: NDArray[np.bool_]) -> Certificate:
        return certify(
            np.where(asked, probability, np.nan), right, best["entity_key"].to_numpy(), best["has_match"].to_numpy(),
            config.target_precision, config.confidence, config.most_false_accepts,
            1 / (1 + np.exp(best["margin"].to_numpy())),
        )  # fmt: skip

    certificate = earn(allowed)
    threshold = certificate.threshold or _promising(probability[allowed], config.target_precision)
    matched = allowed & (probability >= threshold)
    kinds = judge_kinds(best, matched, ~right, best["entity_key"], config.target_precision, config.confidence)
    if barred := [kind.told() for kind in kinds if kind.barred]:
        certificate = earn(allowed & ~outside(best, kinds))
        without = f" Not matched without review, because shown to be worse: {', '.join(barred)}."
        certificate = replace(certificate, statement=certificate.statement + without)
    if config.invented:
        certificate = replace(certificate, granted=False, threshold=None, statement=UNCERTIFIED)
    return calibration, Policy(certificate, review_floor(probability, right, config.miss_share), kinds)


def _promising(probability: NDArray[np.float64], target: float) -> float:
    """The lowest probability down to which records are right `target` of the time on average, as far as it says."""
    falling = np.sort(probability[~np.isnan(probability)])[::-1]
    good = np.cumsum(falling) >= target * np.arange(1, len(falling) + 1)
    return float(falling[np.flatnonzero(good)[-1]]) if good.any() else math.inf


def out_of_fold_decisions(best: pl.DataFrame, calibration: Calibration, policy: Policy) -> pl.DataFrame:
    """Decisions of the ranker entities, each by a ranker that had not seen its entity.

    record_id, reference_id, probability, decision.
    """
    probability = calibration.probability(best["margin"].to_numpy())
    runner_up = calibration.probability(best["runner_up_margin"].to_numpy())
    readable, clear = best["readable"].to_numpy(), best["clear"].to_numpy()
    band = bands(policy, probability, runner_up, readable, clear, outside(best, policy.kinds))
    return best.select("record_id", "reference_id").with_columns(
        pl.Series("probability", np.nan_to_num(probability, nan=0.0)), pl.Series("decision", band, dtype=pl.String)
    )


def out_of_fold_candidates(out_of_fold: pl.DataFrame) -> pl.DataFrame:
    """Candidates (record_id, reference_id, rank, score) of the ranker entities, in the order of their margins."""
    order = pl.col("margin").rank("ordinal", descending=True).over("record_id").cast(pl.Int32)
    return out_of_fold.select("record_id", "reference_id", order.alias("rank"), score="margin")
