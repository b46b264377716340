"""Closing automatic matching on the stand-ins for SageMaker: packages are moto's, the endpoint's shapes are AWS's."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from matching.bundle import read_manifest
from matching.scoring import Scorer
from matching_assets.assets.serving import DeployConfig, Which, deployed_endpoint
from matching_assets.release import ENDPOINT, deploy
from matching_assets.tags import WHY_TAG
from resources import endpoint as interface
from resources.endpoint_sagemaker import SageMakerEndpoint
from resources.folders import FolderIOManager
from resources.registry_sagemaker import SageMakerRegistry
from resources.store import S3Store

REGION = "us-east-1"


class Deciding(SageMakerEndpoint):
    """An endpoint whose container decides: the stand-in answers requests, but knows no bundle."""

    def invoke(self, name, records, variant=None):
        bundle = self.store.get_folder(self.describe(name).variants[0].bundle_digest)
        return Scorer.load(bundle).score(pl.DataFrame(records), reasons=False).decisions.to_dicts()


@pytest.fixture
def resources(small_bundle: Path, s3_store: S3Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict]:
    """Version 1 serves on SageMaker."""
    found = importlib.util.spec_from_file_location(
        "standin_sagemaker", Path(__file__).with_name("standin_sagemaker.py")
    )
    standin = sys.modules.setdefault("standin_sagemaker", importlib.util.module_from_spec(found))
    found.loader.exec_module(standin)
    monkeypatch.setattr(interface, "POLL_SECONDS", 0)
    registry = SageMakerRegistry(store=s3_store, group="matching", image_uri="1.dkr.ecr/matching:1", region_name=REGION)
    role = "arn:aws:iam::123456789012:role/matching"
    endpoint = Deciding(store=s3_store, image_uri="1.dkr.ecr/matching:1", role_arn=role, region_name=REGION)
    sagemaker = standin.StandinSageMaker(REGION)
    sagemaker.bundles = _AnyBundle()
    sagemaker.attach(endpoint.client, endpoint.runtime)
    manifest, digest = read_manifest(small_bundle), s3_store.put_folder(small_bundle)
    card = {"additional_information": {"custom_details": {}}}
    lineage = {"bundle_version": manifest.version}
    version = registry.register(digest, {}, manifest.facts["certificate"], card, lineage)
    package = registry.set_status(version, "Approved", "rule")
    deploy(package, s3_store, endpoint)
    registry.promote(version, expected=None)
    manager = FolderIOManager(store=s3_store)
    yield {"registry": registry, "endpoint": endpoint, "store": s3_store, "folder_io_manager": manager}
    sagemaker.detach(endpoint.client, endpoint.runtime)


class _AnyBundle(dict):
    """What the stand-in is told of bundles: each of them starts."""

    def __missing__(self, uri: str) -> dict[str, str]:
        return {"version": uri, "mode": "serve"}


def run(resources: dict, version: Which, why: str = "") -> bool:
    """Deploy; why is in the run's tag, where the sensor puts it."""
    wanted, tags = dg.RunConfig(ops={"deployed_endpoint": DeployConfig(version=version)}), {WHY_TAG: why}
    instance = dg.DagsterInstance.ephemeral()
    done = dg.materialize([deployed_endpoint], instance=instance, resources=resources, run_config=wanted, tags=tags)
    return done.success


def test_closing_on_sagemaker_is_registered_approved_deployed_at_once_and_opened_by_a_rollback(resources: dict) -> None:
    registry, endpoint = resources["registry"], resources["endpoint"]
    asked = pl.read_parquet(resources["store"].get_folder(registry.champion().bundle_digest) / "golden.parquet")
    records = asked.filter(decision="match").drop("decision", "reference_id").to_dicts()

    assert run(resources, version=Which.CLOSED, why="12 of 300 wrong")

    closed = registry.champion()
    assert (closed.version, closed.status, registry.stage(closed.version)) == (2, "Approved", "prod")
    assert closed.history[-1]["gates"][0]["sentence"] == "12 of 300 wrong"
    assert {answer["decision"] for answer in endpoint.invoke(ENDPOINT, records)} == {"review"}
    moves, generation = registry.moves(), endpoint.describe(ENDPOINT).generation

    assert run(resources, version=Which.CLOSED, why="again")
    assert (registry.moves(), endpoint.describe(ENDPOINT).generation) == (moves, generation)

    assert run(resources, version=Which.PREVIOUS)
    assert registry.champion().version == 1
    assert {answer["decision"] for answer in endpoint.invoke(ENDPOINT, records)} == {"match"}
