"""What the code location offers: the snapshot of its assets, its checks and its jobs. Nothing is run here."""

import json
import os
from pathlib import Path

import dagster as dg
import pytest

from matching_assets.definitions import defs

SNAPSHOT = Path(__file__).parents[1] / "golden" / "assets.json"
GROUPS = [
    "records",
    "reference",
    "features",
    "embeddings",
    "ranking",
    "explanations",
    "governance",
    "serving",
    "monitoring",
    "review",
]
GRAPH = defs.resolve_asset_graph()
NODES = [GRAPH.get(key) for key in sorted(GRAPH.get_all_asset_keys(), key=str)]
CHECKS = [spec for checks in defs.asset_checks or [] for spec in checks.check_specs]


def described() -> dict[str, dict[str, object]]:
    """What a reader of the UI sees of each asset, as JSON."""
    return {
        node.key.to_user_string(): {
            "group": node.group_name,
            "depends_on": sorted(key.to_user_string() for key in node.parent_keys),
            "partitions": "business days" if node.partitions_def else None,
            "owners": sorted(node.owners),
            "kinds": sorted(node.kinds),
            "description": node.description,
            "pools": sorted(node.pools or ()),
            "automated": node.automation_condition is not None,
            "checks": sorted(check.name for check in CHECKS if check.asset_key == node.key),
        }
        for node in NODES
    }


def test_the_definitions_are_valid():
    dg.Definitions.validate_loadable(defs)


def test_the_assets_are_those_of_the_snapshot():
    """If the change is meant: MATCHING_SNAPSHOT=write, run this test, and read the difference."""
    if os.environ.get("MATCHING_SNAPSHOT") == "write":
        SNAPSHOT.parent.mkdir(exist_ok=True)
        SNAPSHOT.write_text(json.dumps(described(), indent=1) + "\n")
    assert described() == json.loads(SNAPSHOT.read_text())


@pytest.mark.parametrize("node", NODES, ids=lambda node: node.key.to_user_string())
def test_an_asset_says_in_a_sentence_what_it_is_and_whose(node):
    assert node.description.endswith(".")
    assert node.owners
    assert node.kinds
    assert node.code_version
    assert node.group_name in GROUPS


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_a_check_says_what_it_guards_and_what_to_do_when_it_fails(check):
    assert check.description.startswith("Guards ")
    assert "If it fails" in check.description


def test_there_are_checks_that_block_and_checks_that_only_warn():
    blocking = {check.name for check in CHECKS if check.blocking}
    assert len(blocking) >= 12
    assert {"no_drift", "quarantine_share", "usual_volume", "certificate_present"} & blocking == set()


def test_deployment_and_matching_never_start_by_themselves():
    automated = {name for name, asset in described().items() if asset["automated"]}
    assert automated == {"decision_reasons", "live_quality"}


@pytest.mark.parametrize(
    ("job", "first", "last"),
    [
        ("daily_matching", "raw_records", "live_quality"),
        ("retrain", "raw_reference", "approval"),
        ("refresh_reference", "raw_reference", "approval"),
        ("promote", "deployed_endpoint", "deployed_endpoint"),
        ("rollback", "deployed_endpoint", "deployed_endpoint"),
    ],
)
def test_a_job_reaches_from_its_first_asset_to_its_last(job, first, last):
    keys = {key.to_user_string() for key in defs.resolve_job_def(job).asset_layer.executable_asset_keys}
    assert {first, last} <= keys


@pytest.mark.parametrize("job", ["daily_matching", "retrain", "refresh_reference"])
def test_only_promote_and_rollback_deploy(job):
    keys = {key.to_user_string() for key in defs.resolve_job_def(job).asset_layer.executable_asset_keys}
    assert "deployed_endpoint" not in keys


def test_refreshing_the_reference_trains_nothing():
    keys = {key.to_user_string() for key in defs.resolve_job_def("refresh_reference").asset_layer.executable_asset_keys}
    assert keys & {"encoder", "ranker", "decision_policy"} == set()
