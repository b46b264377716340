"""The same steps as a SageMaker Pipeline, for who runs them without Dagster: guard, train, evaluate, judge, register.

    python -m resources.pipeline --bucket B --role ARN --training-image URI --serving-image URI [--put NAME]

The definition is JSON (schema version 2020-12-01) made by a pure function; the arguments of its steps are requests of
SageMaker's API. What is registered waits for a person (`PendingManualApproval`); what misses a limit ends the execution
with a reason. The limits are those of `matching_assets/gates.py`, without the ones that need the champion.

Packages that come this way have a group of their own and are decided in SageMaker's console: the registry of the asset
graph keeps for each of its packages what SageMaker has no field for, and knows nothing of these.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from matching.files import atomic_write
from matching.fit_config import FitConfig
from resources import aws
from resources.store import Json
from resources.training import METRICS, PROCESSING_ROOT, hyperparameters, processing_app

VERSION = "2020-12-01"
LEAST_RECALL, MOST_CALIBRATION_ERROR = 0.85, 0.05
TYPES = ["application/json", "application/jsonlines", "text/csv"]
PREPARED = ("reference", "records", "labels")


@dataclass(frozen=True)
class Pipeline:
    """What a pipeline is told when it is defined. What may differ between executions are its parameters.

    `with_aliases`: aliases are delivered too. `config` needs a holdout_share above 0, or there is nothing to judge by.
    """

    bucket: str
    role_arn: str
    training_image: str
    serving_image: str
    prefix: str = "matching"
    group: str = "matching-pipeline"
    kms_key: str | None = None
    volume_gb: int = 50
    most_seconds: int = 4 * 3600
    with_aliases: bool = False
    config: FitConfig = field(default_factory=lambda: FitConfig(holdout_share=0.2))


def definition(of: Pipeline) -> Json:
    """The pipeline as JSON. The same pipeline gives the same definition."""
    tables = [*PREPARED, *(["aliases"] if of.with_aliases else [])]
    prepare = _processing(
        of, "Prepare", "prepare", {t: _get(f"Parameters.{_uri(t)}") for t in tables}, [*tables, "quarantine"]
    )
    train = _training(of, {t: _made("Prepare", t) for t in tables})
    bundle = _get("Steps.Train.ModelArtifacts.S3ModelArtifacts")
    asked = {"bundle": bundle, "records": _made("Prepare", "records"), "labels": _made("Prepare", "labels")}
    report = {"PropertyFileName": "evaluation", "OutputName": "made", "FilePath": "evaluation.json"}
    evaluate = _processing(of, "Evaluate", "evaluate", asked, []) | {"PropertyFiles": [report]}
    judge = {
        "Name": "Judge",
        "Type": "Condition",
        "Arguments": {
            "Conditions": [
                _condition("GreaterThanOrEqualTo", "candidate_recall", _get("Parameters.LeastRecall")),
                _condition("LessThanOrEqualTo", "calibration_error", _get("Parameters.MostCalibrationError")),
                _condition("GreaterThanOrEqualTo", "certificate_granted", 1.0),
                _condition("LessThanOrEqualTo", "golden_changed", 0.0),
            ],
            "IfSteps": [_register(of, bundle)],
            "ElseSteps": [
                {
                    "Name": "Refuse",
                    "Type": "Fail",
                    "Arguments": {"ErrorMessage": "A limit was missed: see evaluation.json of the step Evaluate."},
                }
            ],
        },
    }
    return {"Version": VERSION, "Parameters": _parameters(tables, of), "Steps": [prepare, train, evaluate, judge]}


def put_pipeline(client: Any, name: str, of: Pipeline) -> str:
    """Create the pipeline, or bring the one of that name up to date. Returns its ARN."""
    from botocore.exceptions import ClientError

    request = {"PipelineName": name, "PipelineDefinition": json.dumps(definition(of)), "RoleArn": of.role_arn}
    try:
        return str(client.update_pipeline(**request)["PipelineArn"])
    except ClientError as problem:
        if problem.response["Error"]["Code"] != "ResourceNotFound":
            raise
    return str(client.create_pipeline(**request)["PipelineArn"])


def _parameters(tables: Sequence[str], of: Pipeline) -> list[Json]:
    below = f"s3://{of.bucket}/{of.prefix}/landing"
    texts = {_uri(table): f"{below}/{table}/" for table in tables}
    texts |= {"InstanceType": "ml.m5.2xlarge", "TargetPrecision": str(of.config.target_precision)}
    numbers = {"LeastRecall": LEAST_RECALL, "MostCalibrationError": MOST_CALIBRATION_ERROR}
    return [
        *({"Name": name, "Type": "String", "DefaultValue": value} for name, value in texts.items()),
        *({"Name": name, "Type": "Float", "DefaultValue": value} for name, value in numbers.items()),
    ]


def _processing(of: Pipeline, name: str, step: str, inputs: dict[str, Json], outputs: Sequence[str]) -> Json:
    """A processing step. Each of `outputs` is a folder of what it makes; without any, all of it is one."""
    folders = {output: f"{PROCESSING_ROOT}/output/{output}" for output in outputs}
    arguments = {
        "RoleArn": of.role_arn,
        "AppSpecification": processing_app(of.training_image, step, {}),
        "ProcessingInputs": [
            {
                "InputName": table,
                "S3Input": {
                    "S3Uri": uri,
                    "LocalPath": f"{PROCESSING_ROOT}/input/{table}",
                    "S3DataType": "S3Prefix",
                    "S3InputMode": "File",
                },
            }
            for table, uri in inputs.items()
        ],
        "ProcessingOutputConfig": {
            "Outputs": [
                {
                    "OutputName": output,
                    "S3Output": {"S3Uri": _own(of, name, output), "LocalPath": path, "S3UploadMode": "EndOfJob"},
                }
                for output, path in (folders or {"made": f"{PROCESSING_ROOT}/output"}).items()
            ],
            **_key(of, "KmsKeyId"),
        },
        "ProcessingResources": {"ClusterConfig": _machine(of)},
        "StoppingCondition": {"MaxRuntimeInSeconds": of.most_seconds},
        "NetworkConfig": {"EnableNetworkIsolation": True},
    }
    return {"Name": name, "Type": "Processing", "Arguments": arguments}


def _training(of: Pipeline, channels: dict[str, Json]) -> Json:
    settings: Json = hyperparameters("bundle", of.config)
    arguments = {
        "RoleArn": of.role_arn,
        "AlgorithmSpecification": {
            "TrainingImage": of.training_image,
            "TrainingInputMode": "File",
            "MetricDefinitions": METRICS,
        },
        "HyperParameters": settings | {"target_precision": _get("Parameters.TargetPrecision")},
        "InputDataConfig": [
            {
                "ChannelName": table,
                "InputMode": "File",
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}},
            }
            for table, uri in channels.items()
        ],
        "OutputDataConfig": {
            "S3OutputPath": f"s3://{of.bucket}/{of.prefix}/pipeline/bundles",  # kept: packages point into it
            "CompressionType": "NONE",
            **_key(of, "KmsKeyId"),
        },
        "ResourceConfig": _machine(of),
        "StoppingCondition": {"MaxRuntimeInSeconds": of.most_seconds},
        "EnableNetworkIsolation": True,
    }
    return {"Name": "Train", "Type": "Training", "Arguments": arguments}


def _register(of: Pipeline, bundle: Json) -> Json:
    source = {"S3Uri": bundle, "S3DataType": "S3Prefix", "CompressionType": "None"}
    found = {"Std:Join": {"On": "/", "Values": [_made("Evaluate", "made"), "evaluation.json"]}}
    arguments = {
        "ModelPackageGroupName": of.group,
        "ModelApprovalStatus": "PendingManualApproval",
        "ModelPackageDescription": "Trained by the SageMaker Pipeline; the bundle's version is in its evaluation.",
        "InferenceSpecification": {
            "Containers": [{"Image": of.serving_image, "ModelDataSource": {"S3DataSource": source}}],
            "SupportedContentTypes": TYPES,
            "SupportedResponseMIMETypes": TYPES,
        },
        "ModelMetrics": {"ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": found}}},
    }
    return {"Name": "Register", "Type": "RegisterModel", "Arguments": arguments}


def _condition(kind: str, figure: str, limit: Any) -> Json:
    seen = {"PropertyFile": _get("Steps.Evaluate.PropertyFiles.evaluation"), "Path": f"gate.{figure}"}
    return {"Type": kind, "LeftValue": {"Std:JsonGet": seen}, "RightValue": limit}


def _get(path: str) -> Json:
    return {"Get": path}


def _uri(table: str) -> str:
    return f"{table.title()}Uri"


def _made(step: str, output: str) -> Json:
    return _get(f"Steps.{step}.ProcessingOutputConfig.Outputs['{output}'].S3Output.S3Uri")


def _own(of: Pipeline, step: str, output: str) -> Json:
    """A folder of this execution, so that two of them do not write into each other's."""
    below = f"s3://{of.bucket}/{of.prefix}/pipeline"
    return {"Std:Join": {"On": "/", "Values": [below, _get("Execution.PipelineExecutionId"), step, output]}}


