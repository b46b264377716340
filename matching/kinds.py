"""Kinds of record that a certificate does not speak of: the feed or line type that a record comes from.

A certificate speaks of all records together, and a small kind may hide in it: former titles can be matched wrongly one
time in eight while the whole keeps its promise. So every kind that labels know is asked whether its own matches are
shown to be worse than promised. One that is, is *barred*: its records are reviewed. So are records of a kind that no
label has spoken of. The others stand under the certificate, which is earned without the barred ones.

A kind is barred when the exact upper limit of its precision (Clopper & Pearson 1934, trials counted by entity) is below
the target, at a level shared among all kinds (Bonferroni): with the same confidence no kind that keeps the promise is
barred, so what is left is not a choice of the luckiest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from matching.intervals import precision_p_value

KINDS = ("source", "line_type")
"""Columns of records that say what kind a record is."""
MOST_KINDS = 50
"""A column of more values is no kind of record: a file's name, perhaps."""


@dataclass(frozen=True)
class Kind:
    """One value of a column, of `records` labelled records; `accepted` would be matched, `errors` of them wrongly."""

    column: str
    value: str
    records: int
    accepted: int
    errors: int
    barred: bool

    def told(self) -> str:
        """In words."""
        return f"{self.column} {self.value} ({self.errors:,} of {self.accepted:,} wrong)"


def judge_kinds(
    records: pl.DataFrame, accepted: NDArray[np.bool_], wrong: NDArray[np.bool_], entity: pl.Series, target: float,
    confidence: float,
) -> tuple[Kind, ...]:  # fmt: skip
    """Every kind that labelled records are of, by column and value, and whether it is barred.

    records: n rows with any of KINDS; accepted, wrong: bool [n]; entity: String [n]. Records without a value are of no
    kind.
    """
    judged = records.with_columns(accepted=pl.Series(accepted), wrong=pl.Series(accepted & wrong), entity=entity)
    found = []
    for column in (c for c in KINDS if c in judged.columns and judged[c].n_unique() <= MOST_KINDS):
        known = judged.drop_nulls(column).group_by(column).agg(
            pl.len(), pl.col("accepted").sum(), pl.col("wrong").sum(),
            size=pl.col("accepted").sum().over("entity").filter("accepted").mean(),
        )  # fmt: skip
        found += [(column, *row) for row in known.sort(column).iter_rows()]
    level = (1 - confidence) / max(len(found), 1)
    return tuple(
        Kind(column, str(value), size, made, errors, _is_below(errors, made, clusters or 1.0, target, level))
        for column, value, size, made, errors, clusters in found
    )


def _is_below(errors: int, made: int, usual: float, target: float, level: float) -> bool:
    """Whether precision is shown to be below the target: so few right ones were too unlikely, had it been kept."""
    if not errors:
        return False
    right, trials = (made - errors) / usual, made / usual
    # P(at most so many right) at the target: the p-value of "precision >= target", by the roles of the test swapped.
    return bool(precision_p_value(np.array([right]), np.array([trials]), 1 - target)[0] <= level)


def outside(records: pl.DataFrame, kinds: tuple[Kind, ...]) -> NDArray[np.bool_]:
    """Which records are of a kind that is barred, or of one that no label has spoken of. bool [n]."""
    spoken_for: dict[str, set[str]] = {}
    for kind in kinds:
        spoken_for.setdefault(kind.column, set()).update(() if kind.barred else (kind.value,))
    found = np.zeros(records.height, np.bool_)
    for column, known in spoken_for.items():
        if column in records.columns:
            values = records[column].to_list()  # one record is the usual case: no expression is as quick
            found |= np.fromiter((v is not None and str(v) not in known for v in values), np.bool_, len(values))
    return found
