"""What people are asked: the review queue of a day's decisions, a pure function of them and of a plan.

Two kinds of rows. *uncertain*: decisions in the band `review`, those first from which an answer is expected to tell
most, as many as people can judge. *audit*: a permanent random sample of what was decided without people, from which the
precision of automatic matches is estimated. It is drawn by a hash of the record's id with a seed, so it is the same
whoever asks and in whatever order, nobody can choose it, and it is never cut to fit the capacity. Some rows of both
kinds, again by a hash, are judged by a second person too.

The two kinds are interleaved, so that whoever stops early has done the same share of either; what was audited by then
is still a random sample.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from matching.split import hash_keys

UNCERTAIN, AUDIT = "uncertain", "audit"
AUTOMATIC = ("match", "no_match")
SHOWN = (
    "reference_id",
    "probability",
    "decision",
    "runner_up_id",
    "runner_up_probability",
    "bundle_version",
)
"""What of a decision the queue keeps, so that it is known what a person was shown."""


@dataclass(frozen=True)
class ReviewPlan:
    """How much is reviewed.

    capacity: verdicts that people can give on a day's queue; a row that two people judge takes two. match_audit,
    no_match_audit: share of the automatic matches, and of the refusals, that is audited. double_share: share of all
    rows that a second person judges. seed: of the hashes; a secret from whoever chooses record ids.
    """

    capacity: int = 200
    match_audit: float = 0.05
    no_match_audit: float = 0.02
    double_share: float = 0.1
    seed: int = 7


def review_queue(
    decisions: pl.DataFrame,
    plan: ReviewPlan,
    labelled: pl.Series | None = None,
    reviewed: pl.Series | None = None,
) -> pl.DataFrame:
    """The queue of a day: one row a record, in the order of `priority` (1 is first).

    decisions: record_id and SHOWN. labelled: ids of records whose answer is known, which are not asked as uncertain
    again. reviewed: those of them that a person has judged in an earlier queue, which are not audited again either.
    Columns: record_id, priority, why (`uncertain` or `audit`), reviewers (1 or 2), information (bits), audit_rate (the
    share that is drawn of such decisions; null for uncertain ones), and SHOWN.
    """
    labelled = pl.Series([], dtype=pl.String) if labelled is None else labelled
    reviewed = pl.Series([], dtype=pl.String) if reviewed is None else reviewed
    ids = decisions["record_id"]
    asked = decisions.select("record_id", *SHOWN).with_columns(
        reviewers=pl.Series(np.where(is_drawn(ids, "double", plan.double_share, plan.seed), 2, 1), dtype=pl.Int8),
        information=pl.Series(expected_information(decisions["probability"], decisions["runner_up_probability"])),
        audit_rate=pl.Series(audit_rates(decisions["decision"], plan), nan_to_null=True),
        # The order within equals, and of the audit: by the hash that draws it, so that its first half is a sample too.
        lot=pl.Series(hash_keys(ids, f"audit {plan.seed}"), dtype=pl.UInt64),
        audited=pl.Series(is_audited(decisions, plan)),
    )
    audit = (
        asked.filter("audited", ~pl.col("record_id").is_in(reviewed.implode()))
        .sort("lot", "record_id")
        .with_columns(why=pl.lit(AUDIT))
    )
    left = plan.capacity - int(audit["reviewers"].sum())
    uncertain = (
        asked.filter(pl.col("decision") == "review", ~pl.col("record_id").is_in(labelled.implode()))
        .sort("information", "lot", "record_id", descending=[True, False, False])
        .filter(pl.col("reviewers").cum_sum() <= left)
        .with_columns(why=pl.lit(UNCERTAIN))
    )
    place = (pl.int_range(pl.len()) + 0.5) / pl.len()
    return (
        pl.concat([part.with_columns(place=place) for part in (uncertain, audit)])
        .sort("place", maintain_order=True)
        .with_columns(priority=pl.int_range(1, pl.len() + 1, dtype=pl.Int32))
        .select("record_id", "priority", "why", "reviewers", "information", "audit_rate", *SHOWN)
    )


def is_audited(decisions: pl.DataFrame, plan: ReviewPlan) -> NDArray[np.bool_]:
    """Which decisions (record_id, decision) belong to the permanent random sample of automatic ones, bool [n]."""
    rates = np.nan_to_num(audit_rates(decisions["decision"], plan))
    return is_drawn(decisions["record_id"], "audit", rates, plan.seed)


def audit_rates(decision: pl.Series, plan: ReviewPlan) -> NDArray[np.float64]:
    """The share that is audited of decisions like each, float64 [n]; NaN for what people judge anyway."""
    rates = {"match": plan.match_audit, "no_match": plan.no_match_audit}
    return decision.replace_strict(rates, default=np.nan, return_dtype=pl.Float64).to_numpy()


def is_drawn(ids: pl.Series, purpose: str, share: ArrayLike, seed: int) -> NDArray[np.bool_]:
    """Whether each id is drawn, bool [n]: about `share` (one, or one for each id) of them, by a hash.

    A larger share keeps all that a smaller one draws.
    """
    return np.asarray(hash_keys(ids, f"{purpose} {seed}") / 2.0**64 < np.asarray(share))


def expected_information(probability: ArrayLike, runner_up_probability: ArrayLike) -> NDArray[np.float64]:
    """Bits that a person's answer is expected to tell, float64 [n]: Shannon's entropy of best, runner-up, or neither.

    The criterion of uncertainty sampling (Settles, "Active Learning Literature Survey", 2009, section 3.1). Highest
    where two candidates are equally likely; 0 where there is none (NaN).
    """
    best = np.nan_to_num(np.asarray(probability, np.float64))
    second = np.minimum(np.nan_to_num(np.asarray(runner_up_probability, np.float64)), 1 - best)
    shares = np.stack([best, second, np.maximum(1 - best - second, 0.0)])
    return np.asarray(-np.sum(shares * np.log2(np.where(shares > 0, shares, 1.0)), axis=0) + 0.0)
