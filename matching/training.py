"""Training, stage by stage: what `matching fit` runs in one go, and what the assets run one by one.

Entities, not records, are split. A share of the entities teaches the encoder its labelled pairs and is then left out of
the certificate, because the encoder has seen their answers. All others are ranked out of fold: by rankers that never
saw a record of the same entity.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from matching.bundle import Manifest, Parts, write_bundle
from matching.certification import best_of, fit_policy, out_of_fold_candidates, out_of_fold_decisions
from matching.features import FEATURE_NAMES, PRIOR_FEATURES, pair_features, retrieve
from matching.fit_config import ENCODER, HELD_OUT, RANKER, FitConfig, assign_use
from matching.master import build_reference_master, with_surviving_ids
from matching.name_reader import NameReader
from matching.priors import Priors, PriorTables, origins_of, reference_facts
from matching.ranker import Ranker, cross_fitted_margins
from matching.records import InputError, content_hash
from matching.retrieval.encoder import Encoder
from matching.retrieval.index import RetrievalIndex
from matching.scoring import Scorer
from matching.split import fold_of

Progress = Callable[[str, float], None]
PRIOR_NAMES = tuple(f.name for f in PRIOR_FEATURES)


def encoder_pairs(
    master: pl.DataFrame, records: pl.DataFrame, labels: pl.DataFrame, config: FitConfig
) -> list[tuple[str, str]]:
    """Writings known to be one entity: records of encoder entities, then aliases, each with the title."""
    taught = assign_use(labels, config).filter((pl.col("use") == ENCODER) & pl.col("reference_id").is_not_null())
    labelled = taught.join(records.select("record_id", record_name="name"), on="record_id").join(
        master.select("reference_id", "name"), on="reference_id"
    )
    aliases = master.select("name", "aliases").explode("aliases").drop_nulls()
    return labelled.sort("record_id").select("record_name", "name").rows() + aliases.select("aliases", "name").rows()


def train_encoder(
    master: pl.DataFrame,
    records: pl.DataFrame,
    labels: pl.DataFrame,
    config: FitConfig,
    progress: Callable[[float], None] | None = None,
    start: Encoder | None = None,
) -> Encoder:
    """Train the encoder on the master's titles and the pairs of `encoder_pairs`, from `start` if there is one.

    A start may have learnt from encoder entities only, as this one does: then nothing that is measured on or certified
    with has been seen by either.
    """
    pairs = encoder_pairs(master, records, labels, config)
    return Encoder.train(master["name"].to_list(), pairs, config.encoder, progress, start)


def label_pairs(
    features: pl.DataFrame, records: pl.DataFrame, labels: pl.DataFrame, master: pl.DataFrame, config: FitConfig
) -> pl.DataFrame:
    """Pair features of labelled records with `right`, `entity_key` and `use`.

    Same-name alternatives are as right as the label. PRIOR_FEATURES are learnt here, from the entities of all other
    folds; for held-out entities from all that are not held out.
    """
    used = assign_use(labels, config)
    alternatives = (
        pl.col("same_name_alternatives").fill_null([])
        if "same_name_alternatives" in labels.columns
        else pl.lit([], pl.List(pl.String))
    )
    right = (
        used.filter(pl.col("reference_id").is_not_null())
        .select("record_id", pl.concat_list(pl.concat_list("reference_id"), alternatives).alias("reference_id"))
        .explode("reference_id")
        .unique()
        .with_columns(right=True)
    )
    pairs = features.drop(PRIOR_NAMES).join(
        used.select("record_id", "entity_key", "use"), on="record_id", maintain_order="left"
    )
    return (
        pairs.hstack(out_of_fold_priors(pairs, records, used, master, config))
        .join(right, on=["record_id", "reference_id"], how="left", maintain_order="left")
        .with_columns(pl.col("right").fill_null(False))
    )


def _origins(records: pl.DataFrame, used: pl.DataFrame) -> pl.DataFrame:
    """What priors are learnt from: record_id, entity_key, use, reference_id, has_match, and each record's origin."""
    known = records.hstack(origins_of(records).rename(lambda a: f"_{a}")).select("record_id", pl.col("^_.*$"))
    asked = used.select(
        "record_id", "entity_key", "use", "reference_id", has_match=pl.col("reference_id").is_not_null()
    )
    return asked.join(known, on="record_id", maintain_order="left").rename(lambda c: c.removeprefix("_"))


