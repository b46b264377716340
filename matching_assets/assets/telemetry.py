"""Stage 9, monitoring: what the endpoint was asked, as a table. What files were asked is `scoring_telemetry`."""

from functools import cache

import dagster as dg
import polars as pl

from matching.scoring import Scorer
from matching_assets.landing import DAY, of_day
from matching_assets.owners import ON_CALL
from matching_assets.partitions import BUSINESS_DAYS, calendar_days
from matching_assets.reporting import report
from resources.registry import Registry
from resources.store import ObjectStore
from resources.traffic import Measure, Traffic


@dg.asset(
    group_name="monitoring",
    owners=[ON_CALL],
    kinds={"polars", "iceberg"},
    code_version="1",
    partitions_def=BUSINESS_DAYS,
    metadata={"partition_expr": DAY},
    deps=["deployed_endpoint"],
)
def endpoint_telemetry(
    context: dg.AssetExecutionContext,
    traffic: dg.ResourceParam[Traffic],
    registry: dg.ResourceParam[Registry],
    store: dg.ResourceParam[ObjectStore],
) -> dg.MaterializeResult[pl.DataFrame]:
    """What the endpoint was asked on the day, and on a weekend before it: numbers about each decision, no names."""
    day = context.partition_time_window.start.date()
    there = traffic.fingerprint(*calendar_days(day))  # before it is read: what comes meanwhile is asked for again
    found = traffic.collect(*calendar_days(day), _measure(registry, store))
    for file, why in found.refused.items():
        context.log.warning("%s was not taken in: %s", file, why)
    latency = found.rows["latency_ms"]
    numbers = {
        "records": found.rows.height,
        "files": found.files,
        "repeated_files": found.repeated,
        "refused_files": len(found.refused),
        "match_share": (found.rows["decision"] == "match").mean(),
        "degraded_share": found.rows["degraded"].mean(),
        "latency_ms_p50": latency.quantile(0.5),
        "latency_ms_p99": latency.quantile(0.99),
    }
    return report(of_day(found.rows, day), numbers=numbers, facts={"fingerprint": there})


def _measure(registry: Registry, store: ObjectStore) -> Measure:
    """Scores records again with the bundle that answered: what capture keeps is the question and the answer."""

    @cache
    def scorer(version: str) -> Scorer | None:
        package = next((p for p in registry.list() if p.lineage.get("bundle_version") == version), None)
        return Scorer.load(store.get_folder(package.bundle_digest)) if package else None

    def measure(records: pl.DataFrame, version: str) -> pl.DataFrame | None:
        found = scorer(version)
        return found.score(records, reasons=False).telemetry if found else None

    return measure
