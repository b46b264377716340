"""Small plots over days, as inline SVG in the page's own colours: the same numbers, the same bytes.

Lines break where a day has no number; a lone day is a dot. Classes (`s0`, `s1`, `s2`, `limit`, `band`) are coloured by
the page's style, so that they read on a light and on a dark screen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from itertools import groupby

WIDTH, HEIGHT = 400, 170
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 30, 22
Series = Sequence[float | None]


def trend(
    title: str,
    days: Sequence[str],
    series: Mapping[str, Series],
    form: str = ",.0f",
    limit: float | None = None,
    band: tuple[Series, Series] | None = None,
    floor: float | None = 0.0,
    least: float | None = None,
) -> str:
    """One plot.

    `form`: how numbers are written. `limit`: a dashed line. `band`: an interval. `floor`: a number that the axis has to
    reach down to, None where the numbers alone decide. `least`: what is below is drawn there.
    """
    if least is not None:
        series = {name: _cut(values, least) for name, values in series.items()}
        band = (_cut(band[0], least), _cut(band[1], least)) if band else None
    numbers = [v for values in [*series.values(), *(band or ())] for v in values if v is not None]
    numbers += [v for v in (limit, floor) if v is not None]
    if not any(v is not None for values in series.values() for v in values):
        return _figure(title, [f'<text x="{WIDTH / 2}" y="{HEIGHT / 2}" text-anchor="middle">no numbers yet</text>'])
    low, high = min(numbers), max(numbers)
    high = high if high > low else low + (abs(low) or (0.01 if form.endswith("%") else 1.0))
    across, up = (WIDTH - LEFT - RIGHT) / max(len(days) - 1, 1), (HEIGHT - TOP - BOTTOM) / (high - low)

    def at(day: int, v: float) -> tuple[float, float]:
        return LEFT + day * across, HEIGHT - BOTTOM - (v - low) * up

    body = []
    for v in (low, (low + high) / 2, high):
        y = at(0, v)[1]
        body.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
        body.append(f'<text x="{LEFT - 5}" y="{y + 3.5:.1f}" text-anchor="end">{v:{form}}</text>')
    for day, anchor in ((0, "start"), (len(days) - 1, "end")):
        body.append(f'<text x="{at(day, low)[0]:.1f}" y="{HEIGHT - 6}" text-anchor="{anchor}">{days[day][5:]}</text>')
    if band:
        body += [_area([at(day, lo) for day, lo, _ in run], [at(day, hi) for day, _, hi in run]) for run in _both(band)]
    if limit is not None:
        body.append(f'<path class="limit" d="M{LEFT} {at(0, limit)[1]:.1f}H{WIDTH - RIGHT}"/>')
    for number, (name, values) in enumerate(series.items()):
        for run in _runs(values):
            points = [at(day, v) for day, v in run]
            body.append(f'<polyline class="s{number}" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>')
            body += [
                f'<circle class="s{number}" cx="{x:.1f}" cy="{y:.1f}" r="2">'
                f"<title>{days[day]}: {escape(name)} {v:{form}}</title></circle>"
                for (x, y), (day, v) in zip(points, run, strict=True)
            ]
    if len(series) > 1:
        body += _legend(list(series))
    return _figure(title, body)


def _legend(names: Sequence[str]) -> list[str]:
    step = 74
    left = WIDTH - RIGHT - step * len(names)
    return [
        f'<circle class="s{n}" cx="{left + n * step + 4}" cy="13" r="4"/>'
        f'<text x="{left + n * step + 12}" y="17">{escape(name)}</text>'
        for n, name in enumerate(names)
    ]


def _cut(values: Series, least: float) -> Series:
    return [None if v is None else max(v, least) for v in values]


def _runs(values: Series) -> list[list[tuple[int, float]]]:
    """Stretches of days without a gap."""
    known = groupby(enumerate(values), key=lambda pair: pair[1] is not None)
    return [[(day, v) for day, v in run if v is not None] for there, run in known if there]


def _both(band: tuple[Series, Series]) -> list[list[tuple[int, float, float]]]:
    """Stretches of days on which both ends of an interval are known."""
    joined = list(enumerate(zip(*band, strict=True)))
    known = groupby(joined, key=lambda pair: None not in pair[1])
    return [
        [(day, lo, hi) for day, (lo, hi) in run if lo is not None and hi is not None] for there, run in known if there
    ]


def _area(low: Sequence[tuple[float, float]], high: Sequence[tuple[float, float]]) -> str:
    if len(low) == 1:  # a lone day is as wide as a line
        low, high = [(x + dx, y) for x, y in low for dx in (-2, 2)], [(x + dx, y) for x, y in high for dx in (-2, 2)]
    return f'<polygon class="band" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in [*low, *reversed(high)])}"/>'


def _figure(title: str, body: Sequence[str]) -> str:
    head = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
    return "\n".join([head, f'<text class="title" x="4" y="17">{escape(title)}</text>', *body, "</svg>"])
