"""Large batches on SageMaker: a batch transform job scores records with the container and the bundle of the endpoint.

    python -m resources.transform --records F --decisions F [--bundle DIGEST]

The settings are those of MATCHING_ENV=aws; without `--bundle`, the champion decides. On one machine `matching match`
does the same.

The input is JSON Lines in which a line is a list of records, as large as one request may be, and each line is sent by
itself (`SplitType` Line, `BatchStrategy` SingleRecord): with MultiRecord SageMaker fills requests up to whole
megabytes, which the container refuses. The answers are JSON Lines, one decision a line. They are joined by `record_id`,
which a decision has, and not by SageMaker's `JoinSource`, which pairs a line of input with one of output: in = out is
checked. One record that the container refuses would fail the whole job, so records are guarded before.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from matching.files import atomic_write
from resources import aws
from resources.store import Json, S3Store
from resources.training_jobs import TRANSFORM, content_name, finish_job

MOST_RECORDS, MOST_BYTES = 500, 200_000
"""Of one line; the container takes 1,000 records and 256 KB (`matching.runtime_input`)."""
LINES_A_FILE = 100
"""SageMaker gives whole files to its machines, so there have to be more files than machines."""
JSON_TYPE, LINES_TYPE = "application/json", "application/jsonlines"


class TransformError(RuntimeError):
    """The job is done, but what it made is not one decision for each record."""


def batch_lines(records: pl.DataFrame) -> Iterator[bytes]:
    """Records as lines: each a JSON list that fits into one request, without fields that are null."""
    line: list[bytes] = []
    size = 0
    for record in records.iter_rows(named=True):
        known = {name: value for name, value in record.items() if value is not None}
        text = json.dumps(known, ensure_ascii=False).encode()
        if line and (len(line) == MOST_RECORDS or size + len(text) > MOST_BYTES):
            yield b"[" + b",".join(line) + b"]\n"
            line, size = [], 0
        line.append(text)
        size += len(text) + 1
    if line:
        yield b"[" + b",".join(line) + b"]\n"


def write_batches(records: pl.DataFrame, folder: Path) -> None:
    """The files of a job's input: `part-<n>.jsonl` of LINES_A_FILE lines each."""
    lines = list(batch_lines(records))
    for start in range(0, len(lines), LINES_A_FILE):
        number = start // LINES_A_FILE
        atomic_write(folder / f"part-{number:05d}.jsonl", b"".join(lines[start : start + LINES_A_FILE]))


def join_decisions(records: pl.DataFrame, answers: bytes) -> pl.DataFrame:
    """The decisions of a job, in the order of the records. Raises TransformError unless each record has exactly one."""
    if not answers.strip():
        raise TransformError(f"no decision came back for {records.height:,} records")
    decisions = pl.read_ndjson(answers, infer_schema_length=None)
    joined = records.select("record_id").join(decisions, on="record_id", how="left", maintain_order="left")
    lost = joined["decision"].null_count()
    if lost or joined.height != records.height or decisions.height != records.height:
        raise TransformError(
            f"{records.height:,} records went in and {decisions.height:,} decisions came out, {lost:,} records have "
            "none: look into the output of the job before it is run again"
        )
    return joined


