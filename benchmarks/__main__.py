"""Measure `matching fit`, `match` and `reindex` on the tasks in `../shared/data`, and write docs/BENCHMARKS.md.

    python -m benchmarks [--task NAME ...] [--data DIR] [--no-page]

Each task's labelled entities are split by a hash: 70 % are given to `matching fit`, the records of the others are
decided by `matching match` and judged. Character TF-IDF answers the same records in the same run. Each command is a
process of its own, so its time and peak memory are its own.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks.page import write_page
from benchmarks.tasks import TASKS, Outcome, measure_task

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "BENCHMARKS.md"


def main() -> int:
    """Run the tasks and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("--task", action="append", choices=TASKS, help="only this one (may be repeated)")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--no-page", action="store_true", help=f"do not write {PAGE.relative_to(ROOT)}")
    given = parser.parse_args()
    wanted = given.task or list(TASKS)
    missing = [str(given.data / task) for task in wanted if not (given.data / task).is_dir()]
    if missing:
        print(f"no data to measure on: {', '.join(missing)} is missing. Name its folder: --data DIR", file=sys.stderr)
        return 2
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory() as scratch:
        for task in wanted:
            print(f"{task}: fit, match, reindex", flush=True)
            outcomes.append(measure_task(given.data / task, Path(scratch) / task, other_reference(given.data, task)))
            print(outcomes[-1].summary(), flush=True)
    if not given.no_page:
        write_page(outcomes, PAGE)
        print(f"written: {PAGE.relative_to(ROOT)}")
    return 0


def other_reference(data: Path, task: str) -> Path:
    """The reference of another task, onto which a bundle is reindexed."""
    return data / next(t for t in TASKS if t != task) / "reference.parquet"


if __name__ == "__main__":
    sys.exit(main())
