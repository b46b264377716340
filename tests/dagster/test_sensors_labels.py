"""The labels sensor, tick by tick, on an ephemeral instance and real files."""

import json
from pathlib import Path

import dagster as dg
import pytest

from matching.files import file_digest
from matching_assets.landing import Landing
from matching_assets.settings import Training
from resources.alerts import LocalAlerts
from sensors.labels import new_labels


@dg.asset(config_schema=dg.Permissive())
def labels(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    return dg.MaterializeResult(metadata=dict(context.op_execution_context.op_config))


@dg.asset
def clean_records() -> None: ...


@dg.op
def wait() -> None: ...


@dg.job
def retrain() -> None:
    wait()


@dg.job
def daily_matching() -> None:
    wait()


def sent(home: Path) -> list[tuple[str, str]]:
    """Cause and severity of the alerts that were sent."""
    file = home / "alerts.jsonl"
    events = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    return [(event["cause"], event["severity"]) for event in events if event["event"] == "sent"]


class Desk:
    """A folder that label files come into, and the sensor that looks at it every minute."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.folder = home / "landing" / "labels"
        self.folder.mkdir(parents=True)
        self.resources = {
            "alerts": LocalAlerts(path=str(home / "alerts.jsonl")),
            "landing": Landing(root=str(home / "landing")),
            "training": Training(),
        }
        self.instance = dg.DagsterInstance.ephemeral()
        self.cursor: str | None = None
        self.now = 1_000_000.0

    def drop(self, name: str, rows: int) -> None:
        lines = [f"r{i},c{i}" for i in range(rows)]
        (self.folder / name).write_text("\n".join(["record_id,reference_id", *lines]) + "\n")

    def tick(self) -> list[dg.RunRequest]:
        self.now += 60
        context = dg.build_sensor_context(self.instance, cursor=self.cursor, resources=self.resources)
        result = new_labels(context)
        assert isinstance(result, dg.SensorResult)
        self.cursor = result.cursor
        return list(result.run_requests or [])

    def settle(self) -> list[dg.RunRequest]:
        """Two ticks: a file that changed is left alone at the first."""
        self.tick()
        return self.tick()

    def take_in_records(self) -> None:
        dg.materialize([clean_records], instance=self.instance)

    def train(self) -> None:
        """What a training leaves behind: `labels`, with the files that it read."""
        there = list(self.folder.iterdir())
        read = {
            "files": {file.name: file_digest(file) for file in there},
            "rows_by_file": {file.name: len(file.read_text().splitlines()) - 1 for file in there},
        }
        dg.materialize([labels], instance=self.instance, run_config={"ops": {"labels": {"config": read}}})


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    desk = Desk(tmp_path)
    desk.take_in_records()
    monkeypatch.setattr("sensors.labels.time.time", lambda: desk.now)
    return desk


def test_labels_below_the_minimum_wait_until_there_are_enough(desk: Desk) -> None:
    desk.drop("monday.csv", 60)
    assert desk.settle() == []
    desk.drop("tuesday.csv", 60)
    (request,) = desk.settle()
    assert request.tags["matching/reason"] == "labels"
    assert "120 new labels" in request.tags["matching/why"]


def test_a_file_of_the_review_page_that_grows_starts_a_training_for_what_came_and_not_for_each_verdict(
    desk: Desk,
) -> None:
    desk.drop("verdicts-2026-01-07-r1.csv", 150)
    assert len(desk.settle()) == 1
    desk.train()
    desk.drop("verdicts-2026-01-07-r1.csv", 200)
    assert desk.settle() == []
    desk.drop("verdicts-2026-01-07-r1.csv", 250)
    (request,) = desk.settle()
    assert "100 new labels" in request.tags["matching/why"]


def test_labels_that_were_trained_on_are_not_new(desk: Desk) -> None:
    desk.drop("monday.csv", 500)
    desk.train()
    desk.drop("tuesday.csv", 60)
    assert desk.settle() == []


def test_ticks_before_the_training_has_begun_ask_under_one_run_key(desk: Desk) -> None:
    desk.drop("monday.csv", 500)
    asked = desk.settle() + desk.tick()
    desk.cursor = None
    asked += desk.settle()
    assert len({request.run_key for request in asked}) == 1


@pytest.mark.parametrize("job", [retrain, daily_matching], ids=lambda job: job.name)
def test_no_retraining_is_asked_for_while_another_or_the_intake_of_a_day_is_under_way(
    desk: Desk, job: dg.JobDefinition
) -> None:
    desk.drop("monday.csv", 500)
    desk.instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    assert desk.settle() == []


def test_labels_wait_for_the_first_records(desk: Desk) -> None:
    desk.instance = dg.DagsterInstance.ephemeral()
    desk.drop("monday.csv", 500)
    assert desk.settle() == []
    desk.take_in_records()
    assert len(desk.tick()) == 1


def test_a_label_file_that_cannot_be_read_is_reported_once_and_the_others_count(desk: Desk) -> None:
    (desk.folder / "broken.parquet").write_text("this is no parquet file")
    desk.drop("monday.csv", 500)
    assert len(desk.settle()) == 1
    desk.tick()
    assert [cause for cause, _ in sent(desk.home)] == ["landing:labels:broken.parquet"]


def test_a_third_training_for_one_business_day_waits_for_the_next_day_and_the_tags_say_the_day(desk: Desk) -> None:
    for day in ("2026-01-05", "2026-01-06"):
        desk.instance.report_runless_asset_event(dg.AssetMaterialization("clean_records", partition=day))
    desk.drop("a.csv", 150)
    (asked,) = desk.settle()
    assert (asked.tags["matching/reason"], asked.tags["matching/day"]) == ("labels", "2026-01-06")
    for _ in range(2):
        retrain.execute_in_process(instance=desk.instance, tags=asked.tags)
    assert desk.settle() == []
    desk.instance.report_runless_asset_event(dg.AssetMaterialization("clean_records", partition="2026-01-07"))
    assert len(desk.settle()) == 1
