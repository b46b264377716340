"""Stage 9, monitoring: whether what arrives, and what is made of it, still looks as it did when it was measured.

Every monitor says the same of a day: `status` (OK, ALARM, UNKNOWN), `sentence`, `number` and `bundle_version`; its
table has the columns of `matching.findings.JUDGED`. Sensors and the operations page read nothing else.
"""

import tempfile
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from matching.bundle import read_manifest
from matching.drift import compare, take_window
from matching.drift_page import evidently_html
from matching.evaluation import evaluate
from matching.files import atomic_write
from matching.findings import ALARM, Finding, unknown
from matching.integrity import Delivery, check_integrity
from matching_assets.folders import facts_in
from matching_assets.landing import DAY, of_day
from matching_assets.owners import ON_CALL, REFERENCE_DATA
from matching_assets.partitions import BUSINESS_DAYS, window_of
from matching_assets.plots import bars
from matching_assets.reporting import report
from resources.store import ObjectStore

DRIFT_DAYS = 5
"""Business days that a window may span, when a day alone has too few decisions to judge."""
WINDOW_ROWS = 500
"""Decisions that a window has, if its days have so many: with them a shift of 0.3 sd is seen nearly always."""
DAYS_COMPARED = 10
"""Business days before it that a day's delivery is compared with."""
DELIVERIES = 400
"""Materialisations of raw records that are looked through for repeated and late files."""

WINDOW = dg.AssetIn(partition_mapping=window_of(DRIFT_DAYS))
QUALITY = {"band": pl.String, "records": pl.Int64, "right": pl.Int64, "errors": pl.Int64, "precision": pl.Float64}


class DriftConfig(dg.Config):
    """`page`: draw Evidently's page even if there is no alarm. It takes seconds and two megabytes."""

    page: bool = False


@dg.asset(
    group_name="monitoring",
    owners=[REFERENCE_DATA],
    kinds={"polars", "iceberg"},
    code_version="1",
    partitions_def=BUSINESS_DAYS,
    metadata={"partition_expr": DAY},
    ins={
        name: dg.AssetIn(partition_mapping=window_of(DAYS_COMPARED + 1))
        for name in ("raw_records", "clean_records", "quarantined_records")
    },
)
def integrity_report(
    context: dg.AssetExecutionContext,
    raw_records: pl.DataFrame,
    clean_records: pl.DataFrame,
    quarantined_records: pl.DataFrame,
    deployed_endpoint: Path,
) -> dg.MaterializeResult[pl.DataFrame]:
    """Whether the day was delivered as other days were: schema, nulls, domains, volume, late and repeated files."""
    day = context.partition_time_window.start.date()
    today = pl.col(DAY) == day
    delivery, others = deliveries(context.instance, day)
    found = check_integrity(
        raw_records.filter(today).drop(DAY),
        quarantined_records.filter(today).height,
        raw_records.filter(~today),
        quarantined_records.filter(~today).height,
        delivery,
        others,
    )
    numbers = {"accepted": clean_records.filter(today).height, "refused": quarantined_records.filter(today).height}
    return told(found, day, facts_in(deployed_endpoint)["bundle_version"], numbers=numbers)


@dg.asset(
    group_name="monitoring",
    owners=[ON_CALL],
    kinds={"evidently", "iceberg"},
    code_version="2",
    partitions_def=BUSINESS_DAYS,
    metadata={"partition_expr": DAY},
    ins={"scoring_telemetry": WINDOW, "endpoint_telemetry": WINDOW},
)
def drift_report(
    context: dg.AssetExecutionContext,
    config: DriftConfig,
    scoring_telemetry: pl.DataFrame,
    endpoint_telemetry: pl.DataFrame,
    deployed_endpoint: Path,
    store: dg.ResourceParam[ObjectStore],
) -> dg.MaterializeResult[pl.DataFrame]:
    """Whether the day's records still look as they did when the version was measured: the features of each decision."""
    return watched(context, config, "drift", scoring_telemetry, endpoint_telemetry, deployed_endpoint, store)


@dg.asset(
    group_name="monitoring",
    owners=[ON_CALL],
    kinds={"evidently", "iceberg"},
    code_version="1",
    partitions_def=BUSINESS_DAYS,
    metadata={"partition_expr": DAY},
    ins={"scoring_telemetry": WINDOW, "endpoint_telemetry": WINDOW},
)
def prediction_report(
    context: dg.AssetExecutionContext,
    config: DriftConfig,
    scoring_telemetry: pl.DataFrame,
    endpoint_telemetry: pl.DataFrame,
    deployed_endpoint: Path,
    store: dg.ResourceParam[ObjectStore],
) -> dg.MaterializeResult[pl.DataFrame]:
    """Whether the day's probabilities, bands and retrieval similarities are as they were when measured."""
    return watched(context, config, "predictions", scoring_telemetry, endpoint_telemetry, deployed_endpoint, store)


