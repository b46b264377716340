"""What is asked of AWS for an endpoint. The shapes are botocore's; alarms and scaling are kept by moto.

What comes of it is in endpoint_contract.py, on standin_sagemaker.py.
"""

import json
from dataclasses import replace
from io import StringIO
from typing import get_args

import boto3
import pytest
from botocore.stub import Stubber

from matching.runtime_metrics import Meter
from resources.alarms import Alarm, Metric
from resources.endpoint import EndpointError, single
from resources.endpoint_sagemaker import SageMakerEndpoint, follow
from resources.guardrails import alarm_requests, endpoint_requests, scaling_requests, update_request
from resources.rollout import EndpointSpec, Ledger, Rollout, Variant, wish
from resources.store import S3Store

NAME, IMAGE = "matching", "123456789012.dkr.ecr.us-east-1.amazonaws.com/matching:1"
ROLE = "arn:aws:iam::123456789012:role/matching"
ARN = "arn:aws:sagemaker:us-east-1:123456789012:endpoint/matching"
SPEC = single(NAME, "a" * 64, "v1")
PAIR = EndpointSpec(NAME, (Variant("A", "a" * 64, "v1", 0.75), Variant("B", "b" * 64, "v2", 0.25)))


def requests(spec: EndpointSpec):
    return endpoint_requests(spec, lambda digest: f"s3://bucket/{digest}/", IMAGE, ROLE, "ml.m5.large")


def seen(config: str, status: str = "InService", **more: object) -> dict[str, object]:
    return {"EndpointName": NAME, "EndpointArn": ARN, "EndpointConfigName": config, "EndpointStatus": status, **more}


def accepted_by_botocore(service: str, operation: str, request: dict[str, object]) -> None:
    client = boto3.client(service, region_name="us-east-1", aws_access_key_id="t", aws_secret_access_key="t")
    with Stubber(client) as stub:
        stub.add_response(operation, {"EndpointArn": ARN} if "endpoint" in operation else {}, request)
        getattr(client, operation)(**request)


def test_two_variants_are_two_models_with_weights():
    models, configuration = requests(PAIR)

    assert len({model["ModelName"] for model in models}) == 2
    told = [(v["VariantName"], v["InitialVariantWeight"]) for v in configuration["ProductionVariants"]]
    assert told == [("A", 0.75), ("B", 0.25)]


def test_a_shadow_is_a_shadow_production_variant():
    _, configuration = requests(replace(SPEC, shadow=Variant("shadow", "b" * 64, "v2", 0.5)))

    (shadow,) = configuration["ShadowProductionVariants"]
    assert (shadow["VariantName"], shadow["InitialVariantWeight"]) == ("shadow", 0.5)
    assert len(configuration["ProductionVariants"]) == 1


def test_names_are_made_of_content_fit_and_leave_weights_out():
    long = replace(SPEC, name="m" * 63)
    models, configuration = requests(long)

    assert requests(long) == (models, configuration)
    assert max(len(configuration["EndpointConfigName"]), len(models[0]["ModelName"])) <= 63
    other = tuple(replace(variant, weight=0.5) for variant in PAIR.variants)
    assert requests(replace(PAIR, variants=other))[1]["EndpointConfigName"] == requests(PAIR)[1]["EndpointConfigName"]


