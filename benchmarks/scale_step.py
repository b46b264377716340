"""One step of the scale benchmark, in a process of its own, which prints what it measured as JSON.

python -m benchmarks.scale_step index BUNDLE REFERENCE     build the index of a reference
python -m benchmarks.scale_step score BUNDLE RECORDS       decide records in batches, and one by one
python -m benchmarks.scale_step first BUNDLE RECORDS       decide one record and stop
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

SINGLES, WARM, ROUNDS = 1_000, 64, 2


def index(bundle: Path, reference: Path) -> dict[str, Any]:
    """Seconds of the master and of the index, the index's bytes, and how much memory building them took."""
    from matching.master import build_reference_master
    from matching.name_reader import NameReader
    from matching.retrieval.index import RetrievalIndex
    from matching.scoring import Scorer

    encoder = Scorer.load(bundle).index.encoder
    frame = pl.read_parquet(reference)
    RetrievalIndex.build(build_reference_master(frame.head(WARM)), encoder)  # what is compiled is loaded here
    before = resident_bytes()
    names = NameReader()
    started = time.perf_counter()
    master = build_reference_master(frame, names=names)
    mastered = time.perf_counter()
    made = RetrievalIndex.build(master, encoder, names=names)
    built = time.perf_counter()
    return {
        "master_seconds": mastered - started,
        "index_seconds": built - mastered,
        "index_bytes": sum(array.nbytes for array in made.arrays.values()),
        "memory_before_bytes": before,
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def score(bundle: Path, records: Path) -> dict[str, Any]:
    """Records a second with and without reasons, latency of single records, peak memory, and the best candidates."""
    from matching.scoring import Scorer
    from matching_assets.commands.match import BATCH

    scorer = Scorer.load(bundle)
    asked = pl.read_parquet(records)
    scorer.score(asked.head(WARM))
    decisions = timed(scorer, asked, BATCH, reasons=False)[1]
    # In turn, and the best of each: their difference is small, and a machine is not always as fast.
    told, plain = (min(times) for times in zip(*(both(scorer, asked, BATCH) for _ in range(ROUNDS)), strict=True))
    single = []
    for one in asked.head(SINGLES + WARM).iter_slices(1):
        started = time.perf_counter()
        scorer.score(one)
        single.append((time.perf_counter() - started) * 1e3)
    p50, p99 = np.quantile(single[WARM:] or single, [0.5, 0.99])
    decisions.write_parquet(records.with_name("best.parquet"))
    return {
        "records": asked.height,
        "records_per_second": asked.height / told,
        "records_per_second_without_reasons": asked.height / plain,
        "reasons_us": (told - plain) / asked.height * 1e6,
        "p50_ms": float(p50),
        "p99_ms": float(p99),
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def both(scorer: Any, records: pl.DataFrame, size: int) -> tuple[float, float]:
    """Seconds with reasons and without."""
    return timed(scorer, records, size, reasons=True)[0], timed(scorer, records, size, reasons=False)[0]


def timed(scorer: Any, records: pl.DataFrame, size: int, reasons: bool) -> tuple[float, pl.DataFrame]:
    """How long all batches of this size take, and what was decided."""
    started = time.perf_counter()
    decided = [scorer.score(batch, reasons=reasons).decisions for batch in records.iter_slices(size)]
    seconds = time.perf_counter() - started
    return seconds, pl.concat([one.select("record_id", "reference_id") for one in decided])


def first(bundle: Path, records: Path) -> dict[str, Any]:
    """Nothing but the decision; its parent holds the watch."""
    from matching.scoring import Scorer

    return {"decision": Scorer.load(bundle).score(pl.read_parquet(records, n_rows=1)).decisions["decision"][0]}


def resident_bytes() -> int:
    """Memory of this process now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    step, *paths = sys.argv[1:]
    print(json.dumps({"index": index, "score": score, "first": first}[step](*map(Path, paths))))