class SageMakerTransform(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Batch transform jobs, named by their content: the same records and bundle are scored once."""

    store: dg.ResourceDependency[S3Store]
    image_uri: str
    role_arn: str
    instance_type: str = "ml.m5.2xlarge"
    instance_count: int = 1
    at_once: int = 4
    kms_key: str | None = None
    poll_seconds: int = 30
    region_name: str | None = None

    @property
    def client(self) -> Any:
        """The boto3 client."""
        return aws.client("sagemaker", self.region_name)

    def score(self, records: pl.DataFrame, bundle_digest: str) -> pl.DataFrame:
        """Decide for each of these guarded records, in their order. Raises JobError, and TransformError."""
        with tempfile.TemporaryDirectory() as scratch:
            write_batches(records, Path(scratch))
            inputs = self.store.put_folder(Path(scratch))
        model = self.model(bundle_digest)
        self._ensure_model(model)
        name = content_name("matching-transform", self.request("", model["ModelName"], inputs))
        done = finish_job(
            self.client,
            TRANSFORM,
            name,
            lambda own: self.request(own, model["ModelName"], inputs),
            is_kept=lambda described: bool(self._outputs(described)),
            poll_seconds=self.poll_seconds,
        )
        return join_decisions(records, b"".join(self._read(key) for key in self._outputs(done)))

    def model(self, bundle_digest: str) -> Json:
        """What is asked of CreateModel: the container with a bundle, named by its content."""
        source = {"S3Uri": self.store.uri(bundle_digest), "S3DataType": "S3Prefix", "CompressionType": "None"}
        container = {"Image": self.image_uri, "ModelDataSource": {"S3DataSource": source}}
        model = {"PrimaryContainer": container, "ExecutionRoleArn": self.role_arn, "EnableNetworkIsolation": True}
        return {"ModelName": content_name("matching", model), **model}

    def request(self, name: str, model: str, inputs: str) -> Json:
        """What is asked of CreateTransformJob, but for the name: its output goes into a folder of that name."""
        source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": self.store.uri(inputs)}}
        key = {"KmsKeyId": self.kms_key} if self.kms_key else {}
        target = f"s3://{self.store.bucket}/{self.store.prefix}/transform/{name}"
        machines = {"InstanceType": self.instance_type, "InstanceCount": self.instance_count}
        return {
            "ModelName": model,
            "BatchStrategy": "SingleRecord",
            "MaxConcurrentTransforms": self.at_once,
            "MaxPayloadInMB": 1,
            "ModelClientConfig": {"InvocationsTimeoutInSeconds": 60, "InvocationsMaxRetries": 3},
            "TransformInput": {"DataSource": source, "ContentType": JSON_TYPE, "SplitType": "Line"},
            "TransformOutput": {"S3OutputPath": target, "Accept": LINES_TYPE, "AssembleWith": "Line", **key},
            "TransformResources": machines | ({"VolumeKmsKeyId": self.kms_key} if self.kms_key else {}),
        }

    def _ensure_model(self, model: Json) -> None:
        from botocore.exceptions import ClientError

        try:
            self.client.create_model(**model)
        except ClientError as problem:
            if "already exist" not in problem.response["Error"]["Message"]:
                raise

    def _outputs(self, described: Json) -> list[str]:
        """The keys of what a job wrote: `<input file>.out`."""
        below = described["TransformOutput"]["S3OutputPath"].removeprefix(f"s3://{self.store.bucket}/")
        pages = self.store.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.store.bucket, Prefix=f"{below}/"
        )
        found = [item["Key"] for page in pages for item in page.get("Contents", [])]
        return sorted(key for key in found if key.endswith(".out"))

    def _read(self, key: str) -> bytes:
        body: bytes = self.store.client.get_object(Bucket=self.store.bucket, Key=key)["Body"].read()
        return body.rstrip(b"\n") + b"\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Score a file of records with the champion, or with the bundle that is named."""
    import os

    from matching.guardrails import guard_records
    from matching.records import read_table, write_table
    from resources.environment import for_environment

    parser = argparse.ArgumentParser(
        prog="python -m resources.transform", description="Score a large file on SageMaker."
    )
    parser.add_argument("--records", required=True, metavar="F", help="record_id, name, ...: CSV or Parquet")
    parser.add_argument("--decisions", required=True, metavar="F", help="where the decisions go; quarantine beside it")
    parser.add_argument("--bundle", metavar="DIGEST", help="of the store (default: the champion's)")
    given = parser.parse_args(arguments)
    resources = for_environment("aws")
    champion = resources["registry"].champion()
    if champion is None and given.bundle is None:
        parser.error("there is no champion yet: name a bundle")
    guarded = guard_records(read_table(given.records), given.records)
    if guarded.quarantined.height:
        write_table(guarded.quarantined, f"{given.decisions}.quarantine.csv")
    transform = SageMakerTransform(
        store=resources["store"],
        image_uri=os.environ["MATCHING_IMAGE_URI"],
        role_arn=os.environ["MATCHING_ROLE_ARN"],
        kms_key=os.environ.get("MATCHING_KMS_KEY"),
    )
    decisions = transform.score(guarded.accepted, given.bundle or champion.bundle_digest)
    write_table(decisions, given.decisions)
    print(f"{decisions.height:,} decisions, {guarded.quarantined.height:,} quarantined: {given.decisions}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
