"""docs/BENCHMARKS.md: the figures of one run, with the machine that made them beside them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from matching.files import atomic_write

if TYPE_CHECKING:
    from benchmarks.tasks import Outcome

HEAD = """# Benchmarks

Written by `make bench` (`python -m benchmarks`). {cores} cores, {memory:.0f} GiB of memory. The data are real names
and are not part of the project; `benchmarks/__main__.py` says how they are split. Auto-match thresholds are certified
on the training entities alone; every figure is of other entities.
"""


def write_page(outcomes: Sequence[Outcome], page: Path) -> None:
    """Write the page, whole or not at all."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    parts = [HEAD.format(cores=os.cpu_count(), memory=memory), accuracy(outcomes), cost(outcomes)]
    parts += [section(outcome) for outcome in outcomes]
    atomic_write(page, "\n".join(parts))


def accuracy(outcomes: Sequence[Outcome]) -> str:
    """One row a task: what the certified threshold reached, beside TF-IDF in the same run."""
    lines = [
        "## Accuracy on held-out entities\n",
        (
            "| task | records (no match) | precision of auto-match [95 %] | coverage | no-match accepted | top-1 "
            "| TF-IDF top-1 | recall@50 | TF-IDF recall@50 | best F1 | ECE |"
        ),
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for o in outcomes:
        m, (low, high) = o.metrics, o.metrics["precision_ci95"]
        lines.append(
            f"| {o.task} | {m['records']:,} ({m['no_match_records']:,}) | {_figure(m['precision'])} "
            f"[{low:.4f}, {high:.4f}] | {m['coverage']:.3f} | {_figure(m['false_accept_share'])} | "
            f"{_figure(m['recall@1'])} | {_figure(o.baseline['top1'])} | {_figure(m['recall@50'])} | "
            f"{_figure(o.baseline['recall@50'])} | {m['best_f1']:.3f} | {m['ece']:.4f} |"
        )
    return "\n".join(lines) + "\n"


def cost(outcomes: Sequence[Outcome]) -> str:
    """One row a command: seconds and peak memory of its process, start-up included."""
    lines = ["## Time and memory of each command\n", "| task | command | seconds | peak memory |", "|---|---|---|---|"]
    for o in outcomes:
        for name, run in o.runs.items():
            lines.append(f"| {o.task} | `matching {name}` | {run.seconds:.0f} | {run.peak_bytes / 1e9:.1f} GB |")
        rate = o.records / o.runs["match"].seconds
        lines.append(f"| {o.task} | records a second of `match`, reasons and start-up included | {rate:,.0f} | |")
    return "\n".join(lines) + "\n"


def section(outcome: Outcome) -> str:
    """What the bundle says of itself, and its slices, worst first."""
    lines = [
        f"## {outcome.task}\n",
        f"{outcome.references:,} references. {outcome.certificate}\n",
        f"Reindexed onto the other task's reference: {outcome.reindexed}\n",
        "| slice | records | top-1 | precision of auto-match | coverage |",
        "|---|---|---|---|---|",
    ]
    for column, values in outcome.metrics["slices"].items():
        for value, m in sorted(
            values.items(), key=lambda item: 2.0 if item[1]["recall@1"] is None else item[1]["recall@1"]
        ):
            shown = (_figure(m[name]) for name in ("recall@1", "precision", "coverage"))
            lines.append(f"| {column}: {value} | {m['records']:,} | {' | '.join(shown)} |")
    return "\n".join(lines) + "\n"


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
