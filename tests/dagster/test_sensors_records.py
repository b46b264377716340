"""The records sensor, tick by tick, on an ephemeral instance and real files."""

import json
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from matching.files import file_digest
from matching_assets.jobs import INTAKE
from matching_assets.landing import Landing
from resources.alerts import LocalAlerts
from sensors.records import records_arrival

WEEK = [f"2026-01-{day:02}" for day in (5, 6, 7, 8, 9)]
DAYS = dg.DailyPartitionsDefinition("2026-01-01")
A, B = "record_id,name\n1,IBM\n", "record_id,name\n1,IBM Corp\n"


@dg.asset(partitions_def=DAYS, config_schema={"source_sha256": str})
def raw_records(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    return dg.MaterializeResult(metadata=context.op_execution_context.op_config)


@dg.asset(partitions_def=DAYS, deps=[raw_records])
def match_decisions() -> None: ...


@dg.asset
def deployed_endpoint() -> None: ...


def sent(home: Path) -> list[tuple[str, str]]:
    """Cause and severity of the alerts that were sent."""
    file = home / "alerts.jsonl"
    events = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    return [(event["cause"], event["severity"]) for event in events if event["event"] == "sent"]


class Feed:
    """A landing folder and the sensor that looks at it every 30 seconds."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.folder = home / "landing" / "records"
        self.folder.mkdir(parents=True)
        self.resources = {
            "alerts": LocalAlerts(path=str(home / "alerts.jsonl")),
            "landing": Landing(root=str(home / "landing")),
        }
        self.instance = dg.DagsterInstance.ephemeral()
        self.cursor: str | None = None
        self.now = 1_000_000.0

    def drop(self, name: str, text: str = A) -> None:
        (self.folder / name).write_text(text)

    def tick(self) -> list[dg.RunRequest]:
        self.now += 30
        context = dg.build_sensor_context(self.instance, cursor=self.cursor, resources=self.resources)
        result = records_arrival(context)
        assert isinstance(result, dg.SensorResult)
        self.cursor = result.cursor
        return list(result.run_requests or [])

    def settle(self) -> list[dg.RunRequest]:
        """Two ticks: a file that changed is left alone at the first."""
        assert self.tick() == []
        return self.tick()

    def run(self, request: dg.RunRequest) -> None:
        """What the run leaves behind: `raw_records` of the day, with the file that it was read from, and decisions."""
        (file,) = self.folder.glob(f"{request.partition_key}.*")
        config = {"ops": {"raw_records": {"config": {"source_sha256": file_digest(file)}}}}
        assets = [raw_records] if request.asset_selection else [raw_records, match_decisions]
        dg.materialize(assets, instance=self.instance, partition_key=request.partition_key, run_config=config)

    def deploy(self) -> None:
        dg.materialize([deployed_endpoint], instance=self.instance)


@pytest.fixture
def feed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Feed:
    feed = Feed(tmp_path)
    feed.deploy()
    monkeypatch.setattr("sensors.records.time.time", lambda: feed.now)
    return feed


def test_a_file_that_lands_asks_for_its_own_day(feed: Feed) -> None:
    feed.drop("2026-01-06.csv")
    (request,) = feed.settle()
    assert request.partition_key == "2026-01-06"
    assert request.tags["matching/reason"] == "records"


def test_a_file_that_is_still_growing_is_left_alone(feed: Feed) -> None:
    for rows in range(1, 4):
        feed.drop("2026-01-06.csv", A * rows)
        assert feed.tick() == []
    assert len(feed.tick()) == 1


def test_a_file_under_a_temporary_name_is_left_alone_until_it_is_renamed(feed: Feed) -> None:
    feed.drop("2026-01-06.csv.part")
    assert feed.settle() == []
    (feed.folder / "2026-01-06.csv.part").rename(feed.folder / "2026-01-06.csv")
    assert len(feed.settle()) == 1


def test_two_files_at_once_ask_for_two_days(feed: Feed) -> None:
    feed.drop("2026-01-06.csv")
    feed.drop("2026-01-07.csv", B)
    assert [request.partition_key for request in feed.settle()] == ["2026-01-06", "2026-01-07"]


def test_ticks_without_news_ask_for_nothing(feed: Feed) -> None:
    feed.drop("2026-01-06.csv")
    feed.run(*feed.settle())
    assert [feed.tick() for _ in range(3)] == [[], [], []]


def test_a_file_that_lands_again_unchanged_asks_for_nothing(feed: Feed) -> None:
    feed.drop("2026-01-06.csv")
    feed.run(*feed.settle())
    feed.drop("2026-01-06.csv")
    assert feed.settle() == []


def test_a_corrected_file_runs_again_and_so_does_taking_the_correction_back(feed: Feed) -> None:
    keys = set()
    for text in (A, B, A):
        feed.drop("2026-01-06.csv", text)
        (request,) = feed.settle()
        feed.run(request)
        keys.add(request.run_key)
    assert len(keys) == 3


def test_a_lost_cursor_asks_for_nothing_that_was_matched(feed: Feed) -> None:
    feed.drop("2026-01-06.csv")
    feed.drop("2026-01-07.csv", B)
    for request in feed.settle():
        feed.run(request)
    feed.cursor = None
    assert feed.settle() == []


@pytest.mark.parametrize("cursor", [None, "not json", '{"version": 0, "state": {"asked": 1}}', "[]"])
def test_a_cursor_lost_before_the_run_has_read_the_file_asks_under_the_same_key(feed: Feed, cursor: str | None) -> None:
    feed.drop("2026-01-06.csv")
    (first,) = feed.settle()
    feed.cursor = cursor
    (second,) = feed.settle()
    assert first.run_key == second.run_key


def test_without_a_deployed_version_a_day_is_taken_in_and_then_matched_when_there_is_one(feed: Feed) -> None:
    feed.instance = dg.DagsterInstance.ephemeral()
    feed.drop("2026-01-06.csv")
    (intake,) = feed.settle()
    assert [key.to_user_string() for key in intake.asset_selection or []] == list(INTAKE)
    feed.run(intake)
    assert feed.tick() == []
    feed.deploy()
    (matching,) = feed.tick()
    assert matching.asset_selection is None
    feed.run(matching)
    assert feed.tick() == []


def test_a_wrong_file_name_is_reported_once(feed: Feed) -> None:
    feed.drop("records_20260106.csv")
    assert [feed.tick() for _ in range(4)] == [[], [], [], []]
    assert sent(feed.home) == [("landing:records:records_20260106.csv", "WARN")]


def test_a_wrong_file_name_that_comes_back_is_reported_again(feed: Feed) -> None:
    for _ in range(2):
        feed.drop("records.csv")
        feed.settle()
        (feed.folder / "records.csv").unlink()
        feed.tick()
    assert len(sent(feed.home)) == 2


def test_a_home_without_a_landing_folder_is_no_error(feed: Feed) -> None:
    feed.folder.rmdir()
    assert feed.settle() == []


def test_the_sensor_is_on_from_the_start() -> None:
    assert records_arrival.default_status == dg.DefaultSensorStatus.RUNNING


def test_a_day_without_its_file_by_the_deadline_rings_once_and_closes_when_the_file_comes_late(
    feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed.drop("2026-01-08.csv")
    feed.run(*feed.settle())
    feed.now = datetime(2026, 1, 9, 20, 1, tzinfo=UTC).timestamp()
    monkeypatch.setattr("sensors.records.BUSINESS_DAYS", dg.StaticPartitionsDefinition(WEEK))
    feed.tick()
    feed.tick()
    assert sent(feed.home) == [("landing:missing", "WARN")]
    feed.drop("2026-01-09.csv", B)
    (late,) = feed.settle()
    assert late.partition_key == "2026-01-09"
    assert feed.resources["alerts"].open_alerts() == []
