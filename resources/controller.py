"""The rollout controller: from what is wished for and what is seen to what is done next. A pure function.

`reconcile` looks at the ledger and at the world, and never at what it did before: whoever calls it, however often and
after whatever crash, the same look gives the same actions. The first action is the ledger's new state, so that a
process killed between two actions leaves a ledger that says where it was going. Held by property tests: from any
crash the world converges on the last good spec or the new one; shares add up to 1; at most two specs have traffic.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Literal

from resources.rollout import EndpointSpec, Ledger, Variant, restore, take_step, turn_back

Role = Literal["production", "baseline", "shadow"]
Health = Literal["starting", "ready", "dead", "resting"]


@dataclass(frozen=True, order=True)
class Place:
    """Where an instance belongs: the `number`-th process of a variant, in a role, in the fleet of a generation."""

    fleet: int
    role: Role
    variant: str
    number: int

    @property
    def target(self) -> str:
        """What its windows are counted under: the variant of a fleet."""
        return target(self.fleet, self.role, self.variant)


def target(fleet: int, role: Role, variant: str) -> str:
    """The name under which a variant of a fleet is measured: `3/production/champion`."""
    return f"{fleet}/{role}/{variant}"


@dataclass(frozen=True)
class Route:
    """The share of the traffic that a variant gets (of a shadow: that is mirrored to it), and the places that answer.

    `group`: the fleet's share as a whole. An entity is given to a fleet first and to a variant of it second, so that
    it stays where it is when the fleet's share grows.
    """

    fleet: int
    role: Role
    variant: str
    version: str
    group: float
    share: float
    places: tuple[Place, ...]


@dataclass(frozen=True)
class Routes:
    """What the router follows. The shares of production and baseline add up to 1, unless nothing serves yet."""

    production: tuple[Route, ...] = ()
    shadow: Route | None = None

    def places(self) -> frozenset[Place]:
        """Every place that is sent requests."""
        return frozenset(
            chain.from_iterable(route.places for route in (*self.production, *filter(None, [self.shadow])))
        )


@dataclass(frozen=True)
class Seen:
    """The world. `places`: every instance that was started and not stopped.

    resting: it died too often to be started again at once. `routes`: what the router follows (None: no router
    answers). `faults`: why an instance is dead. `breaches`: what rings for the new fleet, in sentences. `requests`: how
    many the new fleet was sent since the last step.
    """

    places: Mapping[Place, Health] = field(default_factory=dict)
    routes: Routes | None = None
    faults: Mapping[Place, str] = field(default_factory=dict)
    breaches: tuple[str, ...] = ()
    requests: int = 0


@dataclass(frozen=True)
class Note:
    """Write the ledger, if it still is what it was."""

    ledger: Ledger


@dataclass(frozen=True)
class StartRouter:
    """Start the router."""


@dataclass(frozen=True)
class StopRouter:
    """Stop the router."""


@dataclass(frozen=True)
class Start:
    """Start an instance; what is left of an earlier one in its place is removed."""

    place: Place
    variant: Variant


@dataclass(frozen=True)
class Stop:
    """Stop an instance that gets no requests any more, after those that it is answering."""

    place: Place


@dataclass(frozen=True)
class Follow:
    """Let the router follow these routes from now on."""

    routes: Routes


Action = Note | StartRouter | StopRouter | Start | Stop | Follow


def reconcile(ledger: Ledger, seen: Seen, now: float) -> tuple[Action, ...]:
    """What is to be done next, in this order. Nothing: the world is as the ledger says."""
    moved = transition(ledger, seen, now)
    note = (Note(moved),) if moved != ledger else ()
    wanted = instances(moved)
    starts = [
        Start(place, variant) for place, variant in sorted(wanted.items()) if seen.places.get(place, "dead") == "dead"
    ]
    if moved.phase == "Deleting":
        return (*([StopRouter()] if seen.routes is not None else []), *map(Stop, sorted(seen.places)))
    if seen.routes is None:
        return (*note, StartRouter(), *starts)
    routes = routes_of(moved, seen)
    follow = [Follow(routes)] if routes != seen.routes else []
    # Stopped is only what the router has left: while it follows other routes, nothing is.
    unused = [] if follow else [Stop(place) for place in sorted(set(seen.places) - set(wanted))]
    return (*note, *starts, *follow, *unused)


def transition(ledger: Ledger, seen: Seen, now: float) -> Ledger:
    """The ledger's next state by what is seen."""
    if ledger.phase in ("Creating", "Updating"):
        return _move_on(ledger, seen, now)
    if ledger.phase == "RollingBack":
        settled = seen.routes == routes_of(ledger, seen) and _all_ready(ledger, seen, "production")
        return restore(ledger, now) if settled else ledger
    return ledger