@pytest.mark.parametrize(
    ("rollout", "traffic"),
    [
        (Rollout(), {"Type": "ALL_AT_ONCE"}),
        (Rollout("canary", 0.1, 300), {"Type": "CANARY", "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 10}}),
        (Rollout("linear", 0.25, 300), {"Type": "LINEAR", "LinearStepSize": {"Type": "CAPACITY_PERCENT", "Value": 25}}),
    ],
)
def test_a_rollout_is_a_blue_green_policy(rollout: Rollout, traffic: dict[str, object]):
    request = update_request(replace(SPEC, rollout=rollout), "config", ["alarm"])

    accepted_by_botocore("sagemaker", "update_endpoint", request)
    deployment = request["DeploymentConfig"]
    policy = deployment["BlueGreenUpdatePolicy"]
    wait = {"WaitIntervalInSeconds": round(rollout.bake_seconds)}
    assert policy["TrafficRoutingConfiguration"] == traffic | wait
    assert policy["MaximumExecutionTimeoutInSeconds"] > rollout.bake_seconds * len(rollout.shares())
    assert deployment["AutoRollbackConfiguration"] == {"Alarms": [{"AlarmName": "alarm"}]}


def test_where_requests_are_asked_for_a_silent_variant_rings():
    asked = Rollout("canary", 0.1, 300, least_requests=20)
    for rollout, missing in ((asked, "breaching"), (replace(asked, least_requests=0), "notBreaching")):
        (request,) = alarm_requests(replace(SPEC, alarms=(Alarm("error_share", 0.01),), rollout=rollout))
        assert request["TreatMissingData"] == missing


def test_what_alarms_ask_for_of_the_container_is_what_it_reports(monkeypatch):
    models, _ = requests(SPEC)
    for name, text in models[0]["PrimaryContainer"]["Environment"].items():
        monkeypatch.setenv(name, text)
    out = StringIO()
    meter = Meter("v1", emf=out)
    meter.refused(0.001, 429, "busy")
    meter.flush()
    line = json.loads(out.getvalue())
    (about,) = line["_aws"]["CloudWatchMetrics"]
    reported = {(about["Namespace"], metric["Name"]) for metric in about["Metrics"]}

    metrics = set(get_args(Metric)) - {"error_share", "latency_p99_ms"}
    alarms = tuple(Alarm(metric, 0.1) for metric in sorted(metrics))
    for request in alarm_requests(replace(SPEC, alarms=alarms)):
        for asked in (part["MetricStat"]["Metric"] for part in request["Metrics"] if "MetricStat" in part):
            dimensions = {dimension["Name"]: dimension["Value"] for dimension in asked["Dimensions"]}
            assert (asked["Namespace"], asked["MetricName"]) in reported
            assert list(dimensions) in about["Dimensions"]
            assert {name: line[name] for name in dimensions} == dimensions
    assert (line["throttled_requests"], line["match_records"]) == (1, 0)


@pytest.mark.parametrize("metric", get_args(Metric))
def test_an_alarm_needs_requests_that_the_new_bundle_was_asked(metric):
    (request,) = alarm_requests(replace(SPEC, alarms=(Alarm(metric, 0.1, least=30),)))
    (asked,) = [part["MetricStat"]["Metric"] for part in request["Metrics"] if part["Id"] == "fresh"]
    assert {"Name": "BundleVersion", "Value": SPEC.variants[0].version} in asked["Dimensions"]
    assert request["Metrics"][-1]["Expression"].startswith("IF(fresh >= 30, ")


def test_each_alarm_watches_each_variant(aws: None):
    client = boto3.client("cloudwatch", region_name="us-east-1")
    alarms = (Alarm("error_share", 0.01), Alarm("latency_p99_ms", 50.0, periods=2), Alarm("review_share", 0.6))
    for request in alarm_requests(replace(PAIR, alarms=alarms)):
        client.put_metric_alarm(**request)

    kept = client.describe_alarms()["MetricAlarms"]
    assert len(kept) == 6
    assert {alarm["TreatMissingData"] for alarm in kept} == {"notBreaching"}
    watched = {
        dimension["Value"]
        for alarm in kept
        for metric in alarm["Metrics"]
        if "MetricStat" in metric
        for dimension in metric["MetricStat"]["Metric"]["Dimensions"]
        if dimension["Name"] == "VariantName"
    }
    assert watched == {"A", "B"}


def test_variants_that_may_grow_follow_their_load(aws: None):
    client = boto3.client("application-autoscaling", region_name="us-east-1")
    asked = scaling_requests(PAIR, most_instances=4)
    with Stubber(client) as stub:  # moto wants the endpoint to be its own
        for target, policy in asked:
            stub.add_response("register_scalable_target", {}, target)
            stub.add_response("put_scaling_policy", {"PolicyARN": ARN}, policy)
            client.register_scalable_target(**target)
            client.put_scaling_policy(**policy)

    assert {target["ResourceId"] for target, _ in asked} == {f"endpoint/matching/variant/{name}" for name in "AB"}
    assert scaling_requests(PAIR, most_instances=1) == []


def test_requests_are_captured_only_where_they_are_encrypted(s3_store: S3Store):
    bare = SageMakerEndpoint(store=s3_store, image_uri=IMAGE, role_arn=ROLE, capture_share=0.1)
    bare.apply(SPEC)
    with pytest.raises(EndpointError, match="captured requests hold names"):
        bare.advance(NAME)

    keyed = SageMakerEndpoint(
        store=s3_store, image_uri=IMAGE, role_arn=ROLE, capture_share=0.1, capture_kms_key="alias/m"
    )
    captured = keyed._requests(SPEC)[1]["DataCaptureConfig"]
    assert (captured["InitialSamplingPercentage"], captured["KmsKeyId"]) == (10, "alias/m")


def updating(step: int) -> Ledger:
    served = replace(wish(None, SPEC, 0.0), phase="InService", good=SPEC, good_generation=1)
    return replace(wish(served, replace(SPEC, variants=PAIR.variants), 0.0), step=step)


@pytest.mark.parametrize(
    ("ledger", "described", "todo", "phase"),
    [
        (updating(0), seen("old"), "update", "Updating"),
        (updating(0), seen("old", "Updating"), "wait", "Updating"),
        (updating(1), seen("old", "Updating"), "wait", "Updating"),
        (updating(1), seen("new"), "wait", "InService"),
        (updating(0), seen("new"), "wait", "InService"),
        (updating(1), seen("old", FailureReason="an alarm"), "wait", "RollingBack"),
        (updating(1), seen("old", "RollingBack"), "wait", "RollingBack"),
        (updating(1), seen("old", "UpdateRollbackFailed"), "restore", "RollingBack"),
        (replace(updating(0), phase="RollingBack"), seen("new"), "restore", "RollingBack"),
        (replace(updating(0), phase="RollingBack"), seen("old"), "wait", "InService"),
        (wish(None, SPEC, 0.0), None, "create", "Creating"),
        (wish(None, SPEC, 0.0), seen("new", "Failed"), "delete", "Creating"),
        (replace(wish(None, SPEC, 0.0), step=1), seen("new", "Failed"), "wait", "Failed"),
    ],
)
def test_what_is_next_follows_from_what_sagemaker_says(ledger, described, todo, phase):
    found, after = follow(ledger, described, "new", "old", 1.0)
    assert (found, after.phase) == (todo, phase)


def test_what_sagemaker_says_of_a_rollback_is_the_reason():
    _, after = follow(updating(1), seen("old", FailureReason="an alarm"), "new", "old", 1.0)
    assert after.reason == "an alarm"
