"""SageMaker endpoints: the same wishes, carried out by SageMaker's deployment guardrails.

SageMaker moves the traffic, bakes and turns back by itself; this class asks for it and follows what comes of it. Models
and configurations are named by their content, so that a call that is made again after a crash finds what is there.
A spec is asked for as

| part of the spec | of SageMaker |
|---|---|
| variants, shadow | `ProductionVariants`, `ShadowProductionVariants` of an endpoint configuration |
| rollout | `BlueGreenUpdatePolicy` of `update_endpoint`; every bake is its `WaitIntervalInSeconds` |
| alarms | CloudWatch alarms on each variant, named in `AutoRollbackConfiguration` |
| weights alone | `update_endpoint_weights_and_capacities` |
| instances | `InitialInstanceCount`; with `most_instances` also target tracking by Application Auto Scaling |

A rollout that is under way cannot be stopped from outside: a rollback by hand takes effect when SageMaker has ended it.
What its answers are tested against is in docs/ROLLOUT.md.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, Literal

from resources import aws
from resources.capture import TARGETED, CaptureTraffic
from resources.endpoint import JSON_LINES, Endpoint, EndpointError, EndpointStatus, in_flight, json_lines, status_of
from resources.guardrails import alarm_requests, endpoint_requests, scaling_requests, update_request
from resources.rollout import ALL_AT_ONCE, EndpointSpec, Ledger, Phase, restore, take_step, turn_back
from resources.store import ConflictError, Json, MissingError

Next = Literal["create", "update", "restore", "reweigh", "delete", "wait"]
PHASES: dict[str, Phase] = {
    "Creating": "Creating",
    "Updating": "Updating",
    "SystemUpdating": "Updating",
    "RollingBack": "RollingBack",
    "InService": "InService",
    "Deleting": "Deleting",
}


class SageMakerEndpoint(Endpoint):
    """Endpoints of an AWS account.

    `capture_share`: share of requests that are captured to the bucket, with names in them: 0 unless there is a
    `capture_kms_key` to encrypt them. `most_instances`: of a variant, when it may scale out.
    """

    image_uri: str
    role_arn: str
    instance_type: str = "ml.m5.large"
    most_instances: int = 1
    capture_share: float = 0.0
    capture_kms_key: str | None = None
    region_name: str | None = None

    @property
    def client(self) -> Any:
        """The boto3 client of the control plane."""
        return aws.client("sagemaker", self.region_name)

    @property
    def runtime(self) -> Any:
        """The boto3 client that calls endpoints."""
        return aws.client("sagemaker-runtime", self.region_name)

    def advance(self, name: str) -> EndpointStatus:
        """See Endpoint."""
        ledger, seen = self._known(name), self._described(name)
        todo, after = follow(ledger, seen, self._config(ledger.desired), self._config(ledger.good), time.time())
        try:
            self._act(todo, ledger)
            self._note(name, ledger, after)
        except ConflictError:  # somebody has wished for something else meanwhile: that is looked at next time
            return self.describe(name)
        return self._status(after, self._described(name), settled=todo == "wait" and after == ledger)

    def describe(self, name: str) -> EndpointStatus:
        """See Endpoint."""
        return self._status(self._known(name), self._described(name))

    def invoke(self, name: str, records: Sequence[Json], variant: str | None = None) -> list[Json]:
        """See Endpoint."""
        from botocore.exceptions import ClientError

        target = {"TargetVariant": variant, "InferenceId": TARGETED} if variant else {}
        try:
            answer = self.runtime.invoke_endpoint(
                EndpointName=name, Body=json_lines(records), ContentType=JSON_LINES, Accept=JSON_LINES, **target
            )
        except ClientError as problem:
            said = problem.response["Error"].get("Message", "")[:1000]
            if "not found" in said:
                raise MissingError(f"no endpoint {name} was deployed") from problem
            raise EndpointError(f"{name} refused: {said}") from problem
        return [json.loads(line) for line in answer["Body"].read().splitlines() if line.strip()]

    def answers(self, name: str, record_ids: Iterable[str], since: float = 0.0) -> list[Json]:
        """See Endpoint. From what was captured; nothing where nothing is."""
        if not self.capture_share:
            return []
        return CaptureTraffic(store=self.store, endpoint=name).answers(record_ids, since)

    def _clear_away(self, name: str) -> bool:
        """Models and configurations stay: they cost nothing and say what was served."""
        seen = self._described(name)
        if seen and seen["EndpointStatus"] != "Deleting":
            self.client.delete_endpoint(EndpointName=name)
        return seen is None

    def _act(self, todo: Next, ledger: Ledger) -> None:
        """Do what is next. Everything may be done twice: it is named by its content, or says how it should be."""
        name, spec = ledger.desired.name, ledger.desired if todo in ("create", "update") else ledger.good
        if todo == "delete":
            self.client.delete_endpoint(EndpointName=name)
        if todo in ("wait", "delete") or spec is None:
            return
        if todo == "reweigh":
            weights = [{"VariantName": v.name, "DesiredWeight": v.weight} for v in spec.variants]
            self.client.update_endpoint_weights_and_capacities(EndpointName=name, DesiredWeightsAndCapacities=weights)
        else:
            models, configuration = self._requests(spec)
            for model in models:
                self._create(self.client.create_model, model)
            self._create(self.client.create_endpoint_config, configuration)
            config = configuration["EndpointConfigName"]
            if todo == "create":
                self.client.create_endpoint(EndpointName=name, EndpointConfigName=config)
            else:
                self._update(spec if todo == "update" else replace(spec, rollout=ALL_AT_ONCE, alarms=()), config)

    def _update(self, spec: EndpointSpec, config: str) -> None:
        alarms = alarm_requests(spec)
        for alarm in alarms:
            aws.client("cloudwatch", self.region_name).put_metric_alarm(**alarm)
        self.client.update_endpoint(**update_request(spec, config, [alarm["AlarmName"] for alarm in alarms]))

    def scale(self, name: str) -> None:
        """Let the variants that serve scale with their load; nothing where `most_instances` is 1."""
        client = aws.client("application-autoscaling", self.region_name)
        ledger = self._known(name)
        for target, policy in scaling_requests(ledger.good or ledger.desired, self.most_instances):
            client.register_scalable_target(**target)
            client.put_scaling_policy(**policy)

    def tag(self, name: str) -> None:
        """Write the lineage of what serves on the endpoint."""
        seen, lineage = self._described(name), self._known(name).desired.lineage
        tags = [{"Key": f"matching/{key}", "Value": value} for key, value in sorted(lineage.items())]
        if seen and tags:
            self.client.add_tags(ResourceArn=seen["EndpointArn"], Tags=tags)

    def deploy(self, spec: EndpointSpec, seconds: float = 3600.0) -> EndpointStatus:
        """See Endpoint. What was deployed is tagged with its lineage, and may scale."""
        status = super().deploy(spec, seconds)
        self.tag(spec.name)
        self.scale(spec.name)
        return status

    def _requests(self, spec: EndpointSpec) -> tuple[list[Json], Json]:
        capture = None
        if self.capture_share:
            if self.capture_kms_key is None:
                raise EndpointError("captured requests hold names: set capture_kms_key, or capture_share to 0")
            capture = {
                "EnableCapture": True,
                "InitialSamplingPercentage": round(100 * self.capture_share),
                "DestinationS3Uri": f"s3://{self.store.bucket}/{self.store.prefix}/capture/",  # type: ignore[attr-defined]
                "KmsKeyId": self.capture_kms_key,
                "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
            }
        return endpoint_requests(spec, self.store.uri, self.image_uri, self.role_arn, self.instance_type, capture)

    def _config(self, spec: EndpointSpec | None) -> str:
        return self._requests(spec)[1]["EndpointConfigName"] if spec else ""

    def _create(self, create: Callable[..., Any], request: Json) -> None:
        """Create what is named by its content. That it is there already is fine: then it is the same."""
        from botocore.exceptions import ClientError

        try:
            create(**request)
        except ClientError as problem:
            if "already exist" not in problem.response["Error"]["Message"]:
                raise

    def _described(self, name: str) -> Json | None:
        from botocore.exceptions import ClientError

        try:
            described: Json = self.client.describe_endpoint(EndpointName=name)
        except ClientError as problem:
            if "Could not find" not in problem.response["Error"]["Message"]:
                raise
            return None
        return described

    def _status(self, ledger: Ledger, seen: Json | None, settled: bool = False) -> EndpointStatus:
        status = _phase(ledger, seen)
        fleet = ledger.generation if ledger.phase in ("Creating", "Updating") else ledger.good_generation
        serves_old = ledger.good is not None and seen and seen["EndpointConfigName"] == self._config(ledger.good)
        serving = ledger.good_generation if serves_old else fleet
        known = [*seen.get("ProductionVariants", []), *seen.get("ShadowProductionVariants", [])] if seen else []
        total = sum(v.get("CurrentWeight", 0.0) for v in seen.get("ProductionVariants", [])) if seen else 1.0
        shares = {
            (serving, v["VariantName"]): (
                v.get("CurrentWeight", 0.0) / (total or 1.0),
                v.get("CurrentInstanceCount", 0),
            )
            for v in known
        }
        url = seen["EndpointArn"] if seen else ""
        return status_of(ledger, url, status, settled and not in_flight(ledger), shares)


def _phase(ledger: Ledger, seen: Json | None) -> Phase:
    """What an endpoint is now: what SageMaker does, unless the ledger still has something for it to do."""
    if seen is None:
        return "Creating" if ledger.phase == "Creating" else "Failed"
    phase = PHASES.get(seen["EndpointStatus"], "Failed")
    return ledger.phase if phase == "InService" else phase


def follow(ledger: Ledger, seen: Json | None, desired: str, good: str, now: float) -> tuple[Next, Ledger]:
    """What is next, and the ledger after it, by what `describe_endpoint` says. A pure function.

    `desired` and `good`: names of the endpoint configurations. A ledger at step 0 has not been seen moving yet: when
    the call that asked for it was lost, it is made again; a rollback can only be one from step 1 on.
    """
    status, config = (seen["EndpointStatus"], seen["EndpointConfigName"]) if seen else ("", "")
    why = (seen or {}).get("FailureReason") or "SageMaker turned the deployment back: see CloudWatch"
    submitted = replace(ledger, step=max(1, ledger.step))
    match ledger.phase:
        case "Creating" if seen is None:
            return "create", submitted
        case "Creating" if status == "Failed":
            # What failed to start is removed before it can be asked for again under its name.
            return ("wait", turn_back(ledger, why, now)) if ledger.step else ("delete", ledger)
        case "Creating" | "Updating" if status == "InService" and config == desired:
            return "wait", _accepted(ledger, now)
        case "Updating" if status == "InService" and ledger.step == 0:
            return "update", submitted
        case "Updating" if status in ("InService", "RollingBack"):
            return "wait", turn_back(ledger, why, now)
        case "Updating" if status in ("Failed", "UpdateRollbackFailed", "OutOfService"):
            return "restore", turn_back(ledger, why, now)
        case "Updating":
            return "wait", submitted
        case "RollingBack" if status == "InService":
            return ("wait", restore(ledger, now)) if config == good else ("restore", ledger)
        case "InService" if seen and status == "InService" and ledger.good and _weights_differ(ledger.good, seen):
            return "reweigh", ledger
    return "wait", ledger


def _accepted(ledger: Ledger, now: float) -> Ledger:
    """All steps taken: SageMaker has baked them."""
    return take_step(replace(ledger, step=len(ledger.desired.rollout.shares())), now)


def _weights_differ(spec: EndpointSpec, seen: Json) -> bool:
    known = {
        v["VariantName"]: v.get("DesiredWeight", v.get("CurrentWeight")) for v in seen.get("ProductionVariants", [])
    }
    return any(known.get(v.name) is not None and abs(known[v.name] - v.weight) > 1e-6 for v in spec.variants)
