"""Endpoints: bundles served over HTTP on the SageMaker container contract, behind one name each.

`apply` wishes for a spec and returns; `advance` does what is next and may be called by anybody, at any time, as often
as one likes: a rollout that its driver abandoned is taken on by the next. `deploy` is both, until it is done. What is
wished for, and how far it has come, lies in the object store at `endpoints/<name>` and is swapped only as expected:
two who want different things at once do not both get their way. The rules are in `resources.rollout`; here is what
both implementations share. Records and decisions travel as JSON Lines, one line a record, in order.
"""

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import dagster as dg

from resources.alarms import Window
from resources.rollout import IN_FLIGHT, EndpointSpec, Ledger, Phase, Variant, go_back, wish
from resources.store import Json, MissingError, ObjectStore

JSON_LINES = "application/jsonlines"
POLL_SECONDS = 0.1
VARIANT = "champion"
"""The name of the variant of an endpoint that has only one."""


class EndpointError(RuntimeError):
    """A deployment or a call failed. The text says what answered; the endpoint that served before still serves."""


@dataclass(frozen=True)
class VariantStatus:
    """A variant now: `weight` is the share of the traffic that it gets, `instances` how many of it answer."""

    name: str
    version: str
    bundle_digest: str
    weight: float
    desired_weight: float
    instances: int
    desired_instances: int


@dataclass(frozen=True)
class EndpointStatus:
    """An endpoint now. `variants`: all that get traffic or are to get it, heaviest first; during a rollout two fleets.

    `settled`: nothing is left to be done. `reason`: why it was rolled back or failed. `generation`: of the last wish.
    """

    name: str
    status: Phase
    url: str
    variants: tuple[VariantStatus, ...]
    shadow: VariantStatus | None
    reason: str
    generation: int
    settled: bool
    lineage: Mapping[str, str]

    @property
    def version(self) -> str:
        """The bundle version that most answers come from."""
        return self.variants[0].version if self.variants else ""


def single(name: str, bundle_digest: str, version: str, lineage: Mapping[str, str] | None = None) -> EndpointSpec:
    """The plainest spec: one variant with one instance, all at once."""
    return EndpointSpec(name, (Variant(VARIANT, bundle_digest, version),), lineage=dict(lineage or {}))


