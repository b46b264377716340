"""Batch transform: lines that the container takes, answers that are joined by id, and a job that is started once.

What SageMaker does between the two (each line is a request, answers are put one below the other) is done here with the
real app; the job itself is moto's, which makes nothing.
"""

from pathlib import Path

import polars as pl
import pytest
from botocore.validate import ParamValidator
from fastapi.testclient import TestClient

from matching.runtime_app import Service, create_app
from matching.runtime_input import LARGEST_BODY
from matching.scoring import Scorer
from resources.store import S3Store
from resources.transform import (
    LINES_A_FILE,
    MOST_RECORDS,
    SageMakerTransform,
    TransformError,
    batch_lines,
    join_decisions,
    write_batches,
)

HEADERS = {"Content-Type": "application/json", "Accept": "application/jsonlines"}
RECORDS = pl.DataFrame({"record_id": ["1", "2"], "name": ["Société", "B"], "country": ["FR", None]})
ANSWER = b'{"record_id":"2","decision":"match"}\n{"record_id":"1","decision":"review"}\n'
IMAGE, ROLE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/matching:1", "arn:aws:iam::123456789012:role/matching"


@pytest.fixture
def transform(s3_store: S3Store) -> SageMakerTransform:
    return SageMakerTransform(store=s3_store, image_uri=IMAGE, role_arn=ROLE, region_name="us-east-1")


def test_decisions_are_those_of_the_scorer(small_scorer: Scorer, small_frames: object) -> None:
    records = small_frames.records.head(40)  # type: ignore[attr-defined]
    with TestClient(create_app(Service(small_scorer))) as client:
        halves = [records.head(25), records.tail(15)]
        lines = [line for half in halves for line in batch_lines(half)]
        answers = [client.post("/invocations", content=line, headers=HEADERS) for line in reversed(lines)]

    assert [answer.status_code for answer in answers] == [200, 200]
    decided = join_decisions(records, b"".join(answer.content for answer in answers))
    expected = small_scorer.score(records).decisions
    columns = ["record_id", "reference_id", "probability", "decision", "bundle_version"]
    assert decided.select(columns).equals(
        expected.with_columns(pl.lit(small_scorer.bundle_version).alias("bundle_version")).select(columns)
    )


def test_a_line_is_never_more_than_one_request_may_hold() -> None:
    long = pl.DataFrame({"record_id": [str(n) for n in range(1200)], "name": ["é" * 500] * 1200})
    short = long.with_columns(name=pl.lit("x"))

    assert max(map(len, batch_lines(long))) <= LARGEST_BODY
    assert [line.count(b"record_id") for line in batch_lines(short)] == [MOST_RECORDS, MOST_RECORDS, 200]


def test_fields_that_are_null_are_left_out() -> None:
    (line,) = batch_lines(RECORDS)

    assert line.decode() == '[{"record_id": "1", "name": "Société", "country": "FR"},{"record_id": "2", "name": "B"}]\n'


def test_there_are_files_for_more_than_one_machine(tmp_path: Path) -> None:
    many = pl.DataFrame({"record_id": [str(n) for n in range(MOST_RECORDS * LINES_A_FILE + 1)]}).with_columns(
        name="record_id"
    )
    write_batches(many, tmp_path)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["part-00000.jsonl", "part-00001.jsonl"]


def test_decisions_are_in_the_order_of_the_records() -> None:
    assert join_decisions(RECORDS, ANSWER)["decision"].to_list() == ["review", "match"]


@pytest.mark.parametrize(
    "answers",
    [
        b"",
        ANSWER.splitlines(keepends=True)[0],
        ANSWER + ANSWER.splitlines(keepends=True)[0],
        ANSWER + b'{"record_id":"3","decision":"match"}\n',
        ANSWER.replace(b'"1"', b'"3"'),
    ],
)
def test_a_decision_that_is_lost_doubled_or_foreign_is_an_error(answers: bytes) -> None:
    with pytest.raises(TransformError, match="2 records"):
        join_decisions(RECORDS, answers)


@pytest.mark.parametrize(("operation", "name"), [("CreateModel", ""), ("CreateTransformJob", "TransformJobName")])
def test_what_is_asked_is_a_request_of_the_api(transform: SageMakerTransform, operation: str, name: str) -> None:
    with_key = transform.model_copy(update={"kms_key": "key"})
    request = with_key.request("j", "m", "a" * 64) | {name: "j"} if name else with_key.model("a" * 64)
    shape = transform.client.meta.service_model.operation_model(operation).input_shape

    assert ParamValidator().validate(request, shape).generate_report() == ""


def test_the_same_records_and_bundle_are_scored_once(transform: SageMakerTransform, s3_store: S3Store) -> None:
    with pytest.raises(TransformError, match="no decision came back"):
        transform.score(RECORDS, "a" * 64)
    (job,) = transform.client.list_transform_jobs()["TransformJobSummaries"]
    below = f"matching/transform/{job['TransformJobName']}/part-00000.jsonl.out"
    s3_store.client.put_object(Bucket="matching-test", Key=below, Body=ANSWER)

    assert transform.score(RECORDS, "a" * 64)["decision"].to_list() == ["review", "match"]
    assert len(transform.client.list_transform_jobs()["TransformJobSummaries"]) == 1
