"""The figures of docs/MONITORING.md, between its two marks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matching.files import atomic_write

BEGIN, END = "<!-- measured: python -m benchmarks drift -->", "<!-- /measured -->"


def write_figures(found: dict[str, Any], page: Path) -> None:
    """Replace what stands between the marks."""
    old = page.read_text()
    if not re.search(f"{BEGIN}.*{END}", old, flags=re.DOTALL):
        raise ValueError(f"{page} has no marks to write between")
    new = f"{BEGIN}\n\n{figures(found)}\n\n{END}"
    atomic_write(page, re.sub(f"{BEGIN}.*{END}", lambda _: new, old, flags=re.DOTALL))


def figures(found: dict[str, Any]) -> str:
    """All tables as Markdown."""
    return "\n\n".join([_quiet(found), _shifts(found), _served(found), _sequences(found), _estimates(found)])


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def _quiet(found: dict[str, Any]) -> str:
    names = ("drift", "predictions", "integrity", "concept", "performance", "any")
    rows = [
        [task, size, one["windows"], *(f"{one[name]:.2%}" for name in names)]
        for task, measured in found["tasks"].items()
        for size, one in measured["quiet"].items()
    ]
    return "**Quiet windows that alarm**\n\n" + _table(["task", "records", "windows", *names], rows)


def _shifts(found: dict[str, Any]) -> str:
    rows = [
        [task, size, one["trials"], f"{one['first']:.1%}", f"{one['within_two']:.1%}"]
        for task, measured in found["tasks"].items()
        for size, one in measured["shifts"].items()
    ]
    head = ["task", "records", "trials", "in the first window", "within two"]
    return "**One feature moved by 0.3 standard deviations, and is named**\n\n" + _table(head, rows)


def _served(found: dict[str, Any]) -> str:
    rows = []
    for measured in found["tasks"].values():
        for style, one in measured["served"]["served"].items():
            alarms, named, effect = one["alarms"], one["named"], one["effect"]
            farthest = f"{', '.join(f'`{name}`' for name in named['drift'])} ({effect['drift']:.2f})"
            shares = ["" if one[k] is None else f"{one[k]:.2%}" for k in ("matched", "precision", "estimated")]
            seen = [f"{alarms[monitor]:.0%}" for monitor in ("drift", "predictions")]
            rows.append([measured["served"]["learnt"], style, *seen, farthest, *shares])
    head = ["learnt", "served", "drift", "predictions", "farthest features", "matched", "precision", "estimated"]
    return "**Learnt on one style of feed, served another** (windows of 500 that alarm)\n\n" + _table(head, rows)


def _sequences(found: dict[str, Any]) -> str:
    one = found["sequences"]
    rows = [[truth, f"{side['below']:.2%}", f"{side['above']:.2%}"] for truth, side in one["missed"].items()]
    missed = _table(["true precision", "ever below it", "ever above it"], rows)
    seen = _table(["fell to", "median", "90 %"], [[truth, *audits] for truth, audits in one["seen"].items()])
    return (
        f"**The confidence sequence** ({one['draws']:,} sequences of {one['audits']:,} audits, looked at after each; "
        f"1 % is promised for either side)\n\n{missed}\n\nAudits until a target of 99 % is refuted:\n\n{seen}"
    )


def _estimates(found: dict[str, Any]) -> str:
    rows = []
    for task, measured in found["tasks"].items():
        one, turned = measured["estimates"], measured["estimates"]["concept"]
        shares = [one["counted"], one["estimated"], one["error"], one["counted_alone"], *turned.values()]
        rows.append([task, f"{one['bias']:+.2%}", *(f"{share:.2%}" for share in shares)])
    head = ["task", "bias", "counted", "estimated", "error", "error of a 5 % audit"]
    head += ["counted, 5 % turned wrong", "estimated then", "concept monitor sees it"]
    return "**Precision of matches estimated without labels** (windows of 1,000)\n\n" + _table(head, rows)
