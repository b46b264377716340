"""What was replaced is forgotten in time, and what is current never is. On local tables: files of S3 are Glue's."""

import os
import time
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from resources.iceberg import Part
from resources.tables import LocalTables

MONDAY, TUESDAY = date(2024, 1, 1), date(2024, 1, 2)


@pytest.fixture
def tables(tmp_path: Path) -> LocalTables:
    """Two days of records, of which the first was written three times."""
    tables = LocalTables(warehouse=str(tmp_path))
    for day, ids in ((MONDAY, ["a"]), (TUESDAY, ["b", "c"]), (MONDAY, ["d"]), (MONDAY, ["e"])):
        frame = pl.DataFrame({"record_id": ids}).with_columns(day=pl.lit(day))
        tables.write("records", frame, Part("day", days=(day, day)))
    return tables


def data_files(tables: LocalTables) -> list[Path]:
    return sorted(Path(tables.warehouse).rglob("*.parquet"))


def age(tables: LocalTables, days: float) -> None:
    for path in Path(tables.warehouse).rglob("*"):
        os.utime(path, (time.time() - 86400 * days,) * 2)


def test_what_is_current_stays_however_old(tables):
    age(tables, days=400)
    assert tables.expire(keep=timedelta(0)) > 0
    assert tables.read("records")["record_id"].to_list() == ["e", "b", "c"]


def test_a_replaced_version_is_kept_for_its_time(tables):
    age(tables, days=400)
    assert tables.expire(keep=timedelta(days=30)) == 0
    assert len(data_files(tables)) == 4


def test_the_files_of_an_expired_version_are_deleted(tables):
    age(tables, days=2)
    tables.expire(keep=timedelta(0))
    assert len(data_files(tables)) == 2


def test_a_file_that_may_belong_to_a_write_under_way_is_left_alone(tables):
    tables.expire(keep=timedelta(0))
    assert len(data_files(tables)) == 4


def test_a_day_is_written_again_after_its_versions_expired(tables):
    age(tables, days=2)
    tables.expire(keep=timedelta(0))
    tables.write("records", pl.DataFrame({"record_id": ["f"], "day": [MONDAY]}), Part("day", days=(MONDAY, MONDAY)))
    assert tables.read("records")["record_id"].to_list() == ["f", "b", "c"]
