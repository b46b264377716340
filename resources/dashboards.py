"""Dashboards as code: Grafana's, on what router and instances tell Prometheus; CloudWatch's, on what they log there.

    python -m resources.dashboards --write                              deploy/dashboards/*.json anew
    python -m resources.dashboards --put --region R [--endpoint E]      CloudWatch's into the account

Both tell the same story in the same order: what is asked, what goes wrong, how long it takes, how fast the error budget
burns, and what is decided. Names of metrics are those of `matching.metric_names`, `matching.runtime_metrics` and
`resources.metering`; the tests hold the queries to what these really say.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matching import metric_names as names
from matching.files import atomic_write
from resources import aws
from resources.alarms import SLOS
from resources.store import Json

FOLDER = Path(__file__).parents[1] / "deploy" / "dashboards"
PRODUCTION = 'role="production"'


AVAILABILITY = SLOS[0]
ALLOWED = f"{1 - AVAILABILITY.objective:.4g}"
BURN = "at 1 it lasts 30 days; 14.4 for an hour rings"


def _rate(metric: str, by: str = "", span: str = "5m") -> str:
    """So many a second of a router's counter, of what production was asked; `by` a label, or all together."""
    return f"sum{f' by ({by})' if by else ''} (rate(matching_router_{metric}{{{PRODUCTION}}}[{span}]))"


Panel = tuple[str, str, str, Sequence[tuple[str, str]]]
PANELS: Sequence[Panel] = (
    (
        "Requests a second, by variant",
        "reqps",
        "What the router answered. A canary is a variant that grows.",
        [(_rate("requests_total", "variant"), "{{variant}}")],
    ),
    (
        "Errors",
        "percentunit",
        "Answers of 500 and above. Runbook: docs/runbooks/error-budget.md",
        [(f"{_rate('errors_total', 'variant')} / {_rate('requests_total', 'variant')}", "{{variant}}")],
    ),
    (
        "Latency at the router",
        "s",
        "By buckets a fifth wide: as exact as that.",
        [
            (f"histogram_quantile({q}, {_rate('latency_seconds_bucket', 'le')})", f"{100 * q:g} %")
            for q in (0.5, 0.95, 0.99)
        ],
    ),
    (
        "Error budget: how many times too fast",
        "none",
        f"{AVAILABILITY.objective:.1%} of the requests without error; {BURN}. Runbook: docs/runbooks/error-budget.md",
        [
            (f"{_rate('errors_total', span=span)} / {_rate('requests_total', span=span)} / {ALLOWED}", span)
            for span in ("5m", "1h", "6h")
        ],
    ),
    (
        "Bands",
        "percentunit",
        "Shares of what is decided. Runbook: docs/runbooks/predictions.md",
        [(f"{_rate('bands_total', 'band')} / on () group_left {_rate('bands_total')}", "{{band}}")],
    ),
    (
        "Throttled, tried again, degraded",
        "reqps",
        "429 and 503; instances that ended before they had answered; records decided without a component.",
        [(_rate(f"{what}_total"), what) for what in ("throttled", "retried", "degraded")],
    ),
    (
        "Shadow",
        "reqps",
        "Copies that a challenger was asked. What fails there fails nobody.",
        [(f"rate(matching_router_shadow_{what}_total[5m])", what) for what in ("sent", "failed", "refused", "dropped")],
    ),
    (
        "Refused by the instances, by kind",
        "reqps",
        "What instances did not answer with decisions.",
        [("sum by (kind) (rate(matching_errors_total[5m]))", "{{kind}}")],
    ),
    (
        "Probability of the decisions",
        "none",
        "Median and first decile: a fall is drift. Runbook: docs/runbooks/predictions.md",
        [
            (f"histogram_quantile({q}, sum by (le) (rate(matching_probability_bucket[1h])))", f"{q:g}")
            for q in (0.1, 0.5)
        ],
    ),
    (
        "Telemetry that could not be written, faults of the encoder",
        "none",
        "Rows and faults in an hour. Decisions are not held up by either.",
        [
            ("sum(increase(matching_telemetry_dropped_total[1h]))", "dropped rows"),
            ("sum by (kind) (increase(matching_faults_total[1h]))", "{{kind}}"),
        ],
    ),
    (
        "Bundles that serve",
        "none",
        "Instances by bundle: two during a rollout, one after it.",
        [("count by (bundle_version) (matching_bundle_info)", "{{bundle_version}}")],
    ),
)
"""Title, unit, what to know, and queries with their legends."""


