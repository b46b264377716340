"""Stage 8, serving: the version in production, and the decisions it takes on each business day."""

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

import dagster as dg
import polars as pl

from matching.scoring import Scorer
from matching_assets.folders import Folder, facts_in
from matching_assets.landing import DAY, of_day
from matching_assets.owners import ON_CALL
from matching_assets.partitions import BUSINESS_DAYS
from matching_assets.release import ENDPOINT, deploy, newest_approved
from matching_assets.reporting import report
from resources.endpoint import Endpoint
from resources.registry import Registry
from resources.store import ObjectStore
from resources.telemetry import Telemetry


class Which(StrEnum):
    """Which version to deploy."""

    APPROVED = "approved"
    PREVIOUS = "previous"


class DeployConfig(dg.Config):
    """`approved`: the newest approved version. `previous`: the champion before this one, which is a rollback."""

    version: Which = Which.APPROVED


@dg.asset(
    group_name="serving",
    owners=[ON_CALL],
    kinds={"fastapi", "sagemaker"},
    code_version="1",
    deps=["approval"],
    io_manager_key="folder_io_manager",
    pool="endpoint",
)
def deployed_endpoint(
    config: DeployConfig,
    registry: dg.ResourceParam[Registry],
    store: dg.ResourceParam[ObjectStore],
    endpoint: dg.ResourceParam[Endpoint],
) -> dg.MaterializeResult[Folder]:
    """The approved version that answers in production. The one before serves until the new one answers."""
    champion = registry.champion()
    package = registry.previous() if config.version is Which.PREVIOUS else newest_approved(registry)
    state, manifest = deploy(package, store, endpoint)
    if config.version is Which.PREVIOUS:
        registry.rollback()
    else:
        registry.promote(package.version, expected=champion.version if champion else None)
    facts = {"endpoint": ENDPOINT, "registry_version": package.version, "bundle_version": manifest.version}
    return report(
        Folder(facts={**facts, "bundle_digest": package.bundle_digest}),
        numbers={"registry_version": package.version},
        facts={"bundle_version": manifest.version, "url": dg.MetadataValue.url(state.url), "lineage": state.lineage},
    )


@dg.multi_asset(
    partitions_def=BUSINESS_DAYS,
    outs={
        name: dg.AssetOut(
            dagster_type=pl.DataFrame,
            group_name=group,
            description=description,
            owners=[ON_CALL],
            kinds={"polars", "iceberg"},
            code_version="1",
            metadata={"partition_expr": DAY},
        )
        for name, group, description in (
            (
                "match_decisions",
                "serving",
                "The day's decisions: best candidate, probability, band, reasons, runner-up.",
            ),
            (
                "scoring_telemetry",
                "monitoring",
                "Numbers about each decision of the day, without names: what drift is seen in.",
            ),
        )
    },
)
def decided_records(
    context: dg.AssetExecutionContext,
    clean_records: pl.DataFrame,
    deployed_endpoint: Path,
    store: dg.ResourceParam[ObjectStore],
    telemetry: dg.ResourceParam[Telemetry],
) -> Iterator[dg.MaterializeResult]:
    """Every clean record of the day is decided by the bundle that serves."""
    day = context.partition_time_window.start.date()
    scorer = Scorer.load(store.get_folder(facts_in(deployed_endpoint)["bundle_digest"]))
    scored = scorer.score(clean_records.drop(DAY))
    bands = {f"{band}_share": (scored.decisions["decision"] == band).mean() for band in ("match", "review", "no_match")}
    decisions = of_day(scored.decisions, day)
    yield report(decisions, asset="match_decisions", numbers=bands, facts={"bundle_version": scorer.bundle_version})
    telemetry.record(scored.telemetry, day, batch="daily_matching")
    numbers = {
        name: scored.telemetry[name].mean() for name in ("probability", "lexical_similarity", "unknown_token_share")
    }
    yield report(of_day(scored.telemetry, day), asset="scoring_telemetry", numbers=numbers)
