"""The model registry: which bundles were registered, who approved them on what evidence, and which one is the champion.

A package is registered once for each bundle digest and gets the next version (1, 2, ...). It keeps metrics,
certificate, card and lineage as they were, and a history of its status: each entry says the status, by whom (a rule or
a role), when, and the gates with the values they saw.

Two pointers lie in one document and are moved by compare-and-swap: the *champion*, which is in production, and the
*challenger*, which wants to be. Only an approved version becomes champion, by an approval that has not expired and,
where four eyes are asked for, that somebody else gave than who promotes. The document remembers every move, also those
that lost to another at the same time, so that a rollback needs no other information and nothing is lost in silence.
A version's stage follows from this: `dev` when registered, `staging` when approved, `prod` as the champion.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal, get_args

import dagster as dg

from resources.store import ConflictError, Json, MissingError, ObjectStore

Status = Literal["PendingManualApproval", "Approved", "Rejected"]
Stage = Literal["dev", "staging", "prod"]
CHAMPION = "champion"  # the document of both pointers
AUTOMATIC = ("registration", "rule", "")
"""Who is nobody: their eyes do not count as a pair."""
CLOSES = "closes"
"""In the lineage of a closed version: the bundle that it is the closed form of (`matching.closing`)."""


class NotApprovedError(RuntimeError):
    """The version may not serve: it is not approved, no longer, or not by somebody else. The text says which."""


@dataclass(frozen=True)
class ModelPackage:
    """A registered bundle. `history`, oldest first: {status, by, at (ISO 8601, UTC), gates: [{gate, value, ...}]}."""

    version: int
    bundle_digest: str
    status: Status
    metrics: Json
    certificate: Json
    card: Json
    lineage: Json
    history: tuple[Json, ...]


class Registry(dg.ConfigurableResource, ABC):  # type: ignore[type-arg]
    """The interface, with what both implementations do alike: documents and pointers lie in `store`.

    `four_eyes`: a person has approved, and another promotes. `approval_days`: how long an approval holds; None: always.
    """

    store: dg.ResourceDependency[ObjectStore]
    four_eyes: bool = False
    approval_days: float | None = None

    @abstractmethod
    def register(self, bundle_digest: str, metrics: Json, certificate: Json, card: Json, lineage: Json) -> int:
        """Register a bundle and return its version; the version it already has, if it was registered before."""

    @abstractmethod
    def set_status(self, version: int, status: Status, by: str, gates: Sequence[Json] = ()) -> ModelPackage:
        """Record a decision and the gates with the values they saw. MissingError; ConflictError: decided meanwhile."""

    def get(self, version: int) -> ModelPackage:
        """One package. MissingError: no such version."""
        document = self.store.get_json(key_of(version))
        if document is None:
            raise MissingError(f"no version {version} is registered")
        return _package(document)

    def list(self) -> Sequence[ModelPackage]:
        """All packages, oldest first."""
        return [self.get(int(key.rsplit("/", 1)[1])) for key in self.store.list_json("packages")]

    def champion(self) -> ModelPackage | None:
        """The package in production, or None before the first promotion."""
        versions = self._pointer()["versions"]
        return self.get(versions[-1]) if versions else None

    def promoted(self) -> Sequence[int]:
        """Every version that is or ever was the champion, in the order of the first time."""
        return list(dict.fromkeys(entry["version"] for entry in self._pointer()["log"]))

    def challenger(self) -> ModelPackage | None:
        """The version that wants to be champion, or None."""
        version = self._pointer().get("challenger")
        return self.get(version) if version else None

    def challenge(self, version: int, expected: int | None) -> ModelPackage:
        """Make a version the challenger, in place of `expected` (None: there is none).

        ConflictError: another came first. That this one lost is recorded, and it stays registered.
        """
        package = self.get(version)
        pointer = self._pointer()
        current = pointer.get("challenger")
        if current == version:
            return package
        if current == expected:
            try:
                self._write(pointer, {"challenger": version}, "challenge", version)
            except ConflictError:
                current = self._pointer().get("challenger")
            else:
                return package
        self._record("lost", version)
        raise ConflictError(f"version {version} is not the challenger: version {current} came first")

    def stage(self, version: int) -> Stage:
        """How far a version has come."""
        champion = self.champion()
        if champion and champion.version == version:
            return "prod"
        return "staging" if self.get(version).status == "Approved" else "dev"

    def moves(self) -> Sequence[Json]:
        """Every move of the pointers, oldest first: {action, version, at, by}."""
        return [*self._pointer()["log"]]

    def objection(self, package: ModelPackage, by: str = "", now: datetime | None = None) -> str | None:
        """Why a version may not be promoted by somebody (`by`; empty: by nobody in particular), or None if it may."""
        if CLOSES in package.lineage:
            return f"version {package.version} matches nothing: it comes into service by closing, not by promotion"
        if package.status != "Approved":
            return f"version {package.version} is {package.status}: approve it before it is promoted"
        approval = next((entry for entry in reversed(package.history) if entry["status"] == "Approved"), None)
        if approval is None:
            # Set in SageMaker's console: it counts, but nobody knows whose it is or how old.
            known = not self.four_eyes and self.approval_days is None
            return None if known else f"the approval of version {package.version} is not recorded: approve it here"
        age = (now or datetime.now(UTC)) - datetime.fromisoformat(approval["at"])
        if self.approval_days is not None and age > timedelta(days=self.approval_days):
            return f"the approval of version {package.version} is {age.days} days old: have it approved again"
        if self.four_eyes and (approval["by"] in AUTOMATIC or by in AUTOMATIC or by == approval["by"]):
            return f"version {package.version} was approved by {approval['by']}: another person has to promote it"
        return None

    def promote(self, version: int, expected: int | None, by: str = "") -> ModelPackage:
        """Make an approved version the champion, in place of `expected` (None: there is no champion yet).

        NotApprovedError; ConflictError: the champion is not `expected`. Promoting the champion does nothing.
        """
        package = self.get(version)
        if why := self.objection(package, by):
            raise NotApprovedError(why)
        pointer = self._pointer()
        versions = pointer["versions"]
        current = versions[-1] if versions else None
        if current != expected:
            raise ConflictError(f"the champion is version {current}, not {expected}: look at it, and decide anew")
        if current != version:
            self._move(pointer, [*versions, version], "promote", by)
        return package

    def close(self, version: int, expected: int, by: str = "") -> ModelPackage:
        """Put a closed version in the champion's place, at once and by anybody: it matches nothing.

        NotApprovedError: it is none; ConflictError: the champion is not `expected`. Closing again does nothing.
        """
        package, pointer = self.get(version), self._pointer()
        if CLOSES not in package.lineage or package.certificate["granted"]:
            raise NotApprovedError(f"version {version} is not closed: promote it")
        current = pointer["versions"][-1] if pointer["versions"] else None
        if current == version:
            return package
        if current != expected:
            raise ConflictError(f"the champion is version {current}, not {expected}: look at it, and decide anew")
        self._move(pointer, [*pointer["versions"], version], "close", by)
        return package

    def previous(self) -> ModelPackage:
        """The last champion before this one that is still approved. MissingError: there is none."""
        return self.get(self._before(self._pointer())[-1])

    def rollback(self, by: str = "") -> ModelPackage:
        """Make the previous champion the champion again, at once and by anybody. MissingError: there is none."""
        pointer = self._pointer()
        versions = self._before(pointer)
        self._move(pointer, versions, "rollback", by)
        return self.get(versions[-1])

    def _before(self, pointer: Json) -> Sequence[int]:
        """The champions up to the previous one that is still approved, oldest first."""
        versions = pointer["versions"][:-1]
        while versions and self.get(versions[-1]).status != "Approved":
            versions.pop()
        if not versions:
            raise MissingError("there is no earlier approved champion to go back to")
        return [*versions]

    def _pointer(self) -> Json:
        return self.store.get_json(CHAMPION) or {"versions": [], "log": []}

    def _move(self, pointer: Json, versions: Sequence[int], action: str, by: str) -> None:
        version, before = versions[-1], pointer["versions"][-1:]
        wants = pointer.get("challenger")
        change = {"versions": [*versions], "challenger": None if wants == version else wants}
        self._write(pointer, change, action, version, by)
        for moved in (*before, version):
            self._publish(moved)

    def _write(self, pointer: Json, change: Json, action: str, version: int, by: str = "") -> None:
        entry = {"action": action, "version": version, "at": _now(), "by": by}
        moved = {**pointer, **change, "log": [*pointer["log"], entry]}
        self.store.put_json(CHAMPION, moved, expected=pointer if pointer["log"] else None)

    def _record(self, action: str, version: int) -> None:
        """Note what changed no pointer. Others may be writing: it is tried until it is there."""
        while True:
            try:
                return self._write(self._pointer(), {}, action, version)
            except ConflictError:
                continue

    def _publish(self, version: int) -> None:
        """Tell whoever shows stages that a version's has changed."""

    def _decide(self, version: int, status: Status, by: str, gates: Sequence[Json]) -> ModelPackage:
        if status not in get_args(Status):
            raise ValueError(f"{status!r} is no status: use one of {', '.join(get_args(Status))}")
        package = Registry.get(self, version)
        entry = {"status": status, "by": by, "at": _now(), "gates": [*gates]}
        decided = replace(package, status=status, history=(*package.history, entry))
        self.store.put_json(key_of(version), document_of(decided), expected=document_of(package))
        return decided


