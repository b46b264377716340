"""The endpoint's sensor: what the rule says of its health, and that a tick alerts once and clears."""

from pathlib import Path

import dagster as dg
import pytest

from resources.alarms import Window
from resources.alerts import LocalAlerts
from resources.endpoint import EndpointStatus, VariantStatus
from resources.endpoint_local import LocalEndpoint
from resources.registry import LocalRegistry
from resources.store import LocalStore, MissingError
from sensors.endpoint import endpoint_health, health_of
from sensors.rules.endpoint import Health, decide


class Told(LocalEndpoint):
    """An endpoint that is as it is told to be."""

    instances: int = 1
    reason: str = ""

    def advance(self, name: str) -> EndpointStatus:
        if self.instances < 0:
            raise MissingError(name)
        variant = VariantStatus("champion", "v1", "a" * 64, 1.0, 1.0, self.instances, 1)
        status = "InService" if self.instances else "Failed"
        return EndpointStatus(name, status, "", (variant,), None, self.reason, 1, True, {})


@pytest.fixture
def tick(tmp_path: Path):
    """A tick of the sensor on such an endpoint; the causes that are open after it."""
    alerts = LocalAlerts(path=str(tmp_path / "alerts.jsonl"))
    store = LocalStore(root=str(tmp_path / "store"))
    registry = LocalRegistry(store=store)

    def run(**told: object) -> list[str]:
        endpoint = Told(store=store, root=str(tmp_path / "endpoint"), **told)
        resources = {"alerts": alerts, "endpoint": endpoint, "registry": registry}
        with dg.build_sensor_context(dg.DagsterInstance.ephemeral(), resources=resources) as context:
            assert isinstance(endpoint_health(context), dg.SkipReason)
        return [alert.cause for alert in alerts.open_alerts()]

    return run


def test_an_endpoint_that_is_well_is_not_alerted_on(tick):
    assert tick() == []
    assert tick(instances=-1) == []


def test_an_endpoint_that_does_not_answer_is_alerted_on_until_it_does(tick):
    assert tick(instances=0) == ["endpoint:silent"]
    assert tick() == []


def test_a_rollout_that_was_turned_back_is_alerted_on(tick):
    assert tick(reason="error_share was 0.2") == ["endpoint:turned-back"]


def test_a_champion_that_was_rejected_since_is_alerted_on(tick, tmp_path):
    registry = LocalRegistry(store=LocalStore(root=str(tmp_path / "store")))
    version = registry.register("a" * 64, {}, {}, {}, {})
    registry.set_status(version, "Approved", by="ann")
    registry.promote(version, expected=None)
    assert tick() == []
    registry.set_status(version, "Rejected", by="ben")
    assert tick() == ["endpoint:rejected"]


def test_a_rollout_under_way_is_no_trouble():
    assert decide(Health("Updating", ["champion"], "")) == []


def test_a_budget_that_burns_is_alerted_on_over_all_variants():
    windows = [
        Window(60.0 * n, 60.0, f"1/production/{name}", 1000, errors)
        for n in range(1, 61)
        for name, errors in (("A", 0), ("B", 100))
    ]
    status = EndpointStatus("matching", "InService", "", (), None, "", 1, True, {})
    (trouble,) = decide(health_of(status, windows, now=3600.0))
    assert (trouble.cause, trouble.severity) == ("endpoint:slo:availability", "ERROR")
