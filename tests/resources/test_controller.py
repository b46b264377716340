"""The controller as a state machine: a world of processes that die, a driver that is killed, alarms that ring."""

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from resources.controller import (
    Follow,
    Health,
    Note,
    Place,
    Routes,
    Seen,
    Start,
    StartRouter,
    Stop,
    StopRouter,
    instances,
    reconcile,
    routes_of,
)
from resources.rollout import (
    ALL_AT_ONCE,
    IN_FLIGHT,
    BusyError,
    EndpointSpec,
    Ledger,
    Rollout,
    SpecError,
    Variant,
    go_back,
    wish,
)


def spec(version: str, rollout: Rollout = ALL_AT_ONCE, weights: tuple[float, ...] = (1.0,), shadow: bool = False):
    variants = tuple(Variant(f"v{i}", version * 64, version, weight) for i, weight in enumerate(weights))
    return EndpointSpec("matching", variants, Variant("s", "f" * 64, "f") if shadow else None, rollout)


@dataclass
class World:
    """What the actions act on. Nothing of it is told to the controller but by `look`."""

    ledger: Ledger
    now: float = 0.0
    places: dict[Place, Health] = field(default_factory=dict)
    routes: Routes | None = None
    broken: set[str] = field(default_factory=set)
    ringing: set[int] = field(default_factory=set)
    slow_router: bool = False
    told: Routes | None = None
    requests: int = 0
    live: list[tuple[Routes, Ledger]] = field(default_factory=list)

    def look(self) -> Seen:
        faults = {place: "it died" for place, health in self.places.items() if health == "dead"}
        rings = ("an alarm",) if self.ledger.generation in self.ringing else ()
        return Seen(dict(self.places), self.routes, faults, rings, self.requests)

    def advance(self, crash_after: int | None = None) -> int:
        """One look and what it asks for, of which only the first `crash_after` actions are done."""
        actions = reconcile(self.ledger, self.look(), self.now)
        for action in actions[:crash_after]:
            self.do(action)
        self.now += 1
        return len(actions)

    def do(self, action: object) -> None:
        match action:
            case Note(ledger):
                self.ledger = ledger
            case StartRouter():
                self.routes = Routes()
            case StopRouter():
                self.routes = None
            case Start(place, variant):
                self.places[place] = "dead" if variant.version in self.broken else "starting"
            case Stop(place):
                assert self.routes is None or place not in self.routes.places(), "stopped while it had traffic"
                del self.places[place]
            case Follow(routes) if self.slow_router:
                self.told = routes
            case Follow(routes):
                self.routes = routes
                self.live.append((routes, self.ledger))

    def ready(self) -> None:
        self.places = {place: "ready" if health == "starting" else health for place, health in self.places.items()}

    def settle(self, rounds: int = 200) -> None:
        for _ in range(rounds):
            self.ready()
            if self.advance() == 0 and self.ledger.phase not in IN_FLIGHT:
                return
        raise AssertionError(f"no end: {self.ledger.phase} at step {self.ledger.step}")


def serving(world: World) -> set[str]:
    return {route.version for route in world.routes.production if route.places}


def brought_up(first: EndpointSpec) -> World:
    world = World(wish(None, first, 0.0))
    world.settle()
    return world


CANARY = Rollout("canary", 0.1, bake_seconds=5)
LINEAR = Rollout("linear", 0.25, bake_seconds=3, baseline=True)
ROLLOUTS = [Rollout(), CANARY, replace(CANARY, baseline=True), LINEAR]


@pytest.mark.parametrize("kind", ["canary", "linear"])
def test_a_step_that_nobody_asks_waits_and_is_turned_back(kind):
    world = brought_up(spec("a"))
    rollout = Rollout(kind, 0.5, bake_seconds=5, least_requests=20, traffic_seconds=30)
    world.ledger = wish(world.ledger, spec("b", rollout), world.now)
    world.requests = 19
    for _ in range(20):
        world.ready()
        world.advance()
    assert (world.ledger.phase, world.ledger.step) == ("Updating", 1)
    world.settle()
    assert serving(world) == {"a"}
    assert world.ledger.reason.startswith("no traffic: the new version was asked 19 of at least 20 requests")


def test_a_step_that_is_asked_enough_goes_on():
    world = brought_up(spec("a"))
    asked = replace(CANARY, least_requests=20)
    world.ledger = wish(world.ledger, spec("b", asked), world.now)
    world.requests = 20
    world.settle()
    assert serving(world) == {"b"}


def test_what_moves_all_at_once_needs_nobody_to_ask():
    world = brought_up(spec("a"))
    world.ledger = wish(world.ledger, spec("b", Rollout(least_requests=20)), world.now)
    world.settle()
    assert serving(world) == {"b"}


