"""Cross-validation over entities: each third is decided by a bundle that was fitted and certified on the other two.

One split says little: entities are few, and errors come by entity. Here every labelled record is decided once, by a
bundle that has seen no record of its entity and whose threshold was fixed before.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.accuracy import matching
from benchmarks.tasks import SEED, Task
from matching.bundle import read_manifest
from matching.evaluation import evaluate, slice_columns
from matching.split import entity_keys, fold_of

FOLDS = 3
SHOWN = (
    "records", "no_match_records", "precision", "precision_ci95", "coverage", "false_accept_share", "recall@1",
    "recall@50", "best_f1", "ece"
)  # fmt: skip


def measure_crossval(task: Task, folder: Path) -> dict[str, Any]:
    """The figures of each fold, what its certificate had seen, and the figures of all decisions together."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    reference = folder / "reference.parquet"
    task.reference.write_parquet(reference)
    fold = pl.Series(fold_of(entity_keys(task.labels), FOLDS, SEED))
    folds, decided, proposed = [], [], []
    for one in range(FOLDS):
        labels, asked = task.labels.filter(fold != one), task.labels.filter(fold == one)
        files = {name: folder / f"{name}_{one}.parquet" for name in ("labels", "learnt", "asked", "made", "candidates")}
        labels.write_parquet(files["labels"])
        task.records_of(labels).write_parquet(files["learnt"])
        task.records_of(asked).write_parquet(files["asked"])
        bundle = folder / f"bundle_{one}"
        matching(folder, "fit", "--reference", reference, "--records", files["learnt"], "--labels", files["labels"],
                 "--bundle", bundle)  # fmt: skip
        matching(folder, "match", "--bundle", bundle, "--records", files["asked"], "--decisions", files["made"],
                 "--candidates", files["candidates"])  # fmt: skip
        decided.append(pl.read_parquet(files["made"]))
        proposed.append(pl.read_parquet(files["candidates"]))
        certificate = read_manifest(bundle).facts["certificate"]
        seen = {"accepted": certificate["accepted"], "errors": certificate["errors"]}
        folds.append(figures(decided[-1], asked, proposed[-1], task) | {"certified_on": seen})
        print(f"  fold {one + 1}: {told(folds[-1])}", flush=True)
    return {"folds": folds, "all": figures(pl.concat(decided), task.labels, pl.concat(proposed), task)}


def figures(decisions: pl.DataFrame, labels: pl.DataFrame, candidates: pl.DataFrame, task: Task) -> dict[str, Any]:
    """What is told of decisions."""
    metrics = evaluate(decisions, labels, candidates, slice_columns(task.records_of(labels)))
    return {name: metrics[name] for name in SHOWN}


def told(m: dict[str, Any]) -> str:
    """The figures in a line."""
    return (
        f"precision {m['precision']:.4f}, coverage {m['coverage']:.3f}, no-match accepted "
        f"{m['false_accept_share']:.3f}, top-1 {m['recall@1']:.3f}, F1 {m['best_f1']:.3f}, ECE {m['ece']:.4f}"
    )
