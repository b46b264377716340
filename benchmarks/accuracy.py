"""`matching fit`, `match` and `reindex` on one task, each a process of its own, and the decisions judged.

The folder keeps `bundle`, `decisions.parquet` and `candidates.parquet`, which other parts start from.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.process import Run, run
from benchmarks.tasks import Task
from matching.accounts import combine
from matching.bundle import read_manifest
from matching.evaluation import evaluate, slice_columns


def measure_accuracy(task: Task, other: Path, folder: Path) -> dict[str, Any]:
    """Fit on the entities to learn from, decide the records of the others, and reindex onto the reference `other`."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    asked = task.records_of(task.asked)
    task.reference.write_parquet(folder / "reference.parquet")
    task.learnt.write_parquet(folder / "learnt_labels.parquet")
    task.records_of(task.learnt).write_parquet(folder / "learnt_records.parquet")
    asked.write_parquet(folder / "asked_records.parquet")
    bundle = folder / "bundle"
    runs = {
        "fit": matching(folder, "fit", "--reference", folder / "reference.parquet",
                        "--records", folder / "learnt_records.parquet", "--labels", folder / "learnt_labels.parquet",
                        "--bundle", bundle),
        "match": matching(folder, "match", "--bundle", bundle, "--records", folder / "asked_records.parquet",
                          "--decisions", folder / "decisions.parquet",
                          "--candidates", folder / "candidates.parquet"),
        "reindex": matching(folder, "reindex", "--bundle", bundle, "--reference", other,
                            "--out", folder / "reindexed"),
    }  # fmt: skip
    untaught = without_labels(task, folder)
    decisions, candidates = (pl.read_parquet(folder / f"{name}.parquet") for name in ("decisions", "candidates"))
    return {
        "references": task.reference.height,
        "records": asked.height,
        "runs": {name: asdict(one) for name, one in runs.items()},
        "metrics": evaluate(decisions, task.asked, candidates, slice_columns(asked)),
        "without_labels": untaught,
        "accounts": of_accounts(decisions, task.asked, read_manifest(bundle).facts["certificate"]["threshold"]),
        "certificate": read_manifest(bundle).facts["certificate"]["statement"],
        "reindexed": read_manifest(folder / "reindexed").facts["certificate"]["statement"],
    }


def without_labels(task: Task, folder: Path) -> dict[str, Any]:
    """What a bundle finds that was trained on the reference alone; it has no certificate, so it matches nothing."""
    bundle, decided = folder / "without_labels", folder / "untaught.parquet"
    proposed = folder / "untaught_candidates.parquet"
    matching(folder, "fit", "--reference", folder / "reference.parquet", "--bundle", bundle)
    matching(folder, "match", "--bundle", bundle, "--records", folder / "asked_records.parquet",
             "--decisions", decided, "--candidates", proposed)  # fmt: skip
    metrics = evaluate(pl.read_parquet(decided), task.asked, pl.read_parquet(proposed))
    return {name: metrics[name] for name in ("recall@1", "recall@50", "best_f1", "coverage")}


def of_accounts(decisions: pl.DataFrame, labels: pl.DataFrame, threshold: float | None) -> dict[str, Any]:
    """Entities that several records write differently, each as one account of these names, beside the names alone."""
    known = labels.drop_nulls("reference_id").select("record_id", right="reference_id")
    asked = decisions.join(known, on="record_id", maintain_order="left")
    asked = asked.filter(pl.len().over("right") > 1)
    accounts = combine(asked.drop("right"), asked["right"], threshold).with_columns(right="account_id")

    def figures(decided: pl.DataFrame) -> dict[str, Any]:
        matched, named = pl.col("decision") == "match", pl.col("reference_id") == pl.col("right")
        right, made = decided.select(good=(matched & named).sum(), made=matched.sum()).row(0)
        return {
            "asked": decided.height,
            "top1": decided.select(named.mean()).item(),
            "coverage": made / max(decided.height, 1),
            "precision": right / made if made else None,
        }

    return {"names": figures(asked), "accounts": figures(accounts)}


def matching(folder: Path, *words: str | Path) -> Run:
    """Run `matching` with these words. Raises CalledProcessError when it fails."""
    return run([Path(sys.executable).with_name("matching"), *words], folder / f"{words[0]}.log")


def summary(found: dict[str, Any]) -> str:
    """The figures in two lines."""
    m, runs = found["metrics"], found["runs"].items()
    costs = ", ".join(f"{name} {one['seconds']:.0f} s and {one['peak_bytes'] / 1e9:.1f} GB" for name, one in runs)
    precision = "no match" if m["precision"] is None else f"precision {m['precision']:.4f} {m['precision_ci95']}"
    return (
        f"  {precision}, coverage {m['coverage']:.3f}, top-1 {m['recall@1']:.3f}, recall@50 {m['recall@50']:.3f}, "
        f"F1 {m['best_f1']:.3f}, ECE {m['ece']:.4f}\n  {costs}"
    )