class LocalRegistry(Registry):
    """Complete in its store: one document for each version."""

    def register(self, bundle_digest: str, metrics: Json, certificate: Json, card: Json, lineage: Json) -> int:
        """See Registry. The next version is claimed by creating its document, so two writers cannot both have it."""
        while True:
            packages = self.list()
            for package in packages:
                if package.bundle_digest == bundle_digest:
                    return package.version
            version = 1 + max((package.version for package in packages), default=0)
            package = registered(version, bundle_digest, metrics, certificate, card, lineage)
            try:
                self.store.put_json(key_of(version), document_of(package), expected=None)
            except ConflictError:
                continue  # somebody else took this version: look again
            return version

    def set_status(self, version: int, status: Status, by: str, gates: Sequence[Json] = ()) -> ModelPackage:
        """See Registry."""
        return self._decide(version, status, by, gates)


def key_of(version: int) -> str:
    """Where the document of a version lies."""
    return f"packages/{version:06d}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def registered(version: int, digest: str, metrics: Json, certificate: Json, card: Json, lineage: Json) -> ModelPackage:
    """A package that was just registered."""
    entry = {"status": "PendingManualApproval", "by": "registration", "at": _now(), "gates": []}
    return ModelPackage(version, digest, "PendingManualApproval", metrics, certificate, card, lineage, (entry,))


def document_of(package: ModelPackage) -> Json:
    """A package as its document."""
    return asdict(package) | {"history": list(package.history)}


def _package(document: Json) -> ModelPackage:
    return ModelPackage(**document | {"history": tuple(document["history"])})
