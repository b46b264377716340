"""Checks on what is watched: drift, and decisions that labels contradict. Both warn; neither blocks a day."""

import dagster as dg
import polars as pl

from matching.drift import ALARM
from matching_assets.checks.verdicts import WARN, verdict
from matching_assets.partitions import BUSINESS_DAYS

MOST_WRONG = 0.02
FEWEST_MATCHES = 50


@dg.asset_check(
    asset="drift_report",
    partitions_def=BUSINESS_DAYS,
    description="Guards the certificate: it holds for records like those it was earned on. "
    "If it fails, open the drift page; two alarms in three judged windows start `retrain` by themselves.",
)
def no_drift(drift_report: pl.DataFrame) -> dg.AssetCheckResult:
    """No column alarms."""
    alarms = drift_report.filter(pl.col("status") == ALARM)
    saw = f"{alarms.height} of {drift_report.height} columns drifted{': ' if alarms.height else '.'}"
    saw += ", ".join(alarms["column"].head(5).to_list())
    remedy = (
        "Open the drift page of the report. Is it the feed, or the world? Two alarms in three windows start `retrain`."
    )
    return verdict(alarms.is_empty(), saw, remedy, WARN, alarms=alarms.height, columns=drift_report.height)


@dg.asset_check(
    asset="live_quality",
    partitions_def=BUSINESS_DAYS,
    description="Guards that automatic matches turn out right, as far as people have labelled them by now. "
    "If it fails, read the wrong matches beside their reasons; if the labels are right, retrain, or roll back.",
)
def matches_turn_out_right(live_quality: pl.DataFrame) -> dg.AssetCheckResult:
    """Wrong automatic matches among the labelled ones of the day."""
    matches = live_quality.filter(pl.col("band") == "match")
    made, wrong = int(matches["records"].sum()), int(matches["errors"].sum())
    saw = f"{wrong} of {made} labelled matches are wrong."
    passed = made < FEWEST_MATCHES or wrong / made <= MOST_WRONG
    return verdict(
        passed,
        saw,
        "Read them beside their reasons; if the labels are right, retrain, or roll back.",
        WARN,
        wrong=wrong,
    )


CHECKS = [no_drift, matches_turn_out_right]
