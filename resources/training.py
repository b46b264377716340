"""Where a step of training runs: in this process, in one of its own, or on SageMaker. What it makes is the same.

A step is one of `matching.training_steps`: it reads tables and makes a folder, which goes to the store under its
digest. All three trainers lay the tables out alike, as Parquet, and run the same code on them; a test holds two of them
to equal digests.
"""

import json
import shutil
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
from pydantic import Field

from matching.files import folder_digest, write_json
from matching.fit_config import FitConfig
from resources import aws
from resources.store import Json, ObjectStore, S3Store
from resources.training_jobs import PROCESSING, TRAINING, JobError, content_name, finish_job

PROCESSED = ("prepare", "evaluate")
"""Steps that SageMaker runs as processing jobs; all others train."""


class TrainingError(RuntimeError):
    """A step that ran elsewhere failed. The text has its reason."""


class Trainer(dg.ConfigurableResource, ABC):  # type: ignore[type-arg]
    """The interface."""

    store: dg.ResourceDependency[ObjectStore]

    def run(
        self,
        step: str,
        tables: Mapping[str, pl.DataFrame],
        config: FitConfig,
        folders: Mapping[str, Path] | None = None,
    ) -> Path:
        """What a step makes of tables and folders: a folder of the store, the same for the same input and settings.

        InputError: this input cannot be used. TrainingError: a step that ran elsewhere failed.
        """
        from matching.training_steps import write_tables

        with tempfile.TemporaryDirectory() as scratch:
            root = Path(scratch)
            write_tables(tables, root / "input" / "data")
            for name, folder in (folders or {}).items():
                shutil.copytree(folder, root / "input" / "data" / name)
            return self.store.get_folder(self.store.put_folder(self._make(step, root, config)))

    @abstractmethod
    def _make(self, step: str, root: Path, config: FitConfig) -> Path:
        """Run a step on the tables in `root/input/data`, and return the folder that it made, below `root`."""


class LocalTrainer(Trainer):
    """In this process."""

    def _make(self, step: str, root: Path, config: FitConfig) -> Path:
        from matching.train import run

        run(step, root / "input" / "data", config, root / "model")
        return root / "model"


class PipesTrainer(Trainer):
    """In a process of its own, which reports through Dagster Pipes: its memory is given back, and its log is apart.

    Only within a step of a Dagster run, of an asset that returns a MaterializeResult: Pipes insists on one. The process
    is stopped with the run.
    """

    def _make(self, step: str, root: Path, config: FitConfig) -> Path:
        write_json(root / "input" / "config" / "hyperparameters.json", hyperparameters(step, config))
        command = [sys.executable, "-m", "matching.train", "--root", str(root)]
        context = dg.OpExecutionContext.get()
        failure = root / "output" / "failure"
        try:
            done = dg.PipesSubprocessClient().run(context=context, command=command)
        finally:
            if failure.exists():
                raise TrainingError(failure.read_text())
        (made,) = done.get_custom_messages()
        context.log.info("%s made %s: %s", step, made["digest"], json.dumps(made["metrics"]))
        if folder_digest(root / "model") != made["digest"]:
            raise TrainingError(f"what {step} made was altered on its way: run it again")
        return root / "model"


