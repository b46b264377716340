"""Whether a day was delivered as other days were: schema, nulls, domains, volume, refusals, late and repeated files.

What can be counted is compared with the days before: a share alarms when the test, adjusted for all that is tested on
the day, says that the difference is no chance, and when it is larger than what a feed's own days differ by. What can
be said for certain (a column is gone, a file came twice, a file came after that of a later day) needs no test.
Lateness is told by the order in which days came and not by a clock, so that a backfill and a simulated month are judged
as life is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

import polars as pl

from matching.drift_statistics import holm
from matching.findings import ALARM, FALSE_ALARMS, OK, UNKNOWN, Finding, ordered, unknown, verdict
from matching.identifiers import canonical_identifier
from matching.kinds import KINDS
from matching.records import IDENTIFIERS
from matching.territories import country_code

FEWEST_DAYS = 3
USUAL_FACTOR = 3.0
MOST_MOVED = {"nulls": 0.1, "domain": 0.05, "new values": 0.1, "quarantine": 0.05}
"""By how much a share may differ from the days before, however certain the difference is."""
MOST_REPEATED = 0.5
CATEGORIES = ("source", *KINDS, "sector", "industry", "exchange", "currency")


@dataclass(frozen=True)
class Delivery:
    """A day's file as the catalogue knows it: its sha256, and when it was first taken in (epoch seconds)."""

    day: date
    sha256: str
    taken_in: float


@dataclass(frozen=True)
class Share:
    """A share of today's rows beside that of the days before; as counts, because they are tested."""

    column: str
    group: str
    hits: int
    rows: int
    hits_before: int
    rows_before: int


def check_integrity(
    raw: pl.DataFrame,
    refused: int,
    before: pl.DataFrame,
    refused_before: int,
    delivery: Delivery | None = None,
    others: Sequence[Delivery] = (),
) -> Finding:
    """Judge a day's raw records (all columns text) by those of the days before (the same, with a column `day`).

    refused, refused_before: rows that ended in quarantine. delivery, others: this day's file and those of other days.
    """
    rows = list(_deliveries(raw, before, delivery, others))
    if raw.is_empty():
        rows.append(_row("rows", "volume", math.inf, 0.0, None, "", "the day is empty"))
    elif before.is_empty() or before["day"].n_unique() < FEWEST_DAYS:
        rows.append({"column": "rows", "group": "volume", "status": UNKNOWN})
    else:
        rows += _compared(raw, refused, before, refused_before)
    columns = ordered(rows)
    worst = columns.row(0, named=True)
    if worst["status"] == UNKNOWN:
        days = before["day"].n_unique() if before.height else 0
        return unknown(f"{days} days before it are known; from {FEWEST_DAYS} on a day can be judged.", raw.height)
    alarms = columns.filter(pl.col("status") == ALARM).height
    told = f"{worst['column']} ({worst['group']}): {worst['current']}, before {worst['reference'] or 'nothing like it'}"
    sentence = (
        f"{alarms} of {columns.height} signs are wrong; the worst, {told}."
        if alarms
        else f"The day is as others were; the farthest, {told}."
    )
    return Finding(ALARM if alarms else OK, sentence, worst["effect"], columns, raw.height)


def _deliveries(
    raw: pl.DataFrame, before: pl.DataFrame, delivery: Delivery | None, others: Sequence[Delivery]
) -> Iterator[dict[str, Any]]:
    """What can be said of the file: whether it is late, or was there already."""
    if delivery is not None:
        overtaken = sum(o.day > delivery.day and o.taken_in < delivery.taken_in for o in others)
        yield _row("file", "late", overtaken, 0, None, "in order", f"{overtaken} later days came first")
        twins = [o.day.isoformat() for o in others if o.sha256 == delivery.sha256 and o.day != delivery.day]
        now = f"the file of {min(twins)}" if twins else "new"
        yield _row("file", "repeated", len(twins), 0, None, "new", now)
    own = [column for column in raw.columns if column in before.columns and column != "day"]
    if own and raw.height and before.height:
        share = raw.join(before.select(own).unique(), on=own, how="semi", nulls_equal=True).height / raw.height
        yield _row("rows", "repeated", share, MOST_REPEATED, None, "new rows", f"{share:.1%} came before")


def _compared(raw: pl.DataFrame, refused: int, before: pl.DataFrame, refused_before: int) -> Iterator[dict[str, Any]]:
    """Volume, schema, and every share that is tested."""
    median = float(before.group_by("day").len()["len"].median() or 1)  # type: ignore[arg-type]
    factor = abs(math.log2(raw.height / median))
    yield _row("rows", "volume", factor, math.log2(USUAL_FACTOR), None, f"{median:.0f} a day", f"{raw.height} rows")
    shares = [Share("rows", "quarantine", refused, raw.height, refused_before, before.height)]
    for column in sorted({*raw.columns, *before.columns} - {"day"}):
        now, then = (_filled(frame, column) for frame in (raw, before))
        if bool(len(now)) != bool(len(then)):
            what = ("the column is gone", "filled") if len(then) else ("the column is new", "")
            yield _row(column, "schema", 1.0, 0.0, None, what[1], what[0])
            continue
        shares.append(
            Share(column, "nulls", raw.height - len(now), raw.height, before.height - len(then), before.height)
        )
        shares += _domains(column, now, then)
    yield from _tested([share for share in shares if share.rows and share.rows_before])


def _domains(column: str, now: pl.Series, then: pl.Series) -> Iterator[Share]:
    """Values that are none of their kind, and values of a category that were never seen."""
    if column == "country" or column in IDENTIFIERS:
        wrong = [sum(not _is_valid(column, value) for value in values.to_list()) for values in (now, then)]
        yield Share(column, "domain", wrong[0], len(now), wrong[1], len(then))
    elif column in CATEGORIES:
        # So many new values are expected as there were values that came once (Good 1953, after Turing).
        new, once = int((~now.is_in(then.unique().implode())).sum()), int(then.is_unique().sum())
        yield Share(column, "new values", new, len(now), once, len(then))


@lru_cache(maxsize=100_000)
def _is_valid(column: str, value: str) -> bool:
    known = country_code(value) if column == "country" else canonical_identifier(column, value)
    return known is not None


def _filled(frame: pl.DataFrame, column: str) -> pl.Series:
    """The values that are there; a column that the frame lacks has none."""
    values = frame[column] if column in frame.columns else pl.Series(column, [], dtype=pl.String)
    return values.drop_nulls().filter(values.drop_nulls().str.strip_chars() != "")


def _tested(shares: Sequence[Share]) -> Iterator[dict[str, Any]]:
    """Each share beside the days before, by Fisher's exact test, adjusted together by Holm's."""
    from scipy.stats import fisher_exact

    tables = [[[s.hits, s.rows - s.hits], [s.hits_before, s.rows_before - s.hits_before]] for s in shares]
    adjusted = holm([float(fisher_exact(table).pvalue) for table in tables])
    for share, p in zip(shares, adjusted, strict=True):
        now, then = share.hits / share.rows, share.hits_before / share.rows_before
        effect, bound = abs(now - then), MOST_MOVED[share.group]
        yield _row(share.column, share.group, effect, bound, p, f"{then:.1%}", f"{now:.1%}")


def _row(
    column: str, group: str, effect: float, bound: float, p: float | None, reference: str, current: str
) -> dict[str, Any]:
    status = verdict(effect, bound, p, FALSE_ALARMS["integrity"])
    told = {"effect": float(effect), "bound": float(bound), "adjusted_p": p, "reference": reference, "current": current}
    return {"column": column, "group": group, "status": status, **told}
