"""Business days: which there are, and which file belongs to which."""

from datetime import UTC, date, datetime

import polars as pl
import pytest

from matching_assets.partitions import BUSINESS_DAYS, labelled, newest_of_each


def known_days(now: datetime) -> list[str]:
    return list(BUSINESS_DAYS.get_partition_keys(current_time=now))


def test_today_is_a_partition_from_its_first_second_on():
    assert known_days(datetime(2026, 3, 4, 0, 0, 1, tzinfo=UTC))[-1] == "2026-03-04"


def test_on_a_sunday_friday_is_the_last_day():
    assert known_days(datetime(2026, 3, 8, 23, 0, tzinfo=UTC))[-1] == "2026-03-06"


def test_a_weekend_is_no_gap():
    days = known_days(datetime(2026, 3, 10, tzinfo=UTC))
    assert {date.fromisoformat(day).weekday() for day in days} == {0, 1, 2, 3, 4}


def test_of_a_record_that_came_twice_the_newer_one_is_learnt_from():
    records = pl.LazyFrame({"record_id": ["a", "b", "a"], "name": ["old", "b", "new"], "day": [1, 1, 2]})
    assert newest_of_each(records).rows() == [("b", "b"), ("a", "new")]


def test_a_record_without_a_label_is_not_learnt_from():
    records = pl.LazyFrame({"record_id": ["a", "b"], "name": ["a", "b"], "day": [1, 1]})
    assert labelled(records, pl.DataFrame({"record_id": ["b"]}))["record_id"].to_list() == ["b"]


@pytest.mark.parametrize("day", ["2026-01-03", "2026-01-04"])
def test_a_file_of_a_weekend_has_no_partition(day):
    assert not BUSINESS_DAYS.has_partition_key(day)
