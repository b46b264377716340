"""One task measured: files for the commands, the commands as processes, and what came out of them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

TASKS = ("issuer_us_edgar", "xlist_global")
HELD_OUT, SEED = 0.3, 11


@dataclass(frozen=True)
class Run:
    """One command: wall-clock seconds, and the most resident memory that its process had, in bytes."""

    seconds: float
    peak_bytes: int


@dataclass(frozen=True)
class Outcome:
    """What was found on one task. `metrics` and `baseline` are of held-out entities."""

    task: str
    references: int
    records: int
    runs: dict[str, Run]
    metrics: dict[str, Any]
    baseline: dict[str, float | None]
    certificate: str
    reindexed: str

    def summary(self) -> str:
        """The figures in two lines."""
        m = self.metrics
        times = ", ".join(
            f"{name} {run.seconds:.0f} s and {run.peak_bytes / 1e9:.1f} GB" for name, run in self.runs.items()
        )
        return (
            f"  precision {m['precision']:.4f} {m['precision_ci95']}, coverage {m['coverage']:.3f}, "
            f"top-1 {m['recall@1']:.3f}, recall@50 {m['recall@50']:.3f}, F1 {m['best_f1']:.3f}, ECE {m['ece']:.4f}; "
            f"TF-IDF top-1 {self.baseline['top1']:.3f}\n  {times}"
        )


def measure_task(task: Path, scratch: Path, other: Path) -> Outcome:
    """Fit on 70 % of the entities, decide the records of the others, and reindex onto `other`."""
    from matching.baseline import tfidf_baseline
    from matching.bundle import read_manifest
    from matching.evaluation import evaluate, slice_columns
    from matching.split import entity_keys, is_held_out

    reference, records, labels = (
        pl.read_parquet(task / f"{name}.parquet") for name in ("reference", "records", "labels")
    )
    held_out = pl.Series(is_held_out(entity_keys(labels), HELD_OUT, SEED))
    scratch.mkdir(parents=True)
    for name, part in (("learnt", labels.filter(~held_out)), ("asked", labels.filter(held_out))):
        part.write_parquet(scratch / f"{name}_labels.parquet")
        chosen = records.join(part.select("record_id"), on="record_id", how="semi", maintain_order="left")
        chosen.write_parquet(scratch / f"{name}_records.parquet")
    asked = pl.read_parquet(scratch / "asked_records.parquet")
    bundle = scratch / "bundle"
    runs = {
        "fit": run("fit", "--reference", task / "reference.parquet", "--records", scratch / "learnt_records.parquet",
                   "--labels", scratch / "learnt_labels.parquet", "--bundle", bundle),
        "match": run("match", "--bundle", bundle, "--records", scratch / "asked_records.parquet",
                     "--decisions", scratch / "decisions.parquet", "--candidates", scratch / "candidates.parquet"),
        "reindex": run("reindex", "--bundle", bundle, "--reference", other, "--out", scratch / "reindexed"),
    }  # fmt: skip
    decisions, candidates = (pl.read_parquet(scratch / f"{name}.parquet") for name in ("decisions", "candidates"))
    judged = labels.filter(held_out)
    return Outcome(
        task=task.name,
        references=reference.height,
        records=asked.height,
        runs=runs,
        metrics=evaluate(decisions, judged, candidates, slice_columns(asked)),
        baseline=tfidf_baseline(reference, asked, judged),
        certificate=read_manifest(bundle).facts["certificate"]["statement"],
        reindexed=read_manifest(scratch / "reindexed").facts["certificate"]["statement"],
    )


def run(*words: str | Path) -> Run:
    """Run `matching` with these words. Raises CalledProcessError when it fails."""
    command = [str(Path(sys.executable).with_name("matching")), *map(str, words)]
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Run(time.perf_counter() - started, usage.ru_maxrss * 1024)
