"""Every implementation of endpoints holds the contract, and each of some broken ones fails the fact that it breaks."""

import importlib.util
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from resources import aws as clients
from resources import endpoint as interface
from resources.endpoint import Endpoint, EndpointError
from resources.endpoint_local import LocalEndpoint
from resources.endpoint_sagemaker import SageMakerEndpoint
from resources.rollout import EndpointSpec, Rollout
from resources.store import LocalStore, S3Store

HERE = Path(__file__).parent
REGION = "us-east-1"


def load(name: str):
    """A module beside this one: the tests are no package."""
    found = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    module = sys.modules.setdefault(name, importlib.util.module_from_spec(found))
    found.loader.exec_module(module)
    return module


contract, standin = load("endpoint_contract"), load("standin_sagemaker")
FACTS = {fact.__name__: fact for fact in contract.FACTS}


def write_bundle(folder: Path, version: str, mode: str) -> Path:
    bundle = folder / f"{version}-{mode}"
    bundle.mkdir(parents=True, exist_ok=True)
    (bundle / "bundle.json").write_text(json.dumps({"version": version, "mode": mode}))
    return bundle


class LocalBench:
    """Processes of this machine that run the stand-in for the runtime."""

    bake_seconds = 0.2

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.endpoint = self.another_driver()

    def another_driver(self) -> Endpoint:
        store = LocalStore(root=str(self.folder / "store"))
        root = str(self.folder / "endpoint")
        return LocalEndpoint(store=store, root=root, module="standin_runtime", window_seconds=0.1)

    def bundle(self, version: str, mode: str = "serve") -> str:
        return self.endpoint.store.put_folder(write_bundle(self.folder, version, mode))

    def trouble(self, name: str) -> None:
        for number in range(10):
            try:
                self.endpoint.invoke(name, [{"record_id": "a", "name": f"Acme {number}"}])
            except EndpointError:
                continue


class SageMakerBench:
    """moto's S3 and CloudWatch, and the stand-in for SageMaker."""

    bake_seconds = 60.0
    kind = SageMakerEndpoint

    def __init__(self, folder: Path, store: S3Store) -> None:
        self.folder, self.store = folder, store
        self.endpoint = self.another_driver()
        self.sagemaker = standin.StandinSageMaker(REGION)
        self.sagemaker.attach(self.endpoint.client, self.endpoint.runtime)

    def another_driver(self) -> SageMakerEndpoint:
        role = "arn:aws:iam::123456789012:role/matching"
        return self.kind(store=self.store, image_uri="1.dkr.ecr/matching:1", role_arn=role, region_name=REGION)

    def bundle(self, version: str, mode: str = "serve") -> str:
        digest = self.store.put_folder(write_bundle(self.folder, version, mode))
        self.sagemaker.bundles[self.store.uri(digest)] = {"version": version, "mode": mode}
        return digest

    def trouble(self, name: str) -> None:
        for alarm in self.sagemaker.alarms.describe_alarms()["MetricAlarms"]:
            self.sagemaker.alarms.set_alarm_state(AlarmName=alarm["AlarmName"], StateValue="ALARM", StateReason="test")

    def close(self) -> None:
        self.sagemaker.detach(self.endpoint.client, self.endpoint.runtime)


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalBench]:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), *sys.path]))
    bench = LocalBench(tmp_path)
    yield bench
    bench.endpoint.delete(contract.NAME)
    left = [child for child in psutil.Process().children() if str(tmp_path) in " ".join(child.cmdline())]
    for child in left:  # what a defect would leave behind
        child.kill()


@pytest.fixture
def sagemaker(tmp_path: Path, s3_store: S3Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[SageMakerBench]:
    monkeypatch.setattr(interface, "POLL_SECONDS", 0)
    clients.client.cache_clear()
    bench = SageMakerBench(tmp_path, s3_store)
    yield bench
    bench.close()
    clients.client.cache_clear()


@pytest.fixture(params=["local", "sagemaker"])
def bench(request: pytest.FixtureRequest):
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("fact", FACTS)
def test_the_contract_holds(bench, fact: str) -> None:
    FACTS[fact](bench)


class Deaf(SageMakerEndpoint):
    """Deploys without alarms."""

    def _update(self, spec: EndpointSpec, config: str) -> None:
        super()._update(EndpointSpec(spec.name, spec.variants, spec.shadow, Rollout()), config)


class Indifferent(SageMakerEndpoint):
    """Does not care which variant was asked for."""

    def invoke(self, name, records, variant=None):
        return super().invoke(name, records)


class Hasty(SageMakerEndpoint):
    """Takes the next wish before the last is done."""

    def _note(self, name, before, after):
        self.store.put_json(f"endpoints/{name}", after.to_json())

    def apply(self, spec):
        ledger = self._ledger(spec.name)
        if ledger and ledger.phase == "Updating":
            self._note(spec.name, ledger, type(ledger)(spec, ledger.generation + 1, "Updating", 0.0, good=ledger.good))
            return self.describe(spec.name)
        return super().apply(spec)


class Forgetful(SageMakerEndpoint):
    """Keeps its wishes in memory."""

    def _ledger(self, name):
        return self.__dict__.get(f"of-{name}")

    def _note(self, name, before, after):
        self.__dict__[f"of-{name}"] = after


@pytest.mark.parametrize(
    ("broken", "fact"),
    [
        (Deaf, "a_bad_canary_is_turned_back_by_its_alarm"),
        (Indifferent, "variants_share_the_traffic_and_can_be_asked_by_name"),
        (Hasty, "there_is_one_rollout_at_a_time"),
        (Forgetful, "a_rollout_that_its_driver_left_is_taken_on"),
    ],
)
def test_a_broken_implementation_fails_the_contract(
    sagemaker: SageMakerBench, monkeypatch: pytest.MonkeyPatch, broken: type, fact: str
) -> None:
    monkeypatch.setattr(sagemaker, "kind", broken, raising=False)
    sagemaker.endpoint = sagemaker.another_driver()

    with pytest.raises((AssertionError, pytest.fail.Exception, LookupError)):
        check(FACTS[fact], sagemaker)


def check(fact: Callable[[object], None], bench: object) -> None:
    fact(bench)
