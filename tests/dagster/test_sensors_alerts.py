"""The alert sensors on an ephemeral instance with runs and checks that really fail."""

import json
import time
from pathlib import Path

import dagster as dg
import pytest

from resources.alerts import LocalAlerts
from sensors.checks import check_failures
from sensors.ended_runs import LOOK_BACK
from sensors.failures import run_failures

FAILING = {"test/fails": "yes"}


@dg.op
def score(context: dg.OpExecutionContext) -> None:
    if context.run_tags.get("test/fails"):
        raise ValueError("the name of a record that must stay out of alerts")


@dg.job
def daily_matching() -> None:
    score()


@dg.asset
def ranker() -> None: ...


def gate(severity: dg.AssetCheckSeverity, passed: bool) -> dg.AssetChecksDefinition:
    @dg.asset_check(asset=ranker, blocking=severity == dg.AssetCheckSeverity.ERROR)
    def precision_gate() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=passed, severity=severity, description="Precision is 0.97: label more.")

    return precision_gate


def sent(home: Path) -> list[tuple[str, str]]:
    """Cause and severity of the alerts that were sent."""
    file = home / "alerts.jsonl"
    events = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    return [(event["cause"], event["severity"]) for event in events if event["event"] == "sent"]


class Watch:
    """An instance, its alerts, and one of the sensors that watch it."""

    def __init__(self, sensor: dg.SensorDefinition, home: Path) -> None:
        self.sensor = sensor
        self.home = home
        self.alerts = LocalAlerts(path=str(home / "alerts.jsonl"))
        self.instance = dg.DagsterInstance.ephemeral()
        self.cursor: str | None = None

    def tick(self) -> None:
        context = dg.build_sensor_context(self.instance, cursor=self.cursor, resources={"alerts": self.alerts})
        result = self.sensor(context)
        assert isinstance(result, dg.SensorResult)
        self.cursor = result.cursor

    def run(self, **tags: str) -> None:
        daily_matching.execute_in_process(instance=self.instance, tags=tags, raise_on_error=False)

    def check(self, severity: dg.AssetCheckSeverity, passed: bool) -> None:
        dg.materialize([ranker, gate(severity, passed)], instance=self.instance, raise_on_error=False)


@pytest.fixture
def failures(tmp_path: Path) -> Watch:
    return Watch(run_failures, tmp_path)


@pytest.fixture
def checks(tmp_path: Path) -> Watch:
    return Watch(check_failures, tmp_path)


def test_a_failed_run_is_alerted_on_without_the_text_of_its_error(failures: Watch) -> None:
    failures.run(**FAILING, **{"dagster/partition": "2026-01-06"})
    failures.tick()
    ((cause, severity),) = sent(failures.home)
    assert (cause, severity) == ("run:daily_matching:score:ValueError", "ERROR")
    told = (failures.home / "alerts.jsonl").read_text()
    assert "2026-01-06" in told
    assert "name of a record" not in told


def test_a_failed_run_is_alerted_on_once(failures: Watch) -> None:
    failures.run(**FAILING)
    for _ in range(3):
        failures.tick()
    assert len(sent(failures.home)) == 1


def test_runs_that_fail_for_one_cause_are_alerted_on_once_until_the_job_is_well_again(failures: Watch) -> None:
    for _ in range(3):
        failures.run(**FAILING)
        failures.tick()
    assert len(sent(failures.home)) == 1
    failures.run()
    failures.run(**FAILING)
    failures.tick()
    assert len(sent(failures.home)) == 2


def test_a_successful_run_is_not_alerted_on(failures: Watch) -> None:
    failures.run()
    failures.tick()
    assert sent(failures.home) == []


def test_a_run_that_will_be_retried_is_not_alerted_on(failures: Watch) -> None:
    failures.run(**FAILING, **{"dagster/will_retry": "true"})
    failures.tick()
    assert sent(failures.home) == []


def test_a_lost_cursor_does_not_ring_for_what_failed_long_ago(failures: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    failures.run(**FAILING)
    failures.cursor = None
    now = time.time()
    monkeypatch.setattr("sensors.ended_runs.time.time", lambda: now + LOOK_BACK + 60)
    failures.tick()
    assert sent(failures.home) == []


@pytest.mark.parametrize("severity", list(dg.AssetCheckSeverity))
def test_a_failed_check_is_alerted_on_with_its_severity(checks: Watch, severity: dg.AssetCheckSeverity) -> None:
    checks.check(severity, passed=False)
    checks.tick()
    assert sent(checks.home) == [(f"check:ranker/precision_gate:{severity.value}", severity.value)]
    assert "label more" in (checks.home / "alerts.jsonl").read_text()


def test_a_check_that_keeps_failing_is_alerted_on_once_until_it_passes(checks: Watch) -> None:
    for passed in (False, False, True, False):
        checks.check(dg.AssetCheckSeverity.WARN, passed=passed)
        checks.tick()
    assert len(sent(checks.home)) == 2


def test_a_run_that_a_blocking_check_stopped_rings_for_the_check_only(failures: Watch, checks: Watch) -> None:
    checks.instance = failures.instance
    failures.check(dg.AssetCheckSeverity.ERROR, passed=False)
    failures.tick()
    checks.tick()
    assert [cause for cause, _ in sent(checks.home)] == ["check:ranker/precision_gate:ERROR"]


def test_checks_that_pass_are_not_alerted_on(checks: Watch) -> None:
    checks.check(dg.AssetCheckSeverity.ERROR, passed=True)
    checks.tick()
    assert sent(checks.home) == []
