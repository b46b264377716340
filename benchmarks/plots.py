"""The plots of docs/BENCHMARKS.md as SVG files; the same figures give the same bytes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from matching.files import atomic_write

INK = "#7d8590"  # reads on a white and on a dark page
COLOURS = {
    "matching": "#2f81f7", "tfidf": "#e8743b", "emm": "#8957e5", "splink": "#2da44e", "nomenklatura": "#bf3989"
}  # fmt: skip
STYLE = {
    "svg.hashsalt": "benchmarks", "svg.fonttype": "none", "font.size": 10, "axes.edgecolor": INK,
    "axes.labelcolor": INK, "xtick.color": INK, "ytick.color": INK, "text.color": INK, "axes.spines.top": False,
    "axes.spines.right": False, "legend.frameon": False, "grid.color": INK, "grid.alpha": 0.25,
}  # fmt: skip


def plot_risk(task: str, peers: dict[str, dict[str, Any]], target: float, path: Path) -> None:
    """The share of wrong matches when more is matched, one line a matcher; a dot is what its threshold decided."""
    with figure(path) as axes:
        for name, one in peers.items():
            if "skipped" in one:
                continue
            coverage, risk = zip(*((c, max(1 - p, 5e-4)) for c, p in one["risk_coverage"]), strict=True)
            axes.plot(coverage, risk, color=COLOURS[name], label=name, linewidth=1.8)
            if one["precision"] is not None:
                axes.plot(one["coverage"], max(1 - one["precision"], 5e-4), "o", color=COLOURS[name])
        axes.axhline(1 - target, color=INK, linestyle="--", linewidth=1)
        axes.set(yscale="log", xlabel="share of records matched", ylabel="share of them wrong", title=task)
        axes.legend()


def plot_scale(scale: dict[str, dict[str, Any]], figure_name: str, label: str, path: Path) -> None:
    """A figure by the number of references, one line a matcher."""
    with figure(path) as axes:
        for name, colour in COLOURS.items():
            points = [
                (int(size), one[name][figure_name])
                for size, one in scale.items()
                if figure_name in one.get(name, {})
            ]  # fmt: skip
            if points:
                x, y = zip(*sorted(points), strict=True)
                axes.plot(x, y, "o-", color=colour, label=name, linewidth=1.8)
        axes.set(xscale="log", yscale="log", xlabel="references", ylabel=label)
        axes.legend()


def plot_certificate(found: dict[str, dict[str, Any]], path: Path) -> None:
    """The precision of every draw, sorted: what lies under the dashed line broke the promise."""
    with figure(path) as axes:
        for (task, one), colour in zip(found.items(), COLOURS.values(), strict=False):
            values = one["claim"]["precisions"]
            shares = [(i + 1) / len(values) for i in range(len(values))]
            axes.plot(shares, values, color=colour, label=task, linewidth=1.8)
            axes.axhline(one["target"], color=INK, linestyle="--", linewidth=1)
        axes.axvline(0.05, color=INK, linestyle=":", linewidth=1)
        axes.set(xlabel="share of the draws", ylabel="precision of auto-match")
        axes.legend()


@contextmanager
def figure(path: Path) -> Iterator[Any]:
    """Axes to draw on; they are written when the block ends."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(STYLE):  # type: ignore[arg-type]
        drawn = Figure(figsize=(6.4, 3.8), layout="constrained")
        axes = drawn.add_subplot()
        axes.grid(True)
        yield axes
        out = io.StringIO()
        drawn.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    atomic_write(path, out.getvalue())
