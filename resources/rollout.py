"""What an endpoint should be, what is known of it, and how one turns into the other: plain data and pure functions.

A *spec* is a wish: production variants with weights, at most one shadow, how the traffic moves, what turns it back.
The *ledger* is what is kept in the object store, written before anything is done: the wish, the last spec that served
well (`good`), how far the traffic has moved. Its phases are SageMaker's words, and both implementations move it by the
functions below and by no other, so a wish means the same on a laptop and on SageMaker:

    Creating -> InService | Failed            the first spec; there is nothing to go back to
    InService -> Updating -> InService        the traffic has moved step by step, and every bake was quiet
    Updating -> RollingBack -> InService      a start failed, an alarm rang or somebody said so: `good` serves again

A *fleet* is all instances of one spec, numbered by the generation of the wish. What SageMaker demands is demanded here
(developer guide: "Deployment guardrails", "Shadow variants"), so that no spec works locally that would fail there.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from resources.alarms import Alarm

Kind = Literal["all_at_once", "canary", "linear"]
Phase = Literal["Creating", "Updating", "InService", "RollingBack", "Failed", "Deleting"]
IN_FLIGHT: tuple[Phase, ...] = ("Creating", "Updating", "RollingBack")
NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
LONGEST_BAKE = 3600
MOST_ALARMS = 10
MOST_REMEMBERED = 10
HALF = 0.5
LEAST_STEP = 0.1


class SpecError(ValueError):
    """A spec that no endpoint can serve. The text says which part, and what to change."""


class BusyError(RuntimeError):
    """Another rollout is under way: wait until it has ended, or roll it back."""


@dataclass(frozen=True)
class Variant:
    """One bundle behind an endpoint. `weight`: its share of the traffic (of a shadow: the share mirrored to it)."""

    name: str
    bundle_digest: str
    version: str
    weight: float = 1.0
    instances: int = 1


@dataclass(frozen=True)
class Rollout:
    """How traffic moves to a new fleet. `share`: of the canary, or of each linear step. A bake follows every step.

    `baseline`: the canary is judged against a fresh instance of the old version with as much traffic, not against
    instances that have been warm for weeks. (Local only: SageMaker's guardrails have no such fleet.)
    `least_requests`: what the new fleet must have been asked before a bake counts as done, of a canary or linear
    rollout; a bake waits for them for `traffic_seconds` longer, and then the rollout is turned back.
    """

    kind: Kind = "all_at_once"
    share: float = 1.0
    bake_seconds: float = 0.0
    baseline: bool = False
    least_requests: int = 0
    traffic_seconds: float = 600.0

    def __post_init__(self) -> None:
        if not 0 <= self.bake_seconds <= LONGEST_BAKE:
            raise SpecError(f"a bake of {self.bake_seconds:g} s is not from 0 to {LONGEST_BAKE} s")
        if self.least_requests < 0 or self.traffic_seconds < 0:
            raise SpecError("the least requests of a bake, and how long it waits for them, are 0 or more")
        least = {"all_at_once": 1.0, "canary": 0.0, "linear": LEAST_STEP}[self.kind]
        most = 1.0 if self.kind == "all_at_once" else HALF
        if not least <= self.share <= most or self.share == 0:
            raise SpecError(f"a share of {self.share:g} does not fit {self.kind}: use {least:g} to {most:g}")

    @property
    def wanted_requests(self) -> int:
        """What a step must have been asked; nothing where all of the traffic moves at once."""
        return 0 if self.kind == "all_at_once" else self.least_requests

    @property
    def longest_seconds(self) -> float:
        """What all bakes may take together."""
        waits = self.traffic_seconds if self.wanted_requests else 0.0
        return len(self.shares()) * (self.bake_seconds + waits)

    def shares(self) -> tuple[float, ...]:
        """The new fleet's share after each step; the last is 1."""
        if self.kind == "linear":
            count = math.ceil(1 / self.share - 1e-9)
            return (*(self.share * step for step in range(1, count)), 1.0)
        return (self.share, 1.0) if self.kind == "canary" else (1.0,)


ALL_AT_ONCE = Rollout()


@dataclass(frozen=True)
class EndpointSpec:
    """A wish. SpecError when it cannot be served.

    `alarms` guard the new fleet during a rollout. `lineage` says where it comes from and changes nothing.
    """

    name: str
    variants: tuple[Variant, ...]
    shadow: Variant | None = None
    rollout: Rollout = ALL_AT_ONCE
    alarms: tuple[Alarm, ...] = ()
    lineage: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        everyone = [*self.variants, *([self.shadow] if self.shadow else [])]
        names = [variant.name for variant in everyone]
        if bad := [name for name in (self.name, *names) if not NAME.fullmatch(name)]:
            raise SpecError(f"{bad[0]!r} is no name: use up to 63 letters, digits and single hyphens")
        if not self.variants or len(set(names)) != len(names):
            raise SpecError(f"variants need names of their own, and there must be one: {names}")
        if any(not 0 < variant.weight <= 1 or variant.instances < 1 for variant in everyone):
            raise SpecError("a variant's weight is above 0 and at most 1, and it has at least one instance")
        if not math.isclose(sum(variant.weight for variant in self.variants), 1, abs_tol=1e-9):
            raise SpecError(f"the weights {[variant.weight for variant in self.variants]} do not add up to 1")
        if self.shadow and len(self.variants) != 1:
            raise SpecError("a shadow goes with exactly one production variant: SageMaker serves no other")
        if (count := len(self.alarms) * len(self.variants)) > MOST_ALARMS:
            raise SpecError(f"{count} alarms on all variants: a deployment watches at most {MOST_ALARMS}")

    def fleet(self) -> dict[str, Any]:
        """What makes it another fleet: everything but weights, rollout, alarms and lineage."""
        parts = [replace(variant, weight=1.0) for variant in self.variants]
        return {"variants": [asdict(part) for part in parts], "shadow": asdict(self.shadow) if self.shadow else None}

    def to_json(self) -> dict[str, Any]:
        """As it is kept in the store."""
        return {
            **asdict(self),
            "variants": [asdict(v) for v in self.variants],
            "alarms": [asdict(a) for a in self.alarms],
        }

    @classmethod
    def from_json(cls, known: Mapping[str, Any]) -> EndpointSpec:
        """The inverse of `to_json`."""
        return cls(
            name=known["name"],
            variants=tuple(Variant(**variant) for variant in known["variants"]),
            shadow=Variant(**known["shadow"]) if known["shadow"] else None,
            rollout=Rollout(**known["rollout"]),
            alarms=tuple(Alarm(**alarm) for alarm in known["alarms"]),
            lineage=dict(known["lineage"]),
        )


@dataclass(frozen=True)
class Ledger:
    """What is kept of an endpoint. `step`: traffic steps taken; `since`: when the last was (seconds since 1970).

    `generation` numbers the fleet of `desired`, `good_generation` that of `good`. `earlier`: what served well before,
    newest first. `returning`: the wish is a rollback by hand, so that `earlier` loses its first when it succeeds.
    """

    desired: EndpointSpec
    generation: int
    phase: Phase
    since: float
    step: int = 0
    reason: str = ""
    good: EndpointSpec | None = None
    good_generation: int = 0
    earlier: tuple[EndpointSpec, ...] = ()
    returning: bool = False

    @property
    def share(self) -> float:
        """The share of the traffic that the fleet of `desired` has now."""
        if self.phase in ("Creating", "Updating"):
            return self.desired.rollout.shares()[self.step - 1] if self.step else 0.0
        return 0.0 if self.phase in ("RollingBack", "Failed", "Deleting") else 1.0

    def to_json(self) -> dict[str, Any]:
        """As it is kept in the store."""
        return {
            **{name: getattr(self, name) for name in ("generation", "phase", "since", "step", "reason", "returning")},
            "good_generation": self.good_generation,
            "desired": self.desired.to_json(),
            "good": self.good.to_json() if self.good else None,
            "earlier": [spec.to_json() for spec in self.earlier],
        }

    @classmethod
    def from_json(cls, known: Mapping[str, Any]) -> Ledger:
        """The inverse of `to_json`."""
        specs = {
            "desired": EndpointSpec.from_json(known["desired"]),
            "good": EndpointSpec.from_json(known["good"]) if known["good"] else None,
            "earlier": tuple(EndpointSpec.from_json(spec) for spec in known["earlier"]),
        }
        return cls(**{**known, **specs})


def wish(ledger: Ledger | None, spec: EndpointSpec, now: float) -> Ledger:
    """Wish for a spec. BusyError: another rollout is under way. SpecError: it cannot follow what serves.

    What serves or is on its way already changes nothing; other weights for the same fleet take effect at once.
    """
    if ledger is None or ledger.phase == "Deleting":
        return Ledger(spec, 1 + (ledger.generation if ledger else 0), "Creating", now)
    if ledger.phase in IN_FLIGHT:
        if ledger.desired == spec and ledger.phase != "RollingBack":
            return ledger
        raise BusyError(f"{spec.name} is {ledger.phase}: wait until that has ended, or roll it back")
    if ledger.good is None:
        return replace(ledger, desired=spec, generation=ledger.generation + 1, phase="Creating", since=now, reason="")
    if ledger.good.fleet() == spec.fleet():
        return replace(ledger, desired=spec, good=spec, reason="")
    names = [{variant.name for variant in some.variants} for some in (ledger.good, spec)]
    if spec.rollout.kind != "all_at_once" and names[0] != names[1]:
        raise SpecError(f"{spec.rollout.kind} keeps the variants' names; move {sorted(names[1])} all at once")
    return _updating(ledger, spec, now, returning=False)


def go_back(ledger: Ledger, now: float) -> Ledger | None:
    """Roll back by hand: what is moving turns round, what serves gives way to what served before. None: nothing did."""
    if ledger.phase == "Updating":
        return turn_back(ledger, "rolled back by hand", now)
    if ledger.phase != "InService" or not ledger.earlier:
        return ledger if ledger.phase == "RollingBack" else None
    return _updating(ledger, replace(ledger.earlier[0], rollout=ALL_AT_ONCE, alarms=()), now, returning=True)


def _updating(ledger: Ledger, spec: EndpointSpec, now: float, returning: bool) -> Ledger:
    moved = replace(ledger, desired=spec, generation=ledger.generation + 1, phase="Updating", since=now)
    return replace(moved, step=0, reason="", returning=returning)


def take_step(ledger: Ledger, now: float) -> Ledger:
    """The next share of the traffic, or the end of the rollout when the last step was baked."""
    if ledger.step < len(ledger.desired.rollout.shares()):
        return replace(ledger, step=ledger.step + 1, since=now)
    earlier = ledger.earlier[1:] if ledger.returning else (*([ledger.good] if ledger.good else []), *ledger.earlier)
    done = replace(ledger, phase="InService", since=now, step=0, good=ledger.desired, returning=False)
    return replace(done, good_generation=ledger.generation, earlier=earlier[:MOST_REMEMBERED])


def turn_back(ledger: Ledger, reason: str, now: float) -> Ledger:
    """Give a rollout up: the last good spec is to serve, and where there is none the endpoint has failed."""
    phase: Phase = "RollingBack" if ledger.good else "Failed"
    return replace(ledger, phase=phase, since=now, step=0, reason=reason, returning=False)


def restore(ledger: Ledger, now: float) -> Ledger:
    """The last good spec serves again: it is what is wished for now. The reason stays, for whoever asks why."""
    if ledger.good is None:
        raise ValueError("there is no good spec to restore")
    return replace(ledger, phase="InService", since=now, step=0, desired=ledger.good)
