"""dagster.yaml and dagster_cloud.yaml hold against the schemas of the Dagster that is installed."""

import shutil
from pathlib import Path

import dagster as dg
import pytest
from dagster_cloud_cli.config.models import load_dagster_cloud_yaml

ROOT = Path(__file__).parents[2]


@pytest.fixture
def instance(tmp_path):
    shutil.copy(ROOT / "dagster.yaml", tmp_path)
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        yield instance


def test_the_instance_calls_nobody_and_greets_nobody(instance):
    assert (instance.telemetry_enabled, instance.nux_enabled) == (False, False)


def test_two_steps_of_one_pool_never_run_at_once(instance):
    assert instance.global_op_concurrency_default_limit == 1


def test_a_backfill_leaves_a_place_for_today(instance):
    queue = instance.get_concurrency_config().run_queue_config
    backfills = [rule["limit"] for rule in queue.tag_concurrency_limits if rule["key"] == "dagster/backfill"]
    assert backfills[0] < queue.max_concurrent_runs


def test_a_run_whose_process_died_is_noticed(instance):
    assert instance.run_monitoring_enabled


def test_dagster_cloud_yaml_is_valid():
    assert load_dagster_cloud_yaml((ROOT / "dagster_cloud.yaml").read_text()).locations
