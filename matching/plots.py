"""Two plots of an evaluation as inline SVG: reliability, and risk against coverage.

Drawn by hand, because a plotting library would cost 50 MB of imports and a second of time for two polylines. Text and
lines have mid-tones on no background, so that they read on a white and on a dark page; 480 px wide. The same points
give the same bytes.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Iterable, Sequence
from html import escape

from matching.intervals import at_least

WIDTH, HEIGHT = 480, 320
LEFT, RIGHT, TOP, BOTTOM = 58, 16, 40, 48
INK, FAINT, DATA, MARK = "#7d8590", "#7d859055", "#2f81f7", "#e8743b"
LEAST_RISK = 0.0005  # the bottom of the risk axis: a share below it, such as 0, is drawn there

Scale = Callable[[float], float]
Tick = tuple[float, str]


def reliability_svg(points: Sequence[Sequence[float]]) -> str:
    """Probability against the share that was right, from `evaluate`'s [probability, share right, records]."""
    ticks = [(i / 5, f"{i / 5:g}") for i in range(6)]
    x, y = _across(0.0, 1.0), _up(0.0, 1.0)
    most = max((n for _, _, n in points), default=1)
    dots = (
        f'<circle cx="{x(p):.1f}" cy="{y(share):.1f}" r="{2.5 + 3.5 * math.sqrt(n / most):.1f}" fill="{DATA}" '
        f'fill-opacity="0.85"><title>{p:.4f} said, {share:.4f} right, {n:,.0f} records</title></circle>'
        for p, share, n in points
    )
    body = [_line([(x(0), y(0)), (x(1), y(1))], INK, dashed=True), _line([(x(p), y(s)) for p, s, _ in points]), *dots]
    return _figure("Is a probability what it says?", "probability", "share right", ticks, ticks, x, y, body)


def risk_coverage_svg(
    points: Sequence[Sequence[float]], target_precision: float, decided: tuple[float, float] | None = None
) -> str:
    """The share of wrong matches (log scale) when more is matched, from `evaluate`'s [coverage, precision].

    A dashed line shows the share that `target_precision` allows, a mark the coverage and precision `decided` on.
    """
    levels = [(v, f"{v:.1%}" if v < 0.01 else f"{v:.0%}") for v in (0.001, 0.01, 0.1, 1.0)]
    ticks = [(i / 5, f"{i / 5:.0%}") for i in range(6)]
    x, log_up = _across(0.0, 1.0), _up(math.log(LEAST_RISK), 0.0)

    def y(risk: float) -> float:
        return log_up(math.log(max(risk, LEAST_RISK)))

    allowed = 1 - target_precision
    body = [
        _line([(x(0), y(allowed)), (x(1), y(allowed))], MARK, dashed=True),
        _text(x(0) + 6, y(allowed) - 6, f"allowed: {at_least(allowed)}", fill=MARK),
        _line([(x(coverage), y(1 - precision)) for coverage, precision in points]),
    ]
    if decided is not None:
        coverage, precision = decided
        ring = f'cx="{x(coverage):.1f}" cy="{y(1 - precision):.1f}" r="5.5" fill="none" stroke="{MARK}"'
        said = f"○ decided: {coverage:.1%} matched, {1 - precision:.2%} of them wrong"
        body += [f'<circle {ring} stroke-width="2.5"/>', _text(x(0) + 6, TOP + 17, said, fill=MARK)]
    return _figure("What does matching more cost?", "share matched", "share wrong", ticks, levels, x, y, body)


def markdown_image(svg: str, alt: str) -> str:
    """The plot as a Markdown image that carries its own data."""
    return f"![{alt}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"


def _across(low: float, high: float) -> Scale:
    return lambda v: LEFT + (v - low) / (high - low) * (WIDTH - LEFT - RIGHT)


def _up(low: float, high: float) -> Scale:
    return lambda v: HEIGHT - BOTTOM - (v - low) / (high - low) * (HEIGHT - TOP - BOTTOM)


def _line(points: Iterable[tuple[float, float]], colour: str = DATA, dashed: bool = False) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dash = ' stroke-dasharray="5 4" stroke-width="1.2"' if dashed else ' stroke-width="2"'
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-linejoin="round"{dash}/>'


def _text(x: float, y: float, text: str, anchor: str = "start", fill: str = INK, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{fill}"{more}>{escape(text)}</text>'


def _figure(
    title: str, x_name: str, y_name: str, x_ticks: list[Tick], y_ticks: list[Tick], x: Scale, y: Scale, body: list[str]
) -> str:
    """Title, grid, ticks and axis names around a body."""
    middle, centre = (LEFT + WIDTH - RIGHT) / 2, (TOP + HEIGHT - BOTTOM) / 2
    grid = [f"M{x(v):.1f} {TOP}V{HEIGHT - BOTTOM}" for v, _ in x_ticks]
    grid += [f"M{LEFT} {y(v):.1f}H{WIDTH - RIGHT}" for v, _ in y_ticks]
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    font = 'font-family="system-ui, sans-serif" font-size="11.5"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{escape(title)}" {font}>',
        _text(LEFT, 22, title, more=' font-size="14" font-weight="600"'),
        f'<path d="{"".join(grid)}" stroke="{FAINT}" fill="none"/>',
        *(_text(x(v), HEIGHT - BOTTOM + 17, name, "middle") for v, name in x_ticks),
        *(_text(LEFT - 8, y(v) + 4, name, "end") for v, name in y_ticks),
        _text(middle, HEIGHT - 10, x_name, "middle"),
        _text(14, centre, y_name, "middle", more=f' transform="rotate(-90 14 {centre:.1f})"'),
        *body,
        "</svg>",
    ]
    return "\n".join(lines)
