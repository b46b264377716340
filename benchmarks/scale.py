"""Speed and memory at many references, on generated names: this project, TF-IDF and, at one size, emm, in the same run.

The models are those of the accuracy part, or fitted on the embedded sample where that was not run; each size is a
reindex. Throughput is of batches, reasons included; a single record is decided in process; start-up is a fresh process
from its beginning to its end, with compiled code cached.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.accuracy import matching
from benchmarks.compare import ALL, OURS, do_job
from benchmarks.environments import NotInstalledError
from benchmarks.generator import Case, make_case
from benchmarks.process import Run, run
from benchmarks.tasks import TASKS
from matching_assets.sample import sample_files

SIZES = {40_000: 20_000, 100_000: 20_000, 1_000_000: 10_000}  # references: records
WITH_EMM = 100_000
PEER_RECORDS = {"tfidf": 4_000, "emm": 2_000}  # the first of the same records
TAUGHT = 3_000
CHANGED = 1_000  # references that an update replaces
SEED = 20_261


def measure_scale(size: int, records: int, scratch: Path, data: Path, peers: tuple[str, ...]) -> dict[str, Any]:
    """What this project and `peers` reach and cost at `size` references."""
    folder = scratch / "scale" / str(size)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    case = make_case(size, records + TAUGHT, source_names(data), SEED)  # the last are for a peer to learn from
    case.reference.write_parquet(folder / "reference.parquet")
    case.records.head(records).write_parquet(folder / "records.parquet")
    found = {OURS: measure_ours(models(scratch), folder, case.labels.head(records))}
    for name in peers:
        try:
            found[name] = measure_peer(name, case, folder / name, scratch)
        except NotInstalledError as missing:
            found[name] = {"skipped": f"not installed: {missing}"}
        except subprocess.CalledProcessError as failed:
            found[name] = {"skipped": f"failed: {failed.output}"}
    for name, one in found.items():
        speed = one.get("skipped") or f"{one['records_per_second']:,.0f} records/s, p99 {one['p99_ms']:.2f} ms"
        print(f"  {name}: {speed}", flush=True)
    return found


def source_names(data: Path) -> list[str]:
    """The names of the embedded sample, and those of the tasks and the unlabelled ones where they are there.

    The unlabelled ones are the first of an alphabetical list: a third of them, so that not every name begins with A.
    """
    files = [sample_files()["reference"], *(data / task / "reference.parquet" for task in TASKS)]
    names = [pl.read_parquet(file, columns=["name"])["name"] for file in files if file.exists()]
    unlabelled = data / "unlabelled" / "edgar_100k_names.parquet"
    if unlabelled.exists():
        names.append(pl.read_parquet(unlabelled)["name"].gather_every(3))
    return pl.concat(names).drop_nulls().to_list()


def models(scratch: Path) -> Path:
    """A bundle to take the models from."""
    fitted = sorted((scratch / "accuracy").glob("*/bundle"))
    sample = scratch / "scale" / "sample" / "bundle"
    if fitted or sample.is_dir():
        return (fitted or [sample])[0]
    sample.parent.mkdir(parents=True, exist_ok=True)
    given = [word for name, file in sample_files().items() for word in (f"--{name}", file)]
    matching(sample.parent, "fit", *given, "--bundle", sample)
    return sample


def measure_ours(bundle: Path, folder: Path, labels: pl.DataFrame) -> dict[str, Any]:
    """Index, reindex, update, score, and the first decision of a fresh process."""
    built, _ = step("index", bundle, folder / "reference.parquet")
    reindexed = folder / "reindexed"
    whole = matching(folder, "reindex", "--bundle", bundle, "--reference", folder / "reference.parquet",
                     "--out", reindexed)  # fmt: skip
    reference = pl.read_parquet(folder / "reference.parquet")
    changed = reference.sample(min(CHANGED, reference.height), seed=SEED)
    changed.with_columns(pl.col("name") + " Anew").write_parquet(folder / "changed.parquet")
    update = matching(folder, "update", "--bundle", reindexed, "--add", folder / "changed.parquet",
                      "--out", folder / "updated")  # fmt: skip
    scored, _ = step("score", reindexed, folder / "records.parquet")
    starts = [step("first", reindexed, folder / "records.parquet")[1].seconds for _ in range(3)]
    return scored | {
        "index": built,
        "reindex_seconds": whole.seconds,
        "update_seconds": update.seconds,
        "start_seconds": min(starts),
        "top1": top1(pl.read_parquet(folder / "best.parquet"), labels),
    }


def step(name: str, *paths: Path) -> tuple[dict[str, Any], Run]:
    """Run a step of `benchmarks.scale_step`; what it measured, and its process."""
    log = paths[-1].with_name(f"{name}.log")
    one = run([sys.executable, "-m", "benchmarks.scale_step", name, *paths], log)
    return json.loads(log.read_text().splitlines()[-1]), one


def measure_peer(name: str, case: Case, folder: Path, scratch: Path) -> dict[str, Any]:
    """A peer on the first of the records, taught by the last."""
    peer = next(one for one in ALL if one.name == name)
    asked = case.records.head(min(PEER_RECORDS[name], case.records.height - TAUGHT))
    taught = case.records.tail(TAUGHT).join(case.labels, on="record_id", maintain_order="left")
    frames = {"reference": case.reference, "records": asked, "taught": taught}
    if name == "emm":  # as on a task without countries: its features are the fewest
        frames = {key: frame.drop("country") for key, frame in frames.items()}
    costs = do_job(peer, folder, frames, scratch, {})
    best = pl.read_parquet(folder / "candidates.parquet").filter(pl.col("rank") == 1)
    labels = case.labels.join(asked.select("record_id"), on="record_id", how="semi")
    return costs | {"records": asked.height, "top1": top1(best, labels)}


def top1(best: pl.DataFrame, labels: pl.DataFrame) -> float:
    """The share of the records with a reference whose best candidate is that reference."""
    known = labels.drop_nulls("reference_id")
    return known.join(best, on=["record_id", "reference_id"], how="semi").height / known.height