@pytest.mark.parametrize("rollout", ROLLOUTS)
def test_a_quiet_rollout_ends_with_the_new_fleet_alone(rollout):
    world = brought_up(spec("a"))
    world.ledger = wish(world.ledger, spec("b", rollout), world.now)
    world.settle()

    assert (world.ledger.phase, world.ledger.good.variants[0].version) == ("InService", "b")
    assert serving(world) == {"b"}
    assert {place.fleet for place in world.places} == {world.ledger.good_generation}


def test_the_traffic_moves_by_the_steps_of_the_rollout():
    world = brought_up(spec("a"))
    world.ledger = wish(world.ledger, spec("b", replace(LINEAR, baseline=False)), world.now)
    world.settle()

    moved = [sum(route.share for route in routes.production if route.version == "b") for routes, _ in world.live]
    assert moved[1:] == [0.25, 0.5, 0.75, 1]
    assert moved[0] == 0


def test_each_step_is_baked():
    world = brought_up(spec("a"))
    began = world.now
    world.ledger = wish(world.ledger, spec("b", CANARY), began)
    world.settle()

    assert world.now - began >= 2 * CANARY.bake_seconds


def test_a_canary_has_a_baseline_with_as_much_traffic():
    world = brought_up(spec("a"))
    world.ledger = wish(world.ledger, spec("b", replace(CANARY, baseline=True)), world.now)
    while world.ledger.step != 1 or world.routes != routes_of(world.ledger, world.look()):
        world.ready()
        world.advance()

    shares = {route.role + route.version: route.share for route in world.routes.production}
    assert shares == {"productionb": 0.1, "baselinea": 0.1, "productiona": pytest.approx(0.8)}


def test_nothing_is_stopped_before_the_router_has_left_it():
    """`World` objects to an instance that is stopped while it has traffic; here the router is slow to follow."""
    world = brought_up(spec("a"))
    world.ledger = wish(world.ledger, spec("b", replace(CANARY, baseline=True)), world.now)
    world.slow_router = True
    for _ in range(100):
        world.ready()
        world.advance()
        if world.now % 4 == 0 and world.told:
            world.routes = world.told
    assert serving(world) == {"b"}
    assert {place.fleet for place in world.places} == {world.ledger.good_generation}


def test_a_bake_does_not_count_while_the_router_follows_other_routes():
    world = brought_up(spec("a"))
    world.ledger = wish(world.ledger, spec("b", CANARY), world.now)
    world.slow_router = True
    for _ in range(50):
        world.ready()
        world.advance()
    assert (world.ledger.phase, world.ledger.step) == ("Updating", 1)


def test_an_alarm_turns_the_rollout_back_at_the_next_look():
    world = brought_up(spec("a"))
    world.ledger = wish(world.ledger, spec("b", CANARY), world.now)
    while world.ledger.step != 1:
        world.ready()
        world.advance()
    world.ringing.add(world.ledger.generation)
    world.advance()

    assert world.ledger.phase == "RollingBack"
    assert serving(world) == {"a"}
    world.settle()
    assert (world.ledger.phase, world.ledger.desired.variants[0].version) == ("InService", "a")
    assert world.ledger.reason == "an alarm"


def test_a_version_that_does_not_start_gets_no_traffic():
    world = brought_up(spec("a"))
    world.broken.add("b")
    world.ledger = wish(world.ledger, spec("b", CANARY), world.now)
    before = len(world.live)
    world.settle()

    assert all(route.version == "a" for routes, _ in world.live[before:] for route in routes.production)
    assert (world.ledger.phase, world.ledger.reason) == ("InService", "it died")


def test_a_first_version_that_does_not_start_is_failed_and_another_can_follow():
    world = World(wish(None, spec("a"), 0.0), broken={"a"})
    world.settle()
    assert (world.ledger.phase, world.places) == ("Failed", {})

    world.ledger = wish(world.ledger, spec("b"), world.now)
    world.settle()
    assert serving(world) == {"b"}


def test_an_instance_that_dies_in_service_is_started_again():
    world = brought_up(spec("a"))
    (place,) = world.places
    world.places[place] = "dead"
    world.advance()
    assert world.routes.places() == frozenset()
    world.settle()

    assert world.routes.places() == {place}


def test_one_rollout_at_a_time():
    world = brought_up(spec("a"))
    world.ledger = wish(world.ledger, spec("b", CANARY), world.now)

    with pytest.raises(BusyError, match="is Updating"):
        wish(world.ledger, spec("c"), world.now)
    assert wish(world.ledger, spec("b", CANARY), world.now) is world.ledger


def test_other_weights_need_no_other_fleet():
    world = brought_up(spec("a", weights=(0.5, 0.5)))
    fleet = dict(world.places)
    world.ledger = wish(world.ledger, spec("a", weights=(0.9, 0.1)), world.now)
    world.settle()

    assert world.places == fleet
    assert [route.share for route in world.routes.production] == [0.9, 0.1]