class SageMakerTrainer(Trainer):
    """A SageMaker training job, or a processing job for the steps of PROCESSED, named by its content.

    `image_uri` should name a digest, or a tag that cannot be moved: a job of the same name is not run again. The
    container has no network; tables are delivered to it from the store, and it may write below `<prefix>/training`.
    A run that dies does not stop its job: the next one finds it. `most_seconds` limits what a job can cost.
    """

    store: dg.ResourceDependency[S3Store]
    image_uri: str
    role_arn: str
    instance_type: str
    volume_gb: int = 50
    most_seconds: int = 4 * 3600
    kms_key: str | None = None
    subnets: list[str] = Field(default_factory=list)
    security_groups: list[str] = Field(default_factory=list)
    poll_seconds: int = 30
    region_name: str | None = None

    @property
    def client(self) -> Any:
        """The boto3 client."""
        return aws.client("sagemaker", self.region_name)

    def _make(self, step: str, root: Path, config: FitConfig) -> Path:
        inputs = root / "input" / "data"
        tables = sorted(path.name for path in inputs.iterdir())
        described = self.finish(step, self.store.put_folder(inputs), tables, config)
        if not self._download(made_at(described), root / "model"):
            raise TrainingError(f"{step} is done, but nothing is in {made_at(described)}: does the role allow writing?")
        return root / "model"

    def finish(self, step: str, digest: str, tables: list[str], config: FitConfig) -> Json:
        """The completed job that runs a step on the tables of a stored folder. Raises TrainingError."""
        kind, make = (PROCESSING, self.processing) if step in PROCESSED else (TRAINING, self.training)
        name = content_name(f"matching-{step}", make("", step, digest, tables, config))
        try:
            return finish_job(
                self.client,
                kind,
                name,
                lambda own: make(own, step, digest, tables, config),
                is_kept=lambda described: bool(self._keys(made_at(described))),
                poll_seconds=self.poll_seconds,
                most_seconds=self.most_seconds + 3600,  # a job may wait for a machine
            )
        except JobError as problem:
            raise TrainingError(str(problem)) from problem

    def training(self, _: str, step: str, digest: str, tables: list[str], config: FitConfig) -> Json:
        """What is asked of CreateTrainingJob, but for the name."""
        channels = [
            {
                "ChannelName": table,
                "InputMode": "File",
                "DataSource": {
                    "S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"{self.store.uri(digest)}{table}/"}
                },
            }
            for table in tables
        ]
        output = {"S3OutputPath": self._results(), "CompressionType": "NONE"}
        return {
            "RoleArn": self.role_arn,
            "AlgorithmSpecification": {
                "TrainingImage": self.image_uri,
                "TrainingInputMode": "File",
                "MetricDefinitions": METRICS,
            },
            "HyperParameters": hyperparameters(step, config),
            "InputDataConfig": channels,
            "OutputDataConfig": output | self._key("KmsKeyId"),
            "ResourceConfig": self._machine(),
            "StoppingCondition": {"MaxRuntimeInSeconds": self.most_seconds},
            "RetryStrategy": {"MaximumRetryAttempts": 2},  # of SageMaker's own errors, not of ours
            "EnableNetworkIsolation": True,
            **self._network(),
            "Tags": tags(step, digest),
        }

    def processing(self, name: str, step: str, digest: str, tables: list[str], config: FitConfig) -> Json:
        """What is asked of CreateProcessingJob, but for the name: its output goes into a folder of that name."""
        inputs = [
            {
                "InputName": table,
                "S3Input": {
                    "S3Uri": f"{self.store.uri(digest)}{table}/",
                    "LocalPath": f"{PROCESSING_ROOT}/input/{table}",
                    "S3DataType": "S3Prefix",
                    "S3InputMode": "File",
                },
            }
            for table in tables
        ]
        target = {
            "S3Uri": f"{self._results()}/{name}/output/",
            "LocalPath": f"{PROCESSING_ROOT}/output",
            "S3UploadMode": "EndOfJob",
        }
        network = self._network()
        return {
            "RoleArn": self.role_arn,
            "AppSpecification": processing_app(self.image_uri, step, hyperparameters(step, config)),
            "ProcessingInputs": inputs,
            "ProcessingOutputConfig": {"Outputs": [{"OutputName": "made", "S3Output": target}]} | self._key("KmsKeyId"),
            "ProcessingResources": {"ClusterConfig": self._machine()},
            "StoppingCondition": {"MaxRuntimeInSeconds": self.most_seconds},
            "NetworkConfig": {"EnableNetworkIsolation": True, **network},
            "Tags": tags(step, digest),
        }

    def _machine(self) -> Json:
        machine = {"InstanceType": self.instance_type, "InstanceCount": 1, "VolumeSizeInGB": self.volume_gb}
        return machine | self._key("VolumeKmsKeyId")

    def _key(self, name: str) -> Json:
        return {name: self.kms_key} if self.kms_key else {}

    def _network(self) -> Json:
        network = {"Subnets": self.subnets, "SecurityGroupIds": self.security_groups}
        return {"VpcConfig": network} if self.subnets else {}

    def _results(self) -> str:
        return f"s3://{self.store.bucket}/{self.store.prefix}/training"

    def _keys(self, uri: str) -> list[str]:
        bucket, _, below = uri.removeprefix("s3://").partition("/")
        pages = self.store.client.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, Prefix=f"{below.rstrip('/')}/"
        )
        return [item["Key"] for page in pages for item in page.get("Contents", [])]

    def _download(self, uri: str, folder: Path) -> int:
        bucket, _, below = uri.removeprefix("s3://").partition("/")
        keys = self._keys(uri)
        for key in keys:
            path = folder / key.removeprefix(f"{below.rstrip('/')}/")
            path.parent.mkdir(parents=True, exist_ok=True)
            self.store.client.download_file(bucket, key, str(path))
        return len(keys)


PROCESSING_ROOT = "/opt/ml/processing"
METRICS = [
    {"Name": name, "Regex": rf'"{name}": ([-0-9.e]+)'}
    for name in ("top1", "candidate_recall", "coverage", "calibration_error", "precision_lower_bound")
]
"""What SageMaker reads from the last line of `matching.train`, for its console."""


def hyperparameters(step: str, config: FitConfig) -> dict[str, str]:
    """A step and its settings, as text by name."""
    from matching.training_steps import settings_of

    return {"step": step, **settings_of(config)}


def processing_app(image_uri: str, step: str, settings: Mapping[str, str]) -> Json:
    """How a processing job starts `matching.train`: it has no hyperparameters, so they are arguments."""
    given = [f"--set={name}={value}" for name, value in sorted(settings.items()) if name != "step"]
    folders = [f"--input={PROCESSING_ROOT}/input", f"--output={PROCESSING_ROOT}/output"]
    arguments = [f"--step={step}", *folders, *given]
    return {"ImageUri": image_uri, "ContainerEntrypoint": ["train"], "ContainerArguments": arguments}


def tags(step: str, digest: str) -> list[Json]:
    """What a job is labelled with, for the bill and for who looks at it."""
    return [{"Key": "matching/step", "Value": step}, {"Key": "matching/inputs", "Value": digest}]


def made_at(described: Json) -> str:
    """Where a completed job has put what it made: an S3 prefix."""
    if "ModelArtifacts" in described:
        return str(described["ModelArtifacts"]["S3ModelArtifacts"])
    return str(described["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"])