class Endpoint(dg.ConfigurableResource, ABC):  # type: ignore[type-arg]
    """The interface, with what both implementations do alike."""

    store: dg.ResourceDependency[ObjectStore]

    @abstractmethod
    def advance(self, name: str) -> EndpointStatus:
        """Do what is next for an endpoint, and say how it is then. MissingError: it was never wished for."""

    @abstractmethod
    def describe(self, name: str) -> EndpointStatus:
        """How an endpoint is; nothing is done. MissingError: there is none."""

    @abstractmethod
    def invoke(self, name: str, records: Sequence[Json], variant: str | None = None) -> list[Json]:
        """One decision for each record, in order; from one variant if it is named.

        EndpointError: refused, with the answer's text, or nobody answers. MissingError: there is no such endpoint.
        """

    def windows(self, name: str, since: float = 0.0) -> Sequence[Window]:  # noqa: ARG002 - for those who have some
        """What was measured after `since` (seconds since 1970), by target; nothing where AWS measures."""
        return ()

    def answers(self, name: str, record_ids: Iterable[str], since: float = 0.0) -> Sequence[Json]:  # noqa: ARG002
        """What variants that share the traffic first answered about these records after `since`, oldest first.

        See resources.answers.read_answers for what is told; nothing where answers are not kept.
        """
        return ()

    def apply(self, spec: EndpointSpec) -> EndpointStatus:
        """Wish for a spec. BusyError: another rollout is under way. SpecError: it cannot follow what serves.

        ConflictError: somebody else wished at the same time.
        """
        before = self._ledger(spec.name)
        self._note(spec.name, before, wish(before, spec, time.time()))
        return self.describe(spec.name)

    def reweigh(self, name: str, weights: Mapping[str, float]) -> EndpointStatus:
        """Share the traffic out anew between the variants that serve. SpecError: they do not add up to 1."""
        ledger = self._known(name)
        variants = tuple(replace(v, weight=weights.get(v.name, v.weight)) for v in ledger.desired.variants)
        return self.apply(replace(ledger.desired, variants=variants))

    def rollback(self, name: str) -> EndpointStatus:
        """Wish for what served before; a rollout under way turns round. MissingError: nothing did."""
        before = self._known(name)
        after = go_back(before, time.time())
        if after is None:
            raise MissingError(f"nothing was served under {name} before")
        self._note(name, before, after)
        return self.describe(name)

    def settle(self, name: str, seconds: float = 300.0) -> EndpointStatus:
        """Advance until nothing is left to be done. EndpointError: it takes longer than that, and still goes on."""
        until = time.monotonic() + seconds
        while not (status := self.advance(name)).settled:
            if time.monotonic() > until:
                raise EndpointError(
                    f"{name} is {status.status} after {seconds:.0f} s: {status.reason or 'wait for it'}"
                )
            time.sleep(POLL_SECONDS)
        return status

    def deploy(self, spec: EndpointSpec, seconds: float = 300.0) -> EndpointStatus:
        """Wish for a spec and see it through. EndpointError: it was turned back; what served before serves."""
        self.apply(spec)
        status = self.settle(spec.name, seconds + spec.rollout.longest_seconds)
        if self._known(spec.name).good != spec:
            raise EndpointError(f"{spec.name} was not deployed: {status.reason}")
        return status

    def delete(self, name: str) -> None:
        """Stop serving, and forget what was served. Deleting what is not there does nothing."""
        before = self._ledger(name)
        if before is None:
            return
        if before.phase != "Deleting":
            self._note(name, before, replace(before, phase="Deleting", since=time.time()))
        while not self._clear_away(name):
            time.sleep(POLL_SECONDS)

    @abstractmethod
    def _clear_away(self, name: str) -> bool:
        """Remove a bit more of an endpoint that is Deleting; whether it is gone."""

    def _ledger(self, name: str) -> Ledger | None:
        known = self.store.get_json(_key(name))
        return Ledger.from_json(known) if known else None

    def _known(self, name: str) -> Ledger:
        ledger = self._ledger(name)
        if ledger is None or ledger.phase == "Deleting":
            raise MissingError(f"no endpoint {name} was deployed")
        return ledger

    def _note(self, name: str, before: Ledger | None, after: Ledger) -> None:
        """Write the ledger. ConflictError: somebody else has written it since."""
        if after != before:
            self.store.put_json(_key(name), after.to_json(), expected=before.to_json() if before else None)


def status_of(
    ledger: Ledger, url: str, status: Phase, settled: bool, shares: Mapping[tuple[int, str], tuple[float, int]]
) -> EndpointStatus:
    """The status that a ledger and what is seen make. `shares`: (fleet, variant) to its weight and instances now.

    Of a variant with a baseline the two are one.
    """
    fleets = [(ledger.good_generation, ledger.good)] if ledger.good else []
    if ledger.phase in ("Creating", "Updating", "Failed"):
        fleets.append((ledger.generation, ledger.desired))

    def told(fleet: int, variant: Variant, desired: float) -> VariantStatus:
        weight, instances = shares.get((fleet, variant.name), (0.0, 0))
        facts = (variant.name, variant.version, variant.bundle_digest)
        return VariantStatus(*facts, weight, desired, instances, variant.instances)

    wanted, shadowing = fleets[-1]
    variants = [
        told(fleet, variant, variant.weight if fleet == wanted else 0.0)
        for fleet, spec in fleets
        for variant in spec.variants
    ]
    return EndpointStatus(
        name=ledger.desired.name,
        status=status,
        url=url,
        variants=tuple(sorted(variants, key=lambda v: (-v.weight, -v.desired_weight))),
        shadow=told(wanted, shadowing.shadow, shadowing.shadow.weight) if shadowing.shadow else None,
        reason=ledger.reason,
        generation=ledger.generation,
        settled=settled,
        lineage=dict((ledger.good or ledger.desired).lineage),
    )


def json_lines(records: Iterable[Json]) -> bytes:
    """Records as a request's body."""
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode()


def in_flight(ledger: Ledger) -> bool:
    """Whether a rollout is under way."""
    return ledger.phase in IN_FLIGHT


def _key(name: str) -> str:
    return f"endpoints/{name}"
