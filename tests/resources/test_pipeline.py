"""The SageMaker Pipeline: its definition against the language of pipelines, its steps against SageMaker's API.

The published JSON schema (aws-sagemaker-mlops/sagemaker-model-building-pipeline-definition-JSON-schema) knows neither
property files nor JsonGet nor uncompressed models, which the service and its SDK have had for years. So the language is
held here in our own words, as far as it is used, and the arguments of steps to botocore's model of the calls they
become. No execution was ever started: that needs an account.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from botocore.stub import Stubber
from botocore.validate import ParamValidator

from matching.train import main as train
from matching.training_steps import MEASURED
from matching_assets import gates
from resources.aws import client
from resources.pipeline import LEAST_RECALL, MOST_CALIBRATION_ERROR, Pipeline, definition, main, put_pipeline

ROLE = "arn:aws:iam::123456789012:role/matching-training"
OF = Pipeline("b", ROLE, "training:1", "serving:1", kms_key="key", with_aliases=True)
ARN = "arn:aws:sagemaker:us-east-1:123456789012:pipeline/matching"

NAME = {"type": "string", "pattern": "^[A-Za-z0-9-_]{1,64}$"}
GET = {"type": "object", "properties": {"Get": {"type": "string"}}, "required": ["Get"], "additionalProperties": False}
JSON_GET = {
    "type": "object",
    "properties": {
        "Std:JsonGet": {
            "type": "object",
            "properties": {"PropertyFile": GET, "Path": {"type": "string"}},
            "required": ["PropertyFile", "Path"],
            "additionalProperties": False,
        }
    },
    "required": ["Std:JsonGet"],
    "additionalProperties": False,
}
CONDITION = {
    "type": "object",
    "properties": {
        "Type": {"enum": ["GreaterThan", "GreaterThanOrEqualTo", "LessThan", "LessThanOrEqualTo", "Equals"]},
        "LeftValue": JSON_GET,
        "RightValue": {"anyOf": [{"type": "number"}, GET]},
    },
    "required": ["Type", "LeftValue", "RightValue"],
    "additionalProperties": False,
}
PROPERTY_FILE = {
    "type": "object",
    "properties": {"PropertyFileName": NAME, "OutputName": NAME, "FilePath": {"type": "string"}},
    "required": ["PropertyFileName", "OutputName", "FilePath"],
    "additionalProperties": False,
}


def step(kind: str, arguments: dict[str, Any], **more: Any) -> dict[str, Any]:
    properties = {"Name": NAME, "Type": {"const": kind}, "Arguments": {"type": "object", **arguments}, **more}
    required = ["Name", "Type", "Arguments"]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


LEAF_STEPS = [
    step("Processing", {}, PropertyFiles={"type": "array", "items": PROPERTY_FILE}),
    step("Training", {}),
    step("RegisterModel", {}),
    step("Fail", {"properties": {"ErrorMessage": {"type": "string"}}, "required": ["ErrorMessage"]}),
]
BRANCH = {"type": "array", "items": {"oneOf": LEAF_STEPS}}
CONDITION_STEP = step(
    "Condition",
    {
        "properties": {
            "Conditions": {"type": "array", "minItems": 1, "items": CONDITION},
            "IfSteps": BRANCH,
            "ElseSteps": BRANCH,
        },
        "required": ["Conditions"],
        "additionalProperties": False,
    },
)


def parameter(kind: str, value: str) -> dict[str, Any]:
    properties = {"Name": NAME, "Type": {"const": kind}, "DefaultValue": {"type": value}}
    return {"type": "object", "properties": properties, "required": ["Name", "Type"], "additionalProperties": False}


SCHEMA = {
    "type": "object",
    "properties": {
        "Version": {"const": "2020-12-01"},
        "Parameters": {
            "type": "array",
            "items": {"oneOf": [parameter("String", "string"), parameter("Float", "number")]},
        },
        "Steps": {"type": "array", "minItems": 1, "items": {"oneOf": [*LEAF_STEPS, CONDITION_STEP]}},
    },
    "required": ["Version", "Steps"],
    "additionalProperties": False,
}


def steps(of: Pipeline = OF) -> dict[str, dict[str, Any]]:
    """Every step by name, also those of branches."""
    found = {}
    for one in definition(of)["Steps"]:
        arguments = one["Arguments"]
        inner = [*arguments.get("IfSteps", []), *arguments.get("ElseSteps", [])]
        found |= {each["Name"]: each for each in (one, *inner)}
    return found


def references(value: Any) -> Iterator[str]:
    """Every path that is got below `value`."""
    if isinstance(value, dict):
        if "Get" in value:
            yield value["Get"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def resolved(value: Any) -> Any:
    """The value as it is when its step starts: what is got is some text."""
    if isinstance(value, dict):
        if "Get" in value or "Std:Join" in value:
            return "s3://b/some/text"
        return {key: resolved(inner) for key, inner in value.items()}
    return [resolved(inner) for inner in value] if isinstance(value, list) else value


def test_the_definition_is_in_the_language_of_pipelines() -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(definition(OF))


@pytest.mark.parametrize(
    ("name", "operation", "more"),
    [
        ("Prepare", "CreateProcessingJob", {"ProcessingJobName": "j"}),
        ("Train", "CreateTrainingJob", {"TrainingJobName": "j"}),
        ("Evaluate", "CreateProcessingJob", {"ProcessingJobName": "j"}),
        ("Register", "CreateModelPackage", {}),
    ],
)
def test_the_arguments_of_a_step_are_a_request_of_the_api(name: str, operation: str, more: dict[str, str]) -> None:
    shape = client("sagemaker", "us-east-1").meta.service_model.operation_model(operation).input_shape
    request = {**resolved(steps()[name]["Arguments"]), **more}

    assert ParamValidator().validate(request, shape).generate_report() == ""


def test_what_a_step_reads_a_parameter_or_an_earlier_step_gives() -> None:
    whole = definition(OF)
    known = {f"Parameters.{one['Name']}" for one in whole["Parameters"]} | {"Execution.PipelineExecutionId"}
    for one in whole["Steps"]:
        assert set(references(one)) <= known, one["Name"]
        outputs = one["Arguments"].get("ProcessingOutputConfig", {}).get("Outputs", [])
        path = f"Steps.{one['Name']}.ProcessingOutputConfig.Outputs['{{}}'].S3Output.S3Uri"
        known |= {path.format(output["OutputName"]) for output in outputs}
        known |= {
            f"Steps.{one['Name']}.PropertyFiles.{file['PropertyFileName']}" for file in one.get("PropertyFiles", [])
        }
        if one["Type"] == "Training":
            known.add(f"Steps.{one['Name']}.ModelArtifacts.S3ModelArtifacts")


def test_every_parameter_is_read() -> None:
    whole = definition(OF)

    assert {f"Parameters.{one['Name']}" for one in whole["Parameters"]} <= set(references(whole["Steps"]))


def test_what_is_registered_waits_for_a_person() -> None:
    judge = steps()["Judge"]["Arguments"]

    assert [one["Name"] for one in judge["IfSteps"]] == ["Register"]
    assert judge["IfSteps"][0]["Arguments"]["ModelApprovalStatus"] == "PendingManualApproval"
    assert [one["Type"] for one in judge["ElseSteps"]] == ["Fail"]


def test_its_limits_are_those_of_the_asset_graph() -> None:
    assert (LEAST_RECALL, MOST_CALIBRATION_ERROR) == (gates.LEAST_RECALL, gates.MOST_CALIBRATION_ERROR)


def test_a_condition_reads_what_the_evaluation_writes() -> None:
    paths = [c["LeftValue"]["Std:JsonGet"]["Path"] for c in steps()["Judge"]["Arguments"]["Conditions"]]

    assert {path.removeprefix("gate.") for path in paths} <= {*MEASURED, "certificate_granted", "golden_changed"}


@pytest.mark.parametrize("name", ["Prepare", "Evaluate"])
def test_the_program_takes_the_arguments_it_is_given(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = steps()[name]["Arguments"]["AppSpecification"]["ContainerArguments"]
    folders = re.compile("=/opt/ml/processing/(input|output)$")

    assert sum(bool(folders.search(one)) for one in arguments) == 2
    with pytest.raises(SystemExit) as ended:
        train([*arguments, "--help"])
    assert ended.value.code == 0


def test_aliases_are_asked_for_only_where_they_are_delivered() -> None:
    without = definition(Pipeline("b", ROLE, "training:1", "serving:1"))

    assert "aliases" not in json.dumps(without).lower()


def test_a_pipeline_that_is_not_there_is_created_and_one_that_is_is_updated(aws: None) -> None:
    sagemaker = client("sagemaker", "us-east-1")
    request = {"PipelineName": "matching", "PipelineDefinition": json.dumps(definition(OF)), "RoleArn": ROLE}
    with Stubber(sagemaker) as stub:
        stub.add_client_error("update_pipeline", "ResourceNotFound", expected_params=request)
        stub.add_response("create_pipeline", {"PipelineArn": ARN}, request)
        stub.add_response("update_pipeline", {"PipelineArn": ARN}, request)

        assert [put_pipeline(sagemaker, "matching", OF) for _ in range(2)] == [ARN, ARN]


def test_the_command_writes_the_definition(tmp_path: Any) -> None:
    out = tmp_path / "pipeline.json"
    call = ["--bucket", "b", "--role", ROLE, "--training-image", "training:1", "--serving-image", "serving:1"]

    assert main([*call, "--kms-key", "key", "--with-aliases", "--out", str(out)]) == 0
    assert json.loads(out.read_text()) == definition(OF)