def _move_on(ledger: Ledger, seen: Seen, now: float) -> Ledger:
    if faults := [seen.faults[place] for place in sorted(seen.faults) if place.fleet == ledger.generation]:
        return turn_back(ledger, faults[0], now)
    if ledger.step == 0:
        ready = _all_ready(ledger, seen, "production", "shadow", "baseline")
        return take_step(ledger, now) if ready and seen.routes is not None else ledger
    if seen.breaches:
        return turn_back(ledger, seen.breaches[0], now)
    rollout, waited = ledger.desired.rollout, now - ledger.since
    # A bake counts only while the traffic goes where the step says.
    if waited < rollout.bake_seconds or seen.routes != routes_of(ledger, seen):
        return ledger
    if seen.requests >= rollout.wanted_requests:
        return take_step(ledger, now)
    if waited < rollout.bake_seconds + rollout.traffic_seconds:
        return ledger
    of = f"{seen.requests} of at least {rollout.wanted_requests} requests in {waited:.0f} s"
    return turn_back(ledger, f"no traffic: the new version was asked {of}", now)


def _all_ready(ledger: Ledger, seen: Seen, *roles: Role) -> bool:
    fleet = ledger.good_generation if ledger.phase == "RollingBack" else ledger.generation
    wanted = [place for place in instances(ledger) if place.role in roles]
    return all(
        seen.places.get(place) == "ready" for place in wanted if place.fleet == fleet or place.role == "baseline"
    )


def instances(ledger: Ledger) -> dict[Place, Variant]:
    """Every instance that should be there."""
    wanted: dict[Place, Variant] = {}
    if ledger.phase == "Deleting":
        return wanted
    if ledger.good:
        wanted |= _fleet(ledger.good, ledger.good_generation)
    if ledger.phase in ("Creating", "Updating"):
        wanted |= _fleet(ledger.desired, ledger.generation)
        if (baseline := _baseline(ledger)) and ledger.step < len(ledger.desired.rollout.shares()):
            wanted[Place(ledger.good_generation, "baseline", baseline.name, 0)] = baseline
    return wanted


def _fleet(spec: EndpointSpec, generation: int) -> dict[Place, Variant]:
    roles: list[tuple[Role, Variant]] = [("production", variant) for variant in spec.variants]
    roles += [("shadow", spec.shadow)] if spec.shadow else []
    return {
        Place(generation, role, variant.name, number): variant
        for role, variant in roles
        for number in range(variant.instances)
    }


def _baseline(ledger: Ledger) -> Variant | None:
    """What a canary is judged against, where it is: one variant is being replaced by another."""
    if ledger.phase != "Updating" or not ledger.desired.rollout.baseline or ledger.good is None:
        return None
    alone = len(ledger.good.variants) == 1 and ledger.desired.rollout.kind != "all_at_once"
    return ledger.good.variants[0] if alone else None


def routes_of(ledger: Ledger, seen: Seen) -> Routes:
    """Where the traffic goes in this state of the ledger: to instances that are ready, in shares that add up to 1."""
    share = ledger.share
    parts: list[tuple[int, Role, float, tuple[Variant, ...]]] = []
    if ledger.phase in ("Creating", "Updating"):
        parts.append((ledger.generation, "production", share, ledger.desired.variants))
        if baseline := _baseline(ledger):
            parts.append((ledger.good_generation, "baseline", min(share, 1 - share), (baseline,)))
    left = 1 - sum(part[2] for part in parts)
    if ledger.good:
        parts.append((ledger.good_generation, "production", left, ledger.good.variants))

    production = tuple(
        _route(seen, fleet, role, variant, group, group * (1.0 if role == "baseline" else variant.weight))
        for fleet, role, group, variants in parts
        for variant in variants
        if group > 0
    )
    shadowed, fleet = _shadowed(ledger)
    if not production or shadowed is None or shadowed.shadow is None:
        return Routes(production)
    return Routes(production, _route(seen, fleet, "shadow", shadowed.shadow, 0.0, shadowed.shadow.weight))


def _shadowed(ledger: Ledger) -> tuple[EndpointSpec | None, int]:
    """The spec whose shadow is mirrored to: that of the fleet which has all or most of the traffic."""
    if ledger.phase in ("Creating", "Updating") and ledger.share == 1:
        return ledger.desired, ledger.generation
    return ledger.good, ledger.good_generation


def _route(seen: Seen, fleet: int, role: Role, variant: Variant, group: float, share: float) -> Route:
    places = [Place(fleet, role, variant.name, number) for number in range(variant.instances)]
    ready = tuple(place for place in places if seen.places.get(place) == "ready")
    return Route(fleet, role, variant.name, variant.version, group, share, ready)