@dg.asset(
    group_name="monitoring",
    owners=[ON_CALL],
    kinds={"polars", "iceberg"},
    code_version="1",
    partitions_def=BUSINESS_DAYS,
    metadata={"partition_expr": DAY},
    automation_condition=dg.AutomationCondition.eager(),
)
def live_quality(
    context: dg.AssetExecutionContext, match_decisions: pl.DataFrame, labels: pl.DataFrame
) -> dg.MaterializeResult[pl.DataFrame]:
    """How the day's decisions turned out, by band, as far as people have labelled the records by now."""
    known = match_decisions.join(labels.select("record_id"), on="record_id", how="semi")
    asked = labels.join(known.select("record_id"), on="record_id", how="semi")
    metrics = evaluate(known, asked) if known.height else {"bands": {}, "precision": None, "coverage": None}
    rows = [{"band": band, **figures} for band, figures in metrics["bands"].items()]
    quality = pl.DataFrame(rows, schema=QUALITY) if rows else pl.DataFrame(schema=QUALITY)
    return report(
        of_day(quality, context.partition_time_window.start.date()),
        numbers={
            "labelled_share": known.height / max(match_decisions.height, 1),
            "precision": metrics["precision"],
            "coverage": metrics["coverage"],
        },
    )


def watched(
    context: dg.AssetExecutionContext,
    config: DriftConfig,
    monitor: str,
    batch: pl.DataFrame,
    traffic: pl.DataFrame,
    deployed_endpoint: Path,
    store: ObjectStore,
) -> dg.MaterializeResult[pl.DataFrame]:
    """What one of the monitors of `matching.drift` says of the day, beside what the bundle that serves was measured on.

    On an alarm it has Evidently's page with it.
    """
    day = context.partition_time_window.start.date()
    bundle = store.get_folder(facts_in(deployed_endpoint)["bundle_digest"])
    manifest, reference = read_manifest(bundle), pl.read_parquet(bundle / "telemetry.parquet")
    bounds = manifest.facts.get("drift_bounds")
    if bounds is None:
        said = (
            "The version that serves was registered without a reference to compare with; `retrain` makes one with it."
        )
        return told(unknown(said, 0), day, manifest.version)
    window = take_window(of_version(batch, traffic, manifest.version), day, max(bounds["window"], WINDOW_ROWS))
    found = compare(window, reference, bounds, monitor)
    facts = {}
    if found.status == ALARM or config.page:
        facts["page"] = dg.MetadataValue.path(_page(store, evidently_html(window, reference, bounds, monitor)))
    return told(found, day, manifest.version, pictures=_effects(found.columns), facts=facts)


def of_version(batch: pl.DataFrame, traffic: pl.DataFrame, version: str) -> pl.DataFrame:
    """All telemetry of a bundle, of files and of the endpoint."""
    return pl.concat([batch, traffic], how="diagonal_relaxed").filter(pl.col("bundle_version") == version)


def told(
    found: Finding,
    day: date,
    version: str,
    numbers: dict[str, float | None] | None = None,
    pictures: dict[str, str] | None = None,
    facts: dict[str, Any] | None = None,
) -> dg.MaterializeResult[pl.DataFrame]:
    """A finding as every monitor reports it."""
    alarms = found.columns.filter(pl.col("status") == ALARM).height
    return report(
        of_day(found.columns, day),
        numbers={"number": found.number, "window_rows": found.rows, "alarms": alarms, **(numbers or {})},
        pictures=pictures,
        facts={"status": found.status, "sentence": found.sentence, "bundle_version": version, **(facts or {})},
    )


def deliveries(instance: dg.DagsterInstance, day: date) -> tuple[Delivery | None, list[Delivery]]:
    """This day's file as it is now, first taken in when it was; and those of other days."""
    wanted = dg.AssetRecordsFilter(asset_key=dg.AssetKey("raw_records"))
    found: dict[str, Delivery] = {}
    for record in instance.fetch_materializations(wanted, limit=DELIVERIES).records:
        made, key = record.asset_materialization, record.partition_key
        if made is not None and key is not None:
            # From the newest to the oldest: the content is the newest's, the time the oldest's.
            digest = found[key].sha256 if key in found else str(made.metadata["source_sha256"].value)
            found[key] = Delivery(date.fromisoformat(key), digest, record.timestamp)
    return found.pop(day.isoformat(), None), list(found.values())


def _page(store: ObjectStore, html: str) -> str:
    """Store Evidently's page and return where it lies."""
    with tempfile.TemporaryDirectory() as scratch:
        atomic_write(Path(scratch) / "drift.html", html)
        digest = store.put_folder(Path(scratch))
    return str(store.get_folder(digest) / "drift.html")


def _effects(columns: pl.DataFrame) -> dict[str, str]:
    """The ten columns that moved most, against what chance can do; nothing where there was too little to judge."""
    worst = columns.filter(pl.col("effect").is_finite()).head(10)
    drawn = (worst[name].to_list() for name in ("column", "effect", "bound"))
    return {"effects": bars("Effect against its bound", *drawn)} if worst.height else {}