def grafana() -> Json:
    """The dashboard as Grafana imports it (JSON model, schema version 39)."""
    source = {"type": "prometheus", "uid": "${source}"}
    panels = []
    for number, (title, unit, about, queries) in enumerate(PANELS):
        targets = [
            {"refId": chr(65 + n), "datasource": source, "expr": query, "legendFormat": legend}
            for n, (query, legend) in enumerate(queries)
        ]
        panels.append(
            {
                "id": number + 1,
                "type": "timeseries",
                "title": title,
                "description": about,
                "datasource": source,
                "gridPos": {"x": 12 * (number % 2), "y": 8 * (number // 2), "w": 12, "h": 8},
                "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
                "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
                "targets": targets,
            }
        )
    variable = {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
    return {
        "uid": "matching",
        "title": "Matching",
        "tags": ["matching"],
        "schemaVersion": 39,
        "timezone": "utc",
        "refresh": "1m",
        "time": {"from": "now-24h", "to": "now"},
        "templating": {"list": [variable]},
        "panels": panels,
    }


def cloudwatch(endpoint: str = "matching", region: str = "us-east-1") -> Json:
    """The body of a CloudWatch dashboard. Variants are searched for, because they come and go with versions."""

    def ours(metric: str, stat: str = "Sum") -> str:
        return _search(names.NAMESPACE, metric, stat, endpoint)

    def theirs(metric: str, stat: str = "Sum") -> str:
        return _search("AWS/SageMaker", metric, stat, endpoint)

    errors, asked = f"SUM({theirs('Invocation5XXErrors')})", f"SUM({theirs('Invocations')})"
    widgets = [
        ("Requests, by variant", [(ours(names.REQUESTS), "")]),
        ("Errors: SageMaker's 5XX, ours", [(theirs("Invocation5XXErrors"), ""), (ours(names.ERRORS), "")]),
        ("Latency in the container, ms", [(ours(names.LATENCY, f"p{q}"), f"p{q}") for q in (50, 95, 99)]),
        (
            "Latency as SageMaker sees it, us",
            [(theirs("ModelLatency", "p99"), ""), (theirs("OverheadLatency", "p99"), "")],
        ),
        (
            "Error budget: times too fast",
            [(f"{errors} / {asked} / {ALLOWED}", AVAILABILITY.name)],
        ),
        ("Bands", [(ours(metric), band) for band, metric in names.BANDS.items()]),
        ("Throttled, degraded", [(ours(names.THROTTLED), "throttled"), (ours(names.DEGRADED), "degraded")]),
        ("Records", [(ours(names.RECORDS), "")]),
    ]
    note = "What to do: `docs/RUNBOOK.md` of the checkout. Drift, precision and the certificate: `operations.html`."
    text = {
        "type": "text",
        "x": 0,
        "y": 0,
        "width": 24,
        "height": 2,
        "properties": {"markdown": f"# {endpoint}\n{note}"},
    }
    return {"widgets": [text, *(_widget(number, *about, region) for number, about in enumerate(widgets))]}


def put(client: Any, body: Json, name: str) -> Sequence[str]:
    """Put the dashboard up in CloudWatch; what it has to say against it."""
    answer = client.put_dashboard(DashboardName=name, DashboardBody=json.dumps(body))
    return [entry["Message"] for entry in answer.get("DashboardValidationMessages", [])]


def _search(namespace: str, metric: str, stat: str, endpoint: str) -> str:
    where = ",".join([namespace, *names.DIMENSIONS])
    return f"""SEARCH('{{{where}}} EndpointName="{endpoint}" MetricName="{metric}"', '{stat}', 60)"""


def _widget(number: int, title: str, expressions: Sequence[tuple[str, str]], region: str) -> Json:
    metrics = [
        [{"expression": expression, "label": label, "id": f"e{n}"}] for n, (expression, label) in enumerate(expressions)
    ]
    properties = {"title": title, "region": region, "view": "timeSeries", "period": 60, "metrics": metrics}
    where = {"x": 12 * (number % 2), "y": 2 + 6 * (number // 2), "width": 12, "height": 6}
    return {"type": "metric", **where, "properties": properties | {"yAxis": {"left": {"min": 0}}}}


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files, or put CloudWatch's up; 1 when it was not taken as it is."""
    parser = argparse.ArgumentParser(prog="resources.dashboards", description=__doc__.partition("\n")[0])
    parser.add_argument("--write", action="store_true", help="write deploy/dashboards anew")
    parser.add_argument("--put", action="store_true", help="put CloudWatch's dashboard up")
    parser.add_argument("--region", default="us-east-1")
    parser.add_argument("--endpoint", default="matching")
    given = parser.parse_args(arguments)
    body = cloudwatch(given.endpoint, given.region)
    if given.write:
        for name, content in (("grafana", grafana()), ("cloudwatch", body)):
            atomic_write(FOLDER / f"{name}.json", json.dumps(content, indent=1) + "\n")
    problems = put(aws.client("cloudwatch", given.region), body, given.endpoint) if given.put else []
    for problem in problems:
        print(f"dashboards: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
