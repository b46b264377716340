"""The business day, by which records arrive, are matched and are watched; and what training reads of all days.

A partition is a weekday, so that a weekend is no gap in the UI and no failure in a backfill. Its key is the day's ISO
date, which is also the name of its file in `landing/records`: a file lands in the partition of its name, however late
it comes. Days begin at midnight UTC; today is a partition from its first second on, because its file must be matched
today. A file named by a Saturday has no partition: the arrival sensor alerts on it. Days without a file (holidays)
stay empty.

`MATCHING_FIRST_DAY` sets the first day; the end is open. `MATCHING_DEADLINE` is the time (UTC) by which a day's file
should have come, 20:00 unless set.
"""

import os
import warnings
from datetime import date, time, timedelta

import dagster as dg
import polars as pl

from matching_assets.landing import DAY

FIRST_DAY = os.environ.get("MATCHING_FIRST_DAY", "2026-01-05")

# Partitions of checks are a preview in this version of Dagster, which it says for each check and in each process.
warnings.filterwarnings("ignore", "Specifying a partitions_def on an AssetCheckSpec", dg.PreviewWarning)

BUSINESS_DAYS = dg.TimeWindowPartitionsDefinition(
    start=FIRST_DAY,
    fmt="%Y-%m-%d",
    cron_schedule="0 0 * * 1-5",
    end_offset=1,
)


def deadline() -> time:
    """By when a day's file should have come, in UTC. ValueError: MATCHING_DEADLINE is no time such as 18:30."""
    return time.fromisoformat(os.environ.get("MATCHING_DEADLINE", "20:00"))


def window_of(days: int) -> dg.TimeWindowPartitionMapping:
    """A day and the `days - 1` business days before it, as far as there are any."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)  # the parameter is beta; the version is pinned and tested
        return dg.TimeWindowPartitionMapping(start_offset=1 - days, allow_nonexistent_upstream_partitions=True)


def calendar_days(day: date) -> tuple[date, date]:
    """The first and the last calendar day that belong to a business day: a weekend belongs to its Monday."""
    return day - timedelta(days=2 if day.isoweekday() == 1 else 0), day


def newest_of_each(records: pl.LazyFrame) -> pl.DataFrame:
    """All records of all days, in the order of arrival and without it: of one that came more than once, the newest."""
    return records.collect().unique("record_id", keep="last", maintain_order=True).drop(DAY)


def labelled(records: pl.LazyFrame, labels: pl.DataFrame) -> pl.DataFrame:
    """The records that have a label, in the order of arrival: what is learnt from and measured on."""
    known = newest_of_each(records)
    return known.join(labels.select("record_id"), on="record_id", how="semi", maintain_order="left")
