"""The responses sensor on an ephemeral instance with reports as the monitors make them, and with real runs."""

from pathlib import Path

import dagster as dg
import pytest

from resources.alerts import LocalAlerts
from sensors.responses import responses


@dg.op
def work(context: dg.OpExecutionContext) -> None:
    if context.run_tags.get("test/fails"):
        raise dg.Failure("it failed")


@dg.job
def retrain() -> None:
    work()


@dg.job
def close_matching() -> None:
    work()


class Night:
    """An instance that monitors report to, and the sensor that reads it."""

    def __init__(self, home: Path) -> None:
        self.instance = dg.DagsterInstance.ephemeral()
        self.alerts = LocalAlerts(path=str(home / "alerts.jsonl"))

    def report(self, monitor: str, day: int, status: str, **facts: str | float) -> None:
        """As a monitor's materialisation says it."""
        told = {"status": status, "sentence": f"{monitor} on {day}", "number": 2.5, "bundle_version": "v1", **facts}
        made = dg.AssetMaterialization(monitor, partition=f"2026-01-{day:02}", metadata=told)
        self.instance.report_runless_asset_event(made)

    def serve(self, version: str, closed: bool, **facts: str) -> None:
        facts = {"bundle_version": version, "closed": closed, **facts}
        self.instance.report_runless_asset_event(dg.AssetMaterialization("deployed_endpoint", metadata=facts))

    def tick(self) -> list[dg.RunRequest]:
        with dg.build_sensor_context(self.instance, resources={"alerts": self.alerts}) as context:
            outcome = responses(context)
        assert isinstance(outcome, dg.SensorResult)
        return list(outcome.run_requests or [])

    def carry_out(self, requests: list[dg.RunRequest], **tags: str) -> None:
        jobs = {"retrain": retrain, "close_matching": close_matching}
        for request in requests:
            run = jobs[request.job_name]
            run.execute_in_process(instance=self.instance, tags={**request.tags, **tags}, raise_on_error=False)

    def open(self) -> list[tuple[str, str]]:
        return [(alert.cause, alert.severity) for alert in self.alerts.open_alerts()]


@pytest.fixture
def night(tmp_path: Path) -> Night:
    return Night(tmp_path)


def test_without_a_report_nothing_happens(night: Night) -> None:
    assert night.tick() == []


def test_feature_drift_is_answered_in_the_shadow_and_by_a_ticket_until_it_is_over(night: Night) -> None:
    night.report("drift_report", 5, "ALARM")
    assert night.tick() == []
    night.report("drift_report", 6, "ALARM")
    (asked,) = night.tick()
    assert asked.job_name == "retrain"
    assert asked.tags == {
        "matching/reason": "drift",
        "matching/why": "drift_report of 2026-01-05, 2026-01-06: drift_report on 6",
        "matching/day": "2026-01-06",
        "matching/shadow": "true",
    }
    assert night.open() == [("response:drift", "WARN")]
    night.carry_out([asked])
    assert night.tick() == []
    for day in (7, 8):
        night.report("drift_report", day, "OK")
    assert night.tick() == []
    assert night.open() == []


def test_what_reaches_decisions_retrains_and_is_no_shadow(night: Night) -> None:
    for day in (5, 6):
        night.report("drift_report", day, "ALARM")
        night.report("prediction_report", day, "ALARM")
    (asked,) = night.tick()
    assert asked.tags["matching/reason"] == "predictions"
    assert "matching/shadow" not in asked.tags
    assert night.open() == []


def test_seven_business_days_pass_before_the_next_training_however_the_last_one_ended(night: Night) -> None:
    for day in (5, 6):
        night.report("concept_report", day, "ALARM")
    night.carry_out(night.tick(), **{"test/fails": "yes"})
    asked = {}
    for day in (7, 8, 9, 12, 13, 14, 15, 16):
        night.report("concept_report", day, "ALARM")
        asked[day] = len(night.tick())
    assert asked == {7: 0, 8: 0, 9: 0, 12: 0, 13: 0, 14: 0, 15: 1, 16: 1}


def test_a_day_that_was_reported_again_counts_as_it_was_last_seen(night: Night) -> None:
    night.report("concept_report", 5, "ALARM")
    night.report("concept_report", 6, "ALARM")
    night.report("concept_report", 5, "OK")
    assert night.tick() == []


def test_a_broken_certificate_closes_first_and_rings_until_it_is_open_again(night: Night) -> None:
    night.serve("v1", closed=False)
    night.report("performance_report", 5, "ALARM", certificate="broken")
    close, train = night.tick()
    assert (close.job_name, close.tags["matching/reason"]) == ("close_matching", "certificate")
    assert (train.job_name, train.tags["matching/reason"]) == ("retrain", "performance")
    night.carry_out([close, train])
    night.serve("v2", closed=True, parent_version="v1")
    assert night.tick() == []
    assert night.open() == [("response:closed", "ERROR")]
    night.serve("v1", closed=False)
    assert night.tick() == []
    assert night.open() == []


def test_reports_on_the_version_before_count_for_its_closed_form_and_not_for_another(night: Night) -> None:
    for day in (5, 6):
        night.report("concept_report", day, "ALARM")
    night.serve("v3", closed=False)
    assert night.tick() == []
    night.serve("v2", closed=True, parent_version="v1")
    assert len(night.tick()) == 1


def test_alarms_wait_while_a_training_is_under_way(night: Night) -> None:
    for day in (5, 6):
        night.report("concept_report", day, "ALARM")
    night.instance.create_run_for_job(retrain, status=dg.DagsterRunStatus.STARTED)
    assert night.tick() == []


def test_alerts_name_a_page_that_is_there(night: Night) -> None:
    night.report("performance_report", 5, "ALARM", certificate="broken")
    night.tick()
    (alert,) = night.alerts.open_alerts()
    assert (Path(__file__).parents[2] / alert.runbook).is_file()
    assert alert.number == 2.5
