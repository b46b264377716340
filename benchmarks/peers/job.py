"""What a peer is given, and what it gives back. Runs in the peer's environment: polars, and nothing of this project.

A job is a folder. Given: `reference.parquet` (reference_id, name), `records.parquet` (record_id, name), both with
country where the task has it; `taught.parquet`, labelled records to learn from (record_id, name, reference_id or null);
`blocked.parquet` (record_id, reference_id), candidates for a peer that cannot find its own; `job.json`, with `singles`,
the number of records that are also answered one by one. Written: `candidates.parquet` (record_id, reference_id, rank,
score), and `costs.json` (prepare_seconds, answer_seconds, single_ms).

A peer is a script that calls `run(prepare)`: `prepare(job)` learns and indexes, and returns a function that answers a
frame of records with their candidates (record_id, reference_id, score), at most one row a pair, in any order.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl

DEPTH = 50  # candidates of a record that are kept
Answer = Callable[[pl.DataFrame], pl.DataFrame]


class Job:
    """The frames of a job folder, read when they are asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.singles = int(json.loads((folder / "job.json").read_text())["singles"])

    def __getattr__(self, name: str) -> pl.DataFrame:
        return pl.read_parquet(self.folder / f"{name}.parquet")


def run(prepare: Callable[[Job], Answer]) -> None:
    """Do the job in the folder that the command line names."""
    job = Job(Path(sys.argv[1]))
    records = job.records
    started = time.perf_counter()
    answer = prepare(job)
    prepared = time.perf_counter()
    pairs = answer(records)
    answered = time.perf_counter()
    ranked(pairs).write_parquet(job.folder / "candidates.parquet")
    costs = {
        "prepare_seconds": prepared - started,
        "answer_seconds": answered - prepared,
        "single_ms": [timed(answer, one) for one in records.head(job.singles).iter_slices(1)],
    }
    (job.folder / "costs.json").write_text(json.dumps(costs))


def ranked(pairs: pl.DataFrame) -> pl.DataFrame:
    """The candidates with their rank, from 1; equal scores in the order of their ids, so that a rank occurs once."""
    pairs = pairs.sort(["record_id", "score", "reference_id"], descending=[False, True, False])
    place = pl.int_range(1, pl.len() + 1).over("record_id")
    return pairs.select("record_id", "reference_id", place.alias("rank"), pl.col("score").cast(pl.Float64)).filter(
        pl.col("rank") <= DEPTH
    )


def timed(answer: Answer, record: pl.DataFrame) -> float:
    """Milliseconds that one record takes."""
    started = time.perf_counter()
    answer(record)
    return (time.perf_counter() - started) * 1e3
