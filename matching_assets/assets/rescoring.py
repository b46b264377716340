"""Stage 9, monitoring: days scored again with a bundle of one's choice, beside what was decided, which stays.

One run a day, launched by a person: the job `rescore` with its partitions, or `matching rescore`.
"""

import dagster as dg
import polars as pl

from matching.rescoring import Side, diff_decisions
from matching.scoring import Scorer
from matching_assets.landing import DAY, of_day
from matching_assets.owners import MODEL_RISK
from matching_assets.partitions import BUSINESS_DAYS
from matching_assets.reporting import report
from matching_assets.rescoring import bundle_named, bundle_of
from resources.registry import Registry
from resources.store import ObjectStore

MATCH = "match"


class RescoreConfig(dg.Config):
    """`version`: registry version, bundle version or digest of the bundle; empty: the one in production."""

    version: str = ""


@dg.asset(
    group_name="monitoring",
    owners=[MODEL_RISK],
    kinds={"polars", "iceberg"},
    code_version="1",
    partitions_def=BUSINESS_DAYS,
    metadata={"partition_expr": DAY},
)
def rescored_decisions(
    context: dg.AssetExecutionContext,
    config: RescoreConfig,
    clean_records: pl.DataFrame,
    registry: dg.ResourceParam[Registry],
    store: dg.ResourceParam[ObjectStore],
) -> dg.MaterializeResult[pl.DataFrame]:
    """What a bundle of one's choice decides about the day's records. What was decided is in match_decisions."""
    scorer = Scorer.load(bundle_named(config.version, registry, store))
    decisions = scorer.score(clean_records.drop(DAY)).decisions
    bands = {f"{band}_share": (decisions["decision"] == band).mean() for band in (MATCH, "review", "no_match")}
    facts = {"bundle_version": scorer.bundle_version, "asked_for": config.version or "the version in production"}
    return report(of_day(decisions, context.partition_time_window.start.date()), numbers=bands, facts=facts)


@dg.asset(
    group_name="monitoring",
    owners=[MODEL_RISK],
    kinds={"polars", "iceberg"},
    code_version="1",
    partitions_def=BUSINESS_DAYS,
    metadata={"partition_expr": DAY},
)
def decision_diff(
    context: dg.AssetExecutionContext,
    match_decisions: pl.DataFrame,
    rescored_decisions: pl.DataFrame,
    registry: dg.ResourceParam[Registry],
    store: dg.ResourceParam[ObjectStore],
) -> dg.MaterializeResult[pl.DataFrame]:
    """What the day's decisions would be otherwise with the other bundle, record by record, and why."""
    versions = {"was": _version(match_decisions), "now": _version(rescored_decisions)}
    bundles = {side: bundle_of(version, registry, store) for side, version in versions.items()}
    if unknown := [versions[side] for side, bundle in bundles.items() if bundle is None]:
        raise dg.Failure(f"bundle {unknown[0]} is not known here: restore it to the store, and register it.")
    sides = {side: Side.of(bundle) for side, bundle in bundles.items() if bundle is not None}
    found = diff_decisions(match_decisions, rescored_decisions, sides["was"], sides["now"])
    was, now = (pl.col(f"decision_{side}") == MATCH for side in ("was", "now"))
    other = pl.col("reference_id_was").ne_missing(pl.col("reference_id_now"))
    bands = found.group_by(status=pl.concat_str("decision_was", pl.lit(" to "), "decision_now")).len("records")
    return report(
        of_day(found, context.partition_time_window.start.date()),
        numbers={
            "records": rescored_decisions.height,
            "band_changed": found.filter(pl.col("change").str.starts_with("band")).height,
            "reference_changed": found.filter(pl.col("change").str.ends_with("reference")).height,
            "matches_gained": found.filter(now & ~was.fill_null(False)).height,
            "matches_lost": found.filter(was & ~now.fill_null(False)).height,
            "matched_to_another": found.filter(was & now & other).height,
        },
        tables={
            "bands": bands.sort("records", "status", descending=[True, False]),
            "why": found.group_by(group="why").len("records").sort("records", "group", descending=[True, False]),
        },
        facts={f"bundle_version_{side}": version for side, version in versions.items()},
    )


def _version(decisions: pl.DataFrame) -> str:
    """The one bundle that decided a day; of a day without records none, and then any will do."""
    return str(decisions["bundle_version"][0]) if decisions.height else ""
