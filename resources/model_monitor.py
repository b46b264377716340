"""SageMaker Model Monitor beside our own monitors: a baseline of a bundle, and a schedule that compares with it daily.

    python -m resources.model_monitor --bundle DIR --bucket B --role ARN --kms ARN [--endpoint E] [--region R]

For those who want AWS's own, for instance because their auditors know it. It sees what the endpoint answered
(probability, band, degraded) as data capture kept it, in statistics and constraint violations of its own; it knows no
effect sizes and no audit, and nothing follows from what it says: retraining and closing follow our monitors.

The baseline is the telemetry that the bundle was measured with, so both compare with the same. Jobs and definitions are
named by their content: asked twice, they are there once. SageMaker developer guide: "Data and model quality monitoring
with Amazon SageMaker Model Monitor"; the container's settings are those of "Container contract inputs". Only what was
captured is seen: set `capture_share` and `capture_kms_key` of the endpoint first.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from matching.bundle import read_manifest
from resources import aws
from resources.store import Json, ObjectStore, S3Store
from resources.training_jobs import PROCESSING, content_name, finish_job

PREPROCESSOR = Path(__file__).parents[1] / "deploy" / "container" / "monitor_preprocessor.py"
COLUMNS = ("probability", "decision", "degraded")
ROOT = "/opt/ml/processing"
TYPE = "DataQuality"


@dataclass(frozen=True)
class Monitor:
    """What is watched, and what by. `image_uri`: AWS's analyzer of the region. `hour`: when it looks, in UTC."""

    endpoint: str
    bucket: str
    role_arn: str
    image_uri: str
    kms_key: str
    prefix: str = "matching"
    instance_type: str = "ml.m5.xlarge"
    volume_gb: int = 20
    most_seconds: int = 3600
    hour: int = 3

    @property
    def results(self) -> str:
        """Where reports go."""
        return f"s3://{self.bucket}/{self.prefix}/model-monitor/{self.endpoint}"

    @property
    def cluster(self) -> Json:
        """The machine of each look."""
        machine = {"InstanceCount": 1, "InstanceType": self.instance_type, "VolumeSizeInGB": self.volume_gb}
        return {"ClusterConfig": {**machine, "VolumeKmsKeyId": self.kms_key}}


def baseline_of(bundle: Path) -> pl.DataFrame:
    """What the bundle was measured with, in the columns that the preprocessor makes of an answer."""
    telemetry = pl.read_parquet(bundle / "telemetry.parquet")
    missing = [pl.lit(False).alias(name) for name in COLUMNS if name not in telemetry.columns]
    return telemetry.with_columns(missing).select(COLUMNS)


def baseline_request(of: Monitor, inputs: str, outputs: str) -> Json:
    """`create_processing_job`, without a name: statistics and constraints of `inputs`, a folder with baseline.csv."""

    def place(name: str, uri: str) -> Json:
        where = {"S3Uri": uri, "LocalPath": f"{ROOT}/{name}"}
        return {"InputName": name, "S3Input": {**where, "S3DataType": "S3Prefix", "S3InputMode": "File"}}

    output = {"S3Uri": outputs, "LocalPath": f"{ROOT}/output", "S3UploadMode": "EndOfJob"}
    return {
        "ProcessingInputs": [place("baseline", inputs)],
        "ProcessingOutputConfig": {
            "Outputs": [{"OutputName": "baseline", "S3Output": output}],
            "KmsKeyId": of.kms_key,
        },
        "ProcessingResources": of.cluster,
        "AppSpecification": {"ImageUri": of.image_uri},
        "Environment": {
            "dataset_format": '{"csv": {"header": true, "output_columns_position": "START"}}',
            "dataset_source": f"{ROOT}/baseline/baseline.csv",
            "output_path": f"{ROOT}/output",
            "publish_cloudwatch_metrics": "Disabled",
        },
        "RoleArn": of.role_arn,
        "StoppingCondition": {"MaxRuntimeInSeconds": of.most_seconds},
    }


