"""Stage 9, monitoring: whether records still look like those learnt from, and whether decisions turn out right."""

import tempfile
from pathlib import Path

import dagster as dg
import polars as pl

from matching.bundle import read_manifest
from matching.drift import ALARM, compare, take_window
from matching.drift_page import evidently_html
from matching.evaluation import evaluate
from matching.files import atomic_write
from matching_assets.folders import facts_in
from matching_assets.landing import DAY, of_day
from matching_assets.owners import ON_CALL
from matching_assets.partitions import BUSINESS_DAYS, window_of
from matching_assets.plots import bars
from matching_assets.reporting import report
from resources.store import ObjectStore

DRIFT_DAYS = 5
"""Business days that a window may span, when a day alone has too few decisions to judge."""

QUALITY = {"band": pl.String, "records": pl.Int64, "right": pl.Int64, "errors": pl.Int64, "precision": pl.Float64}


class DriftConfig(dg.Config):
    """`page`: draw Evidently's page even if there is no alarm. It takes seconds and two megabytes."""

    page: bool = False


@dg.asset(
    group_name="monitoring",
    owners=[ON_CALL],
    kinds={"evidently", "iceberg"},
    code_version="1",
    partitions_def=BUSINESS_DAYS,
    metadata={"partition_expr": DAY},
    ins={"scoring_telemetry": dg.AssetIn(partition_mapping=window_of(DRIFT_DAYS))},
)
def drift_report(
    context: dg.AssetExecutionContext,
    config: DriftConfig,
    scoring_telemetry: pl.DataFrame,
    deployed_endpoint: Path,
    store: dg.ResourceParam[ObjectStore],
) -> dg.MaterializeResult[pl.DataFrame]:
    """Whether the day's records, similarities and probabilities still look as they did when measured."""
    day = context.partition_time_window.start.date()
    bundle = store.get_folder(facts_in(deployed_endpoint)["bundle_digest"])
    manifest, reference = read_manifest(bundle), pl.read_parquet(bundle / "telemetry.parquet")
    bounds = manifest.facts["drift_bounds"]
    decided = scoring_telemetry.filter(pl.col("bundle_version") == manifest.version)
    window = take_window(decided, day, bounds["window"])
    found = compare(window, reference, bounds)
    facts = {"status": found.status, "sentence": found.sentence, "bundle_version": manifest.version}
    if found.status == ALARM or config.page:
        facts["page"] = dg.MetadataValue.path(_page(store, evidently_html(window, reference, bounds)))
    alarms = found.columns.filter(pl.col("status") == ALARM).height
    numbers = {"window_rows": found.rows, "alarms": alarms}
    return report(of_day(found.columns, day), numbers=numbers, pictures=_effects(found.columns), facts=facts)


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
