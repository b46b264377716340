"""Files as they land: found by name, read as delivered, refused with a sentence."""

from datetime import date

import polars as pl
import pytest

from matching.records import InputError
from matching_assets.landing import Landing, as_delivered, of_day

DAY = date(2026, 1, 5)


@pytest.fixture
def landing(tmp_path):
    (tmp_path / "records").mkdir()
    (tmp_path / "labels").mkdir()
    return Landing(root=str(tmp_path))


def test_a_day_is_read_from_the_file_of_its_name(landing, tmp_path):
    file = tmp_path / "records" / "2026-01-05.csv"
    file.write_text("record_id,name\n007,IBM\n")
    assert as_delivered(landing.records_of(DAY)).rows() == [("007", "IBM")]


def test_a_missing_day_says_where_its_file_is_expected(landing):
    with pytest.raises(InputError, match=r"no such file has landed. Deliver records/2026-01-05.csv or"):
        landing.records_of(DAY)


def test_two_files_of_one_day_are_not_chosen_from(landing, tmp_path):
    (tmp_path / "records" / "2026-01-05.csv").write_text("record_id,name\n1,IBM\n")
    pl.DataFrame({"record_id": ["1"], "name": ["IBM"]}).write_parquet(tmp_path / "records" / "2026-01-05.parquet")
    with pytest.raises(InputError, match=r"Keep one of 2026-01-05.csv, 2026-01-05.parquet"):
        landing.records_of(DAY)


def test_numbers_and_lists_of_a_parquet_file_become_text(landing, tmp_path):
    frame = pl.DataFrame({"record_id": [7], "name": ["IBM"], "employees": [250000], "indices": [["DOW", "S&P"]]})
    frame.write_parquet(tmp_path / "records" / "2026-01-05.parquet")
    assert as_delivered(landing.records_of(DAY)).rows() == [("7", "IBM", "250000", '["DOW", "S&P"]')]


def test_a_delivered_column_is_not_overwritten_by_the_day():
    with pytest.raises(InputError, match="column day: is the platform's own column"):
        of_day(pl.DataFrame({"day": ["Monday"]}), DAY)


def test_label_files_come_in_the_order_of_their_names(landing, tmp_path):
    for name in ("b.csv", "a.csv", ".c.csv.part"):
        (tmp_path / "labels" / name).write_text("record_id,reference_id\n")
    assert list(landing.labels()) == ["a.csv", "b.csv"]


def test_aliases_need_not_be_delivered(landing):
    assert landing.aliases() is None
