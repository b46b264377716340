"""The contract of endpoints: one list of facts, which every implementation is held to and a broken one must fail.

A fact is a function of a `Bench`: an endpoint with what a test needs around it. It is not collected by pytest itself;
test_endpoint_contract.py runs each fact on each implementation.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import pytest

from resources.alarms import Alarm
from resources.endpoint import Endpoint, EndpointError, EndpointStatus, single
from resources.rollout import ALL_AT_ONCE, BusyError, EndpointSpec, Rollout, Variant
from resources.store import MissingError

NAME = "matching"
ASKED = [{"record_id": "a", "name": "Acme"}, {"record_id": "b", "name": "Société"}]
PATIENCE = 20.0
ALARM = Alarm("error_share", 0.5, period_seconds=1.0, least=3)


class Bench(Protocol):
    """What a fact needs."""

    endpoint: Endpoint
    bake_seconds: float

    def bundle(self, version: str, mode: str = "serve") -> str:
        """Store a bundle that answers with `version`, and return its digest. mode `crash`: it does not start."""

    def another_driver(self) -> Endpoint:
        """The same endpoints, seen by another process."""

    def trouble(self, name: str) -> None:
        """The new fleet answers with errors, often enough for its alarm to ring."""


def spec(bench: Bench, version: str, mode: str = "serve", rollout: Rollout = ALL_AT_ONCE) -> EndpointSpec:
    return replace(single(NAME, bench.bundle(version, mode), version, {"run": version}), rollout=rollout)


def deploy(bench: Bench, wished: EndpointSpec) -> EndpointStatus:
    return bench.endpoint.deploy(wished, PATIENCE)


def canary(bench: Bench) -> Rollout:
    return Rollout("canary", 0.5, bake_seconds=bench.bake_seconds)


def versions(bench: Bench, variant: str | None = None) -> set[str]:
    """The versions that answer."""
    return {answer["bundle_version"] for answer in bench.endpoint.invoke(NAME, ASKED, variant)}


def what_is_deployed_answers(bench: Bench) -> None:
    status = deploy(bench, spec(bench, "v1"))

    assert (status.name, status.status, status.version, status.lineage) == (NAME, "InService", "v1", {"run": "v1"})
    assert [(v.weight, v.instances) for v in status.variants] == [(1.0, 1)]
    assert [answer["record_id"] for answer in bench.endpoint.invoke(NAME, ASKED)] == ["a", "b"]
    assert versions(bench) == {"v1"}


def a_wish_is_kept_before_anything_is_done(bench: Bench) -> None:
    assert bench.endpoint.apply(spec(bench, "v1")).status == "Creating"
    assert bench.another_driver().settle(NAME, PATIENCE).version == "v1"


def an_update_ends_with_the_new_version(bench: Bench) -> None:
    deploy(bench, spec(bench, "v1"))
    bench.endpoint.apply(spec(bench, "v2"))
    assert bench.endpoint.describe(NAME).status == "Updating"
    assert versions(bench) == {"v1"}

    status = bench.endpoint.settle(NAME, PATIENCE)
    assert (status.status, status.version, status.reason) == ("InService", "v2", "")
    assert versions(bench) == {"v2"}


def a_canary_ends_with_all_of_the_traffic(bench: Bench) -> None:
    deploy(bench, spec(bench, "v1"))
    status = deploy(bench, spec(bench, "v2", rollout=canary(bench)))

    assert [(v.version, v.weight, v.desired_weight) for v in status.variants] == [("v2", 1.0, 1.0)]
    assert versions(bench) == {"v2"}


def a_bad_canary_is_turned_back_by_its_alarm(bench: Bench) -> None:
    deploy(bench, spec(bench, "v1"))
    wished = replace(spec(bench, "v2", "fail", Rollout("canary", 0.5, bake_seconds=60)), alarms=(ALARM,))
    bench.endpoint.apply(wished)
    status = advance_to(bench, lambda status: status.status != "Updating", bench.trouble)

    assert status.status in ("RollingBack", "InService")
    status = bench.endpoint.settle(NAME, PATIENCE)
    assert (status.status, status.version) == ("InService", "v1")
    assert status.reason
    assert versions(bench) == {"v1"}


def a_deployment_that_was_turned_back_is_an_error(bench: Bench) -> None:
    deploy(bench, spec(bench, "v1"))
    with pytest.raises(EndpointError, match="was not deployed"):
        deploy(bench, spec(bench, "v2", "crash"))
    assert versions(bench) == {"v1"}


def a_first_version_that_does_not_start_is_failed(bench: Bench) -> None:
    bench.endpoint.apply(spec(bench, "v1", "crash"))
    assert bench.endpoint.settle(NAME, PATIENCE).status == "Failed"
    assert deploy(bench, spec(bench, "v2")).status == "InService"


def there_is_one_rollout_at_a_time(bench: Bench) -> None:
    deploy(bench, spec(bench, "v1"))
    bench.endpoint.apply(spec(bench, "v2"))

    with pytest.raises(BusyError):
        bench.endpoint.apply(spec(bench, "v3"))
    assert bench.endpoint.settle(NAME, PATIENCE).version == "v2"


def what_serves_already_is_not_deployed_again(bench: Bench) -> None:
    first = deploy(bench, spec(bench, "v1"))
    assert deploy(bench, spec(bench, "v1")).generation == first.generation


def variants_share_the_traffic_and_can_be_asked_by_name(bench: Bench) -> None:
    pair = tuple(Variant(name, bench.bundle(name), name, weight) for name, weight in (("A", 0.75), ("B", 0.25)))
    status = deploy(bench, EndpointSpec(NAME, pair))

    assert {v.name: v.weight for v in status.variants} == {"A": 0.75, "B": 0.25}
    assert [versions(bench, name) for name in "AB"] == [{"A"}, {"B"}]
    with pytest.raises(EndpointError):
        bench.endpoint.invoke(NAME, ASKED, "C")


def weights_change_without_another_fleet(bench: Bench) -> None:
    pair = tuple(Variant(name, bench.bundle(name), name, 0.5) for name in "AB")
    before = deploy(bench, EndpointSpec(NAME, pair))
    bench.endpoint.reweigh(NAME, {"A": 0.1, "B": 0.9})
    status = bench.endpoint.settle(NAME, PATIENCE)

    assert {v.name: v.weight for v in status.variants} == {"A": 0.1, "B": 0.9}
    assert status.generation == before.generation


def a_shadow_is_there_and_never_answers(bench: Bench) -> None:
    shadowed = replace(spec(bench, "v1"), shadow=Variant("shadow", bench.bundle("v2"), "v2"))
    status = deploy(bench, shadowed)

    assert status.shadow is not None
    assert (status.shadow.version, status.shadow.instances) == ("v2", 1)
    assert versions(bench) == {"v1"}
    with pytest.raises(EndpointError):
        bench.endpoint.invoke(NAME, ASKED, "shadow")


def a_rollback_serves_what_served_before(bench: Bench) -> None:
    deploy(bench, spec(bench, "v1"))
    deploy(bench, spec(bench, "v2"))
    bench.endpoint.rollback(NAME)
    status = bench.endpoint.settle(NAME, PATIENCE)

    assert (status.version, status.lineage) == ("v1", {"run": "v1"})
    assert versions(bench) == {"v1"}
    with pytest.raises(MissingError):
        bench.endpoint.rollback(NAME)


def a_rollout_that_its_driver_left_is_taken_on(bench: Bench) -> None:
    deploy(bench, spec(bench, "v1"))
    bench.endpoint.apply(spec(bench, "v2", rollout=canary(bench)))
    bench.endpoint.advance(NAME)

    assert bench.another_driver().settle(NAME, PATIENCE).version == "v2"


def what_was_never_deployed_is_missing(bench: Bench) -> None:
    for ask in (bench.endpoint.describe, bench.endpoint.advance, bench.endpoint.rollback, versions_of(bench)):
        with pytest.raises(MissingError):
            ask(NAME)


def what_was_deleted_is_missing(bench: Bench) -> None:
    deploy(bench, spec(bench, "v1"))
    bench.endpoint.delete(NAME)
    bench.endpoint.delete(NAME)

    what_was_never_deployed_is_missing(bench)
    assert deploy(bench, spec(bench, "v2")).version == "v2"


def versions_of(bench: Bench) -> Callable[[str], object]:
    return lambda name: bench.endpoint.invoke(name, ASKED)


def advance_to(
    bench: Bench, there: Callable[[EndpointStatus], bool], meanwhile: Callable[[str], None], looks: int = 200
) -> EndpointStatus:
    """Advance until the endpoint is there."""
    for _ in range(looks):
        if there(status := bench.endpoint.advance(NAME)):
            return status
        meanwhile(NAME)
    raise AssertionError(f"it stayed {status.status}: {status.reason}")


FACTS: tuple[Callable[[Bench], None], ...] = (
    what_is_deployed_answers,
    a_wish_is_kept_before_anything_is_done,
    an_update_ends_with_the_new_version,
    a_canary_ends_with_all_of_the_traffic,
    a_bad_canary_is_turned_back_by_its_alarm,
    a_deployment_that_was_turned_back_is_an_error,
    a_first_version_that_does_not_start_is_failed,
    there_is_one_rollout_at_a_time,
    what_serves_already_is_not_deployed_again,
    variants_share_the_traffic_and_can_be_asked_by_name,
    weights_change_without_another_fleet,
    a_shadow_is_there_and_never_answers,
    a_rollback_serves_what_served_before,
    a_rollout_that_its_driver_left_is_taken_on,
    what_was_never_deployed_is_missing,
    what_was_deleted_is_missing,
)
