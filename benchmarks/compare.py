"""The peers on one task: the same records, the same judge, the same run.

Each is a process in an environment of its own. A peer that cannot be installed or fails is skipped, and the result says
why. This project is measured in the same shape, from the bundle of the accuracy part; where that was not run, it is
skipped too.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.environments import PEERS, NotInstalledError, peer_python, peer_version
from benchmarks.judging import KEPT, TARGET, judge_peer, oracle_coverage, undecided
from benchmarks.process import run
from benchmarks.tasks import SEED, Task, some_of
from matching.evaluation import evaluate, slice_columns
from matching.judging import judge

OURS = "matching"
TAUGHT = 3_000  # labelled records that a peer learns from
CHOSEN_ON = 4_000  # labelled records that its threshold is chosen on
BLOCKED = 20  # candidates of TF-IDF that a peer without retrieval judges


@dataclass(frozen=True)
class Peer:
    """How a peer is run: at most `most` records to be judged, and `singles` of them one by one for the latency."""

    name: str
    note: str
    most: int | None = None
    singles: int = 200


# In this order: TF-IDF finds the candidates for those that have no retrieval.
ALL = (
    Peer(OURS, "this project, fitted on all entities to learn from, certified threshold", singles=500),
    Peer("tfidf", "character 3-grams, sparse_dot_topn on all cores"),
    Peer("emm", "ING, supervised, 3,000 labels", singles=20),
    Peer("splink", "Fellegi-Sunter on DuckDB, unsupervised", singles=10),
    Peer(
        "nomenklatura",
        f"logic-v2 on TF-IDF's {BLOCKED} best candidates; finding them is not timed",
        most=2_000,
    ),
)


def measure_peers(task: Task, scratch: Path, size: int | None = None) -> dict[str, dict[str, Any]]:
    """What each peer reached and cost, or why it was skipped; `size` bounds the records that are judged."""
    found: dict[str, dict[str, Any]] = {}
    for peer in ALL:
        folder = scratch / "peers" / task.name / peer.name
        try:
            found[peer.name] = measure_peer(peer, task, folder, scratch, size)
        except NotInstalledError as missing:
            found[peer.name] = {"skipped": f"not installed: {missing}"}
        except subprocess.CalledProcessError as failed:
            found[peer.name] = {"skipped": f"failed: {failed.output}"}
        print(f"  {peer.name}: {summary(found[peer.name])}", flush=True)
    return found


def measure_peer(peer: Peer, task: Task, folder: Path, scratch: Path, size: int | None) -> dict[str, Any]:
    """Write the job, run it, judge what it gave. Raises NotInstalledError or CalledProcessError."""
    most = min(peer.most or task.asked.height, size or task.asked.height)
    taught = some_of(task.learnt, min(TAUGHT, task.learnt.height // 2), SEED + 2)
    rest = task.learnt.join(taught.select("record_id"), on="record_id", how="anti", maintain_order="left")
    chosen_on = some_of(rest, min(CHOSEN_ON, 2 * most), SEED + 3)
    asked = some_of(task.asked, most, SEED + 4)
    bundle = scratch / "accuracy" / task.name / "bundle"
    if peer.name == OURS and not bundle.is_dir():
        raise NotInstalledError(f"there is no bundle: run `python -m benchmarks accuracy --task {task.name}` first")
    columns = ["name"] + (["country"] if "country" in task.reference.columns else [])
    records = task.records_of(asked if peer.name == OURS else pl.concat([asked, chosen_on]))
    frames = {
        "reference": task.reference.select("reference_id", *columns),
        "records": records if peer.name == OURS else records.select("record_id", *columns),
        "taught": task.records_of(taught).select("record_id", *columns).join(
            taught.select("record_id", "reference_id"), on="record_id", maintain_order="left"
        ),
    }  # fmt: skip
    nearest = folder.parent / "tfidf" / "candidates.parquet"
    if peer.name == "nomenklatura":
        if not nearest.exists():
            raise NotInstalledError("it needs the candidates of TF-IDF, which was skipped")
        frames["blocked"] = pl.read_parquet(nearest).filter(pl.col("rank") <= BLOCKED).drop("rank", "score").join(
            records.select("record_id"), on="record_id", how="semi"
        )  # fmt: skip
    costs = do_job(peer, folder, frames, scratch, {"bundle": str(bundle)})
    candidates = pl.read_parquet(folder / "candidates.parquet")
    slices = slice_columns(task.records_of(asked))
    if peer.name == OURS:
        metrics = evaluate(pl.read_parquet(folder / "decisions.parquet"), asked, candidates, slices)
        best = oracle_coverage(judge(undecided(candidates, asked), asked, candidates), TARGET)
        judged = {name: metrics[name] for name in KEPT} | {"oracle_coverage": best}
    else:
        judged = judge_peer(candidates, chosen_on, asked, slices)
    return {"note": peer.note, "version": "" if peer.name == OURS else peer_version(peer.name)} | judged | costs


def do_job(
    peer: Peer, folder: Path, frames: dict[str, pl.DataFrame], scratch: Path, told: dict[str, str]
) -> dict[str, Any]:
    """Run the peer on the frames, in its environment; what it cost. Raises NotInstalledError or CalledProcessError."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, frame in frames.items():
        frame.write_parquet(folder / f"{name}.parquet")
    (folder / "job.json").write_text(json.dumps({"singles": peer.singles} | told))
    python = Path(sys.executable) if peer.name == OURS else peer_python(peer.name, scratch / "environments")
    whole = run([python, PEERS / f"run_{peer.name}.py", folder], folder / "log.txt")
    costs = json.loads((folder / "costs.json").read_text())
    p50, p99 = np.quantile(costs["single_ms"], [0.5, 0.99])
    return {
        "prepare_seconds": costs["prepare_seconds"],
        "records_per_second": frames["records"].height / costs["answer_seconds"],
        "answered": frames["records"].height,
        "p50_ms": float(p50),
        "p99_ms": float(p99),
        "singles": len(costs["single_ms"]),
        "peak_bytes": whole.peak_bytes,
        "seconds": whole.seconds,
    }


def summary(one: dict[str, Any]) -> str:
    """A line."""
    if "skipped" in one:
        return f"skipped, {one['skipped']}"
    precision = "no match" if one["precision"] is None else f"precision {one['precision']:.4f}"
    return (
        f"top-1 {one['recall@1']:.3f}, F1 {one['best_f1']:.3f}, {precision} at coverage {one['coverage']:.3f}, "
        f"{one['records_per_second']:,.0f} records/s, p50 {one['p50_ms']:.1f} ms, {one['seconds']:.0f} s in all"
    )
