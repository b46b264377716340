"""Several names of one account, decided as one.

A feed may know an account by its legal, trading and former names; each is a record, decided by itself. Their best
candidates are rival answers to one question, so an answer's odds are those of the name that speaks for it most
clearly, against the odds of all its rivals and of none:

    P(r) = o_r / (1 + sum of o_s over the rivals s),    o_r = max p / (1 - p) over the names whose best candidate is r

For one name that is its own probability. Names that agree do not raise it: they come from one source and may be wrong
together. Names that disagree lower it, so two sure names of two entities are a coin that nobody should toss.
"""

from __future__ import annotations

import math

import polars as pl

from matching.reasons import REASON
from matching.records import InputError

DISAGREE = "NAMES_DISAGREE"


def combine(decisions: pl.DataFrame, account: pl.Series, threshold: float | None) -> pl.DataFrame:
    """One decision for each account, of the decisions of its names.

    account: String [n], the account of each decision; null is an account of one name, the record's own.
    threshold: of the certificate, None without one. An account is matched where the name that speaks for its answer is,
    its probability still is at the threshold or above, and no other name is matched to a rival. The certificate speaks
    of names: names that agree are one decision here, so what it promises of accounts is to be shown with their labels.

    Returns account_id, reference_id, probability, decision, record_id (the name that speaks), names, agreeing (how many
    names have this answer as their best candidate), rival_id (the next answer, if any), reasons and bundle_version, by
    account_id. Reasons are those of the speaking name, with NAMES_DISAGREE where there is a rival that is not refused.
    """
    if len(account) != decisions.height:
        raise ValueError(f"{len(account)} accounts for {decisions.height} decisions")
    odds = pl.col("probability") / (1 - pl.col("probability"))
    named = decisions.with_columns(
        account_id=pl.coalesce(account.cast(pl.String), pl.col("record_id")), odds=odds
    ).sort("account_id", "odds", "record_id", descending=[False, True, False])
    # The first row of an answer is the name that speaks for it.
    answers = (
        named.group_by("account_id", "reference_id", maintain_order=True)
        .agg(pl.all().first(), agreeing=pl.len())
        .with_columns(of_all=pl.col("odds").sum().over("account_id"))
    )
    best = (
        answers.group_by("account_id", maintain_order=True)
        .agg(
            pl.all().first(),
            names=pl.col("agreeing").sum(),
            rival_id=pl.col("reference_id").slice(1, 1).first(),
            rivals_matched=(pl.col("decision") == "match").slice(1).any(),
            rivals_live=(pl.col("reference_id").is_not_null() & (pl.col("decision") != "no_match")).slice(1).any(),
        )
        .with_columns(probability=pl.col("odds") / (1 + pl.col("of_all")))
    )
    live = pl.col("rivals_live") & (pl.col("decision") != "no_match")
    unsure = pl.col("rivals_matched") | (pl.col("probability") < (math.inf if threshold is None else threshold))
    barred = (pl.col("decision") == "match") & (pl.col("names") > pl.col("agreeing")) & unsure
    reason = pl.struct(
        code=pl.lit(DISAGREE), direction=pl.lit("against"), contribution=pl.lit(0.0),
        evidence=pl.format("{} of {} names: {}; another: {}", "agreeing", "names", "reference_id", "rival_id"),
    )  # fmt: skip
    reasons = pl.concat_list("reasons", reason.cast(REASON))
    return best.with_columns(
        decision=pl.when(barred).then(pl.lit("review")).otherwise("decision"),
        reasons=pl.when(live).then(reasons).otherwise("reasons"),
    ).select(
        "account_id", "reference_id", "probability", "decision", "record_id", "names", "agreeing", "rival_id",
        "reasons", "bundle_version",
    )  # fmt: skip


def account_of(records: pl.DataFrame, column: str, file: str) -> pl.Series:
    """The account of each record. Raises InputError when the column is missing."""
    if column not in records.columns:
        remedy = f"Name one of {', '.join(records.columns)} with --account."
        raise InputError("the column is missing", file=file, column=column, remedy=remedy)
    return records[column].cast(pl.String)
