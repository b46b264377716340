"""The instance and the code location in AWS: what can be held without either."""

from importlib import import_module
from pathlib import Path
from typing import Any

import yaml
from dagster_cloud_cli.config.models import load_dagster_cloud_yaml

from resources.environment import AWS_SETTINGS, SAGEMAKER_TRAINING_SETTINGS

ROOT = Path(__file__).parents[2]
OWN = {"storage", "run_launcher", "compute_logs"}


def read(path: str) -> dict[str, Any]:
    return yaml.safe_load((ROOT / path).read_text())


def test_production_differs_from_the_laptop_where_it_says_so() -> None:
    here, there = read("dagster.yaml"), read("deploy/dagster.yaml")
    limits = {"concurrency", "run_monitoring", "code_servers"}  # the last is of processes on one machine

    assert there.keys() - here.keys() == OWN
    assert {key: here[key] for key in here.keys() - limits} == {key: there[key] for key in here.keys() - limits}
    assert here["concurrency"]["pools"] == there["concurrency"]["pools"]
    assert here["run_monitoring"]["enabled"] == there["run_monitoring"]["enabled"]


def test_its_classes_take_what_they_are_told() -> None:
    there = read("deploy/dagster.yaml")
    for section in ("run_launcher", "compute_logs"):
        asked = getattr(import_module(there[section]["module"]), there[section]["class"]).config_type()
        assert there[section]["config"].keys() <= asked.keys()


def test_no_secret_is_written_down() -> None:
    database = read("deploy/dagster.yaml")["storage"]["postgres"]["postgres_db"]

    assert all(
        database[key] == {"env": f"DAGSTER_PG_{name}"} for key, name in (("username", "USER"), ("password", "PASSWORD"))
    )
    assert database["params"] == {"sslmode": "require"}


def test_the_cloud_location_is_given_every_setting_that_aws_needs() -> None:
    (location,) = load_dagster_cloud_yaml((ROOT / "dagster_cloud.yaml").read_text()).locations
    given = {entry.partition("=")[0] for entry in location.container_context["ecs"]["env_vars"]}

    assert {*AWS_SETTINGS, *SAGEMAKER_TRAINING_SETTINGS} <= given
