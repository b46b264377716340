"""How often the certificate holds: a simulation over many draws of entities, on margins from one out-of-fold fit.

The ranker is fitted once a task, out of fold, so every margin is by a model that has not seen the entity. What is drawn
anew each time is what the certificate depends on: which labelled entities calibrate and certify it.

1. `claim`. The labelled entities stand for the world; each draw takes as many of them with replacement, certifies on
   them, and asks what the precision is in that world, where the truth is known. Over all its records is what the
   certificate promises (95 times of 100); of one record an entity is told beside it.
2. `split`. Half of the entities certify, the other half is matched, and its precision is counted. The other half is a
   sample too: where the true precision is just above the target, its luck alone puts nearly half of the counts below.
   So this is lower than the promise, the more so the smaller the half, and it is told beside the claim, not instead.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from benchmarks.tasks import Task

DRAWS = 200
HALF = 0.5


def measure_certificate(task: Task, draws: int = DRAWS) -> dict[str, Any]:
    """Both simulations on one task."""
    from matching.fit_config import FitConfig

    best = out_of_fold_best(task)
    config = FitConfig()
    return {
        "entities": best["entity_key"].n_unique(),
        "records": best.height,
        "target": config.target_precision,
        "confidence": config.confidence,
        "claim": summarise(claim(best, draws), config.target_precision),
        "split": summarise(split(best, draws), config.target_precision),
    }


def out_of_fold_best(task: Task) -> pl.DataFrame:
    """The best candidate of each labelled record, as `matching.training.fit` has it before it certifies."""
    from matching.certification import best_of
    from matching.features import pair_features, retrieve
    from matching.fit_config import FitConfig
    from matching.master import build_reference_master, with_surviving_ids
    from matching.retrieval.index import RetrievalIndex
    from matching.training import fit_ranker, label_pairs, train_encoder

    config = FitConfig()
    master = build_reference_master(task.reference)
    labels = with_surviving_ids(task.labels, master)
    records = task.records_of(labels)
    index = RetrievalIndex.build(master, train_encoder(master, records, labels, config))
    features = pair_features(index, records, retrieve(index, records, config.top_k))
    pairs = label_pairs(features, records, labels, master, config)
    _, out_of_fold = fit_ranker(pairs, records, labels, master, config)
    return best_of(out_of_fold, records, labels, config)


def claim(best: pl.DataFrame, draws: int) -> list[dict[str, float]]:
    """Certify on entities drawn with replacement, and look at all. An entity drawn twice counts as two."""
    rows = best.with_row_index("row").group_by("entity_key").agg("row").sort("entity_key")["row"].to_list()
    found = []
    for draw in range(draws):
        drawn = np.random.default_rng(draw).integers(0, len(rows), len(rows))
        sizes = [len(rows[entity]) for entity in drawn]
        keys = pl.Series("entity_key", np.repeat(np.arange(len(drawn)), sizes)).cast(pl.String)
        taught = best[np.concatenate([rows[entity] for entity in drawn])].with_columns(keys)
        found.append(outcome(taught, best))
    return found


def split(best: pl.DataFrame, draws: int) -> list[dict[str, float]]:
    """Certify on half of the entities, and look at the others."""
    from matching.split import is_held_out

    found = []
    for draw in range(draws):
        held_out = pl.Series(is_held_out(best["entity_key"], HALF, draw))
        found.append(outcome(best.filter(~held_out), best.filter(held_out)))
    return found


def outcome(taught: pl.DataFrame, asked: pl.DataFrame) -> dict[str, float]:
    """Calibrate and certify on `taught`, match `asked`, and count.

    coverage; precision over records, and of one record an entity; the share of no-match records that are matched, and
    the most of it that was certified (1: nothing was said of it). Where nothing is matched, no one is harmed.
    """
    from matching.certification import fit_policy
    from matching.fit_config import FitConfig
    from matching.kinds import outside

    calibration, policy = fit_policy(taught, FitConfig())
    probability, runner_up = (
        calibration.probability(asked[column].to_numpy()) for column in ("margin", "runner_up_margin")
    )
    may_match = (asked["readable"] & asked["clear"]).to_numpy() & ~outside(asked, policy.kinds)
    match = np.array(policy.decide(probability, runner_up, may_match)) == "match"
    right, absent = match & asked["right"].to_numpy(), ~asked["has_match"].to_numpy()
    weight = 1 / asked.select(pl.len().over("entity_key")).to_series().to_numpy()
    allowed = policy.certificate.most_false_accepts
    return {
        "coverage": float(match.mean()),
        "records": float(right.sum() / match.sum()) if match.any() else 1.0,
        "entities": float(right @ weight / (match @ weight)) if match.any() else 1.0,
        "false_accepts": float(match[absent].mean()) if absent.any() else 0.0,
        "false_accepts_allowed": 1.0 if allowed is None else allowed,
    }


def summarise(found: list[dict[str, float]], target: float) -> dict[str, Any]:
    """How often the target was reached, and the precision of each draw for the plot."""
    drawn = {name: np.array([one[name] for one in found]) for name in found[0]}
    return {
        "draws": len(found),
        "granted": float((drawn["coverage"] > 0).mean()),
        "coverage": float(drawn["coverage"].mean()),
        "precision": float(drawn["records"].mean()),
        "false_accepts": float(drawn["false_accepts"].mean()),
        "holds_records": float((drawn["records"] >= target).mean()),
        "holds_entities": float((drawn["entities"] >= target).mean()),
        "holds_false_accepts": float((drawn["false_accepts"] <= drawn["false_accepts_allowed"]).mean()),
        "precisions": np.sort(drawn["records"]).round(5).tolist(),
    }


def summary(found: dict[str, Any]) -> str:
    """Two lines."""
    said = (
        f"  {kind}: coverage {one['coverage']:.3f}, holds over records {one['holds_records']:.1%}, "
        f"over entities {one['holds_entities']:.1%}, for false accepts {one['holds_false_accepts']:.1%} of "
        f"{one['draws']} draws"
        for kind, one in ((kind, found[kind]) for kind in ("claim", "split"))
    )
    return "\n".join(said)