def test_a_canary_keeps_the_names_of_the_variants():
    world = brought_up(spec("a"))
    with pytest.raises(SpecError, match="keeps the variants' names"):
        wish(world.ledger, spec("b", CANARY, weights=(0.5, 0.5)), world.now)


def test_a_rollback_by_hand_serves_what_served_before_and_is_not_undone_by_another():
    world = brought_up(spec("a"))
    for version in "bc":
        world.ledger = wish(world.ledger, spec(version), world.now)
        world.settle()
    found = []
    while (back := go_back(world.ledger, world.now)) is not None:
        world.ledger = back
        world.settle()
        found.append(serving(world))

    assert found == [{"b"}, {"a"}]


def test_a_rollback_in_the_middle_of_a_rollout_turns_it_round():
    world = brought_up(spec("a"))
    world.ledger = wish(world.ledger, spec("b", CANARY), world.now)
    while world.ledger.step != 1:
        world.ready()
        world.advance()
    world.ledger = go_back(world.ledger, world.now)
    world.settle()

    assert serving(world) == {"a"}


def test_a_shadow_gets_copies_and_no_share():
    world = brought_up(spec("a", shadow=True))

    assert world.routes.shadow.version == "f"
    assert sum(route.share for route in world.routes.production) == 1


def test_an_endpoint_that_is_deleted_leaves_nothing():
    world = brought_up(spec("a", shadow=True))
    world.ledger = replace(world.ledger, phase="Deleting")
    while world.advance():
        pass

    assert (world.places, world.routes) == ({}, None)


STEPS = st.one_of(
    st.tuples(st.just("advance"), st.none() | st.integers(0, 4)),
    st.tuples(st.just("ready"), st.none()),
    st.tuples(st.just("die"), st.integers(0, 5)),
    st.tuples(st.just("router dies"), st.none()),
    st.tuples(st.just("ring"), st.none()),
    st.tuples(st.just("wish"), st.tuples(st.sampled_from("bcd"), st.sampled_from(ROLLOUTS))),
    st.tuples(st.just("roll back"), st.none()),
)


def shake(world: World, what: str, how: object) -> None:
    """Something happens to the world."""
    match what:
        case "advance":
            world.advance(how)
        case "ready":
            world.ready()
        case "die" if world.places:
            world.places[sorted(world.places)[how % len(world.places)]] = "dead"
        case "router dies":
            world.routes = None
        case "ring":
            world.ringing.add(world.ledger.generation)
        case "wish" if world.ledger.phase not in IN_FLIGHT:
            world.ledger = wish(world.ledger, spec(how[0], how[1]), world.now)
        case "roll back":
            world.ledger = go_back(world.ledger, world.now) or world.ledger


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(STEPS, max_size=40))
def test_whatever_happens_it_converges_on_one_good_spec(steps):
    world = brought_up(spec("a"))
    for what, how in steps:
        shake(world, what, how)
        shares = [route.share for route in world.routes.production] if world.routes else []
        assert not shares or sum(shares) == pytest.approx(1)
        assert len({place.fleet for place in world.places}) <= 4
    last_good, turning = world.ledger.good, world.ledger.phase == "RollingBack"
    world.settle()

    assert world.ledger.phase == "InService"
    assert world.ledger.desired == world.ledger.good
    assert not turning or world.ledger.good == last_good
    assert set(world.places) == set(instances(world.ledger))
    assert world.routes.places() == set(world.places)


@settings(max_examples=200)
@given(st.lists(STEPS, max_size=40))
def test_traffic_never_goes_to_more_than_two_specs(steps):
    world = brought_up(spec("a"))
    for what, how in steps:
        shake(world, what, how)
        if world.routes:
            assert len({route.fleet for route in world.routes.production}) <= 2


@given(st.lists(STEPS, max_size=20))
def test_the_ledger_is_the_same_after_it_was_stored(steps):
    world = brought_up(spec("a", weights=(0.25, 0.75)))
    for what, how in steps:
        if what != "wish":
            shake(world, what, how)
    assert Ledger.from_json(world.ledger.to_json()) == world.ledger


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (lambda: spec("a", weights=(0.5, 0.6)), "do not add up to 1"),
        (lambda: spec("a", weights=(0.5, 0.5), shadow=True), "exactly one production variant"),
        (lambda: EndpointSpec("matching", ()), "there must be one"),
        (lambda: EndpointSpec("not a name", (Variant("v", "a" * 64, "a"),)), "is no name"),
        (lambda: EndpointSpec("m", (Variant("v", "a" * 64, "a", 0.5), Variant("v", "b" * 64, "b", 0.5))), "own"),
        (lambda: Rollout("canary", 0.6), "does not fit canary"),
        (lambda: Rollout("linear", 0.05), "does not fit linear"),
        (lambda: Rollout("all_at_once", bake_seconds=4000), "is not from 0 to 3600"),
    ],
)
def test_a_spec_that_sagemaker_would_refuse_is_refused(wrong, why):
    with pytest.raises(SpecError, match=why):
        wrong()
