"""The registry on SageMaker: its model packages, with what they have no field for in the store."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from resources import aws
from resources.registry import ModelPackage, Registry, Status, document_of, key_of, registered
from resources.store import Json

STAGE_STATUS = {"dev": "PendingApproval", "staging": "Approved", "prod": "InProduction"}
"""The stage of a version, in SageMaker's words."""


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
        if self.store.get_json(key_of(version)) is None:
            package = registered(version, bundle_digest, metrics, certificate, card, lineage)
            self.store.put_json(key_of(version), document_of(package))
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
        self._publish(version)
        return package

    def _publish(self, version: int) -> None:
        """See Registry: the package's life cycle, which SageMaker shows and sends events of."""
        stage, known = self.stage(version), self._summaries()[version]
        self.client.update_model_package(
            ModelPackageArn=known["ModelPackageArn"],
            ModelApprovalStatus=known["ModelApprovalStatus"],
            ModelLifeCycle={"Stage": stage, "StageStatus": STAGE_STATUS[stage]},
        )

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
            ModelLifeCycle={"Stage": "dev", "StageStatus": STAGE_STATUS["dev"]},
            # SageMaker takes at most 50 properties.
            CustomerMetadataProperties={**dict(list(numbers.items())[:49]), "bundle_digest": bundle_digest},
            ModelCard={"ModelCardContent": json.dumps(card), "ModelCardStatus": "Draft"},
            ClientToken=bundle_digest[:36],
        )
