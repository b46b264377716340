"""What is asked of AWS for an endpoint: requests as plain data, held to botocore's model of them in the tests.

SageMaker developer guide: "Deployment guardrails for updating models in production", "Shadow variants", "Automatic
scaling of models". Everything is named by its content, so that asking twice creates once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any

from matching import metric_names as names
from resources.alarms import Alarm
from resources.rollout import EndpointSpec, Variant

Json = dict[str, Any]
TRAFFIC = {"all_at_once": "ALL_AT_ONCE", "canary": "CANARY", "linear": "LINEAR"}
LEAST_TIMEOUT, MOST_TIMEOUT = 600, 28800
START_SECONDS = 1800
"""What a new fleet may take to start, beside the bakes."""
REQUESTS_A_MINUTE = 6000.0
"""What one instance should be asked at most before another is started: half of what it can do."""


def endpoint_requests(
    spec: EndpointSpec,
    uri: Callable[[str], str],
    image: str,
    role: str,
    instance_type: str,
    capture: Json | None = None,
) -> tuple[list[Json], Json]:
    """The models and the endpoint configuration of a spec. `uri`: where a bundle's files lie, by digest.

    Weights are not part of the configuration's name: they are changed on the endpoint.
    """
    models, production, shadow = [], [], []
    for variant in (*spec.variants, *([spec.shadow] if spec.shadow else [])):
        source = {"S3Uri": uri(variant.bundle_digest), "S3DataType": "S3Prefix", "CompressionType": "None"}
        where = dict(zip(names.DIMENSIONS.values(), (spec.name, variant.name), strict=True))
        about = {"MATCHING_METRICS": "emf", **where}
        container = {"Image": image, "ModelDataSource": {"S3DataSource": source}, "Environment": about}
        model = {"PrimaryContainer": container, "ExecutionRoleArn": role}
        model["ModelName"] = named(spec.name, model)
        models.append(model)
        (shadow if variant is spec.shadow else production).append(_variant(variant, model["ModelName"], instance_type))
    configuration: Json = {"ProductionVariants": production}
    if shadow:
        configuration["ShadowProductionVariants"] = shadow
    if capture:
        configuration["DataCaptureConfig"] = capture
    unweighted = [{**v, "InitialVariantWeight": None} for v in production]
    name = named(spec.name, {**configuration, "ProductionVariants": unweighted})
    return models, {"EndpointConfigName": name, **configuration}


def _variant(variant: Variant, model: str, instance_type: str) -> Json:
    return {
        "VariantName": variant.name,
        "ModelName": model,
        "InstanceType": instance_type,
        "InitialInstanceCount": variant.instances,
        "InitialVariantWeight": variant.weight,
    }


def update_request(spec: EndpointSpec, config: str, alarms: Sequence[str]) -> Json:
    """`update_endpoint`: blue/green with the spec's traffic, turned back by the alarms."""
    rollout, wait = spec.rollout, round(spec.rollout.bake_seconds)
    traffic: Json = {"Type": TRAFFIC[rollout.kind], "WaitIntervalInSeconds": wait}
    if rollout.kind != "all_at_once":
        size = "CanarySize" if rollout.kind == "canary" else "LinearStepSize"
        traffic[size] = {"Type": "CAPACITY_PERCENT", "Value": round(100 * rollout.share)}
    timeout = len(rollout.shares()) * wait + START_SECONDS
    policy = {
        "TrafficRoutingConfiguration": traffic,
        "TerminationWaitInSeconds": 0,
        "MaximumExecutionTimeoutInSeconds": max(LEAST_TIMEOUT, min(MOST_TIMEOUT, timeout)),
    }
    deployment: Json = {"BlueGreenUpdatePolicy": policy}
    if alarms:
        deployment["AutoRollbackConfiguration"] = {"Alarms": [{"AlarmName": name} for name in alarms]}
    return {"EndpointName": spec.name, "EndpointConfigName": config, "DeploymentConfig": deployment}


