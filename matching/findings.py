"""What a monitor found: one shape for all of them, so that pages, checks and sensors read any monitor alike.

A finding is UNKNOWN when there was too little to judge, and never OK then. Its table has a row for each thing that was
judged, the worst first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

OK, ALARM, UNKNOWN = "OK", "ALARM", "UNKNOWN"
JUDGED = {
    "column": pl.String,
    "group": pl.String,
    "status": pl.String,
    "effect": pl.Float64,
    "bound": pl.Float64,
    "adjusted_p": pl.Float64,
    "reference": pl.String,
    "current": pl.String,
}
"""The columns of `Finding.columns`. It alarms where `effect` is above `bound` and `adjusted_p` (null: no test was made)
says that it is no chance; `reference` and `current` are what a person compares.
"""

FALSE_ALARMS = {"integrity": 0.002, "drift": 0.003, "predictions": 0.003, "concept": 0.001, "performance": 0.001}
"""The highest share of quiet windows in which each monitor may alarm: together 1 in 100 at most (Bonferroni)."""


@dataclass(frozen=True)
class Finding:
    """A monitor's verdict. `number`: the one that broke, or the farthest one, None where nothing was judged.

    columns: the rows JUDGED, the worst first. rows: how many records, or outcomes, were looked at.
    """

    status: str
    sentence: str
    number: float | None
    columns: pl.DataFrame
    rows: int


def ordered(rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    """Rows of JUDGED: alarms first, then what is unknown, and of either the farthest from its bound first.

    What is beyond its bound by chance alone (a constant that changed once) comes last: it is not the farthest.
    """
    return pl.DataFrame(list(rows), schema=JUDGED).sort(
        pl.col("status").replace_strict([ALARM, UNKNOWN, OK], [0, 1, 2], return_dtype=pl.Int8),
        (pl.col("status") == OK) & (pl.col("effect") > pl.col("bound")),
        pl.col("effect") / pl.col("bound"),
        "column",
        descending=[False, False, True, False],
        nulls_last=True,
    )


def unknown(sentence: str, rows: int) -> Finding:
    """Too little was there to judge anything."""
    return Finding(UNKNOWN, sentence, None, pl.DataFrame(schema=JUDGED), rows)


def verdict(effect: float, bound: float, adjusted_p: float | None, level: float) -> str:
    """ALARM when the effect is above its bound, and no chance at this level; OK otherwise."""
    return ALARM if effect > bound and (adjusted_p is None or adjusted_p < level) else OK
