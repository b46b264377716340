"""The simulated month as one page: its plots over the days, what happened, and what was asked of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from matching_assets.operations.trends import Series, trend
from scripts.month_judge import TARGET, Expectation

STYLE = """
:root { color-scheme: light dark; --ink: light-dark(#1b1f24, #e4e7ea); --paper: light-dark(#fff, #14171b);
 --line: light-dark(#d0d7de, #363d45); --dim: light-dark(#57606a, #9aa4ae); --good: light-dark(#1a7f37, #4ac26b);
 --bad: light-dark(#cf222e, #ff7b72); --s0: light-dark(#0969da, #58a6ff); --s1: light-dark(#bc4c00, #f0883e);
 --s2: light-dark(#6e7781, #8b949e); }
body { margin: 0 auto; max-width: 1280px; padding: 16px; font: 15px/1.45 system-ui, sans-serif; color: var(--ink);
 background: var(--paper); }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(400px, 1fr)); gap: 12px; }
svg { width: 100%; height: auto; } svg text { font-size: 11px; fill: var(--dim); }
.grid { stroke: var(--line); fill: none; } .limit { stroke: var(--bad); stroke-dasharray: 4 3; fill: none; }
.band { fill: var(--s0); opacity: .15; } polyline { fill: none; stroke-width: 1.6; }
polyline.s0 { stroke: var(--s0); } polyline.s1 { stroke: var(--s1); } polyline.s2 { stroke: var(--s2); }
circle.s0, rect.s0 { fill: var(--s0); } circle.s1, rect.s1 { fill: var(--s1); } circle.s2, rect.s2 { fill: var(--s2); }
td { padding: 3px 12px 3px 0; vertical-align: top; border-bottom: 1px solid var(--line); }
td:first-child { white-space: nowrap; color: var(--dim); } .good { color: var(--good); } .bad { color: var(--bad); }
"""


def page(
    days: Sequence[str],
    plots: Mapping[str, Mapping[str, Series]],
    precision: Series,
    events: Sequence[tuple[int, str]],
    found: Sequence[Expectation],
) -> str:
    """A whole HTML page.

    plots: title to series over the days, as shares; precision: of each day's matches; events: day and what happened.
    """
    drawn = "".join(trend(title, days, series, form=".0%") for title, series in plots.items())
    drawn += trend(
        "Precision of the day's matches (simulated truth)", days, {"precision": precision}, ".1%", TARGET, floor=0.95
    )
    judged = "".join(
        f'<tr><td class="{"good" if one.held else "bad"}">{"held" if one.held else "MISSED"}</td>'
        f"<td>{escape(one.what)}</td><td>{escape(one.saw)}</td></tr>"
        for one in found
    )
    told = "".join(f"<tr><td>day {day}</td><td>{escape(text)}</td></tr>" for day, text in events)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>A simulated month</title><style>{STYLE}</style>'
        f"<h1>A simulated month</h1><table>{judged}</table>"
        f'<div class="plots">{drawn}</div><h2>What happened</h2><table>{told}</table></html>'
    )
