"""Stage 9, monitoring: whether decisions turn out right, as people find who audit and review them."""

from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import polars as pl

from matching.bundle import Manifest, read_manifest
from matching.concept import KINDS, check_concept, outcomes
from matching.performance import check_performance
from matching_assets.assets.monitoring import WINDOW, of_version, told
from matching_assets.folders import facts_in
from matching_assets.landing import DAY
from matching_assets.owners import MODEL_RISK
from matching_assets.partitions import BUSINESS_DAYS
from matching_assets.review.verdicts import Verdicts
from resources.store import ObjectStore

CONCEPT_DAYS = 28
"""Calendar days of queues whose verdicts are judged: people take their time."""
FEWEST_MATCHES = 30


@dg.asset(
    group_name="monitoring",
    owners=[MODEL_RISK],
    kinds={"polars", "iceberg"},
    code_version="1",
    partitions_def=BUSINESS_DAYS,
    metadata={"partition_expr": DAY},
    deps=["review_queue"],
)
def concept_report(
    context: dg.AssetExecutionContext,
    deployed_endpoint: Path,
    store: dg.ResourceParam[ObjectStore],
    verdicts: dg.ResourceParam[Verdicts],
) -> dg.MaterializeResult[pl.DataFrame]:
    """Whether decisions turn out as their probabilities said, in what people audited and overrode."""
    day = context.partition_time_window.start.date()
    manifest = _manifest(deployed_endpoint, store)
    recent = pl.col("queue_day").is_between(day - timedelta(days=CONCEPT_DAYS - 1), day)
    known = outcomes(verdicts.read()).filter(recent, pl.col("bundle_version") == manifest.version)
    bands = manifest.facts.get("metrics", {}).get("bands", {})
    refused = bands.get("no_match", {"errors": 0, "records": 0})  # a bundle that was not measured has none
    found = check_concept(known, (refused["errors"], refused["records"]))
    by_kind = {kind.replace(" ", "_"): known.filter(kind=kind).height for kind in KINDS.values()}
    return told(found, day, manifest.version, numbers=by_kind)


@dg.asset(
    group_name="monitoring",
    owners=[MODEL_RISK],
    kinds={"polars", "iceberg"},
    code_version="1",
    partitions_def=BUSINESS_DAYS,
    metadata={"partition_expr": DAY},
    deps=["review_queue"],
    ins={"scoring_telemetry": WINDOW, "endpoint_telemetry": WINDOW},
)
def performance_report(
    context: dg.AssetExecutionContext,
    scoring_telemetry: pl.DataFrame,
    endpoint_telemetry: pl.DataFrame,
    deployed_endpoint: Path,
    store: dg.ResourceParam[ObjectStore],
    verdicts: dg.ResourceParam[Verdicts],
) -> dg.MaterializeResult[pl.DataFrame]:
    """How precise automatic matches are: as audited, for certain at all times; and as estimated without labels."""
    day = context.partition_time_window.start.date()
    manifest = _manifest(deployed_endpoint, store)
    certificate = manifest.facts["certificate"]
    matched = of_version(scoring_telemetry, endpoint_telemetry, manifest.version).filter(decision="match")
    found = check_performance(
        audited_matches(verdicts, manifest.version, day),
        matched["probability"],
        certificate["target_precision"],
        certificate["granted"],
        FEWEST_MATCHES,
    )
    numbers = {
        "audited": found.audited,
        "audit_precision": found.precision,
        "audit_precision_low": found.low if found.audited else None,
        "audit_precision_high": found.high if found.audited else None,
        "estimated_precision": found.estimated,
        "estimate_error": found.error,
    }
    return told(found.finding, day, manifest.version, numbers=numbers, facts={"certificate": found.certificate})


def audited_matches(verdicts: Verdicts, version: str, day: date) -> pl.DataFrame:
    """How the audited matches of a bundle turned out, of all queues up to a day."""
    audits = outcomes(verdicts.read()).filter(why="audit", kind=KINDS["match"], bundle_version=version)
    return audits.filter(pl.col("queue_day") <= day)


def _manifest(deployed_endpoint: Path, store: ObjectStore) -> Manifest:
    """Of the bundle that serves."""
    return read_manifest(store.get_folder(facts_in(deployed_endpoint)["bundle_digest"]))
