"""The approval sensor on a real registry."""

from pathlib import Path

import dagster as dg
import pytest

from resources.registry import CLOSES, LocalRegistry
from resources.store import LocalStore
from sensors import all_sensors
from sensors.approval import approved_version


@pytest.fixture
def registry(tmp_path: Path) -> LocalRegistry:
    return LocalRegistry(store=LocalStore(root=str(tmp_path / "registry")))


def approve(registry: LocalRegistry, digest: str) -> int:
    version = registry.register(digest * 64, {}, {}, {}, {})
    registry.set_status(version, "Approved", by="the rule")
    return version


def tick(registry: LocalRegistry) -> dg.RunRequest | dg.SkipReason:
    with dg.build_sensor_context(dg.DagsterInstance.ephemeral(), resources={"registry": registry}) as context:
        outcome = approved_version(context)
    assert isinstance(outcome, dg.RunRequest | dg.SkipReason)
    return outcome


def test_a_version_that_waits_for_approval_is_not_promoted(registry: LocalRegistry) -> None:
    registry.register("a" * 64, {}, {}, {}, {})
    assert isinstance(tick(registry), dg.SkipReason)


def test_an_approved_version_is_promoted_under_one_run_key(registry: LocalRegistry) -> None:
    approve(registry, "a")
    requests = [tick(registry), tick(registry)]
    assert [request.run_key for request in requests if isinstance(request, dg.RunRequest)] == ["promote:1", "promote:1"]


def test_a_version_that_was_rolled_back_stays_away(registry: LocalRegistry) -> None:
    first, second = approve(registry, "a"), approve(registry, "b")
    registry.promote(first, expected=None)
    registry.promote(second, expected=first)
    registry.rollback()
    assert isinstance(tick(registry), dg.SkipReason)


def test_a_closed_version_is_not_promoted_and_does_not_hold_up_another(registry: LocalRegistry) -> None:
    registry.promote(approve(registry, "a"), expected=None)
    waiting = approve(registry, "b")
    closed = registry.register("c" * 64, {}, {"granted": False}, {}, {CLOSES: "a" * 64})
    registry.set_status(closed, "Approved", by="rule")
    registry.close(closed, expected=1)
    request = tick(registry)
    assert isinstance(request, dg.RunRequest)
    assert request.run_key == f"promote:{waiting}"


def test_deployment_is_off_until_somebody_switches_it_on_and_all_else_is_on() -> None:
    off = [sensor.name for sensor in all_sensors() if sensor.default_status != dg.DefaultSensorStatus.RUNNING]
    assert off == ["approved_version"]
