"""The trainers: the same folder from each, and what is asked of SageMaker for it.

A step is run in this process and through Pipes for real. SageMaker is moto, whose jobs are done at once and make
nothing, so that what a container would leave in S3 is put there by the test.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
from botocore.stub import ANY, Stubber

from matching.files import folder_digest
from matching.fit_config import FitConfig
from matching.ranker import RankerConfig
from matching.records import InputError, read_table
from matching.retrieval.encoder import EncoderConfig
from matching.train import run
from matching.training_steps import write_tables
from matching_assets.sample import sample_files
from resources.store import LocalStore, S3Store
from resources.training import LocalTrainer, PipesTrainer, SageMakerTrainer, Trainer, TrainingError

TINY = FitConfig(
    target_precision=0.9,
    holdout_share=0.3,
    folds=2,
    top_k=10,
    encoder=EncoderConfig(steps=2, dim=8, batch=64),
    ranker=RankerConfig(trees=5, threads=1),
)
TABLES = {"reference": pl.DataFrame({"reference_id": ["r1"], "name": ["Acme Corp"]})}
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/matching-training@sha256:" + "0" * 64
ROLE = "arn:aws:iam::123456789012:role/matching-training"


def run_in_dagster(trainer: Trainer, step: str, tables: dict[str, pl.DataFrame], config: FitConfig) -> Path:
    """What a trainer makes within an asset, which Pipes needs."""

    @dg.asset
    def made() -> dg.MaterializeResult[Path]:
        return dg.MaterializeResult(value=trainer.run(step, tables, config))

    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    return dg.materialize_to_memory([made], run_config=quiet).output_for_node("made")


@pytest.fixture(scope="module")
def frames() -> dict[str, pl.DataFrame]:
    """150 labelled names and their references."""
    reference, records, labels = (read_table(path) for path in sample_files().values())
    labels = labels.join(records.head(300), on="record_id", how="semi", maintain_order="left").head(150)
    records = records.join(labels, on="record_id", how="semi", maintain_order="left").select("record_id", "name")
    reference = reference.join(labels, on="reference_id", how="semi", maintain_order="left")
    return {"reference": reference.select("reference_id", "name"), "records": records, "labels": labels}


@pytest.fixture
def local(tmp_path: Path) -> LocalTrainer:
    return LocalTrainer(store=LocalStore(root=str(tmp_path / "store")))


@pytest.mark.slow
def test_a_bundle_is_the_same_from_this_process_and_from_another(
    frames: dict[str, pl.DataFrame], local: LocalTrainer, tmp_path: Path
) -> None:
    here = local.run("bundle", frames, TINY)
    there = run_in_dagster(PipesTrainer(store=LocalStore(root=str(tmp_path / "pipes"))), "bundle", frames, TINY)

    assert here.name == there.name == folder_digest(there)

    inputs = tmp_path / "inputs"
    write_tables(frames, inputs)
    (inputs / "bundle").symlink_to(there)
    asked = run("evaluate", inputs, FitConfig(), tmp_path / "evaluation").metrics
    told = json.loads((tmp_path / "evaluation" / "evaluation.json").read_text())
    assert told["gate"] == asked
    assert asked["golden_changed"] == 0
    assert told["metrics"] == json.loads((there / "manifest.json").read_text())["facts"]["metrics"]


def test_a_step_is_what_its_function_makes(local: LocalTrainer) -> None:
    with pytest.raises(InputError, match="the input records is missing"):
        local.run("prepare", TABLES, FitConfig())


def test_a_failure_in_another_process_has_its_reason(tmp_path: Path) -> None:
    trainer = PipesTrainer(store=LocalStore(root=str(tmp_path / "store")))

    with pytest.raises(TrainingError, match="the input records is missing"):
        run_in_dagster(trainer, "prepare", TABLES, FitConfig())


@pytest.fixture
def trainer(s3_store: S3Store) -> SageMakerTrainer:
    machine = {"instance_type": "ml.m5.2xlarge", "kms_key": "k", "region_name": "us-east-1"}
    return SageMakerTrainer(store=s3_store, image_uri=IMAGE, role_arn=ROLE, **machine)


@pytest.fixture
def put(s3_store: S3Store) -> Callable[[str], None]:
    """Leave a file where the job put what it made."""

    def put(uri: str) -> None:
        bucket, _, below = uri.removeprefix("s3://").partition("/")
        s3_store.client.put_object(Bucket=bucket, Key=f"{below.rstrip('/')}/arrays/made.txt", Body=b"made")

    return put


@pytest.fixture
def stub(trainer: SageMakerTrainer) -> Iterator[Stubber]:
    with Stubber(trainer.client) as stub:
        yield stub
        stub.assert_no_pending_responses()


def expect_training(stub: Stubber, request: Any, made: str) -> None:
    """A job is started with `request`, and is done when it is first looked at."""
    described = {
        "TrainingJobName": "j",
        "TrainingJobArn": "arn:aws:sagemaker:us-east-1:123456789012:training-job/j",
        "ModelArtifacts": {"S3ModelArtifacts": made},
        "TrainingJobStatus": "Completed",
        "SecondaryStatus": "Completed",
        "AlgorithmSpecification": {"TrainingInputMode": "File"},
        "ResourceConfig": {"VolumeSizeInGB": 50},
        "StoppingCondition": {},
        "CreationTime": 0,
    }
    stub.add_client_error("describe_training_job", "ValidationException", "Requested resource not found.")
    stub.add_response("create_training_job", {"TrainingJobArn": described["TrainingJobArn"]}, request)
    for _ in range(2):
        stub.add_response("describe_training_job", described)


def test_a_step_becomes_a_training_job_on_the_tables_in_the_store(
    trainer: SageMakerTrainer, stub: Stubber, put: Callable[[str], None]
) -> None:
    results = "s3://matching-test/matching/training"
    expect_training(
        stub,
        {
            "TrainingJobName": ANY,
            "RoleArn": ROLE,
            "AlgorithmSpecification": {
                "TrainingImage": IMAGE,
                "TrainingInputMode": "File",
                "MetricDefinitions": ANY,
            },
            "HyperParameters": ANY,
            "InputDataConfig": ANY,
            "OutputDataConfig": {"S3OutputPath": results, "CompressionType": "NONE", "KmsKeyId": "k"},
            "ResourceConfig": {
                "InstanceType": "ml.m5.2xlarge",
                "InstanceCount": 1,
                "VolumeSizeInGB": 50,
                "VolumeKmsKeyId": "k",
            },
            "StoppingCondition": {"MaxRuntimeInSeconds": 4 * 3600},
            "RetryStrategy": {"MaximumRetryAttempts": 2},
            "EnableNetworkIsolation": True,
            "Tags": ANY,
        },
        f"{results}/j/output/model/",
    )
    put(f"{results}/j/output/model/")
    made = trainer.run("bundle", TABLES, TINY)

    assert (made / "arrays" / "made.txt").read_text() == "made"
    assert trainer.store.exists(made.name)


def test_channels_are_the_folders_of_the_tables(trainer: SageMakerTrainer) -> None:
    digest = "a" * 64
    request = trainer.training("", "bundle", digest, ["records", "reference"], TINY)

    sources = {c["ChannelName"]: c["DataSource"]["S3DataSource"]["S3Uri"] for c in request["InputDataConfig"]}
    below = f"s3://matching-test/matching/sha256/{digest}"
    assert sources == {"records": f"{below}/records/", "reference": f"{below}/reference/"}
    assert request["HyperParameters"]["step"] == "bundle"
    assert all(isinstance(value, str) for value in request["HyperParameters"].values())


def test_moto_takes_a_training_job_and_a_retry_starts_no_second(
    trainer: SageMakerTrainer, put: Callable[[str], None]
) -> None:
    digest = "a" * 64
    first = trainer.finish("bundle", digest, ["reference"], TINY)
    put(first["ModelArtifacts"]["S3ModelArtifacts"])
    again = trainer.finish("bundle", digest, ["reference"], TINY)
    other = trainer.finish("bundle", "b" * 64, ["reference"], TINY)

    assert first["TrainingJobName"] == again["TrainingJobName"] != other["TrainingJobName"]
    assert len(trainer.client.list_training_jobs()["TrainingJobSummaries"]) == 2


def test_what_was_deleted_from_s3_is_trained_again(trainer: SageMakerTrainer) -> None:
    first = trainer.finish("bundle", "a" * 64, ["reference"], TINY)
    again = trainer.finish("bundle", "a" * 64, ["reference"], TINY)

    assert again["TrainingJobName"] == first["TrainingJobName"] + "-2"


def test_a_job_that_leaves_nothing_is_an_error(trainer: SageMakerTrainer) -> None:
    with pytest.raises(TrainingError, match="is done, but nothing is in s3://"):
        trainer.run("bundle", TABLES, TINY)


def test_guarding_and_evaluating_are_processing_jobs(trainer: SageMakerTrainer) -> None:
    described = trainer.finish("prepare", "a" * 64, ["reference", "records"], TINY)

    name = described["ProcessingJobName"]
    app, (output,) = described["AppSpecification"], described["ProcessingOutputConfig"]["Outputs"]
    assert app["ContainerEntrypoint"] == ["train"]
    assert {"--step=prepare", "--set=folds=2", "--set=encoder.steps=2"} < set(app["ContainerArguments"])
    assert output["S3Output"]["S3Uri"] == f"s3://matching-test/matching/training/{name}/output/"
    assert [one["S3Input"]["LocalPath"] for one in described["ProcessingInputs"]] == [
        "/opt/ml/processing/input/reference",
        "/opt/ml/processing/input/records",
    ]


def test_a_job_runs_in_the_network_it_is_told(s3_store: S3Store) -> None:
    places = {"subnets": ["subnet-1"], "security_groups": ["sg-1"], "instance_type": "ml.m5.large"}
    trainer = SageMakerTrainer(store=s3_store, image_uri=IMAGE, role_arn=ROLE, **places)
    network = {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}

    assert trainer.training("", "bundle", "a" * 64, [], TINY)["VpcConfig"] == network
    assert trainer.processing("", "prepare", "a" * 64, [], TINY)["NetworkConfig"]["VpcConfig"] == network
