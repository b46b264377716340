"""A stand-in for SageMaker's endpoints, for what moto lacks: updates with guardrails, shadows, answers by variant.

It sits between botocore's two halves: every request has passed botocore's validation before it comes here, every answer
passes it before it goes back, so the shapes are AWS's. The behaviour is written after the developer guide ("Deployment
guardrails", "Shadow variants"); alarms are moto's CloudWatch. An endpoint moves on one stage with each look at it.
"""

import io
import json
from types import SimpleNamespace
from typing import Any

import boto3
from botocore import xform_name
from botocore.response import StreamingBody
from botocore.validate import validate_parameters

ARN = "arn:aws:sagemaker:us-east-1:123456789012"
TIMES = {"CreationTime": 0, "LastModifiedTime": 0}


class StandinSageMaker:
    """Endpoints by name. `bundles`: what the bundle at an S3 URI does: {"version", "band", "mode"}."""

    def __init__(self, region: str) -> None:
        self.bundles: dict[str, dict[str, Any]] = {}
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.alarms = boto3.client("cloudwatch", region_name=region)
        self._models: dict[str, str] = {}
        self._configs: dict[str, dict[str, Any]] = {}
        self._endpoints: dict[str, dict[str, Any]] = {}
        self._asked = 0

    def attach(self, *clients: Any) -> None:
        for client in clients:
            client.meta.events.register_first("before-call", self._answer, unique_id="standin")

    def detach(self, *clients: Any) -> None:
        for client in clients:
            client.meta.events.unregister("before-call", unique_id="standin")

    def _answer(self, model: Any, params: dict[str, Any], **_: Any) -> tuple[Any, dict[str, Any]] | None:
        operation = getattr(self, xform_name(model.name), None)
        if operation is None:
            return None  # packages are moto's
        try:
            answer = operation(params)
        except LookupError as problem:
            error = {"Error": {"Code": "ValidationException", "Message": problem.args[0]}, "ResponseMetadata": {}}
            return SimpleNamespace(status_code=400), error
        if model.output_shape and model.name != "InvokeEndpoint":
            validate_parameters(answer, model.output_shape)
        return SimpleNamespace(status_code=200), {**answer, "ResponseMetadata": {"HTTPStatusCode": 200}}

    def _said(self, name: str, params: dict[str, Any]) -> dict[str, Any]:
        said = json.loads(params["body"])
        self.calls.append((name, said))
        return said

    def create_model(self, params: dict[str, Any]) -> dict[str, Any]:
        said = self._said("create_model", params)
        if said["ModelName"] in self._models:
            raise LookupError("Cannot create already existing model.")
        source = said["PrimaryContainer"]["ModelDataSource"]["S3DataSource"]["S3Uri"]
        self._models[said["ModelName"]] = source
        return {"ModelArn": f"{ARN}:model/{said['ModelName']}"}

    def create_endpoint_config(self, params: dict[str, Any]) -> dict[str, Any]:
        said = self._said("create_endpoint_config", params)
        if said["EndpointConfigName"] in self._configs:
            raise LookupError("Cannot create already existing endpoint configuration.")
        if "ShadowProductionVariants" in said and len(said["ProductionVariants"]) != 1:
            raise LookupError("One production variant is required with a shadow variant.")
        self._configs[said["EndpointConfigName"]] = said
        return {"EndpointConfigArn": f"{ARN}:endpoint-config/{said['EndpointConfigName']}"}

    def create_endpoint(self, params: dict[str, Any]) -> dict[str, Any]:
        said = self._said("create_endpoint", params)
        if said["EndpointName"] in self._endpoints:
            raise LookupError("Cannot create already existing endpoint.")
        config = said["EndpointConfigName"]
        outcome = "InService" if self._starts(config) else "Failed"
        self._endpoints[said["EndpointName"]] = self._fresh(config) | {"status": "Creating", "stages": [outcome]}
        return {"EndpointArn": f"{ARN}:endpoint/{said['EndpointName']}"}

    def update_endpoint(self, params: dict[str, Any]) -> dict[str, Any]:
        said = self._said("update_endpoint", params)
        endpoint = self._endpoint(said["EndpointName"])
        if endpoint["status"] not in ("InService", "Failed"):
            raise LookupError(f"Cannot update in-progress endpoint in status {endpoint['status']}.")
        deployment = said["DeploymentConfig"]
        traffic = deployment["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]
        size = traffic.get("CanarySize", traffic.get("LinearStepSize", {"Value": 100}))["Value"]
        steps = {"ALL_AT_ONCE": [100], "CANARY": [size, 100], "LINEAR": [*range(size, 100, size), 100]}[traffic["Type"]]
        watched = [alarm["AlarmName"] for alarm in deployment.get("AutoRollbackConfiguration", {}).get("Alarms", [])]
        starts = self._starts(said["EndpointConfigName"])
        endpoint |= {"status": "Updating", "next": said["EndpointConfigName"], "watched": watched, "share": 0}
        endpoint["stages"] = [*steps, "InService"] if starts else ["RollingBack", "back"]
        return {"EndpointArn": f"{ARN}:endpoint/{said['EndpointName']}"}

    def describe_endpoint(self, params: dict[str, Any]) -> dict[str, Any]:
        name = json.loads(params["body"])["EndpointName"]
        endpoint = self._endpoint(name)
        self._move(endpoint)
        answer = {
            "EndpointName": name,
            "EndpointArn": f"{ARN}:endpoint/{name}",
            "EndpointConfigName": endpoint["config"],
            "EndpointStatus": endpoint["status"],
            "ProductionVariants": list(endpoint["variants"].values()),
            **({"FailureReason": endpoint["why"]} if endpoint["why"] else {}),
            **TIMES,
        }
        shadows = self._configs[endpoint["config"]].get("ShadowProductionVariants", [])
        return answer | ({"ShadowProductionVariants": [_summary(v) for v in shadows]} if shadows else {})

    def update_endpoint_weights_and_capacities(self, params: dict[str, Any]) -> dict[str, Any]:
        said = self._said("update_endpoint_weights_and_capacities", params)
        for wanted in said["DesiredWeightsAndCapacities"]:
            variant = self._endpoint(said["EndpointName"])["variants"][wanted["VariantName"]]
            variant |= {"CurrentWeight": wanted["DesiredWeight"], "DesiredWeight": wanted["DesiredWeight"]}
        return {"EndpointArn": f"{ARN}:endpoint/{said['EndpointName']}"}

    def delete_endpoint(self, params: dict[str, Any]) -> dict[str, Any]:
        self._endpoints.pop(self._said("delete_endpoint", params)["EndpointName"], None)
        return {}

    def add_tags(self, params: dict[str, Any]) -> dict[str, Any]:
        return {"Tags": self._said("add_tags", params)["Tags"]}

    def invoke_endpoint(self, params: dict[str, Any]) -> dict[str, Any]:
        endpoint = self._endpoints.get(params["url_path"].split("/")[2])
        if endpoint is None:
            raise LookupError("Endpoint of account 123456789012 not found.")
        self._asked += 1
        config = endpoint["next"] if self._asked % 100 < endpoint["share"] else endpoint["config"]
        variants = self._configs[config]["ProductionVariants"]
        named = params["headers"].get("X-Amzn-SageMaker-Target-Variant")
        known = {variant["VariantName"]: variant for variant in variants}
        if named and named not in known:
            raise LookupError(f"Variant {named} does not exist.")
        bundle = self._bundle(known[named] if named else variants[self._asked % len(variants)])
        records = [json.loads(line) for line in params["body"].splitlines()]
        decided = {"decision": bundle.get("band", "match"), "bundle_version": bundle["version"], "reference_id": "R1"}
        body = b"".join(json.dumps({"record_id": r["record_id"], **decided}).encode() + b"\n" for r in records)
        return {"Body": StreamingBody(io.BytesIO(body), len(body)), "ContentType": "application/jsonlines"}

    def _move(self, endpoint: dict[str, Any]) -> None:
        if not endpoint["stages"]:
            return
        if endpoint["status"] == "Updating" and self._ringing(endpoint["watched"]):
            endpoint["stages"], endpoint["why"] = (
                ["RollingBack", "back"],
                "An alarm rang: the deployment is turned back.",
            )
        stage = endpoint["stages"].pop(0)
        if isinstance(stage, int):
            endpoint["share"] = stage
        elif stage == "RollingBack":
            endpoint |= {"status": stage, "share": 0, "why": endpoint["why"] or "The new fleet did not start."}
        elif stage == "back":
            endpoint |= {"status": "InService", "share": 0}
        elif stage == "InService":
            endpoint |= self._fresh(endpoint.get("next") or endpoint["config"])
        else:
            endpoint |= {"status": stage, "why": "The container did not pass its health check."}

    def _fresh(self, config: str) -> dict[str, Any]:
        variants = {v["VariantName"]: _summary(v) for v in self._configs[config]["ProductionVariants"]}
        return {"status": "InService", "config": config, "next": None, "share": 0, "variants": variants, "why": ""} | {
            "watched": [],
            "stages": [],
        }

    def _endpoint(self, name: str) -> dict[str, Any]:
        if name not in self._endpoints:
            raise LookupError(f'Could not find endpoint "{ARN}:endpoint/{name}".')
        return self._endpoints[name]

    def _bundle(self, variant: dict[str, Any]) -> dict[str, Any]:
        return self.bundles[self._models[variant["ModelName"]]]

    def _starts(self, config: str) -> bool:
        known = self._configs[config]
        variants = [*known["ProductionVariants"], *known.get("ShadowProductionVariants", [])]
        return all(self._bundle(variant).get("mode", "serve") != "crash" for variant in variants)

    def _ringing(self, names: list[str]) -> bool:
        if not names:
            return False
        found = self.alarms.describe_alarms(AlarmNames=names)["MetricAlarms"]
        return any(alarm["StateValue"] == "ALARM" for alarm in found)


def _summary(variant: dict[str, Any]) -> dict[str, Any]:
    weight, count = variant["InitialVariantWeight"], variant["InitialInstanceCount"]
    return {
        "VariantName": variant["VariantName"],
        "CurrentWeight": weight,
        "DesiredWeight": weight,
        "CurrentInstanceCount": count,
        "DesiredInstanceCount": count,
    }