def _machine(of: Pipeline) -> Json:
    machine = {"InstanceType": _get("Parameters.InstanceType"), "InstanceCount": 1, "VolumeSizeInGB": of.volume_gb}
    return machine | _key(of, "VolumeKmsKeyId")


def _key(of: Pipeline, name: str) -> Json:
    return {name: of.kms_key} if of.kms_key else {}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the definition, write it to a file, or put it into SageMaker."""
    parser = argparse.ArgumentParser(prog="python -m resources.pipeline", description="Define the SageMaker Pipeline.")
    for name, about in (
        ("--bucket", "S3 bucket"),
        ("--role", "ARN of the role that pipeline and jobs run under"),
        ("--training-image", "training container in ECR"),
        ("--serving-image", "scoring container in ECR"),
    ):
        parser.add_argument(name, required=True, help=about)
    parser.add_argument("--group", default="matching-pipeline", help="model package group (default matching-pipeline)")
    parser.add_argument("--kms-key", help="key for volumes and outputs")
    parser.add_argument("--with-aliases", action="store_true", help="aliases are delivered too")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--out", type=Path, metavar="FILE", help="write the definition there")
    where.add_argument("--put", metavar="NAME", help="create or update the pipeline of that name")
    given = parser.parse_args(arguments)
    of = Pipeline(
        given.bucket, given.role, given.training_image, given.serving_image,
        group=given.group, kms_key=given.kms_key, with_aliases=given.with_aliases,
    )  # fmt: skip
    if given.put:
        print(put_pipeline(aws.client("sagemaker", None), given.put, of))
        return 0
    text = json.dumps(definition(of), indent=1) + "\n"
    if given.out:
        atomic_write(given.out, text)
    else:
        sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
