"""Measure this project against its peers and against itself, and write docs/BENCHMARKS.md.

    python -m benchmarks load ...     see benchmarks/load.py
    python -m benchmarks drift ...    see benchmarks/drift.py
    python -m benchmarks [PART ...] [--task NAME ...] [--data DIR] [--quick]

The parts are accuracy, crossval, peers, scale, certificate and page. Without one, all of them in this order. What a
part finds is kept as JSON in the scratch folder, and `page` is built from what is there, so parts can be run one by
one. `--quick` tries every part on little data, to see that it works; its figures mean nothing, so they are kept apart
and its page is not the project's.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.store import PARTS, ROOT, keep, kept
from benchmarks.tasks import TASKS, read_task

PAGE = ROOT / "docs" / "BENCHMARKS.md"
QUICK_LABELS, QUICK_SIZES, QUICK_DRAWS = 3_000, {5_000: 300}, 20


@dataclass(frozen=True)
class Given:
    """What the command line says."""

    tasks: list[str]
    data: Path
    scratch: Path
    quick: bool

    @property
    def size(self) -> int | None:
        """How many labelled records to take."""
        return QUICK_LABELS if self.quick else None


def main() -> int:
    """Run the parts and write the page."""
    if sys.argv[1:2] == ["load"]:
        from benchmarks.load import main as load

        return load(sys.argv[2:])
    if sys.argv[1:2] == ["drift"]:
        from benchmarks.drift import main as drift

        return drift(sys.argv[2:])
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "parts", nargs="*", choices=[*PARTS, "page", []], metavar="PART", help=", ".join([*PARTS, "page"])
    )
    parser.add_argument("--task", action="append", choices=TASKS, help="only this one (may be repeated)")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--scratch", type=Path, default=ROOT / ".benchmarks", help="results, environments, bundles")
    parser.add_argument("--quick", action="store_true", help="little data, to try the benchmark itself")
    said = parser.parse_args()
    scratch = said.scratch.resolve() / ("quick" if said.quick else "")
    given = Given(said.task or list(TASKS), said.data.resolve(), scratch, said.quick)
    parts = said.parts or [*PARTS, "page"]
    missing = [str(given.data / task) for task in given.tasks if not (given.data / task).is_dir()]
    if missing and set(parts) - {"page", "scale"}:
        print(f"no data to measure on: {', '.join(missing)} is missing. Name its folder: --data DIR", file=sys.stderr)
        return 2
    measures: dict[str, Callable[[Given], dict[str, Any]]] = {
        "accuracy": accuracy, "crossval": crossval, "peers": peers, "scale": scale, "certificate": certificate
    }  # fmt: skip
    for part in (part for part in PARTS if part in parts):
        started = time.perf_counter()
        try:
            keep(given.scratch, part, measures[part](given))
        except subprocess.CalledProcessError as failed:
            print(f"{part} failed: {' '.join(map(str, failed.cmd))}\n  {failed.output}", file=sys.stderr)
            return 1
        print(f"{part}: {time.perf_counter() - started:.0f} s", flush=True)
    if "page" in parts:
        from benchmarks.page import write_page

        page = scratch / PAGE.name if given.quick else PAGE
        write_page(kept(given.scratch), page)
        print(f"written: {page}")
    return 0


def accuracy(given: Given) -> dict[str, Any]:
    """The commands on each task."""
    from benchmarks.accuracy import measure_accuracy, summary

    found = {}
    for name in given.tasks:
        print(f"{name}: fit, match, reindex", flush=True)
        task = read_task(given.data / name, given.size)
        # The bundle is reindexed onto the reference of another task.
        other = given.data / next(t for t in TASKS if t != name) / "reference.parquet"
        found[name] = measure_accuracy(task, other, given.scratch / "accuracy" / name)
        print(summary(found[name]), flush=True)
    return found


def crossval(given: Given) -> dict[str, Any]:
    """Each third of each task, by a bundle of the other two."""
    from benchmarks.crossval import measure_crossval, told

    found = {}
    for name in given.tasks:
        print(f"{name}: cross-validation", flush=True)
        task = read_task(given.data / name, given.size)
        found[name] = measure_crossval(task, given.scratch / "crossval" / name)
        print(f"  all: {told(found[name]['all'])}", flush=True)
    return found


def peers(given: Given) -> dict[str, Any]:
    """The peers on each task."""
    from benchmarks.compare import measure_peers

    found = {}
    for name in given.tasks:
        print(f"{name}: peers", flush=True)
        found[name] = measure_peers(
            read_task(given.data / name, given.size), given.scratch, 300 if given.quick else None
        )
    return found


def scale(given: Given) -> dict[str, Any]:
    """Each number of references."""
    from benchmarks.scale import SIZES, WITH_EMM, measure_scale

    found = {}
    for size, records in (QUICK_SIZES if given.quick else SIZES).items():
        print(f"{size:,} references", flush=True)
        with_emm = ("tfidf", "emm") if given.quick or size == WITH_EMM else ("tfidf",)
        found[str(size)] = measure_scale(size, records, given.scratch, given.data, with_emm)
    return found


def certificate(given: Given) -> dict[str, Any]:
    """The simulation on each task."""
    from benchmarks.certificate import DRAWS, measure_certificate, summary

    found = {}
    for name in given.tasks:
        print(f"{name}: certificate", flush=True)
        task = read_task(given.data / name, given.size)
        found[name] = measure_certificate(task, QUICK_DRAWS if given.quick else DRAWS)
        print(summary(found[name]), flush=True)
    return found


if __name__ == "__main__":
    sys.exit(main())
