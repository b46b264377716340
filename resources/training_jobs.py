"""SageMaker jobs that are named by their content, so that asking twice is asking once.

A job's name is made of what it is asked to do: data, settings, image, machine. Whoever asks again, because its process
died or because the run is tried again, finds the job by that name and waits for it, or takes what it has made. One that
failed or was stopped is left as it is, and the next attempt has the next number at the end of its name. SageMaker
refuses a second job of one name, so of two who ask at the same moment one starts it and the other attaches.

The calls are boto3's and the requests our own: `sagemaker.train.ModelTrainer` (3.27) ends every job's name with the
time, so that with it a retry would always start, and pay for, a second job.
"""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import dagster as dg

from resources.store import Json

MOST_ATTEMPTS = 9
ENDED_BADLY = ("Failed", "Stopped")
ABSENT = re.compile(r"not found|could not find", re.IGNORECASE)


class JobError(RuntimeError):
    """A job failed, was stopped, or is not done in time. The text names it and says what SageMaker said."""


@dataclass(frozen=True)
class Kind:
    """A kind of job: `TrainingJob`, `ProcessingJob` or `TransformJob`, as SageMaker's API spells it."""

    title: str

    @property
    def noun(self) -> str:
        """As boto3 spells it: `training_job`."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", self.title).lower()

    def describe(self, client: Any, name: str) -> Json | None:
        """What is known of a job, or None when there is none of that name."""
        from botocore.exceptions import ClientError

        try:
            described: Json = getattr(client, f"describe_{self.noun}")(**{f"{self.title}Name": name})
        except ClientError as problem:
            error = problem.response["Error"]
            if error["Code"] != "ResourceNotFound" and not ABSENT.search(error["Message"]):
                raise
            return None
        return described

    def create(self, client: Any, name: str, request: Json) -> bool:
        """Start a job, and say whether it was us: somebody else may have been first."""
        from botocore.exceptions import ClientError

        try:
            getattr(client, f"create_{self.noun}")(**{f"{self.title}Name": name}, **request)
        except ClientError as problem:
            if problem.response["Error"]["Code"] != "ResourceInUse":
                raise
            return False
        return True


TRAINING, PROCESSING, TRANSFORM = Kind("TrainingJob"), Kind("ProcessingJob"), Kind("TransformJob")


def content_name(prefix: str, content: Json) -> str:
    """A name that says what is in it, with room for an attempt's number: SageMaker allows 63 characters."""
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return f"{prefix[:40]}-{digest[:16]}"


def finish_job(
    client: Any,
    kind: Kind,
    name: str,
    request: Callable[[str], Json],
    *,
    is_kept: Callable[[Json], bool] = lambda _: True,
    poll_seconds: int = 30,
    most_seconds: int = 24 * 3600,
) -> Json:
    """The description of the completed job that `name` stands for: found, waited for, or started and waited for.

    `request(own name)`: what to create, without the name. `is_kept(description)`: whether what a completed job made is
    still there; if it was deleted, the next attempt makes it again. Raises JobError.
    """
    log = dg.get_dagster_logger()
    for attempt in range(1, MOST_ATTEMPTS + 1):
        own = name if attempt == 1 else f"{name}-{attempt}"
        described = kind.describe(client, own)
        if described is None:
            started = kind.create(client, own, request(own))
            log.info("SageMaker %s %s: %s", kind.title, own, "started" if started else "was started by somebody else")
            return _wait(client, kind, own, poll_seconds, most_seconds)
        status = described[f"{kind.title}Status"]
        if status in ENDED_BADLY or (status == "Completed" and not is_kept(described)):
            continue
        log.info("SageMaker %s %s: is there already, %s", kind.title, own, status)
        return described if status == "Completed" else _wait(client, kind, own, poll_seconds, most_seconds)
    raise JobError(f"{kind.title} {name} was tried {MOST_ATTEMPTS} times: see its log in CloudWatch before you go on")


def _wait(client: Any, kind: Kind, name: str, poll_seconds: int, most_seconds: int) -> Json:
    from botocore.exceptions import WaiterError

    rhythm = {"Delay": poll_seconds, "MaxAttempts": max(1, most_seconds // poll_seconds)}
    try:
        waiter = client.get_waiter(f"{kind.noun}_completed_or_stopped")
        waiter.wait(**{f"{kind.title}Name": name}, WaiterConfig=rhythm)
    except WaiterError as problem:
        answer = problem.last_response
        if answer.get(f"{kind.title}Status") not in ENDED_BADLY:
            raise JobError(f"{kind.title} {name} is not done: {problem}. Run again to wait for it.") from problem
    described = kind.describe(client, name) or {}
    status = described.get(f"{kind.title}Status")
    if status != "Completed":
        reason = described.get("FailureReason") or described.get("ExitMessage") or "no reason is given"
        raise JobError(f"{kind.title} {name} is {status}: {reason}")
    return described
