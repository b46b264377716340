"""Stage 8, serving: the version in production and its challenger, and the decisions taken on each business day."""

import time
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from matching.scoring import Scorer
from matching_assets import experiment
from matching_assets.closing import close, make_way, why_closed
from matching_assets.folders import Folder, facts_in
from matching_assets.landing import DAY, of_day
from matching_assets.links import provenance
from matching_assets.owners import MODELS, ON_CALL
from matching_assets.partitions import BUSINESS_DAYS
from matching_assets.release import ENDPOINT, deploy, newest_approved, shadow
from matching_assets.reporting import report
from matching_assets.runbooks import explained
from matching_assets.tags import WHY_TAG
from matching_assets.watching import ROLLOUT, watched
from resources.endpoint import Endpoint, EndpointError
from resources.registry import Registry
from resources.rollout import Rollout
from resources.store import ObjectStore
from resources.telemetry import Telemetry


class Which(StrEnum):
    """Which version to deploy."""

    APPROVED = "approved"
    PREVIOUS = "previous"
    CLOSED = "closed"


class How(StrEnum):
    """How the traffic moves to another version."""

    ALL_AT_ONCE = "all_at_once"
    CANARY = "canary"
    LINEAR = "linear"


class DeployConfig(dg.Config):
    """`approved`: the newest approved version. `previous`: the champion before this one, which is a rollback.

    `closed`: the champion without its certificate, so that nothing is matched; `why` is kept in the registry, and is
    by default what the run's tag says.

    `rollout`, `share` and `bake_seconds`: how the traffic moves (resources/rollout.py). `requested_by`: who asks
    for it; where four eyes are asked for, another than who approved. `least_requests`: what each step must have been
    asked within its bake and `traffic_seconds` more: a canary that nobody asked has shown nothing.
    """

    version: Which = Which.APPROVED
    rollout: How = How.ALL_AT_ONCE
    share: float = 1.0
    bake_seconds: float = 0.0
    least_requests: int = 20
    traffic_seconds: float = 600.0
    requested_by: str = ""
    why: str = ""


@dg.asset(
    group_name="serving",
    owners=[MODELS],
    kinds={"json"},
    code_version="1",
    deps=["approval"],
    io_manager_key="folder_io_manager",
    pool="training",
)
def shadow_comparison(
    config: DeployConfig,
    clean_records: pl.LazyFrame,
    registry: dg.ResourceParam[Registry],
    store: dg.ResourceParam[ObjectStore],
) -> dg.MaterializeResult[Folder]:
    """What the version to be promoted decides otherwise than the champion, on the records that came in last."""
    champion, package = registry.champion(), newest_approved(registry, config.requested_by)
    facts: dict[str, Any] = {"challenger": package.version, "champion": champion.version if champion else None}
    if champion is None or champion.version == package.version:
        return report(Folder(facts=facts), numbers={"records": 0})
    bundles = [store.get_folder(one.bundle_digest) for one in (champion, package)]
    found = shadow(*bundles, clean_records)
    numbers = {name: getattr(found, name) for name in ("records", "agreement", "conflicts", "gained", "lost")}
    tables = {"bands": pl.DataFrame(found.bands), "disagreements": pl.DataFrame(found.disagreements)}
    return report(
        Folder(facts=facts | {"comparison": found.to_json()}),
        numbers={**numbers, "p_value": found.p_value, "latency_ratio": found.latency_ratio},
        tables={name: table for name, table in tables.items() if table.width},
        facts=facts,
    )


