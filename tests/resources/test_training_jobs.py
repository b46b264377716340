"""Jobs named by their content: what is found, what is started, and what is never started twice.

botocore's Stubber holds each request to SageMaker's own model of it and answers as SageMaker documents it.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.stub import Stubber

from resources.aws import client
from resources.training_jobs import TRANSFORM, JobError, content_name, finish_job

NAME = "matching-0123456789abcdef"
REQUEST = {
    "ModelName": "m",
    "TransformInput": {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://b/in/"}}},
    "TransformOutput": {"S3OutputPath": "s3://b/out"},
    "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
}
ABSENT = [("ValidationException", "Could not find requested job with name: x"), ("ResourceNotFound", "No such job.")]


@pytest.fixture
def stub(aws: None) -> Iterator[Stubber]:
    """Answers the calls that are expected, in their order; another one fails, and so does one that does not come."""
    with Stubber(client("sagemaker", "us-east-1")) as stub:
        yield stub
        stub.assert_no_pending_responses()


def expect_described(stub: Stubber, status: str, name: str = NAME, **more: Any) -> None:
    described = {
        "TransformJobName": name,
        "TransformJobArn": "arn:aws:sagemaker:us-east-1:1:transform-job/j",
        **REQUEST,
    }
    times = {"CreationTime": 0}
    answer = {**described, **times, "TransformJobStatus": status, **more}
    stub.add_response("describe_transform_job", answer, {"TransformJobName": name})


def expect_absent(stub: Stubber, name: str = NAME, error: tuple[str, str] = ABSENT[0]) -> None:
    stub.add_client_error("describe_transform_job", *error, expected_params={"TransformJobName": name})


def expect_created(stub: Stubber, name: str = NAME) -> None:
    arn = {"TransformJobArn": "arn:aws:sagemaker:us-east-1:1:transform-job/j"}
    stub.add_response("create_transform_job", arn, {"TransformJobName": name, **REQUEST})


def finish(stub: Stubber, **options: Any) -> str:
    return finish_job(stub.client, TRANSFORM, NAME, lambda _: REQUEST, **options)["TransformJobName"]


@pytest.mark.parametrize("error", ABSENT)
def test_a_job_that_is_not_there_is_started_and_waited_for(stub: Stubber, error: tuple[str, str]) -> None:
    expect_absent(stub, error=error)
    expect_created(stub)
    expect_described(stub, "Completed")
    expect_described(stub, "Completed")

    assert finish(stub) == NAME


def test_a_job_that_is_done_is_not_started_again(stub: Stubber) -> None:
    expect_described(stub, "Completed")

    assert finish(stub) == NAME


def test_a_retry_attaches_to_the_job_that_runs(stub: Stubber) -> None:
    expect_described(stub, "InProgress")
    expect_described(stub, "Completed")
    expect_described(stub, "Completed")

    assert finish(stub) == NAME


def test_of_two_that_start_at_once_the_second_attaches(stub: Stubber) -> None:
    expect_absent(stub)
    stub.add_client_error("create_transform_job", "ResourceInUse", "Job name must be unique")
    expect_described(stub, "Completed")
    expect_described(stub, "Completed")

    assert finish(stub) == NAME


@pytest.mark.parametrize("status", ["Failed", "Stopped"])
def test_after_a_failure_the_next_attempt_has_the_next_number(stub: Stubber, status: str) -> None:
    expect_described(stub, status)
    expect_described(stub, status, f"{NAME}-2")
    expect_absent(stub, f"{NAME}-3")
    expect_created(stub, f"{NAME}-3")
    expect_described(stub, "Completed", f"{NAME}-3")
    expect_described(stub, "Completed", f"{NAME}-3")

    assert finish(stub) == f"{NAME}-3"


def test_what_was_made_and_deleted_is_made_again(stub: Stubber) -> None:
    expect_described(stub, "Completed")
    expect_described(stub, "Completed", f"{NAME}-2")

    assert finish(stub, is_kept=lambda described: described["TransformJobName"].endswith("-2")) == f"{NAME}-2"


def test_a_job_that_fails_says_why_and_is_not_tried_again_by_itself(stub: Stubber) -> None:
    expect_absent(stub)
    expect_created(stub)
    expect_described(stub, "Failed", FailureReason="no such column")
    expect_described(stub, "Failed", FailureReason="no such column")

    with pytest.raises(JobError, match=f"{NAME} is Failed: no such column"):
        finish(stub)


def test_a_job_that_somebody_stops_is_no_success(stub: Stubber) -> None:
    expect_described(stub, "InProgress")
    expect_described(stub, "Stopped")
    expect_described(stub, "Stopped")

    with pytest.raises(JobError, match="is Stopped"):
        finish(stub)


def test_a_job_that_takes_too_long_is_left_running(stub: Stubber) -> None:
    expect_described(stub, "InProgress")
    expect_described(stub, "InProgress")

    with pytest.raises(JobError, match=r"is not done: .* Run again to wait for it"):
        finish(stub, poll_seconds=1, most_seconds=1)


def test_a_job_that_always_fails_is_given_up(stub: Stubber) -> None:
    for attempt in ["", *(f"-{number}" for number in range(2, 10))]:
        expect_described(stub, "Failed", f"{NAME}{attempt}")

    with pytest.raises(JobError, match="was tried 9 times"):
        finish(stub)


def test_names_are_made_of_content_and_leave_room_for_a_number() -> None:
    names = [content_name("matching-" + "x" * 60, {"seed": seed}) for seed in (1, 1, 2)]

    assert names[0] == names[1] != names[2]
    assert len(f"{names[0]}-9") <= 63
