"""A batch of wrong labels is learnt from like any other, and measured by itself: the gates refuse what comes of it."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl

from matching.bundle import read_manifest
from matching.fit_config import FitConfig
from matching.scoring import Scorer
from matching.training import fit
from matching_assets.challenger import measure
from matching_assets.gates import judge_version
from matching_assets.landing import DAY

WRONG = 0.25
"""The share of the labels that the batch gets wrong: each names the reference of the record after it."""


def refused(bundle: Path, champion: Path | None, frames, labels: pl.DataFrame, config: FitConfig) -> set[str]:
    """The gates that a bundle does not pass, beside the champion, measured by these labels."""
    arrived = frames.records.with_columns(pl.lit(date(2026, 1, 5)).alias(DAY)).lazy()
    measured = measure(Scorer.load(bundle), arrived, labels, config, champion)
    gates = judge_version(measured.facts, read_manifest(bundle).facts["certificate"])
    return {gate.gate for gate in gates if not gate.passed}


def test_wrong_references_for_many_records_are_refused_and_right_ones_are_not(
    small_bundle: Path, small_frames, small_config: FitConfig, tmp_path: Path
) -> None:
    config = replace(small_config, holdout_share=0.4)
    assert refused(small_bundle, None, small_frames, small_frames.labels, config) == set()

    wrong = pl.int_range(pl.len()) < WRONG * small_frames.labels.height
    labels = small_frames.labels.with_columns(
        reference_id=pl.when(wrong).then(pl.col("reference_id").shift(-1)).otherwise("reference_id")
    )
    fit(small_frames.reference, small_frames.records, labels, small_frames.aliases, config, bundle=tmp_path / "bundle")
    found = refused(tmp_path / "bundle", small_bundle, small_frames, labels, config)
    assert {"certificate", "champion"} <= found
