"""What the operations page tells: gathered from the catalogue of runs, registry, endpoint and alerts, as plain data.

Reads metadata only, no tables: it costs milliseconds and may be done at any time. What is not there yet is None.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from matching_assets.release import ENDPOINT
from matching_assets.tags import REASON_TAG, SHADOW_TAG, WHY_TAG
from resources.alarms import SLOS, Slo, Window, burn_rate, quantile, total, value
from resources.alerts import Alert, Alerts
from resources.endpoint import Endpoint, EndpointStatus
from resources.registry import ModelPackage, Registry
from resources.store import MissingError

DAYS = 30
RETRAININGS = 8
MONITORS = ("integrity_report", "drift_report", "prediction_report", "concept_report", "performance_report")
DAILY = ("raw_records", "quarantined_records", "match_decisions", "endpoint_telemetry", *MONITORS)
HOUR = 3600.0
ROWS = "dagster/row_count"


@dataclass(frozen=True)
class Traffic:
    """What the endpoint did in the last hour, and how fast each budget burned over an hour and six."""

    requests: int
    error_share: float | None
    latency_p50_ms: float | None
    latency_p99_ms: float | None
    burns: Mapping[str, tuple[float | None, float | None]]


@dataclass(frozen=True)
class Training:
    """A run of `retrain`: when it was asked for, why, how it ended, and what became of its version."""

    at: datetime
    reason: str
    why: str
    status: str
    outcome: str
    run_id: str
    shadow: bool


@dataclass(frozen=True)
class Outlook:
    """Everything on the page. `assets`: of each daily asset, what its newest materialisation of a day said."""

    now: datetime
    days: Sequence[str]
    assets: Mapping[str, Mapping[str, Mapping[str, Any]]]
    alerts: Sequence[Alert]
    trainings: Sequence[Training]
    champion: ModelPackage | None
    stage: str
    endpoint: EndpointStatus | None
    traffic: Traffic
    beat: float | None = None
    lineage: Mapping[str, str] = field(default_factory=dict)

    def series(self, asset: str, number: str) -> list[float | None]:
        """A number by day; None where there is none."""
        known = self.assets.get(asset, {})
        return [known.get(day, {}).get(number) for day in self.days]

    def newest(self, asset: str) -> tuple[str, Mapping[str, Any]] | None:
        """The newest of the days on which an asset was made, and what was said of it."""
        known = self.assets.get(asset, {})
        day = max(known, default=None)
        return (day, known[day]) if day else None


def look(
    instance: dg.DagsterInstance,
    registry: Registry,
    endpoint: Endpoint,
    alerts: Alerts,
    days: Iterable[str],
    now: float,
    beat: float | None = None,
) -> Outlook:
    """Gather what there is to tell of `days` (ISO dates, in order) at `now` (seconds since 1970)."""
    wanted = list(days)[-DAYS:]
    champion = registry.champion()
    try:
        status: EndpointStatus | None = endpoint.describe(ENDPOINT)
    except MissingError:
        status = None
    windows = endpoint.windows(ENDPOINT, now - 6 * HOUR) if status else ()
    return Outlook(
        now=datetime.fromtimestamp(now, UTC),
        days=wanted,
        assets={asset: said(instance, asset, wanted) for asset in DAILY},
        alerts=alerts.open_alerts(),
        trainings=trainings(instance),
        champion=champion,
        stage=registry.stage(champion.version) if champion else "",
        endpoint=status,
        traffic=traffic(windows, now),
        beat=beat,
        lineage={name: str(value) for name, value in champion.lineage.items()} if champion else {},
    )


def said(instance: dg.DagsterInstance, asset: str, days: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What the newest materialisation of each day said: its metadata, without pictures and tables."""
    wanted = dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), asset_partitions=list(days))
    found: dict[str, dict[str, Any]] = {}
    for record in instance.fetch_materializations(wanted, limit=3 * len(days)).records if days else []:
        made, day = record.asset_materialization, record.partition_key
        if made is not None and day is not None and day not in found:
            known = {name: entry.value for name, entry in made.metadata.items()}
            found[day] = {name: v for name, v in known.items() if isinstance(v, int | float | str)}
    return found


def trainings(instance: dg.DagsterInstance) -> list[Training]:
    """The newest runs of `retrain`, the newest first."""
    approvals = dg.AssetRecordsFilter(asset_key=dg.AssetKey("approval"))
    decided = {
        record.run_id: record.asset_materialization.metadata
        for record in instance.fetch_materializations(approvals, limit=4 * RETRAININGS).records
        if record.asset_materialization is not None
    }
    found = []
    for record in instance.get_run_records(dg.RunsFilter(job_name="retrain"), limit=RETRAININGS):
        run, approval = record.dagster_run, decided.get(record.dagster_run.run_id)
        outcome = f"version {approval['registry_version'].value}: {approval['status'].value}" if approval else ""
        found.append(
            Training(
                record.create_timestamp,
                run.tags.get(REASON_TAG, "person"),
                run.tags.get(WHY_TAG, ""),
                run.status.value,
                outcome,
                run.run_id,
                run.tags.get(SHADOW_TAG) == "true",
            )
        )
    return found


def traffic(windows: Iterable[Window], now: float, slos: Sequence[Slo] = SLOS) -> Traffic:
    """The endpoint's last hour, all variants that answer added up."""
    known = [window for window in windows if "/production/" in window.target or "/baseline/" in window.target]
    hour = total(window for window in known if window.at > now - HOUR)
    burns = {slo.name: (burn_rate(slo, known, now, HOUR), burn_rate(slo, known, now, 6 * HOUR)) for slo in slos}
    if hour is None:
        return Traffic(0, None, None, None, burns)
    return Traffic(hour.requests, value("error_share", hour), quantile(hour, 0.5), quantile(hour, 0.99), burns)