@dg.asset(
    group_name="serving",
    owners=[MODELS],
    kinds={"json"},
    code_version="1",
    deps=["approval"],
    io_manager_key="folder_io_manager",
)
def experiment_result(
    labels: pl.DataFrame, store: dg.ResourceParam[ObjectStore], endpoint: dg.ResourceParam[Endpoint]
) -> dg.MaterializeResult[Folder]:
    """How the A/B that is under way has turned out so far, on the records that people have labelled by now."""
    found = experiment.look(endpoint, store, labels)
    if found is None:
        return report(Folder(facts={"experiment": None}), numbers={"outcomes_a": 0, "outcomes_b": 0})
    about, judged = found
    facts = {"experiment": about.name, "verdict": judged.verdict, "sentence": judged.sentence}
    numbers = {"outcomes_a": judged.right.n_a, "outcomes_b": judged.right.n_b, "share_b": about.share}
    for name, test in (("right", judged.right), ("wrong", judged.wrong)):
        numbers |= {f"{name}_a": test.share_a, f"{name}_b": test.share_b, f"{name}_log_e": test.log_e}
    return report(
        Folder(facts={**facts, "versions": about.versions}), numbers=numbers, facts={**facts, "lineage": about.versions}
    )


@dg.asset(
    group_name="serving",
    owners=[ON_CALL],
    kinds={"fastapi", "sagemaker"},
    code_version="1",
    deps=["approval", "shadow_comparison", "experiment_result"],
    io_manager_key="folder_io_manager",
    pool="endpoint",
    check_specs=[
        dg.AssetCheckSpec(
            ROLLOUT,
            asset="deployed_endpoint",
            description=explained(
                ROLLOUT,
                "Guards what serves while traffic moves: nothing spoke against the new version beside the old. "
                "If it fails, what served before serves again; the sentence says what spoke against it.",
            ),
        )
    ],
)
def deployed_endpoint(
    context: dg.AssetExecutionContext,
    config: DeployConfig,
    registry: dg.ResourceParam[Registry],
    store: dg.ResourceParam[ObjectStore],
    endpoint: dg.ResourceParam[Endpoint],
) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[Folder]]:
    """The approved version that answers in production. The one before serves until the new one answers."""
    champion, by = registry.champion(), config.requested_by
    if config.version is Which.PREVIOUS:
        package = registry.previous()
    elif config.version is Which.CLOSED:
        package = close(config.why or context.run.tags.get(WHY_TAG, ""), store, registry)
        make_way(endpoint)
    else:
        package = newest_approved(registry, by)
    tried = experiment.under_way(endpoint)
    if tried and config.version is Which.APPROVED and tried.digests["B"] != package.bundle_digest:
        raise EndpointError(f"version {package.version} is not in the A/B under way: end that with `matching ab stop`")
    traffic = (config.least_requests, config.traffic_seconds)
    rollout = Rollout(config.rollout.value, config.share, config.bake_seconds, True, *traffic)
    began = time.time()
    try:
        status, manifest = deploy(package, store, endpoint, rollout)
    except EndpointError as problem:
        yield watched(endpoint, began, package.version, rollout, str(problem))
        raise
    yield watched(endpoint, began, package.version, rollout)
    before = champion.version if champion else None
    if config.version is Which.PREVIOUS:
        registry.rollback(by)
    elif config.version is Which.APPROVED:
        registry.promote(package.version, expected=before, by=by)
    elif before is not None and before != package.version:
        registry.close(package.version, expected=before, by=by)
    facts = {"endpoint": ENDPOINT, "registry_version": package.version, "bundle_version": manifest.version}
    closed = why_closed(package)
    yield report(
        Folder(facts={**facts, "bundle_digest": package.bundle_digest}),
        numbers={"registry_version": package.version},
        facts={
            "bundle_version": manifest.version,
            "closed": closed is not None,
            **({"why_closed": closed, "parent_version": manifest.facts["parent"]} if closed else {}),
            "url": dg.MetadataValue.url(status.url),
            "lineage": dict(status.lineage),
        },
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
    yield report(decisions, asset="match_decisions", numbers=bands, facts=provenance(context.instance, scorer.manifest))
    telemetry.record(scored.telemetry, day, batch="daily_matching")
    numbers = {
        name: scored.telemetry[name].mean() for name in ("probability", "lexical_similarity", "unknown_token_share")
    }
    yield report(of_day(scored.telemetry, day), asset="scoring_telemetry", numbers=numbers)
