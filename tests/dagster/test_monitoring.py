"""The monitors on a platform that serves: they read files and the endpoint alike, and say what they saw."""

import time
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from matching.review import is_audited
from matching.verdicts import VERDICTS
from matching_assets.folders import facts_in
from matching_assets.partitions import calendar_days

ENDPOINT = ["endpoint_telemetry"]


def spooled(platform) -> list[Path]:
    return sorted(Path(platform.resources["traffic"].root).glob("day=*/*.parquet"))


@pytest.fixture(scope="module")
def asked(platform, days):
    """The endpoint was asked about five records, which its instance has written down by now."""
    records = platform.tables.read("clean_records", days[0]).head(5).select("record_id", "name", "country").to_dicts()
    before = len(spooled(platform))
    platform.endpoint.invoke("matching", records)
    until = time.monotonic() + 20
    while len(spooled(platform)) == before and time.monotonic() < until:
        time.sleep(0.1)
    return spooled(platform)[-1]


def test_a_weekend_belongs_to_its_monday():
    assert calendar_days(date(2026, 1, 12)) == (date(2026, 1, 10), date(2026, 1, 12))
    assert calendar_days(date(2026, 1, 13)) == (date(2026, 1, 13), date(2026, 1, 13))


def test_what_the_endpoint_is_asked_becomes_rows_of_the_day_without_names(platform, asked, days):
    asked.parent.rename(asked.parent.with_name(f"day={days[1]}"))
    assert platform.run("daily_matching", days[1], ENDPOINT).success
    rows = platform.tables.read("endpoint_telemetry", days[1])
    deployed = facts_in(platform.folders.read("deployed_endpoint"))
    assert rows.height >= 5
    assert deployed["bundle_version"] in rows["bundle_version"]  # other tests may have asked other bundles
    assert (rows["latency_ms"] > 0).all()
    assert "name" not in rows.columns
    assert platform.materialisation("endpoint_telemetry", days[1]).metadata["latency_ms_p99"].value > 0


def test_a_monitor_counts_what_files_and_what_the_endpoint_asked(platform, asked, days):
    window = platform.materialisation("drift_report", days[0]).metadata["window_rows"].value
    spool = Path(platform.resources["traffic"].root) / f"day={days[0]}" / "more.parquet"
    spool.parent.mkdir(parents=True, exist_ok=True)
    spool.write_bytes(next(Path(platform.resources["traffic"].root).rglob("*.parquet")).read_bytes())
    try:
        assert platform.run("daily_matching", days[0], [*ENDPOINT, "drift_report"]).success
        assert platform.materialisation("drift_report", days[0]).metadata["window_rows"].value > window
    finally:
        spool.unlink()
        assert platform.run("daily_matching", days[0], [*ENDPOINT, "drift_report"]).success


def test_audits_that_find_many_matches_wrong_break_the_certificate(platform, days):
    verdicts, review = platform.resources["verdicts"], platform.resources["review"]
    decisions = pl.concat([platform.tables.read("match_decisions", day) for day in days])
    drawn = decisions.filter(is_audited(decisions, review.plan()), pl.col("decision") == "match")
    kept = {path: path.read_bytes() for path in Path(verdicts.root).rglob("*.parquet")}
    for row in drawn.iter_rows(named=True):
        verdicts.add(_wrong(row))
    try:
        done = platform.run("daily_matching", days[2], ["concept_report", "performance_report"])
        told = platform.materialisation("performance_report", days[2]).metadata
        assert (told["certificate"].value, told["status"].value) == ("broken", "ALARM")
        assert told["audited"].value == drawn.height
        assert platform.materialisation("concept_report", days[2]).metadata["status"].value == "ALARM"
        failed = {found.check_name: found for found in done.get_asset_check_evaluations()}
        assert not failed["precision_holds"].passed
        assert not failed["concept_steady"].passed
        assert failed["precision_holds"].severity is dg.AssetCheckSeverity.WARN
    finally:
        for path in set(Path(verdicts.root).rglob("*.parquet")) - set(kept):
            path.unlink()
        verdicts.publish()
        platform.run("daily_matching", days[2], ["concept_report", "performance_report"])
    assert platform.materialisation("performance_report", days[2]).metadata["certificate"].value == "unknown"


def _wrong(row: dict) -> dict:
    """A reviewer's answer that a decision is wrong."""
    shown = {f"shown_{name}": row[name] for name in ("reference_id", "decision", "probability")}
    said = {"reviewer": "r1", "verdict": "no", "reviewers": 1, "why": "audit", "queue_day": row["day"], "seconds": 3.0}
    when = {"decided_at": datetime.now(UTC), "bundle_version": row["bundle_version"], "record_id": row["record_id"]}
    return dict.fromkeys(VERDICTS) | shown | said | when
