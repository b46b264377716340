"""Dashboards ask only for metrics that are really there: their queries are held to what router and instances expose."""

import json
import re
from io import StringIO
from pathlib import Path

import boto3
import polars as pl
import pytest
from botocore.stub import Stubber
from prometheus_client.parser import text_string_to_metric_families

from matching import metric_names
from matching.runtime_metrics import Meter, merged
from resources.dashboards import FOLDER, cloudwatch, grafana, main, put
from resources.metering import Meter as RouterMeter
from resources.mirror import Mirror
from resources.wire import Pool, answer


@pytest.fixture(scope="module")
def exposed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Each sample that GET /metrics of an instance and of the router shows, and its labels."""
    folder = tmp_path_factory.mktemp("metrics")
    instance = Meter("v1", folder)
    instance.answered(0.01, pl.DataFrame({"probability": [0.5]}), {"match": 1, "review": 0, "no_match": 0}, 1)
    instance.refused(0.1, 429, "busy")
    instance.totals({"slow": 1}, 2)
    instance.flush()
    router = RouterMeter(folder / "windows.jsonl")
    found = answer(200, b"{}")
    found.headers += [(b"x-bands", b"match=1,review=0,no_match=0")]
    router.count("1/production/champion", found, 0.01, retried=False)
    said = merged(folder, "v1").decode() + router.prometheus() + Mirror(Pool(), folder / "pairs.jsonl").prometheus()
    samples: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(said):
        for sample in family.samples:
            samples.setdefault(sample.name, set()).update(sample.labels)
    return samples


def queries() -> list[str]:
    return [target["expr"] for panel in grafana()["panels"] for target in panel["targets"]]


@pytest.mark.parametrize("query", queries())
def test_a_query_asks_for_metrics_and_labels_that_are_exposed(query: str, exposed: dict[str, set[str]]) -> None:
    asked = re.findall(r"matching_\w+", query)
    assert asked
    assert set(asked) <= exposed.keys()
    labels = set(re.findall(r"(\w+)=\"", query)) | {n for by in re.findall(r"by \((\w+)\)", query) for n in [by]}
    assert all(labels <= exposed[name] for name in asked)


def test_a_legend_names_a_label_that_the_query_keeps() -> None:
    for panel in grafana()["panels"]:
        for target in panel["targets"]:
            for label in re.findall(r"{{(\w+)}}", target["legendFormat"]):
                assert f"by ({label})" in target["expr"]


def test_what_the_pages_of_a_panel_say_is_there() -> None:
    pages = re.findall(r"docs/runbooks/[\w-]+\.md", json.dumps(grafana()))
    assert pages
    assert all((FOLDER.parents[1] / page).is_file() for page in pages)


def test_panels_do_not_lie_over_one_another() -> None:
    for body in (
        [panel["gridPos"] for panel in grafana()["panels"]],
        [{"x": w["x"], "y": w["y"], "w": w["width"], "h": w["height"]} for w in cloudwatch()["widgets"]],
    ):
        taken = [(x, y) for p in body for x in range(p["x"], p["x"] + p["w"]) for y in range(p["y"], p["y"] + p["h"])]
        assert len(taken) == len(set(taken))


def emitted(monkeypatch: pytest.MonkeyPatch) -> tuple[str, set[str], list[list[str]]]:
    """Namespace, metrics and dimension sets of the line that a container really logs."""
    for variable in metric_names.DIMENSIONS.values():
        monkeypatch.setenv(variable, "x")
    out = StringIO()
    meter = Meter("v1", emf=out)
    meter.answered(0.01, pl.DataFrame({"probability": [0.5]}), {"match": 1, "review": 0, "no_match": 0}, 0)
    meter.flush()
    (about,) = json.loads(out.getvalue())["_aws"]["CloudWatchMetrics"]
    return about["Namespace"], {metric["Name"] for metric in about["Metrics"]}, about["Dimensions"]


def test_cloudwatch_searches_what_a_container_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    namespace, metrics, dimensions = emitted(monkeypatch)
    searches = re.findall(
        r"SEARCH\('{([^}]+)} EndpointName=\\\"(\w+)\\\" MetricName=\\\"(\w+)\\\"", json.dumps(cloudwatch())
    )
    ours = [(where.split(","), metric) for where, _, metric in searches if where.startswith(namespace + ",")]
    assert len(ours) >= 8
    assert all(where[1:] in dimensions and metric in metrics for where, metric in ours)
    theirs = {metric for where, _, metric in searches if where.startswith("AWS/SageMaker,")}
    assert theirs == {"Invocations", "Invocation5XXErrors", "ModelLatency", "OverheadLatency"}


def test_the_body_is_what_put_dashboard_takes_and_what_it_has_against_it_is_told() -> None:
    client = boto3.client("cloudwatch", region_name="us-east-1", aws_access_key_id="t", aws_secret_access_key="t")
    body = cloudwatch("eu", "eu-west-1")
    with Stubber(client) as stub:
        request = {"DashboardName": "eu", "DashboardBody": json.dumps(body)}
        stub.add_response("put_dashboard", {"DashboardValidationMessages": [{"Message": "no"}]}, request)
        assert put(client, body, "eu") == ["no"]


def test_a_widget_is_as_cloudwatch_describes_it() -> None:
    body = cloudwatch()
    assert len(json.dumps(body)) < 100_000
    for widget in body["widgets"]:
        assert widget["type"] in ("text", "metric")
        assert 1 <= widget["width"] <= 24
        assert widget["x"] + widget["width"] <= 24
        for (metric,) in widget["properties"].get("metrics", []):
            assert set(metric) == {"expression", "label", "id"}
            assert re.fullmatch(r"[a-z]\w*", metric["id"])


def test_the_files_are_what_is_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """If the change is meant: python -m resources.dashboards --write."""
    monkeypatch.setattr("resources.dashboards.FOLDER", tmp_path)
    assert main(["--write"]) == 0
    for name in ("grafana.json", "cloudwatch.json"):
        assert (tmp_path / name).read_text() == (FOLDER / name).read_text()
