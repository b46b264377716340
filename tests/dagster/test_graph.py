"""The whole graph on a slice of the sample: what comes out of it, day by day."""

import json

import dagster as dg
import polars as pl
import pytest

from matching_assets.folders import facts_in
from matching_assets.jobs import INTAKE, MATCHING, MONITORS

DESIGN = {
    "records": {"raw_records", "clean_records", "quarantined_records"},
    "reference": {"raw_reference", "raw_aliases", "reference_master", "labels"},
    "features": {"candidate_pairs", "pair_features"},
    "embeddings": {"encoder", "reference_embeddings", "retrieval_index"},
    "ranking": {"ranker", "decision_policy"},
    "explanations": {"global_explanations", "decision_reasons"},
    "governance": {"evaluation", "model_card", "model_package", "approval"},
    "serving": {"deployed_endpoint", "match_decisions"},
    "monitoring": {"scoring_telemetry", "endpoint_telemetry", "live_quality", *MONITORS},
    "review": {"review_queue", "review_verdicts"},
}
ASSETS = sorted(set().union(*DESIGN.values()))


@pytest.mark.parametrize("asset", ASSETS)
def test_every_asset_of_the_design_is_materialised(platform, asset):
    assert platform.materialisation(asset)


@pytest.mark.parametrize("asset", ASSETS)
def test_every_materialisation_has_the_hash_of_its_content(platform, asset):
    assert len(platform.materialisation(asset).tags["dagster/data_version"]) == 64


@pytest.mark.parametrize("asset", ASSETS)
def test_every_asset_reports_numbers_that_become_plots(platform, asset):
    kinds = (dg.IntMetadataValue, dg.FloatMetadataValue)
    assert [name for name, value in platform.materialisation(asset).metadata.items() if isinstance(value, kinds)]


@pytest.mark.parametrize("monitor", MONITORS)
def test_every_monitor_says_how_it_is_in_a_sentence_with_a_number(platform, days, monitor):
    told = platform.materialisation(monitor, days[-1]).metadata
    assert told["status"].value in ("OK", "ALARM", "UNKNOWN")
    assert told["sentence"].value.endswith(".")
    assert told["bundle_version"].value == facts_in(platform.folders.read("deployed_endpoint"))["bundle_version"]
    assert "number" in told or told["status"].value == "UNKNOWN"


def test_lineage_runs_from_raw_records_to_the_deployed_endpoint(platform):
    graph = platform.defs.resolve_asset_graph()
    upstream = graph.get_ancestor_asset_keys(dg.AssetKey("deployed_endpoint"))
    assert dg.AssetKey("raw_records") in upstream


def test_each_record_that_arrived_is_decided_or_quarantined(platform, days):
    for day in days:
        arrived, decided, quarantined = (
            platform.tables.read(name, day).height for name in ("raw_records", "match_decisions", "quarantined_records")
        )
        assert arrived == decided + quarantined > 0


def test_the_decisions_name_the_version_that_serves(platform, days):
    deployed = facts_in(platform.folders.read("deployed_endpoint"))
    assert platform.tables.read("match_decisions")["bundle_version"].unique().to_list() == [deployed["bundle_version"]]


def test_the_endpoint_decides_as_the_day_was_decided(platform, days):
    record = platform.tables.read("clean_records", days[0]).head(1)
    (answer,) = platform.endpoint.invoke("matching", record.select("record_id", "name", "country").to_dicts())
    expected = platform.tables.read("match_decisions", days[0]).filter(pl.col("record_id") == record["record_id"][0])
    assert answer["reference_id"] == expected["reference_id"][0]


def test_the_reasons_of_a_decision_add_up_to_its_margin_less_the_base(platform, days):
    decisions, reasons = (platform.tables.read(name, days[0]) for name in ("match_decisions", "decision_reasons"))
    sums = reasons.group_by("record_id").agg(pl.col("contribution").sum())
    base = decisions.join(sums, on="record_id").select(pl.col("margin") - pl.col("contribution")).to_series()
    assert base.max() - base.min() < 1e-3


def test_a_day_that_is_materialised_again_is_overwritten_and_not_doubled(platform, days):
    tables = ("raw_records", "clean_records", "match_decisions", "decision_reasons", "scoring_telemetry")
    before = {name: platform.tables.read(name).height for name in tables}
    assert platform.run("daily_matching", days[1], [*INTAKE, *MATCHING]).success
    assert {name: platform.tables.read(name).height for name in tables} == before


def test_a_day_that_is_materialised_again_has_the_same_content(platform, days):
    version = platform.materialisation("match_decisions", days[2]).tags["dagster/data_version"]
    assert platform.run("daily_matching", days[2], MATCHING).success
    assert platform.materialisation("match_decisions", days[2]).tags["dagster/data_version"] == version


def test_no_name_of_a_record_is_in_the_event_log(platform):
    names = set(platform.tables.read("raw_records")["name"])
    told = "".join(
        str(value.value)
        for asset in ASSETS
        for name, value in platform.materialisation(asset).metadata.items()
        if name != "card"
    )
    assert [name for name in names if len(name) > 8 and name in told] == []


def test_the_card_is_short_enough_for_sagemaker(platform):
    assert len(json.dumps(facts_in(platform.folders.read("model_card")))) < 100_000
