"""The local endpoint's processes: what dies is started again, what was left is stopped, the router outlives its death.

What all endpoints do is in endpoint_contract.py. The bundles are served by standin_runtime.py.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from resources.endpoint import EndpointError, single
from resources.endpoint_local import LocalEndpoint
from resources.rollout import EndpointSpec, Rollout, Variant
from resources.store import LocalStore

NAME = "matching"
ASKED = [{"record_id": "a", "name": "Acme"}]


@pytest.fixture
def endpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalEndpoint]:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), *sys.path]))
    store = LocalStore(root=str(tmp_path / "store"))
    endpoint = LocalEndpoint(store=store, root=str(tmp_path / "endpoint"), module="standin_runtime", window_seconds=0.1)
    yield endpoint
    endpoint.delete(NAME)


@pytest.fixture
def spec(endpoint: LocalEndpoint, tmp_path: Path) -> Callable[..., EndpointSpec]:
    def write(version: str, mode: str = "serve", says: str | None = None, **more: object) -> EndpointSpec:
        folder = tmp_path / f"{version}-{mode}"
        folder.mkdir(exist_ok=True)
        (folder / "bundle.json").write_text(json.dumps({"version": says or version, "mode": mode, **more}))
        return single(NAME, endpoint.store.put_folder(folder), version)

    return write


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def the_instance(endpoint: LocalEndpoint) -> int:
    (pid,) = (pid for place, pid in endpoint.processes(NAME).items() if place not in ("router", "keeper"))
    return pid


def test_the_address_stays_and_the_old_process_ends(endpoint, spec):
    old = endpoint.deploy(spec("v1"))
    before = the_instance(endpoint)
    new = endpoint.deploy(spec("v2"))

    assert (old.url, new.version) == (new.url, "v2")
    assert gone(before)


def test_an_instance_that_was_killed_is_told_and_started_again(endpoint, spec):
    endpoint.deploy(spec("v1"))
    pid = the_instance(endpoint)
    os.kill(pid, signal.SIGKILL)
    psutil.Process(pid).wait(10)

    assert endpoint.describe(NAME).status == "Failed"
    with pytest.raises(EndpointError, match="answered 503"):
        endpoint.invoke(NAME, ASKED)
    assert endpoint.settle(NAME, 20).status == "InService"
    assert endpoint.invoke(NAME, ASKED)[0]["bundle_version"] == "v1"
    assert the_instance(endpoint) != pid


def test_of_two_instances_the_other_answers_for_one_that_was_killed(endpoint, spec):
    one = spec("v1")
    endpoint.deploy(replace(one, variants=(replace(one.variants[0], instances=2),)))
    victim = next(pid for place, pid in endpoint.processes(NAME).items() if place.endswith("/0"))
    os.kill(victim, signal.SIGKILL)

    answers = [endpoint.invoke(NAME, [{"record_id": "a", "name": f"Acme {n}"}]) for n in range(8)]
    assert {answer["bundle_version"] for (answer,) in answers} == {"v1"}


def test_a_router_that_was_killed_is_there_again_at_once(endpoint, spec):
    endpoint.deploy(spec("v1"))
    before = endpoint.processes(NAME)
    os.kill(before["router"], signal.SIGKILL)

    assert endpoint.invoke(NAME, ASKED)[0]["bundle_version"] == "v1"
    endpoint.settle(NAME, 20)
    after = endpoint.processes(NAME)
    assert after["router"] != before["router"]
    assert {**after, "router": 0} == {**before, "router": 0}


def test_a_router_whose_keeper_was_killed_serves_on_and_gets_another(endpoint, spec):
    endpoint.deploy(spec("v1"))
    before = endpoint.processes(NAME)
    os.kill(before["keeper"], signal.SIGKILL)

    assert endpoint.invoke(NAME, ASKED)[0]["bundle_version"] == "v1"
    endpoint.settle(NAME, 20)
    assert endpoint.processes(NAME)["keeper"] != before["keeper"]
    assert gone(before["router"])
    assert endpoint.invoke(NAME, ASKED)[0]["bundle_version"] == "v1"


def test_a_bundle_that_says_another_version_is_not_served(endpoint, spec):
    endpoint.deploy(spec("v1"))
    with pytest.raises(EndpointError, match="it serves version v0, not v2"):
        endpoint.deploy(spec("v2", says="v0"))


def test_the_log_of_a_process_that_crashed_says_why(endpoint, spec):
    endpoint.apply(spec("v1", "crash"))
    reason = endpoint.settle(NAME, 20).reason

    assert Path(reason.rsplit(" ", 1)[1]).read_text().strip() == "the bundle is torn"


def test_a_process_that_never_answers_is_given_up(endpoint, spec):
    impatient = LocalEndpoint(store=endpoint.store, root=endpoint.root, module=endpoint.module, deadline_seconds=0.5)
    impatient.apply(spec("v1", "hang"))

    assert "no answer within" in impatient.settle(NAME, 20).reason


def test_a_refused_request_says_which_record_and_field(endpoint, spec):
    endpoint.deploy(spec("v1"))
    with pytest.raises(EndpointError, match=r'answered 422: .*"record_id": "b", "field": "name"'):
        endpoint.invoke(NAME, [*ASKED, {"record_id": "b"}])


def test_a_canary_that_decides_otherwise_than_its_baseline_is_turned_back(endpoint, spec):
    """No alarm is set: what speaks against it is the fresh instance of the old version beside it."""
    endpoint.deploy(spec("v1"))
    rollout = Rollout("canary", 0.5, bake_seconds=60, baseline=True)
    endpoint.apply(replace(spec("v2", band="review"), rollout=rollout))
    for number in range(4000):
        endpoint.invoke(NAME, [{"record_id": "a", "name": f"Acme {number}"}])
        if number % 40 == 0 and endpoint.advance(NAME).status != "Updating":
            break

    status = endpoint.settle(NAME, 20)
    assert (status.status, status.version) == ("InService", "v1")
    assert "its share of" in status.reason


def test_shadow_traffic_is_compared_by_tokens(endpoint, spec):
    shadow = Variant("shadow", spec("v2", band="review").variants[0].bundle_digest, "v2")
    endpoint.deploy(replace(spec("v1"), shadow=shadow))
    endpoint.invoke(NAME, [{"record_id": "secret-id", "name": "Acme"}])
    pairs = Path(endpoint.root) / f"{NAME}.table.pairs.jsonl"
    until = time.monotonic() + 10
    while not pairs.exists() and time.monotonic() < until:
        time.sleep(0.05)

    (line,) = pairs.read_text().splitlines()
    told = json.loads(line)
    assert (told["band"], told["shadow_band"], told["reference_id"]) == ("match", "review", "R1")
    assert "secret-id" not in line
    assert "Acme" not in line


DRIVER = """
import sys
from resources.endpoint_local import LocalEndpoint
from resources.store import LocalStore
endpoint = LocalEndpoint(store=LocalStore(root=sys.argv[1]), root=sys.argv[2], module="standin_runtime")
endpoint.settle("matching")
"""


def test_who_only_looks_writes_nothing(endpoint, spec):
    """A look beside a driver would put back a book that the driver has written meanwhile, and lose its processes."""
    endpoint.deploy(spec("v1"))
    book = Path(endpoint.root) / f"{NAME}.json"
    os.kill(endpoint.processes(NAME)["router"], signal.SIGKILL)
    before = book.read_bytes()
    endpoint.invoke(NAME, ASKED)
    endpoint.describe(NAME)

    assert book.read_bytes() == before


def test_what_a_killed_driver_has_started_is_stopped_by_the_next(endpoint, spec):
    endpoint.deploy(spec("v1"))
    endpoint.apply(spec("v2", "hang"))
    driver = subprocess.Popen([sys.executable, "-c", DRIVER, endpoint.store.root, endpoint.root])
    before = endpoint.processes(NAME)
    while not (started := set(endpoint.processes(NAME).items()) - set(before.items())):
        assert driver.poll() is None
        time.sleep(0.05)
    driver.kill()
    driver.wait()
    endpoint.rollback(NAME)
    status = endpoint.settle(NAME, 20)

    assert (status.status, status.version) == ("InService", "v1")
    assert all(gone(pid) for _, pid in started)
