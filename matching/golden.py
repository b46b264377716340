"""The golden set: a few dozen decisions that are right today and must stay so, whatever changes in data, code or model.

It is chosen once from labelled decisions and kept. It never holds a decision that the label contradicts, so that an
error is not made the rule; a record under review is held to stay under review.
"""

from __future__ import annotations

import polars as pl

from matching.judging import judge
from matching.split import hash_keys

COLUMNS = ("record_id", "reference_id", "decision")


def golden_set(
    decisions: pl.DataFrame, labels: pl.DataFrame, n: int = 60, seed: int = 0, slices: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Choose up to n decisions, as evenly as can be over bands, having a match or not, and the columns of `slices`.

    Returns record_id, reference_id, decision, sorted by record_id. Within a stratum the order is that of a hash of seed
    and record, so another record joining or leaving moves few others. `slices` has `record_id`; its `name` is not used.
    Raises InputError as `matching.judging.judge` does.
    """
    judged = judge(decisions, labels)
    agrees = (
        pl.when(pl.col("decision") == "match").then("named_right")
        .when(pl.col("decision") == "no_match").then(~pl.col("has_match"))
        .otherwise(True)
    )  # fmt: skip
    chosen = judged.filter(agrees).select("record_id", "decision", "has_match")
    if slices is not None:
        chosen = chosen.join(slices.drop("name", strict=False), on="record_id", how="left")
    strata = chosen.drop("record_id").columns
    order = pl.Series("order", hash_keys(chosen["record_id"], f"golden {seed}"))
    chosen = (
        chosen.with_columns(order)
        .with_columns(turn=pl.col("order").rank("ordinal").over(strata))
        .sort("turn", "order")
        .head(n)
    )
    return chosen.select("record_id").join(decisions, on="record_id", how="left").select(COLUMNS).sort("record_id")


def check_golden(golden: pl.DataFrame, decisions: pl.DataFrame) -> list[str]:
    """What is different from the golden set, a sentence for each record; empty if nothing is.

    A decision is compared, and for a match the reference too. Sentences hold ids and no names.
    """
    now = decisions.select(COLUMNS).rename({"reference_id": "reference_now", "decision": "decision_now"})
    differences = []
    for row in golden.join(now, on="record_id", how="left", maintain_order="left").to_dicts():
        expected, found = row["decision"], row["decision_now"]
        if found is None:
            differences.append(f"{row['record_id']}: {expected} expected, but it was not decided")
        elif found != expected:
            differences.append(f"{row['record_id']}: {expected} expected, {found} decided")
        elif expected == "match" and row["reference_now"] != row["reference_id"]:
            differences.append(f"{row['record_id']}: {row['reference_id']} expected, {row['reference_now']} matched")
    return differences
