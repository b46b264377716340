"""Model Monitor: what is asked of AWS is held to botocore's model of it, and the preprocessor to real answers."""

import importlib.util
import json
from base64 import b64encode
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import polars as pl
import pytest
from botocore.stub import ANY, Stubber

from matching.runtime_input import CSV_TYPE, JSON_TYPE, LINES_TYPE
from matching.runtime_output import answer_body
from resources.model_monitor import (
    COLUMNS,
    PREPROCESSOR,
    Monitor,
    analyzer_image,
    baseline_of,
    baseline_request,
    definition_request,
    establish,
    schedule_request,
)
from resources.store import LocalStore

ARN = "arn:aws:sagemaker:us-east-1:123456789012:monitoring-schedule/matching-data-quality"
OF = Monitor(
    endpoint="matching",
    bucket="bucket",
    role_arn="arn:aws:iam::123456789012:role/matching",
    image_uri="156813124566.dkr.ecr.us-east-1.amazonaws.com/sagemaker-model-monitor-analyzer",
    kms_key="arn:aws:kms:us-east-1:123456789012:key/1",
)


@pytest.fixture
def client() -> Any:
    return boto3.client("sagemaker", region_name="us-east-1", aws_access_key_id="t", aws_secret_access_key="t")


class Bucket(LocalStore):
    """A store whose folders lie in S3, as far as those who ask are concerned."""

    def uri(self, digest: str) -> str:
        return f"s3://bucket/matching/sha256/{digest}"


def described(status: str = "Completed") -> dict[str, Any]:
    request = baseline_request(OF, "s3://bucket/in", "s3://bucket/out/")
    return {
        "ProcessingJobName": "x",
        "ProcessingJobArn": "arn:aws:sagemaker:us-east-1:123456789012:processing-job/x",
        "ProcessingJobStatus": status,
        "CreationTime": "2026-01-01",
        **{key: request[key] for key in ("ProcessingResources", "AppSpecification", "ProcessingOutputConfig")},
    }


def test_the_baseline_is_what_the_bundle_was_measured_with_in_the_columns_of_an_answer(small_bundle: Path) -> None:
    baseline = baseline_of(small_bundle)
    assert tuple(baseline.columns) == COLUMNS
    assert baseline.height == pl.read_parquet(small_bundle / "telemetry.parquet").height


def test_a_monitor_is_a_baseline_job_a_definition_and_a_schedule(
    client: Any, small_bundle: Path, tmp_path: Path
) -> None:
    store = Bucket(root=str(tmp_path))
    with Stubber(client) as stub:
        stub.add_client_error("describe_processing_job", "ValidationException", "Could not find it")
        stub.add_response("create_processing_job", {"ProcessingJobArn": "arn:" + 20 * "x"}, None)
        stub.add_response("describe_processing_job", described())  # the waiter
        stub.add_response("describe_processing_job", described())
        stub.add_response("create_data_quality_job_definition", {"JobDefinitionArn": "arn:" + 20 * "x"}, None)
        asked = {"MonitoringScheduleName": "matching-data-quality", "MonitoringScheduleConfig": ANY}
        stub.add_response("create_monitoring_schedule", {"MonitoringScheduleArn": ARN}, asked)
        assert establish(client, store, OF, small_bundle, poll_seconds=0.001) == ARN
        stub.assert_no_pending_responses()


def test_asked_again_for_another_bundle_the_job_is_found_and_the_schedule_updated(
    client: Any, small_bundle: Path, tmp_path: Path
) -> None:
    with Stubber(client) as stub:
        stub.add_response("describe_processing_job", described())
        stub.add_client_error("create_data_quality_job_definition", "ResourceInUse", "it is there")
        stub.add_client_error("create_monitoring_schedule", "ValidationException", "A schedule already exists")
        stub.add_response("update_monitoring_schedule", {"MonitoringScheduleArn": ARN}, None)
        assert establish(client, Bucket(root=str(tmp_path)), OF, small_bundle) == ARN
        stub.assert_no_pending_responses()


def test_all_that_is_written_is_encrypted_and_stops_by_itself() -> None:
    baseline = baseline_request(OF, "s3://bucket/in", "s3://bucket/out/")
    definition = definition_request(OF, "s3://bucket/p.py", "s3://bucket/out/")
    told = json.dumps([baseline, definition])
    assert told.count('"KmsKeyId"') == 2
    assert told.count('"VolumeKmsKeyId"') == 2
    assert told.count('"MaxRuntimeInSeconds": 3600') == 2


def test_definitions_are_named_by_their_content() -> None:
    one, again, other = (definition_request(OF, "s3://b/p.py", f"s3://b/{x}/") for x in ("a", "a", "b"))
    assert one["JobDefinitionName"] == again["JobDefinitionName"] != other["JobDefinitionName"]


def test_the_schedule_is_daily() -> None:
    config = schedule_request(OF, "d")["MonitoringScheduleConfig"]
    assert config["ScheduleConfig"]["ScheduleExpression"] == "cron(0 3 ? * * *)"


def preprocess(data: str, encoding: str) -> list[dict[str, Any]]:
    spec = importlib.util.spec_from_file_location("monitor_preprocessor", PREPROCESSOR)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.COLUMNS == COLUMNS
    output = SimpleNamespace(data=data, encoding=encoding)
    return module.preprocess_handler(SimpleNamespace(endpoint_input=None, endpoint_output=output))


@pytest.mark.parametrize(("kind", "encoding"), [(JSON_TYPE, "JSON"), (LINES_TYPE, "BASE64"), (CSV_TYPE, "CSV")])
def test_an_answer_of_the_endpoint_becomes_a_row_for_each_decision(kind, encoding, small_scorer, small_frames) -> None:
    decisions = small_scorer.score(small_frames.records.head(3)).decisions
    body = answer_body(decisions, small_scorer.bundle_version, kind)
    rows = preprocess(b64encode(body).decode() if encoding == "BASE64" else body.decode(), encoding)
    assert [row["decision"] for row in rows] == decisions["decision"].to_list()
    assert [row["probability"] for row in rows] == pytest.approx(decisions["probability"].to_list())
    assert {row["degraded"] for row in rows} == {False}
    assert all(tuple(row) == COLUMNS for row in rows)


@pytest.mark.parametrize("data", ["", '{"error": "too large"}'])
def test_what_was_not_answered_with_decisions_is_no_row(data: str) -> None:
    assert preprocess(data, "JSON") == []


def test_the_analyzer_of_a_region_is_known_to_the_sdk() -> None:
    assert analyzer_image("eu-west-1").startswith("468650794304.dkr.ecr.eu-west-1.amazonaws.com/")