def out_of_fold_priors(
    pairs: pl.DataFrame, records: pl.DataFrame, used: pl.DataFrame, master: pl.DataFrame, config: FitConfig
) -> pl.DataFrame:
    """PRIOR_FEATURES of pairs (record_id, reference_id, entity_key, use), as the labels of other entities tell them."""
    origins, references = _origins(records, used), reference_facts(master)
    fold = fold_of(pairs["entity_key"], config.folds, config.seed)
    fold[(pairs["use"] == HELD_OUT).to_numpy()] = -1
    owner = _numbers(pairs["record_id"], origins["record_id"])
    reference = _numbers(pairs["reference_id"], references["reference_id"])
    taught = fold_of(origins["entity_key"], config.folds, config.seed)
    taught[(origins["use"] == HELD_OUT).to_numpy()] = -1
    columns = np.zeros((pairs.height, len(PRIOR_NAMES)), np.float32)
    for one in np.unique(fold):
        priors = Priors.fit(origins.filter((taught != one) & (taught >= 0)), references)
        asked = fold == one
        columns[asked] = PriorTables.of(priors, references).columns(
            origins.to_dict(as_series=False), owner[asked], reference[asked]
        )
    return pl.DataFrame(columns, schema=list(PRIOR_NAMES))


def _numbers(values: pl.Series, known: pl.Series) -> NDArray[np.int64]:
    """The row of each value in `known`. int64 [n]."""
    return values.replace_strict(known, pl.int_range(len(known), eager=True), return_dtype=pl.Int64).to_numpy()


def fit_ranker(
    pairs: pl.DataFrame, records: pl.DataFrame, labels: pl.DataFrame, master: pl.DataFrame, config: FitConfig,
    progress: Callable[[float], None] | None = None,
) -> tuple[Ranker, pl.DataFrame]:  # fmt: skip
    """The ranker, trained on everything that is not held out, and the out-of-fold margins of the ranker entities.

    Returns the pairs of the ranker entities as record_id, reference_id, rank, margin, right, entity_key.
    Raises InputError when there are too few labels to learn from.
    """
    known = pairs.filter(pl.col("use") != HELD_OUT)
    fold = fold_of(known["entity_key"], config.folds, config.seed)
    if known["right"].sum() < 20 or known.filter(~pl.col("right")).height < 20 or len(np.unique(fold)) < 2:
        raise InputError(
            f"too few labels to learn from: {known['right'].sum()} right candidates were found", file="labels",
            column="reference_id", remedy="Label at least 50 records, some of them without a match.",
        )  # fmt: skip
    matrix = known.select(FEATURE_NAMES).to_numpy().astype(np.float32)
    right = known["right"].to_numpy()
    taught = (known["rank"].to_numpy() <= config.train_depth) | right
    margins = cross_fitted_margins(matrix, right, fold, taught, config.ranker, progress)
    origins = _origins(records, assign_use(labels, config)).filter(pl.col("use") != HELD_OUT)
    priors = Priors.fit(origins, reference_facts(master))
    ranker = Ranker.fit(matrix[taught], right[taught], config.ranker, priors)
    scored = known.select("record_id", "reference_id", "rank", "right", "entity_key", "use").with_columns(
        margin=pl.Series(margins)
    )
    return ranker, scored.filter(pl.col("use") == RANKER).drop("use")


