"""Training: who may learn from what, what the certificate speaks of, and that the same frames give the same bytes."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from matching.certification import best_of, fit_policy, out_of_fold_decisions
from matching.features import FEATURE_NAMES, pair_features, retrieve
from matching.files import folder_files
from matching.fit_config import ENCODER, HELD_OUT, RANKER, FitConfig, assign_use
from matching.master import build_reference_master
from matching.records import InputError
from matching.training import PRIOR_NAMES, encoder_pairs, fit, fit_ranker, label_pairs

CONFTEST = Path(__file__).parents[1] / "conftest.py"


@pytest.fixture(scope="module")
def config(small_config) -> FitConfig:
    return replace(small_config, holdout_share=0.2)


@pytest.fixture(scope="module")
def compared(small_scorer, small_frames) -> pl.DataFrame:
    """Pair features of the small records, before anybody knows what is right."""
    index, records = small_scorer.index, small_frames.records
    return pair_features(index, records, retrieve(index, records, 10))


def entities(labels: pl.DataFrame, config: FitConfig, use: str) -> set[str]:
    return set(assign_use(labels, config).filter(pl.col("use") == use)["entity_key"])


def trained(compared: pl.DataFrame, frames: Any, labels: pl.DataFrame, config: FitConfig) -> tuple[Any, pl.DataFrame]:
    master = build_reference_master(frames.reference)
    pairs = label_pairs(compared, frames.records, labels, master, config)
    return fit_ranker(pairs, frames.records, labels, master, config)


# Who is used for what


def test_every_entity_has_one_use(small_frames, config) -> None:
    used = assign_use(small_frames.labels, config)
    assert used.height == small_frames.labels.height
    assert used.group_by("entity_key").agg(pl.col("use").n_unique())["use"].max() == 1
    assert {use: 0 < (used["use"] == use).mean() < 0.9 for use in (ENCODER, RANKER, HELD_OUT)} == {
        ENCODER: True, RANKER: True, HELD_OUT: True,
    }  # fmt: skip


def test_a_new_label_moves_no_other_entity(small_frames, config) -> None:
    before = assign_use(small_frames.labels.tail(100), config)
    after = assign_use(small_frames.labels, config).tail(100)
    assert before.equals(after)


def test_the_encoder_is_taught_its_own_entities_and_the_aliases(small_frames, config) -> None:
    master = build_reference_master(small_frames.reference, small_frames.aliases)
    taught = encoder_pairs(master, small_frames.records, small_frames.labels, config)
    own = assign_use(small_frames.labels, config).filter(pl.col("use") == ENCODER).drop_nulls("reference_id")
    names = set(own.join(small_frames.records, on="record_id")["name"])
    assert {record for record, _ in taught} == names | set(small_frames.aliases["alias"])
    assert ("Abbott Alkaloidal Co", "ABBOTT LABORATORIES") in taught


# What is right


def test_the_labelled_reference_is_right_and_so_are_its_alternatives(compared, small_frames, config) -> None:
    first = compared.filter(pl.col("rank") <= 2).group_by("record_id", maintain_order=True).agg("reference_id").row(0)
    record_id, (label, alternative) = first
    labels = pl.DataFrame(
        {"record_id": [record_id], "reference_id": [label], "same_name_alternatives": [[alternative, "elsewhere"]]}
    )
    pairs = label_pairs(compared, small_frames.records, labels, build_reference_master(small_frames.reference), config)
    assert set(pairs["record_id"]) == {record_id}
    assert set(pairs.filter("right")["reference_id"]) == {label, alternative}


def test_nothing_is_right_for_a_record_without_a_match(compared, small_frames, config) -> None:
    master = build_reference_master(small_frames.reference)
    pairs = label_pairs(compared, small_frames.records, small_frames.labels, master, config)
    without = small_frames.labels.filter(pl.col("reference_id").is_null())["record_id"]
    assert not pairs.filter(pl.col("record_id").is_in(without.implode()))["right"].any()
    assert pairs["right"].any()


def test_features_of_labelled_pairs_are_those_that_were_computed(compared, small_frames, config) -> None:
    master = build_reference_master(small_frames.reference)
    pairs = label_pairs(compared, small_frames.records, small_frames.labels, master, config)
    told = [name for name in FEATURE_NAMES if name not in PRIOR_NAMES]
    assert pairs.select("record_id", "reference_id", *told).equals(compared.select("record_id", "reference_id", *told))


# What the certificate speaks of


def test_only_ranker_entities_are_in_the_certificate(compared, small_frames, config) -> None:
    _, out_of_fold = trained(compared, small_frames, small_frames.labels, config)
    best = best_of(out_of_fold, small_frames.records, small_frames.labels, config)
    assert set(best["entity_key"]) == entities(small_frames.labels, config, RANKER)
    assert not set(out_of_fold["entity_key"]) & entities(small_frames.labels, config, ENCODER)
    assert not set(out_of_fold["entity_key"]) & entities(small_frames.labels, config, HELD_OUT)
    calibration, policy = fit_policy(best, config)
    assert policy.certificate.entities <= best["entity_key"].n_unique()
    assert len(calibration.margin) > 1


def test_nothing_is_learnt_from_held_out_entities(compared, small_frames, config) -> None:
    held_out = assign_use(small_frames.labels, config)["use"] == HELD_OUT
    wrong = small_frames.labels.with_columns(  # as if each of them were another company
        reference_id=pl.when(held_out).then(pl.lit("elsewhere")).otherwise("reference_id")
    )
    rankers = [trained(compared, small_frames, labels, config)[0] for labels in (small_frames.labels, wrong)]
    assert rankers[0].model == rankers[1].model
    assert rankers[0].priors == rankers[1].priors


def test_something_is_learnt_from_the_others(compared, small_frames, config) -> None:
    use = assign_use(small_frames.labels, config)["use"] == RANKER
    wrong = small_frames.labels.with_columns(
        reference_id=pl.when(use & (pl.int_range(pl.len()) % 2 == 0))
        .then(pl.lit("elsewhere"))
        .otherwise("reference_id")
    )
    rankers = [trained(compared, small_frames, labels, config)[0] for labels in (small_frames.labels, wrong)]
    assert rankers[0].model != rankers[1].model


def best_frame(n: int, **columns: Any) -> pl.DataFrame:
    """n records whose best candidate is right, each of its own entity, far ahead of the next."""
    ids = [str(i) for i in range(n)]
    made = {
        "record_id": ids,
        "entity_key": ids,
        "has_match": [True] * n,
        "reference_id": ids,
        "margin": np.linspace(1, 5, n),
        "runner_up_margin": -9.0,
    }
    return pl.DataFrame({**made, "right": True, "readable": True, "clear": True, **columns})


@pytest.mark.parametrize(("labels", "granted"), [(250, False), (400, True)])
def test_without_a_certificate_nothing_is_matched(labels: int, granted: bool) -> None:
    best = best_frame(labels)
    calibration, policy = fit_policy(best, FitConfig())
    decisions = out_of_fold_decisions(best, calibration, policy)
    assert policy.certificate.granted == granted
    assert ("match" in set(decisions["decision"])) == granted


def test_what_may_not_be_matched_is_not_counted_for_the_certificate() -> None:
    clear = [i % 2 == 0 for i in range(800)]
    assert fit_policy(best_frame(800, clear=clear), FitConfig())[1].certificate.entities == 400
    assert fit_policy(best_frame(800, readable=clear), FitConfig())[1].certificate.entities == 400


def test_an_unreadable_name_is_reviewed_out_of_fold_as_it_is_by_the_scorer() -> None:
    best = best_frame(400, readable=[i > 0 for i in range(400)], margin=[-9.0, *np.linspace(1, 5, 399)])
    calibration, policy = fit_policy(best, FitConfig())
    assert out_of_fold_decisions(best, calibration, policy)["decision"][0] == "review"


# A whole fit


@pytest.mark.parametrize("labels", [0, 10])
def test_too_few_labels_are_an_input_error(small_frames, small_config, tmp_path: Path, labels: int) -> None:
    few = small_frames.labels.head(labels)
    with pytest.raises(InputError, match="too few labels"):
        fit(small_frames.reference, small_frames.records, few, config=small_config, bundle=tmp_path / "bundle")
    assert list(tmp_path.iterdir()) == []


def test_labels_of_one_entity_are_too_few(compared, small_frames, config) -> None:
    one = small_frames.labels.drop_nulls("reference_id").with_columns(entity_key=pl.lit("one"))
    with pytest.raises(InputError, match="too few labels"):
        trained(compared, small_frames, one, replace(config, holdout_share=0.0))


def test_metrics_are_of_entities_that_nothing_was_learnt_from(small_scorer) -> None:
    facts = small_scorer.manifest.facts
    assert facts["measured_on"] == "out-of-fold entities"
    assert facts["metrics"]["entities"] == facts["counts"]["ranker_entities"]


def test_golden_records_are_decided_as_they_were(small_bundle: Path, small_scorer, small_config) -> None:
    golden = pl.read_parquet(small_bundle / "golden.parquet")
    again = small_scorer.score(golden.drop("reference_id", "decision"), small_config.top_k).decisions
    assert again.select("record_id", "reference_id", "decision").equals(
        golden.select("record_id", "reference_id", "decision")
    )


@pytest.mark.slow
def test_the_same_frames_give_the_same_bytes_in_another_process(small_bundle: Path, tmp_path: Path) -> None:
    fit_again = "import runpy, sys, pathlib; runpy.run_path(sys.argv[1])['fit_small'](pathlib.Path(sys.argv[2]))"
    environment = {**os.environ, "PYTHONHASHSEED": "12345", "PYTHONPATH": str(CONFTEST.parents[1])}
    command = [sys.executable, "-c", fit_again, str(CONFTEST), str(tmp_path / "bundle")]
    subprocess.run(command, env=environment, cwd=tmp_path, check=True)
    assert folder_files(tmp_path / "bundle") == folder_files(small_bundle)
