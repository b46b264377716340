"""The model registry: which bundles were registered, who approved them on what evidence, and which one is the champion.

A package is registered once for each bundle digest and gets the next version (1, 2, ...). It keeps metrics,
certificate, card and lineage as they were, and a history of its status: each entry says the status, by whom (a rule or
a role), when, and the gates with the values they saw. The champion is a pointer, moved by compare-and-swap and only to
an approved version; it remembers where it came from, so that a rollback needs no other information.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal, get_args

import dagster as dg

from resources import aws
from resources.store import ConflictError, Json, MissingError, ObjectStore

Status = Literal["PendingManualApproval", "Approved", "Rejected"]
CHAMPION = "champion"


class NotApprovedError(RuntimeError):
    """Only an approved version can be promoted."""


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
    """The interface, with what both implementations do alike: documents and the champion pointer lie in `store`."""

    store: dg.ResourceDependency[ObjectStore]

    @abstractmethod
    def register(self, bundle_digest: str, metrics: Json, certificate: Json, card: Json, lineage: Json) -> int:
        """Register a bundle and return its version; the version it already has, if it was registered before."""

    @abstractmethod
    def set_status(self, version: int, status: Status, by: str, gates: Sequence[Json] = ()) -> ModelPackage:
        """Record a decision and the gates with the values they saw. MissingError; ConflictError: decided meanwhile."""

    def get(self, version: int) -> ModelPackage:
        """One package. MissingError: no such version."""
        document = self.store.get_json(_key(version))
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

    def promote(self, version: int, expected: int | None) -> ModelPackage:
        """Make an approved version the champion, in place of `expected` (None: there is no champion yet).

        NotApprovedError; ConflictError: the champion is not `expected`. Promoting the champion does nothing.
        """
        package = self.get(version)
        if package.status != "Approved":
            raise NotApprovedError(f"version {version} is {package.status}: approve it before it is promoted")
        pointer = self._pointer()
        versions = pointer["versions"]
        current = versions[-1] if versions else None
        if current != expected:
            raise ConflictError(f"the champion is version {current}, not {expected}: look at it, and decide anew")
        if current != version:
            self._move(pointer, [*versions, version], "promote")
        return package

    def previous(self) -> ModelPackage:
        """The last champion before this one that is still approved. MissingError: there is none."""
        return self.get(self._before(self._pointer())[-1])

    def rollback(self) -> ModelPackage:
        """Make the previous champion the champion again. MissingError: there is none."""
        pointer = self._pointer()
        versions = self._before(pointer)
        self._move(pointer, versions, "rollback")
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

    def _move(self, pointer: Json, versions: Sequence[int], action: str) -> None:
        entry = {"action": action, "version": versions[-1], "at": _now()}
        moved = {"versions": [*versions], "log": [*pointer["log"], entry]}
        self.store.put_json(CHAMPION, moved, expected=pointer if pointer["log"] else None)

    def _decide(self, version: int, status: Status, by: str, gates: Sequence[Json]) -> ModelPackage:
        if status not in get_args(Status):
            raise ValueError(f"{status!r} is no status: use one of {', '.join(get_args(Status))}")
        package = Registry.get(self, version)
        entry = {"status": status, "by": by, "at": _now(), "gates": [*gates]}
        decided = replace(package, status=status, history=(*package.history, entry))
        self.store.put_json(_key(version), _document(decided), expected=_document(package))
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
            package = _registered(version, bundle_digest, metrics, certificate, card, lineage)
            try:
                self.store.put_json(_key(version), _document(package), expected=None)
            except ConflictError:
                continue  # somebody else took this version: look again
            return version

    def set_status(self, version: int, status: Status, by: str, gates: Sequence[Json] = ()) -> ModelPackage:
        """See Registry."""
        return self._decide(version, status, by, gates)


class SageMakerRegistry(Registry):
    """A SageMaker model package group. What a package has no field for (gates, certificate, history) is in the store.

    The status is SageMaker's: a decision made in its console counts. The history knows those made by `set_status`.
    """

    group: str
    image_uri: str
    region_name: str | None = None

    @property
    def client(self) -> Any:
        """The boto3 client."""
        return aws.client("sagemaker", self.region_name)

    def register(self, bundle_digest: str, metrics: Json, certificate: Json, card: Json, lineage: Json) -> int:
        """See Registry. If killed between SageMaker and the store, the next call finds the package and goes on."""
        self._ensure_group()
        if bundle_digest not in (versions := self._versions()):
            self._create(bundle_digest, metrics, card)
            versions = self._versions()
        version = versions[bundle_digest]
        if self.store.get_json(_key(version)) is None:
            package = _registered(version, bundle_digest, metrics, certificate, card, lineage)
            self.store.put_json(_key(version), _document(package))
        return version

    def set_status(self, version: int, status: Status, by: str, gates: Sequence[Json] = ()) -> ModelPackage:
        """See Registry."""
        package = self._decide(version, status, by, gates)
        values = ", ".join(f"{gate.get('gate')}={gate.get('value')}" for gate in gates)
        self.client.update_model_package(
            ModelPackageArn=self._summaries()[version]["ModelPackageArn"],
            ModelApprovalStatus=status,
            ApprovalDescription=f"by {by}; {values}"[:1024],
        )
        return package

    def get(self, version: int) -> ModelPackage:
        """See Registry."""
        package = super().get(version)
        return replace(package, status=self._summaries()[version]["ModelApprovalStatus"])

    def _ensure_group(self) -> None:
        groups = self.client.list_model_package_groups(NameContains=self.group)["ModelPackageGroupSummaryList"]
        if self.group not in [group["ModelPackageGroupName"] for group in groups]:
            self.client.create_model_package_group(
                ModelPackageGroupName=self.group, ModelPackageGroupDescription="Bundles of the matching platform"
            )

    def _summaries(self) -> dict[int, Json]:
        pages = self.client.get_paginator("list_model_packages").paginate(ModelPackageGroupName=self.group)
        return {int(item["ModelPackageVersion"]): item for page in pages for item in page["ModelPackageSummaryList"]}

    def _versions(self) -> dict[str, int]:
        """Bundle digest to version."""
        return {item["ModelPackageDescription"]: version for version, item in self._summaries().items()}

    def _create(self, bundle_digest: str, metrics: Json, card: Json) -> None:
        source = {"S3Uri": self.store.uri(bundle_digest), "S3DataType": "S3Prefix", "CompressionType": "None"}
        types = ["application/json", "application/jsonlines", "text/csv"]
        numbers = {name: str(value) for name, value in sorted(metrics.items()) if isinstance(value, int | float)}
        self.client.create_model_package(
            ModelPackageGroupName=self.group,
            ModelPackageDescription=bundle_digest,
            InferenceSpecification={
                "Containers": [{"Image": self.image_uri, "ModelDataSource": {"S3DataSource": source}}],
                "SupportedContentTypes": types,
                "SupportedResponseMIMETypes": types,
            },
            ModelApprovalStatus="PendingManualApproval",
            # SageMaker takes at most 50 properties.
            CustomerMetadataProperties={**dict(list(numbers.items())[:49]), "bundle_digest": bundle_digest},
            ModelCard={"ModelCardContent": json.dumps(card), "ModelCardStatus": "Draft"},
            ClientToken=bundle_digest[:36],
        )


def _key(version: int) -> str:
    return f"packages/{version:06d}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _registered(version: int, digest: str, metrics: Json, certificate: Json, card: Json, lineage: Json) -> ModelPackage:
    entry = {"status": "PendingManualApproval", "by": "registration", "at": _now(), "gates": []}
    return ModelPackage(version, digest, "PendingManualApproval", metrics, certificate, card, lineage, (entry,))


def _document(package: ModelPackage) -> Json:
    return asdict(package) | {"history": list(package.history)}


def _package(document: Json) -> ModelPackage:
    return ModelPackage(**document | {"history": tuple(document["history"])})
