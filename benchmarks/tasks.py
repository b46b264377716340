"""A labelled task, and who may learn from which of its entities.

Entities are split by a hash. 70 % may be learnt from: ours is fitted and certified on them; a peer that learns is
taught some of their records, and its threshold is chosen on others of them. Every figure is of the remaining 30 %.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from matching.split import entity_keys, is_held_out

TASKS = ("issuer_us_edgar", "xlist_global")
HELD_OUT, SEED = 0.3, 11


@dataclass(frozen=True)
class Task:
    """Its frames; `learnt` and `asked` are the labels of the two parts."""

    name: str
    reference: pl.DataFrame
    records: pl.DataFrame
    learnt: pl.DataFrame
    asked: pl.DataFrame

    def records_of(self, labels: pl.DataFrame) -> pl.DataFrame:
        """The records that these labels are of."""
        return self.records.join(labels.select("record_id"), on="record_id", how="semi", maintain_order="left")

    @property
    def labels(self) -> pl.DataFrame:
        """All labels."""
        return pl.concat([self.learnt, self.asked])


def read_task(folder: Path, size: int | None = None) -> Task:
    """Read a task; with `size`, only about so many of its records and three times as many references."""
    reference, records, labels = (
        pl.read_parquet(folder / f"{name}.parquet") for name in ("reference", "records", "labels")
    )
    if size is not None and size < labels.height:
        labels = some_of(labels, size, SEED + 1)
        records = records.join(labels.select("record_id"), on="record_id", how="semi", maintain_order="left")
        right = reference.join(labels, on="reference_id", how="semi")
        reference = pl.concat([right, reference.head(3 * size)]).unique("reference_id", maintain_order=True)
    held_out = pl.Series(is_held_out(entity_keys(labels), HELD_OUT, SEED))
    return Task(folder.name, reference, records, labels.filter(~held_out), labels.filter(held_out))


def some_of(labels: pl.DataFrame, count: int, seed: int) -> pl.DataFrame:
    """About `count` of the labels, whole entities, drawn by a hash; all of them where there are no more."""
    if count >= labels.height:
        return labels
    return labels.filter(pl.Series(is_held_out(entity_keys(labels), count / labels.height, seed)))
