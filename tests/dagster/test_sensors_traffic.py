"""The traffic sensor: what the endpoint was asked after a day was matched is not lost."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from resources.traffic import SpoolTraffic
from sensors.rules.traffic import Day, decide
from sensors.traffic import days_before, late_traffic

LAST = days_before(datetime.now(UTC).date())[-1]


@pytest.mark.parametrize(
    ("there", "collected", "due"),
    [("a", None, True), ("a", "b", True), ("a", "a", False), ("", None, False), ("", "", False)],
)
def test_a_day_that_is_over_is_collected_until_all_of_it_is(there, collected, due):
    assert list(decide([Day("2026-03-04", there, collected)], "2026-03-05")) == ["2026-03-04"] * due


def test_a_day_that_is_not_over_is_left_alone():
    assert decide([Day("2026-03-05", "a", None)], "2026-03-05") == {}


def test_the_same_files_are_asked_for_once_and_more_of_them_again():
    keys = [decide([Day("2026-03-04", there, None)], "2026-03-05")["2026-03-04"] for there in ("a", "a", "b")]
    assert keys[0] == keys[1] != keys[2]


def test_weekends_have_no_day_of_their_own():
    assert [day.day for day in days_before(date(2026, 3, 9))] == [2, 3, 4, 5, 6]


@dg.asset
def deployed_endpoint() -> None: ...


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    """A file that was written on the last business day."""
    file = tmp_path / f"day={LAST}" / "1.parquet"
    file.parent.mkdir()
    file.write_bytes(b"rows")
    return file


def tick(instance: dg.DagsterInstance, spool: Path) -> list[str | None]:
    """The days that are asked for."""
    resources = {"traffic": SpoolTraffic(root=str(spool.parents[1]))}
    found = late_traffic(dg.build_sensor_context(instance=instance, resources=resources))
    return [request.partition_key for request in found.run_requests or []]


def collected(instance: dg.DagsterInstance, spool: Path) -> None:
    """The day was collected as it is now."""
    there = SpoolTraffic(root=str(spool.parents[1])).fingerprint(LAST - timedelta(days=2), LAST)
    made = dg.AssetMaterialization("endpoint_telemetry", partition=LAST.isoformat(), metadata={"fingerprint": there})
    instance.report_runless_asset_event(made)


def test_traffic_is_collected_when_its_day_is_over_and_again_when_more_comes(spool):
    instance = dg.DagsterInstance.ephemeral()
    assert tick(instance, spool) == []
    dg.materialize([deployed_endpoint], instance=instance)
    assert tick(instance, spool) == [LAST.isoformat()]
    collected(instance, spool)
    assert tick(instance, spool) == []
    spool.with_name("2.parquet").write_bytes(b"more")
    assert tick(instance, spool) == [LAST.isoformat()]
