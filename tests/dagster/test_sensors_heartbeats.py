"""Heartbeats: a sensor that does not look is seen, and so is a watcher that is dead itself."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.remote_origin import (
    ManagedGrpcPythonEnvCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    SensorInstigatorData,
    TickData,
    TickStatus,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster_shared.error import SerializableErrorInfo

from resources.alerts import LocalAlerts
from resources.board import Board
from sensors import all_sensors
from sensors.heartbeats import NAME, beats_of, heartbeats
from sensors.rules.heartbeats import LEAST_SECONDS, PAUSE_SECONDS, Beat, awake_since, decide, undelivered

NOW = 1_000_000.0
UP = NOW - 24 * 3600
WELL = Beat("records_arrival", 30, on=True, last=NOW - 30, last_good=NOW - 30)


def sentence(beat: Beat, since: float = UP) -> str:
    return " ".join(trouble.sentence for trouble in decide([beat], since, NOW))


def test_a_sensor_that_looks_is_no_trouble():
    assert sentence(WELL) == ""


def test_a_sensor_that_is_not_called_any_more_is_dead():
    assert "has not for 20 min: it is not called" in sentence(Beat("x", 30, True, NOW - 1200, NOW - 1200))


def test_a_sensor_that_raises_in_each_tick_is_as_dead():
    assert "each of its ticks fails" in sentence(Beat("x", 30, True, NOW - 20, NOW - 1200))


def test_a_sensor_that_failed_a_few_times_is_not_dead_yet():
    assert sentence(Beat("x", 30, True, NOW - 20, NOW - LEAST_SECONDS + 1)) == ""


def test_a_slow_sensor_has_ten_of_its_intervals():
    assert sentence(Beat("x", 600, True, NOW - 3000, NOW - 3000)) == ""
    assert "dead" not in sentence(Beat("x", 600, True, NOW - 6060, NOW - 6060)) != ""


def test_a_sensor_that_was_never_called_is_dead():
    assert "it is not called" in sentence(Beat("x", 30, True))


def test_after_an_outage_of_the_daemon_sensors_have_time_to_come_back():
    old = Beat("x", 30, True, NOW - 7200, NOW - 7200)
    assert sentence(old, since=NOW - 60) == ""
    assert sentence(old, since=NOW - 660) != ""


def test_a_pause_of_the_watcher_or_a_clock_put_back_begins_a_new_life_of_the_daemon():
    assert awake_since(None, NOW) == NOW
    assert awake_since((UP, NOW - 60), NOW) == UP
    assert awake_since((UP, NOW - PAUSE_SECONDS - 1), NOW) == NOW
    assert awake_since((UP, NOW + 3600), NOW) == NOW


def test_a_tick_in_the_future_of_a_wrong_clock_rings_nothing():
    assert sentence(Beat("x", 30, True, NOW + 3600, NOW + 3600)) == ""


def test_a_sensor_that_is_switched_off_is_a_warning():
    (found,) = decide([Beat("run_failures", 30, on=False)], UP, NOW)
    assert (found.severity, "switched off" in found.sentence) == ("WARN", True)


def test_what_a_webhook_does_not_take_is_an_alert_after_a_quarter_of_an_hour():
    assert undelivered(3, NOW - 60, NOW) == []
    assert [trouble.number for trouble in undelivered(3, NOW - 1000, NOW)] == [3]
    assert undelivered(0, None, NOW) == []


class Daemon:
    """What a daemon leaves in an instance: states of sensors, and their ticks."""

    def __init__(self, home: Path, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self.alerts, self.board = LocalAlerts(path=str(home / "alerts.jsonl")), Board(home=str(home))
        self.cursor: str | None = None
        self.now = time.time()
        target = LoadableTargetOrigin(module_name="matching_assets.definitions")
        location = ManagedGrpcPythonEnvCodeLocationOrigin(target, "matching")
        self.repository = RemoteRepositoryOrigin(location, "__repository__")

    def origin(self, name: str) -> RemoteInstigatorOrigin:
        return RemoteInstigatorOrigin(self.repository, name)

    def switch(self, name: str, status: InstigatorStatus = InstigatorStatus.DECLARED_IN_CODE) -> None:
        state = InstigatorState(self.origin(name), InstigatorType.SENSOR, status, SensorInstigatorData())
        self.instance.add_instigator_state(state)

    def ticked(self, name: str, status: TickStatus, ago: float = 0.0) -> None:
        origin = self.origin(name)
        error = SerializableErrorInfo("it raised", [], "ValueError") if status == TickStatus.FAILURE else None
        about = (InstigatorType.SENSOR, status, self.now - ago)
        selector = origin.get_selector().get_id()
        self.instance.create_tick(TickData(origin.get_id(), name, *about, error=error, selector_id=selector))

    def all_tick(self) -> None:
        for sensor in all_sensors():
            if sensor.name != NAME and sensor.default_status == dg.DefaultSensorStatus.RUNNING:
                self.ticked(sensor.name, TickStatus.SKIPPED)

    def watch(self, minutes: int) -> list[str]:
        """The watcher ticks once a minute; the causes that are open then."""
        for _ in range(minutes):
            self.now += 60
            resources = {"alerts": self.alerts, "board": self.board}
            context = dg.build_sensor_context(self.instance, cursor=self.cursor, resources=resources)
            result = heartbeats(context)
            assert isinstance(result, dg.SensorResult)
            self.cursor = result.cursor
        return [alert.cause for alert in self.alerts.open_alerts()]

    def events(self) -> int:
        """Lines of alerts.jsonl: what was sent or cleared."""
        return len(Path(self.alerts.path).read_text().splitlines())


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        daemon = Daemon(tmp_path, instance)
        monkeypatch.setattr("sensors.heartbeats.time.time", lambda: daemon.now)
        for sensor in all_sensors():
            if sensor.name != NAME and sensor.default_status == dg.DefaultSensorStatus.RUNNING:
                daemon.switch(sensor.name)
        yield daemon


def test_a_dead_sensor_is_seen_by_its_ticks_alerted_on_once_and_cleared_when_it_looks_again(daemon):
    daemon.all_tick()
    assert daemon.watch(9) == []
    for sensor in all_sensors():
        daemon.ticked(sensor.name, TickStatus.FAILURE if sensor.name == "records_arrival" else TickStatus.SKIPPED)
    assert daemon.watch(4) == ["heartbeat:records_arrival"]
    assert daemon.events() == 1
    daemon.all_tick()
    assert daemon.watch(1) == []


def test_the_watcher_leaves_a_heartbeat_on_the_board(daemon):
    daemon.all_tick()
    daemon.watch(1)
    said = json.loads((Path(daemon.board.home) / "heartbeat.json").read_text())
    assert said["time"] == daemon.now
    assert "records_arrival" in said["sensors"]


def test_a_sensor_that_is_off_from_the_start_is_not_watched(daemon):
    assert "approved_version" not in {beat.sensor for beat in beats_of(daemon.instance, all_sensors())}


def test_one_that_a_person_switched_off_is(daemon):
    daemon.instance.update_instigator_state(
        InstigatorState(
            daemon.origin("run_failures"), InstigatorType.SENSOR, InstigatorStatus.STOPPED, SensorInstigatorData()
        )
    )
    assert daemon.watch(1) == ["heartbeat:run_failures"]
