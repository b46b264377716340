"""Decisions held against labels: one row for each labelled decision, with what was right about it.

Any of `same_name_alternatives` is as right as the label, and a match of a record that has no match is wrong. The frame
is what figures are counted from, and what the golden set is chosen from.
"""

from __future__ import annotations

import polars as pl

from matching.records import InputError
from matching.split import entity_keys


def judge(decisions: pl.DataFrame, labels: pl.DataFrame, candidates: pl.DataFrame | None = None) -> pl.DataFrame:
    """One row for each decision that has a label, in the order of the decisions.

    Columns: record_id, decision, probability, entity, has_match; named_right, whether the named reference is right;
    score and top_right of the best candidate (score null: there is none); hit, the best rank of a right candidate
    (null: none); event, what the probability speaks of: the named reference, or the best candidate where none is named.
    Without `candidates` (record_id, reference_id, rank, score) the named reference is the only one.

    Raises InputError when a record is decided or labelled twice, or when no decision has a label.
    """
    for frame, file in ((decisions, "decisions"), (labels, "labels")):
        if (twice := frame["record_id"].is_duplicated()).any():
            row = int(twice.arg_max() or 0) + 1
            raise InputError(
                "a record occurs twice", file=file, column="record_id", row=row, remedy="Keep one row of it."
            )
    known = labels.select("record_id", gold="reference_id", entity=entity_keys(labels))
    right = right_pairs(labels).with_columns(named_right=True)
    judged = (
        decisions.select(
            "record_id", pl.col("reference_id").cast(pl.String), pl.col("probability").cast(pl.Float64), "decision"
        )
        .join(known, on="record_id", how="inner", maintain_order="left")
        .join(right, on=["record_id", "reference_id"], how="left", maintain_order="left")
        .with_columns(pl.col("named_right").fill_null(False), has_match=pl.col("gold").is_not_null())
    )
    if judged.is_empty():
        raise InputError(
            "no decision has a label", file="labels", column="record_id", remedy="Are they of one data set?"
        )
    if candidates is None:
        found = decisions.filter(pl.col("reference_id").is_not_null())
        candidates = found.select(
            "record_id", pl.col("reference_id").cast(pl.String), rank=pl.lit(1), score="probability"
        )
    ranked = candidates.join(right, on=["record_id", "reference_id"], how="left").rename({"named_right": "top_right"})
    top = ranked.filter(pl.col("rank") == 1).select("record_id", "score", pl.col("top_right").fill_null(False))
    hits = ranked.filter(pl.col("top_right")).group_by("record_id").agg(hit=pl.col("rank").min())
    for more in (top, hits):
        judged = judged.join(more, on="record_id", how="left", maintain_order="left")
    event = pl.when(pl.col("reference_id").is_null()).then("top_right").otherwise("named_right")
    return (
        judged.with_columns(pl.col("top_right").fill_null(False)).with_columns(event=event).drop("reference_id", "gold")
    )


def right_pairs(labels: pl.DataFrame) -> pl.DataFrame:
    """The (record_id, reference_id) that count as right. A namesake never saves a record that has no match."""
    pairs = labels.filter(pl.col("reference_id").is_not_null()).cast({"reference_id": pl.String})
    if "same_name_alternatives" in labels.columns:
        others = pairs["same_name_alternatives"]
        lists = others.str.json_decode(pl.List(pl.String)) if others.dtype == pl.String else others
        both = lists.fill_null([]).cast(pl.List(pl.String)).alias("others")
        pairs = pairs.with_columns(both).with_columns(pl.concat_list("others", "reference_id").alias("reference_id"))
        pairs = pairs.explode("reference_id")
    return pairs.select("record_id", "reference_id").drop_nulls().unique()