def definition_request(of: Monitor, preprocessor: str, baseline: str) -> Json:
    """`create_data_quality_job_definition`: what is compared with what. `baseline`: the folder of the baseline job."""
    captured = {
        "EndpointName": of.endpoint,
        "LocalPath": f"{ROOT}/input/endpoint",
        "S3InputMode": "File",
        "S3DataDistributionType": "FullyReplicated",
    }
    report = {"S3Uri": of.results, "LocalPath": f"{ROOT}/output", "S3UploadMode": "EndOfJob"}
    request: Json = {
        "DataQualityBaselineConfig": {
            "ConstraintsResource": {"S3Uri": f"{baseline}constraints.json"},
            "StatisticsResource": {"S3Uri": f"{baseline}statistics.json"},
        },
        "DataQualityAppSpecification": {
            "ImageUri": of.image_uri,
            "RecordPreprocessorSourceUri": preprocessor,
            "Environment": {"publish_cloudwatch_metrics": "Enabled"},
        },
        "DataQualityJobInput": {"EndpointInput": captured},
        "DataQualityJobOutputConfig": {"MonitoringOutputs": [{"S3Output": report}], "KmsKeyId": of.kms_key},
        "JobResources": of.cluster,
        "RoleArn": of.role_arn,
        "StoppingCondition": {"MaxRuntimeInSeconds": of.most_seconds},
    }
    return {"JobDefinitionName": content_name(of.endpoint, request), **request}


def schedule_request(of: Monitor, definition: str) -> Json:
    """`create_monitoring_schedule`, or `update_monitoring_schedule`: each day at `hour`, by a definition."""
    when = {"ScheduleExpression": f"cron(0 {of.hour} ? * * *)"}
    config = {"ScheduleConfig": when, "MonitoringJobDefinitionName": definition, "MonitoringType": TYPE}
    return {"MonitoringScheduleName": f"{of.endpoint}-data-quality", "MonitoringScheduleConfig": config}


def establish(client: Any, store: ObjectStore, of: Monitor, bundle: Path, poll_seconds: int = 30) -> str:
    """Make the baseline of a bundle, and have the schedule compare with it from now on. Returns the schedule's ARN.

    Raises JobError when the baseline's job fails. Whoever runs it again takes what is there.
    """
    with tempfile.TemporaryDirectory() as scratch:
        baseline_of(bundle).write_csv(Path(scratch) / "baseline.csv")
        inputs = store.uri(store.put_folder(Path(scratch)))
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / PREPROCESSOR.name).write_bytes(PREPROCESSOR.read_bytes())
        script = store.uri(store.put_folder(Path(scratch)))
    name = content_name(f"{of.endpoint}-baseline", baseline_request(of, inputs, ""))

    def request(own: str) -> Json:
        return baseline_request(of, inputs, f"{of.results}/baseline/{own}/")

    done = finish_job(client, PROCESSING, name, request, poll_seconds=poll_seconds, most_seconds=of.most_seconds)
    (output,) = done["ProcessingOutputConfig"]["Outputs"]
    definition = definition_request(of, f"{_folder(script)}{PREPROCESSOR.name}", _folder(output["S3Output"]["S3Uri"]))
    _created(client.create_data_quality_job_definition, definition)
    schedule = schedule_request(of, definition["JobDefinitionName"])
    made = _created(client.create_monitoring_schedule, schedule) or client.update_monitoring_schedule(**schedule)
    return str(made["MonitoringScheduleArn"])


def _created(create: Callable[..., Json], request: Json) -> Json | None:
    """The answer, or None when there is one of that name already."""
    from botocore.exceptions import ClientError

    try:
        return create(**request)
    except ClientError as problem:
        error = problem.response["Error"]
        if error["Code"] != "ResourceInUse" and "already exist" not in error["Message"]:
            raise
        return None


def _folder(uri: str) -> str:
    return uri.rstrip("/") + "/"


def analyzer_image(region: str) -> str:
    """AWS's own container, which is in another account in each region; the list is that of the SageMaker SDK."""
    from sagemaker.core import image_uris

    return str(image_uris.retrieve(framework="model-monitor", region=region))


def main(arguments: Sequence[str] | None = None) -> int:
    """Establish the monitor and print the schedule's ARN."""
    parser = argparse.ArgumentParser(prog="resources.model_monitor", description=__doc__.partition("\n")[0])
    for name in ("--bundle", "--bucket", "--role", "--kms"):
        parser.add_argument(name, required=True)
    parser.add_argument("--endpoint", default="matching")
    parser.add_argument("--prefix", default="matching")
    parser.add_argument("--region")
    parser.add_argument("--image", help="default: AWS's analyzer of the region")
    given = parser.parse_args(arguments)
    client = aws.client("sagemaker", given.region)
    image = given.image or analyzer_image(client.meta.region_name)
    store = S3Store(bucket=given.bucket, prefix=given.prefix, cache=tempfile.mkdtemp(prefix="matching-"))
    of = Monitor(given.endpoint, given.bucket, given.role, image, given.kms, given.prefix)
    bundle = Path(given.bundle)
    arn = establish(client, store, of, bundle)
    print(f"{arn}: compares {given.endpoint} with bundle {read_manifest(bundle).version} each day at {of.hour}:00 UTC")
    return 0


if __name__ == "__main__":
    sys.exit(main())
