"""Versions come and go: equal data give equal bytes, a new reference a new version, a rollback the old one."""

import time
from collections.abc import Iterator
from dataclasses import replace

import polars as pl
import pytest

from matching.files import folder_digest
from matching.retrieval.encoder import Encoder
from matching.retrieval.index import RetrievalIndex
from matching_assets import experiment
from matching_assets.challenger import Sources, assemble
from matching_assets.folders import facts_in
from matching_assets.release import deploy
from resources.endpoint import EndpointError
from resources.endpoint_local import LocalEndpoint
from resources.registry import ModelPackage

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def versions(platform) -> Iterator[tuple[ModelPackage, ModelPackage]]:
    """The first version, and one on a reference with twenty entities more, deployed. Afterwards all is as before."""
    first, reference = platform.registry.champion(), pl.read_parquet(platform.landing / "reference.parquet")
    added = reference.head(20).with_columns(
        pl.concat_str(pl.lit("NEW"), "reference_id").alias("reference_id"),
        pl.concat_str("name", pl.lit(" of Bermuda")).alias("name"),
        cik=pl.lit(None, pl.String),
    )
    platform.land("reference", pl.concat([reference, added]))
    assert platform.run("refresh_reference").success
    promoted = platform.run("promote")
    assert promoted.success, [found.description for found in promoted.get_asset_check_evaluations()]
    second = platform.registry.champion()
    yield first, second
    platform.land("reference", reference)
    platform.registry.set_status(second.version, "Rejected", by="rule")
    assert platform.run("refresh_reference").success
    assert platform.run("promote").success
    assert platform.registry.champion() == platform.registry.get(first.version)


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


def test_a_training_on_other_labels_goes_on_from_the_champions_encoder_and_one_on_the_same_does_not(platform):
    labels, before = pl.read_parquet(platform.landing / "labels/sample.parquet"), platform.folders.read("encoder")
    began = []
    for landed in (labels.head(-50), labels):
        platform.land("labels/sample", landed)
        assert platform.run("retrain", assets=["labels", "encoder"]).success
        began.append(platform.materialisation("encoder").metadata["began_at"].value)
    assert began == [f"encoder {platform.registry.champion().lineage['encoder'][:16]}", "nothing"]
    assert platform.folders.read("encoder") == before


def test_a_new_reference_is_served_without_training(platform, versions):
    first, second = versions
    bundle = platform.folders.read("model_package")
    assert pl.read_parquet(bundle / "index" / "reference.parquet")["reference_id"].str.starts_with("NEW").sum() == 20
    assert [first.lineage[name] for name in ("encoder", "ranker")] == [second.lineage[n] for n in ("encoder", "ranker")]
    assert serving(platform) == second.lineage["bundle_version"] != first.lineage["bundle_version"]


def test_a_rollback_serves_the_version_before_and_says_so(platform, versions):
    first, _ = versions
    assert platform.run("rollback", ops={"deployed_endpoint": {"version": "PREVIOUS"}}).success
    assert serving(platform) == first.lineage["bundle_version"]
    assert facts_in(platform.folders.read("deployed_endpoint"))["registry_version"] == first.version
    assert platform.registry.champion().version == first.version


def test_a_version_in_an_ab_takes_over_only_when_labels_have_shown_it_to_be_better(platform, versions):
    first, second = versions
    store, served = platform.resources["store"], serving(platform)
    resources = (platform.registry, store, platform.endpoint)
    status = experiment.start(*resources, 0.5)
    assert {v.name: (v.version, v.weight) for v in status.variants} == {
        "champion": (first.lineage["bundle_version"], 0.5),
        "challenger": (second.lineage["bundle_version"], 0.5),
    }
    labelled = platform.tables.read("labels").head(10)["record_id"].to_list()
    asked = platform.tables.read("clean_records").filter(pl.col("record_id").is_in(labelled))
    for record in asked.select("record_id", "name", "country").to_dicts():
        platform.endpoint.invoke("matching", [record])
    until = time.monotonic() + 10
    while len(platform.endpoint.answers("matching", labelled)) < asked.height and time.monotonic() < until:
        time.sleep(0.2)
    for look in ("experiment", "promote"):  # what was counted is not counted again
        seen = platform.run(look, assets=["experiment_result"])
        known = store.get_json(f"experiments/{status.lineage['experiment']}")
        assert (len(known["outcomes"]), known["verdict"]) == (asked.height, "undecided")

    (check,) = seen.get_asset_check_evaluations()
    assert (check.check_name, check.passed, seen.success) == ("experiment_verdict", False, False)
    experiment.stop(*resources)
    assert serving(platform) == served
    assert experiment.under_way(platform.endpoint) is None


def test_a_canary_that_nobody_asks_is_turned_back_and_that_is_kept(platform, versions):
    served = serving(platform)
    canary = {"rollout": "CANARY", "share": 0.5, "traffic_seconds": 0}
    promoted = platform.run("promote", assets=["deployed_endpoint"], ops={"deployed_endpoint": canary})
    (check,) = promoted.get_asset_check_evaluations()
    assert (check.check_name, check.passed, promoted.success) == ("rollout_quiet", False, False)
    assert "no traffic: the new version was asked 0 of at least 20 requests" in check.description
    assert serving(platform) == served


def test_the_old_reference_gives_the_old_version_back(platform, versions):
    first, _ = versions
    reference = pl.read_parquet(platform.landing / "reference.parquet")
    platform.land("reference", reference.filter(~pl.col("reference_id").str.starts_with("NEW")))
    assert platform.run("refresh_reference").success
    assert folder_digest(platform.folders.read("model_package")) == first.bundle_digest


def test_on_another_reference_the_certificate_does_not_count(platform):
    """Its entities are others: what was shown of the old ones is nothing that was shown of these."""
    sources = Sources(
        *(platform.folders.read(name) for name in ("retrieval_index", "encoder", "ranker", "decision_policy"))
    )
    assert assemble(sources).policy.certificate.granted
    master = platform.tables.read("reference_master")
    strangers = master.with_columns(pl.concat_str(pl.lit("X"), "reference_id").alias("reference_id")).head(500)
    index = RetrievalIndex.build(strangers, Encoder.load(sources.encoder))
    index.save(platform.home / "strangers")
    certificate = assemble(replace(sources, index=platform.home / "strangers")).policy.certificate
    assert (certificate.granted, certificate.threshold) == (False, None)


class Contrary(LocalEndpoint):
    """An endpoint that decides otherwise than its bundle."""

    def invoke(self, name, records, variant=None):
        return [{**answer, "decision": "otherwise"} for answer in super().invoke(name, records, variant)]


def test_a_version_that_answers_otherwise_than_in_batch_is_taken_back(platform, versions):
    first, second = versions
    champion, served = platform.registry.champion(), serving(platform)
    other = second if served == first.lineage["bundle_version"] else first
    store = platform.resources["store"]
    with pytest.raises(EndpointError, match="otherwise than in batch"):
        deploy(other, store, Contrary(store=store, root=platform.endpoint.root))
    assert serving(platform) == served
    assert platform.registry.champion() == champion
