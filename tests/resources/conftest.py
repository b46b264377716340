"""AWS in this process (moto), a store of each kind, and a way to be killed at any point."""

import itertools
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from resources.aws import client, s3_client
from resources.store import LocalStore, ObjectStore, S3Store

BUCKET = "matching-test"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """AWS with one empty bucket; nothing leaves this process."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # what was made without these keys would not look again
    client.cache_clear()
    s3_client.cache_clear()
    with mock_aws():
        s3_client(None, None).create_bucket(Bucket=BUCKET)
        yield


@pytest.fixture
def s3_store(aws: None, tmp_path: Path) -> S3Store:
    return S3Store(bucket=BUCKET, cache=str(tmp_path / "cache"))


@pytest.fixture(params=["local", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "s3":
        return request.getfixturevalue("s3_store")
    return LocalStore(root=str(tmp_path / "store"))


@pytest.fixture(scope="session")
def aws_server() -> Iterator[str]:
    """The URL of an AWS with one empty bucket, for clients other than boto3, which `aws` cannot answer."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "us-east-1"}
    boto3.client("s3", endpoint_url=url, **keys).create_bucket(Bucket=BUCKET)
    yield url
    server.stop()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two files, one of them below another folder."""
    folder = tmp_path / "bundle"
    (folder / "arrays").mkdir(parents=True)
    (folder / "manifest.json").write_text("{}")
    (folder / "arrays" / "index.npy").write_bytes(bytes(range(256)))
    return folder


def run_killed_at_every_step(action: Callable[[], object], check: Callable[[], object]) -> int:
    """Run `action` in a forked process that is killed (SIGKILL) after its first file operation; after its second; ...

    `check` is called after each kill, and after the run that got through. Returns how many were killed.
    """
    for step in itertools.count(1):
        child = os.fork()
        if child == 0:
            _die_at_operation(step)
            try:
                action()
                os._exit(0)
            finally:
                os._exit(1)
        _, status = os.waitpid(child, 0)
        check()
        if not os.WIFSIGNALED(status):
            assert status == 0
            return step - 1
    raise AssertionError


ON_FILES = {"open", "write", "truncate", "flush", "fsync", "sendfile", "close", "__exit__"}
ON_FOLDERS = {"mkdir", "rmdir", "rename", "replace", "unlink", "remove", "chmod"}


def _die_at_operation(step: int) -> None:
    """Kill this process right after its `step`-th file operation, as Python's profiler sees them."""
    seen = itertools.count(1)

    def watch(frame: object, event: str, called: object) -> None:
        if event == "c_return" and getattr(called, "__name__", "") in ON_FILES | ON_FOLDERS and next(seen) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(watch)


@pytest.fixture
def killed_at_every_step() -> Callable[[Callable[[], object], Callable[[], object]], int]:
    return run_killed_at_every_step
