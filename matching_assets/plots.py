"""Pictures for the UI, beside those of `matching.plots`: bars, and matplotlib figures. Same numbers, same bytes."""

import io
from collections.abc import Sequence
from html import escape
from typing import Any

from matching.plots import markdown_image

INK, DATA, MARK = "#7d8590", "#2f81f7", "#e8743b"
WIDTH, LABELS, ROW = 480, 170, 20
FONT = 'font-family="system-ui, sans-serif" font-size="11.5"'


def bars(title: str, labels: Sequence[str], values: Sequence[float], limits: Sequence[float] | None = None) -> str:
    """Horizontal bars as a Markdown image, the first on top.

    `limits`: a mark for each bar; a bar beyond its mark is orange.
    """
    marks = list(limits) if limits is not None else [None] * len(values)
    most = max([*values, *(mark for mark in marks if mark is not None), 1e-12])
    scale = (WIDTH - LABELS - 60) / most
    height = 36 + ROW * len(values)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" {FONT} fill="{INK}">',
        f'<text x="4" y="18" font-size="14" font-weight="600">{escape(title)}</text>',
    ]
    for row, (label, value, mark) in enumerate(zip(labels, values, marks, strict=True)):
        top = 30 + ROW * row
        colour = MARK if mark is not None and value > mark else DATA
        end = LABELS + value * scale
        lines.append(f'<text x="{LABELS - 6}" y="{top + 11}" text-anchor="end">{escape(label)}</text>')
        lines.append(f'<rect x="{LABELS}" y="{top}" width="{value * scale:.1f}" height="14" fill="{colour}"/>')
        lines.append(f'<text x="{end + 5:.1f}" y="{top + 11}">{value:.3g}</text>')
        if mark is not None:
            at = LABELS + mark * scale
            lines.append(f'<path d="M{at:.1f} {top - 2}v18" stroke="{INK}" stroke-width="2"/>')
    return markdown_image("\n".join([*lines, "</svg>"]), title)


def drawn(figure: Any, title: str) -> str:
    """A matplotlib figure as a Markdown image."""
    from matplotlib import rc_context

    out = io.StringIO()
    with rc_context({"svg.hashsalt": "matching", "svg.fonttype": "none"}):
        figure.savefig(out, format="svg", metadata={"Date": None}, bbox_inches="tight")
    return markdown_image(out.getvalue(), title)
