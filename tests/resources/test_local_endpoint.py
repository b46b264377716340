"""The local endpoint with real processes; what they serve is a stand-in for the runtime (standin_runtime.py)."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from matching.files import folder_digest
from resources.endpoint import EndpointError, LocalEndpoint
from resources.store import MissingError

NAME = "matching"
LINEAGE = {"run_id": "r1", "model_version": "1"}
Bundle = Callable[..., Path]


@pytest.fixture
def endpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalEndpoint]:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), *sys.path]))
    endpoint = LocalEndpoint(root=str(tmp_path / "endpoint"), module="standin_runtime", deadline_seconds=30)
    yield endpoint
    endpoint.delete(NAME)
    for child in psutil.Process().children():  # what a defect would leave behind
        if child.is_running() and any(str(tmp_path) in word for word in child.cmdline()):
            child.kill()


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    def write(version: str, mode: str = "serve", says: str | None = None) -> Path:
        folder = tmp_path / f"bundle-{version}-{mode}"
        folder.mkdir(exist_ok=True)
        (folder / "bundle.json").write_text(json.dumps({"version": says or version, "mode": mode}))
        return folder

    return write


def test_a_deployed_bundle_answers(endpoint: LocalEndpoint, bundle: Bundle) -> None:
    state = endpoint.deploy(NAME, bundle("v1"), "v1", LINEAGE)

    assert (state.name, state.version, state.status, state.lineage) == (NAME, "v1", "InService", LINEAGE)
    assert state.bundle_digest == folder_digest(bundle("v1"))
    assert endpoint.describe(NAME) == state
    decisions = endpoint.invoke(NAME, [{"record_id": "a", "name": "Acme"}, {"record_id": "b", "name": "Société"}])
    assert [(d["record_id"], d["bundle_version"]) for d in decisions] == [("a", "v1"), ("b", "v1")]


def test_a_new_version_takes_over_and_the_old_process_ends(endpoint: LocalEndpoint, bundle: Bundle) -> None:
    old = endpoint.deploy(NAME, bundle("v1"), "v1", LINEAGE)
    new = endpoint.deploy(NAME, bundle("v2"), "v2", LINEAGE)

    assert endpoint.describe(NAME).version == "v2"
    assert not psutil.pid_exists(old.pid)
    assert psutil.pid_exists(new.pid)


def test_deploying_what_is_served_already_changes_nothing(endpoint: LocalEndpoint, bundle: Bundle) -> None:
    first = endpoint.deploy(NAME, bundle("v1"), "v1", LINEAGE)

    assert endpoint.deploy(NAME, bundle("v1"), "v1", LINEAGE) == first


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ({"mode": "crash"}, "ended before it answered"),
        ({"mode": "hang"}, "no answer within 1 s"),
        ({"says": "v0"}, "it serves version v0, not v2"),
    ],
)
def test_a_failed_deployment_leaves_the_old_version_serving(
    endpoint: LocalEndpoint, bundle: Bundle, bad: dict[str, str], reason: str
) -> None:
    old = endpoint.deploy(NAME, bundle("v1"), "v1", LINEAGE)
    impatient = LocalEndpoint(root=endpoint.root, module=endpoint.module, deadline_seconds=1 if "mode" in bad else 30)

    with pytest.raises(EndpointError, match=reason):
        impatient.deploy(NAME, bundle("v2", **bad), "v2", LINEAGE)

    assert endpoint.describe(NAME) == old
    assert endpoint.invoke(NAME, [{"record_id": "a", "name": "Acme"}])[0]["bundle_version"] == "v1"


def test_a_failed_deployment_leaves_no_process_behind(endpoint: LocalEndpoint, bundle: Bundle) -> None:
    with pytest.raises(EndpointError):
        endpoint.deploy(NAME, bundle("v2", says="v0"), "v2", LINEAGE)

    book = json.loads((Path(endpoint.root) / f"{NAME}.json").read_text())
    assert len(book["started"]) == 1
    assert not psutil.pid_exists(book["started"][0][0])


def test_the_log_of_a_process_that_crashed_says_why(endpoint: LocalEndpoint, bundle: Bundle) -> None:
    with pytest.raises(EndpointError) as failure:
        endpoint.deploy(NAME, bundle("v1", "crash"), "v1", LINEAGE)

    assert Path(str(failure.value).rsplit(" ", 1)[1]).read_text().strip() == "the bundle is torn"


def test_a_rollback_serves_what_was_served_before(endpoint: LocalEndpoint, bundle: Bundle) -> None:
    endpoint.deploy(NAME, bundle("v1"), "v1", LINEAGE)
    endpoint.deploy(NAME, bundle("v2"), "v2", {"run_id": "r2"})

    state = endpoint.rollback(NAME)

    assert (state.version, state.lineage) == ("v1", LINEAGE)
    assert endpoint.invoke(NAME, [{"record_id": "a", "name": "Acme"}])[0]["bundle_version"] == "v1"
    with pytest.raises(MissingError, match="nothing was served"):
        endpoint.rollback(NAME)


def test_a_refused_request_says_which_record_and_field(endpoint: LocalEndpoint, bundle: Bundle) -> None:
    endpoint.deploy(NAME, bundle("v1"), "v1", LINEAGE)

    with pytest.raises(EndpointError, match=r'answered 422: .*"record_id": "b", "field": "name"'):
        endpoint.invoke(NAME, [{"record_id": "a", "name": "Acme"}, {"record_id": "b"}])


def test_an_endpoint_whose_process_died_is_described_as_failed_and_can_be_deployed_again(
    endpoint: LocalEndpoint, bundle: Bundle
) -> None:
    state = endpoint.deploy(NAME, bundle("v1"), "v1", LINEAGE)
    psutil.Process(state.pid).kill()
    psutil.Process(state.pid).wait(10)

    assert endpoint.describe(NAME).status == "Failed"
    with pytest.raises(EndpointError, match="does not answer"):
        endpoint.invoke(NAME, [{"record_id": "a", "name": "Acme"}])
    assert endpoint.deploy(NAME, bundle("v1"), "v1", LINEAGE).pid != state.pid


def test_what_was_never_deployed_is_missing(endpoint: LocalEndpoint) -> None:
    with pytest.raises(MissingError):
        endpoint.describe(NAME)
    with pytest.raises(MissingError):
        endpoint.rollback(NAME)


def test_a_deleted_endpoint_is_gone_with_its_process(endpoint: LocalEndpoint, bundle: Bundle) -> None:
    state = endpoint.deploy(NAME, bundle("v1"), "v1", LINEAGE)
    endpoint.delete(NAME)

    assert not psutil.pid_exists(state.pid)
    with pytest.raises(MissingError):
        endpoint.describe(NAME)


DEPLOYER = """
import sys
from pathlib import Path
from resources.endpoint import LocalEndpoint
LocalEndpoint(root=sys.argv[1], module="standin_runtime").deploy("matching", Path(sys.argv[2]), "v2", {})
"""


def test_a_deployer_that_is_killed_leaves_the_old_version_and_its_process_is_stopped_by_the_next(
    endpoint: LocalEndpoint, bundle: Bundle
) -> None:
    old = endpoint.deploy(NAME, bundle("v1"), "v1", LINEAGE)
    book = Path(endpoint.root) / f"{NAME}.json"
    deployer = subprocess.Popen([sys.executable, "-c", DEPLOYER, endpoint.root, str(bundle("v2", "hang"))])
    while len(started := json.loads(book.read_text())["started"]) < 2:
        assert deployer.poll() is None
        time.sleep(0.05)
    deployer.kill()
    deployer.wait()

    assert endpoint.describe(NAME) == old
    orphan = started[1][0]
    assert psutil.pid_exists(orphan)
    endpoint.deploy(NAME, bundle("v3"), "v3", LINEAGE)
    assert not psutil.pid_exists(orphan)
