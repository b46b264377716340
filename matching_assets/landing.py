"""The landing folder: where files arrive, and how they are read as they were delivered.

Nothing is repaired here. Columns become text, so that a file whose types differ from yesterday's fits into the same
table; what is wrong with a row is the guardrails' matter. A file that is missing, or there twice, is an InputError
that says what to do.
"""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import dagster as dg
import polars as pl

from matching.records import InputError, flat_csv, read_table

SUFFIXES = (".csv", ".parquet")
DAY = "day"
"""The column that the platform adds to what arrives by day."""


class Landing(dg.ConfigurableResource):
    """The folder `root`: `records/<day>`, `reference`, `aliases` and `labels/*`, each .csv or .parquet."""

    root: str

    def records_of(self, day: date) -> Path:
        """The file of a business day. InputError: there is none, or there are two."""
        return self._only(f"records/{day.isoformat()}")

    def reference(self) -> Path:
        """The reference as delivered. InputError: there is none, or there are two."""
        return self._only("reference")

    def aliases(self) -> Path | None:
        """Other and earlier names of references, if any were delivered. InputError: there are two files."""
        return self._only("aliases") if self._found("aliases") else None

    def labels(self) -> Mapping[str, Path]:
        """The label files by name, sorted: a later one wins."""
        folder = Path(self.root) / "labels"
        return {path.name: path for path in sorted(folder.glob("[!.]*")) if path.suffix in SUFFIXES}

    def _found(self, stem: str) -> list[Path]:
        return [path for suffix in SUFFIXES if (path := Path(self.root) / f"{stem}{suffix}").is_file()]

    def _only(self, stem: str) -> Path:
        found = self._found(stem)
        if len(found) != 1:
            what, remedy = ("no such file has landed", f"Deliver {stem}.csv or {stem}.parquet to {self.root}.")
            if found:
                what, remedy = (
                    f"{len(found)} files say the same thing",
                    f"Keep one of {', '.join(f.name for f in found)}.",
                )
            raise InputError(what, file=str(Path(self.root) / stem), remedy=remedy)
        return found[0]


def as_delivered(file: Path) -> pl.DataFrame:
    """The rows of a file with every column as text; lists and structs as JSON text, as CSV would hold them."""
    return flat_csv(read_table(file)).cast(pl.String)


def of_day(frame: pl.DataFrame, day: date) -> pl.DataFrame:
    """The frame with the business day as its last column. InputError: it has such a column already."""
    if DAY in frame.columns:
        raise InputError(
            "is the platform's own column", file=f"records of {day}", column=DAY, remedy="Name it otherwise."
        )
    return frame.with_columns(pl.lit(day, dtype=pl.Date).alias(DAY))
