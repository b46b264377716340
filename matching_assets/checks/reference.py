"""Checks on the reference and the labels."""

import dagster as dg
import polars as pl

from matching.guardrails import guard_reference
from matching.master import all_ids
from matching.records import IDENTIFIERS
from matching_assets.checks.verdicts import verdict
from matching_assets.runbooks import explained

MOST_REFUSED = 0.02
MOST_CONTRADICTED = 0.02
FEWEST_LABELS = 100


@dg.asset_check(
    asset="raw_reference",
    blocking=True,
    description=explained(
        "identifiers_valid",
        "Guards against a broken delivery: a shifted column, or wrong check digits of LEI, ISIN or CIK. "
        "If it fails, the last good master stays; have the reference delivered again.",
    ),
)
def identifiers_valid(raw_reference: pl.DataFrame) -> dg.AssetCheckResult:
    """Few references are refused, and few of those for an identifier."""
    counts = guard_reference(raw_reference).counts
    refused = sum(counts.values()) / max(raw_reference.height, 1)
    wrong = sum(counts.get(f"{identifier}_valid", 0) for identifier in IDENTIFIERS)
    saw = f"{sum(counts.values())} of {raw_reference.height} references are refused, {wrong} for an identifier."
    remedy = f"More than {MOST_REFUSED:.0%} is no chance: have the reference delivered again."
    return verdict(refused <= MOST_REFUSED, saw, remedy, refused_share=refused, wrong_identifiers=wrong)


@dg.asset_check(
    asset="reference_master",
    blocking=True,
    description=explained(
        "reference_unique",
        "Guards that an id means one entity: no reference_id twice, none both kept and merged away. "
        "If it fails, two sources were mixed: mend the delivery; the last good master stays.",
    ),
)
def reference_unique(reference_master: pl.DataFrame) -> dg.AssetCheckResult:
    """Each id of the delivery is there once."""
    ids = all_ids(reference_master)
    twice = ids.len() - ids.n_unique()
    saw = f"{ids.len()} ids in {reference_master.height} references, {twice} of them more than once."
    return verdict(
        twice == 0, saw, "Were two sources mixed? Mend the delivery.", twice=twice, references=reference_master.height
    )


@dg.asset_check(
    asset="labels",
    blocking=True,
    additional_ins={"clean_records": dg.AssetIn(), "reference_master": dg.AssetIn()},
    description=explained(
        "label_consistency",
        "Guards what is learnt from: enough labels, for known references, and equal names labelled equally. "
        "If it fails, look at the newest file in landing/labels: it contradicts the others, or is for another one.",
    ),
)
def label_consistency(
    labels: pl.DataFrame, clean_records: pl.LazyFrame, reference_master: pl.DataFrame
) -> dg.AssetCheckResult:
    """Labels are many, known and free of contradiction."""
    names = clean_records.select("record_id", name=pl.col("name").str.to_lowercase()).collect().unique("record_id")
    known = all_ids(reference_master)
    strangers = labels.filter(
        pl.col("reference_id").is_not_null() & ~pl.col("reference_id").is_in(known.implode())
    ).height
    answers = (
        labels.join(names, on="record_id").group_by("name").agg(n=pl.len(), kinds=pl.col("reference_id").n_unique())
    )
    contradicted = answers.filter(pl.col("kinds") > 1)["n"].sum() / max(labels.height, 1)
    saw = f"{labels.height} labels, {strangers} for unknown references, {contradicted:.2%} of one name and two answers."
    remedy = "Look at the newest file in landing/labels: is it for this reference, does it contradict the others?"
    passed = labels.height >= FEWEST_LABELS and strangers == 0 and contradicted <= MOST_CONTRADICTED
    return verdict(passed, saw, remedy, contradicted_share=contradicted, strangers=strangers, labels=labels.height)


CHECKS = [identifiers_valid, reference_unique, label_consistency]
