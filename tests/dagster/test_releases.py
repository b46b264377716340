"""Versions come and go: equal data give equal bytes, a new reference a new version, a rollback the old one."""

from collections.abc import Iterator

import polars as pl
import pytest

from matching_assets.folders import facts_in
from matching_assets.jobs import LEARNT

pytestmark = pytest.mark.slow
ROLLBACK = {"deployed_endpoint": {"version": "PREVIOUS"}}


@pytest.fixture
def second_version(platform) -> Iterator[int]:
    """A version on a reference with some entities more, deployed; afterwards the first one serves again."""
    first = platform.registry.champion()
    file = platform.landing / "reference.parquet"
    reference = pl.read_parquet(file)
    added = reference.head(20).with_columns(
        pl.concat_str(pl.lit("NEW"), "reference_id").alias("reference_id"), cik=pl.lit(None)
    )
    platform.land(
        "reference", pl.concat([reference, added.with_columns(pl.col("name") + " of Bermuda")], how="vertical_relaxed")
    )
    assert platform.run("refresh_reference").success
    assert platform.run("promote").success
    second = platform.registry.champion().version
    yield second
    platform.land("reference", reference)
    assert platform.run("refresh_reference").success
    platform.registry.set_status(second, "Rejected", by="test")
    assert platform.run("promote").success
    assert platform.registry.champion().version == first.version


def serving(platform) -> str:
    """The bundle version that the endpoint answers with."""
    (answer,) = platform.endpoint.invoke("matching", [{"record_id": "1", "name": "Apple Inc"}])
    return answer["bundle_version"]


def test_the_same_seed_and_data_give_the_same_bytes(platform):
    before = platform.folders.read("model_package")
    assert platform.run("retrain").success
    assert platform.folders.read("model_package") == before


def test_another_seed_gives_another_encoder(platform, tmp_path):
    other = type(platform)(platform.home, seed=8)
    before = platform.folders.read("encoder")
    assert other.run("retrain", assets=["encoder"]).success
    assert platform.folders.read("encoder") != before
    assert platform.run("retrain", assets=["encoder"]).success
    assert platform.folders.read("encoder") == before


def test_a_new_reference_is_served_without_training(platform, second_version):
    models = {name: platform.materialisation(name).tags["dagster/data_version"] for name in LEARNT}
    sources = facts_in(platform.folders.read("deployed_endpoint"))
    assert sources["registry_version"] == second_version
    bundle = platform.folders.read("model_package")
    assert pl.read_parquet(bundle / "index" / "reference.parquet")["reference_id"].str.starts_with("NEW").sum() == 20
    assert models["ranker"] == platform.registry.get(second_version).lineage["ranker"]


def test_a_rollback_serves_the_version_before_and_says_so(platform, second_version):
    first = platform.registry.previous()
    assert platform.run("rollback", ops=ROLLBACK).success
    assert platform.registry.champion().version == first.version
    assert facts_in(platform.folders.read("deployed_endpoint"))["registry_version"] == first.version
    assert serving(platform) == first.lineage["bundle_version"]


def test_the_old_reference_gives_the_old_version_back(platform, second_version):
    """What the fixture does afterwards: asked here by its number, because a version is its bytes."""
    assert second_version != platform.registry.previous().version