def alarm_requests(spec: EndpointSpec) -> list[Json]:
    """`put_metric_alarm` for each alarm on each variant. Periods are whole minutes: CloudWatch's for these metrics.

    SageMaker measures a variant's old and new fleet together. The container says which bundle it serves, so what it
    counts is the new fleet's alone: the shares, and how many requests an alarm needs to speak. Where the rollout asks
    for a least of requests, a period in which the new fleet had too few of them rings as well.
    """
    missing = "breaching" if spec.rollout.wanted_requests else "notBreaching"
    return [_alarm(spec.name, variant, alarm, missing) for variant in spec.variants for alarm in spec.alarms]


def _alarm(endpoint: str, variant: Variant, alarm: Alarm, missing: str) -> Json:
    period = max(60, 60 * round(alarm.period_seconds / 60))
    known = dict(zip(names.DIMENSIONS, (endpoint, variant.name), strict=True))

    def metric(identity: str, name: str, stat: str = "Sum", ours: bool = False) -> Json:
        where = known | ({names.BUNDLE: variant.version} if ours else {})
        dimensions = [{"Name": dimension, "Value": value} for dimension, value in where.items()]
        namespace = names.NAMESPACE if ours else "AWS/SageMaker"
        wanted = {"Namespace": namespace, "MetricName": name, "Dimensions": dimensions}
        return {"Id": identity, "MetricStat": {"Metric": wanted, "Period": period, "Stat": stat}, "ReturnData": False}

    if alarm.metric == "error_share":
        parts = [metric("part", "Invocation5XXErrors"), metric("all", "Invocations")]
        expression = "part / all"
    elif alarm.metric == "latency_p99_ms":
        parts = [metric("slow", "ModelLatency", stat="p99")]
        expression = "slow / 1000"  # ModelLatency is in microseconds
    else:
        part, of = names.SHARES[alarm.metric]
        parts = [metric("part", part, ours=True), metric("all", of, ours=True)]
        expression = "part / all"
    parts.append(metric("fresh", names.REQUESTS, ours=True))
    expression = f"IF(fresh >= {alarm.least}, {expression})"
    request: Json = {
        "Metrics": [*parts, {"Id": "value", "Expression": expression, "ReturnData": True}],
        "EvaluationPeriods": alarm.periods,
        "DatapointsToAlarm": alarm.periods,
        "Threshold": alarm.threshold,
        "ComparisonOperator": "GreaterThanThreshold" if alarm.when == "above" else "LessThanThreshold",
        "TreatMissingData": missing,
        "AlarmDescription": f"{alarm.metric} of {variant.name} {alarm.when} {alarm.threshold:g}: turns a rollout back",
    }
    return {"AlarmName": named(f"{endpoint}-{variant.name}-{alarm.metric.replace('_', '-')}", request, 200), **request}


def scaling_requests(spec: EndpointSpec, most_instances: int) -> list[tuple[Json, Json]]:
    """`register_scalable_target` and `put_scaling_policy` for each variant; none when it may not grow."""
    found = []
    for variant in spec.variants:
        if most_instances <= variant.instances:
            continue
        what = {
            "ServiceNamespace": "sagemaker",
            "ResourceId": f"endpoint/{spec.name}/variant/{variant.name}",
            "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
        }
        tracking = {
            "TargetValue": REQUESTS_A_MINUTE,
            "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
            "ScaleInCooldown": 300,
            "ScaleOutCooldown": 60,
        }
        policy = {"PolicyName": f"{spec.name}-{variant.name}", "PolicyType": "TargetTrackingScaling"}
        target = {**what, "MinCapacity": variant.instances, "MaxCapacity": most_instances}
        found.append((target, {**what, **policy, "TargetTrackingScalingPolicyConfiguration": tracking}))
    return found


def named(name: str, content: Json, longest: int = 63) -> str:
    """A name that says what is in it: SageMaker allows 63 characters."""
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return f"{name[: longest - 13].rstrip('-')}-{digest[:12]}"