def training_facts(
    reference: pl.DataFrame, records: pl.DataFrame, labels: pl.DataFrame, config: FitConfig
) -> dict[str, Any]:
    """What a manifest says about where a bundle comes from: data hashes, counts, configuration, code and lock."""
    from matching.provenance import code_facts

    frames = {"reference": reference, "records": records, "labels": labels}
    entities = assign_use(labels, config).unique("entity_key")
    return {
        "data": {name: content_hash(frame) for name, frame in frames.items()},
        "counts": {
            "references": reference.height,
            "records": records.height,
            "labels": labels.height,
            "no_match_labels": labels["reference_id"].null_count(),
            "entities": entities.height,
            **{f"{use}_entities": entities.filter(pl.col("use") == use).height for use in (ENCODER, RANKER, HELD_OUT)},
        },
        "config": asdict(config),
        "code": code_facts(),
    }


def _silent(stage: str, share: float) -> None:
    """Report no progress."""


def fit(
    reference: pl.DataFrame, records: pl.DataFrame, labels: pl.DataFrame, aliases: pl.DataFrame | None = None,
    config: FitConfig | None = None, *, bundle: Path, progress: Progress | None = None,
) -> Manifest:  # fmt: skip
    """Train on guarded frames and write a bundle. The same frames and configuration give the same bytes.

    Metrics in the manifest are of held-out entities where `holdout_share` is above 0, else out-of-fold.
    `progress(stage, share)` is called as stages go on. Raises InputError when there is too little to learn from.
    """
    from matching.evaluation import evaluate, slice_columns
    from matching.golden import golden_set

    config = config or FitConfig()
    tell = progress or _silent
    tell("reference", 0.0)
    names = NameReader()
    master = build_reference_master(reference, aliases, names)
    labels = with_surviving_ids(labels, master)
    known = records.join(labels.select("record_id"), on="record_id", how="semi", maintain_order="left")
    encoder = train_encoder(master, known, labels, config, lambda share: tell("encoder", share))
    tell("index", 0.0)
    index = RetrievalIndex.build(master, encoder, names=names)
    tell("candidates", 0.0)
    candidates = retrieve(index, known, config.top_k)
    tell("features", 0.0)
    pairs = label_pairs(pair_features(index, known, candidates), known, labels, master, config)
    ranker, out_of_fold = fit_ranker(pairs, known, labels, master, config, lambda share: tell("ranker", share))
    tell("policy", 0.0)
    best = best_of(out_of_fold, known, labels, config)
    calibration, policy = fit_policy(best, config)
    scorer = Scorer(index, ranker, calibration, policy, "unreleased")
    tell("evaluation", 0.0)
    scored = scorer.score(known, config.top_k, reasons=False)
    used = assign_use(labels, config)
    measured_on = HELD_OUT if config.holdout_share > 0 else RANKER
    asked = used.filter(pl.col("use") == measured_on).drop("use")
    if measured_on == HELD_OUT:
        decisions, ranked = scored.decisions, scored.candidates
    else:
        decisions, ranked = out_of_fold_decisions(best, calibration, policy), out_of_fold_candidates(out_of_fold)
    decisions, ranked, telemetry = (
        frame.join(asked.select("record_id"), on="record_id", how="semi", maintain_order="left")
        for frame in (decisions, ranked, scored.telemetry)
    )
    metrics = evaluate(decisions, asked, ranked, slice_columns(known))
    facts = training_facts(reference, records, labels, config) | {
        "metrics": metrics,
        "measured_on": f"{'held-out' if measured_on == HELD_OUT else 'out-of-fold'} entities"
        + (", their records made up" if config.invented else ""),
        "certificate": asdict(policy.certificate),
    }
    golden = golden_set(scored.decisions, labels, config.golden_size, config.seed)
    golden = golden.join(
        known.drop(c for c in known.columns if c in golden.columns and c != "record_id"),
        on="record_id",
        maintain_order="left",
    )
    manifest = write_bundle(Parts(index, encoder, ranker, calibration, policy, golden, telemetry), facts, bundle)
    tell("bundle", 1.0)
    return manifest
