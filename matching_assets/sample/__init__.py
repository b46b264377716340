"""The embedded sample: SEC registrants, index constituents to match to them, and labels.

The files follow the contract of reference, records and labels. Records carry two columns beyond it: `indices`, and
`day`, the business day on which a record arrives. README.md says where the data comes from and how good the labels are.
"""

from pathlib import Path

import polars as pl

from matching.records import InputError, read_table

NAMES = ("reference", "records", "labels")


def sample_files() -> dict[str, Path]:
    """The files of the sample: `reference`, `records` and `labels`, each Parquet."""
    return {name: Path(__file__).with_name(f"{name}.parquet") for name in NAMES}


def days() -> list[str]:
    """The ten business days on which records arrive, as ISO dates in order."""
    return read_table(sample_files()["records"])["day"].unique().sort().to_list()


def records_of_day(day: str) -> pl.DataFrame:
    """The records that arrive on a day (ISO date), sorted by record_id and without the column `day`.

    Raises InputError when the sample has no such day.
    """
    path = sample_files()["records"]
    arrived = read_table(path).filter(pl.col("day") == day)
    if arrived.is_empty():
        raise InputError(f"no record arrives on {day}", file=str(path), column="day", remedy="Take one of days().")
    return arrived.drop("day")
