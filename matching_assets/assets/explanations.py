"""Stage 6, explanations: what drives the ranker as a whole, and why each single decision was taken."""

from pathlib import Path

import dagster as dg
import polars as pl

from matching.ranker import Ranker
from matching.reasons import entries
from matching_assets.drivers import explain_ranker, shap_plots
from matching_assets.landing import DAY
from matching_assets.owners import MODELS
from matching_assets.partitions import BUSINESS_DAYS
from matching_assets.reporting import report


@dg.asset(group_name="explanations", owners=[MODELS], kinds={"shap", "iceberg"}, code_version="1", pool="training")
def global_explanations(ranker: Path, pair_features: pl.DataFrame) -> dg.MaterializeResult[pl.DataFrame]:
    """What drives the ranker as a whole: how much each feature moves the margin, from exact Shapley values."""
    table, explained = explain_ranker(Ranker.load(ranker), pair_features)
    return report(table, numbers={"share_of_strongest": table["share"][0]}, pictures=shap_plots(explained))


@dg.asset(
    group_name="explanations",
    owners=[MODELS],
    kinds={"polars", "iceberg"},
    code_version="1",
    partitions_def=BUSINESS_DAYS,
    metadata={"partition_expr": DAY},
    automation_condition=dg.AutomationCondition.eager(),
)
def decision_reasons(match_decisions: pl.DataFrame) -> dg.MaterializeResult[pl.DataFrame]:
    """Why each decision of the day was taken: a line for each reason, with its weight and the words it rests on."""
    reasons = (
        match_decisions.select(DAY, "record_id", "reference_id", "reasons")
        .explode("reasons", empty_as_null=False)
        .unnest("reasons")
        .with_columns(
            title=pl.col("code").replace_strict({code: entry["title"] for code, entry in entries().items()}),
            position=pl.int_range(1, pl.len() + 1, dtype=pl.Int32).over("record_id"),
        )
    )
    codes = reasons["code"].value_counts(sort=True).rename({"count": "decisions"})
    per_decision = reasons.height / max(match_decisions.height, 1)
    return report(reasons, numbers={"reasons_per_decision": per_decision}, tables={"by_code": codes})
