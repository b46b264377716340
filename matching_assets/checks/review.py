"""Checks on what people are asked. They warn: a day is decided whether it can be reviewed or not."""

import dagster as dg
import polars as pl

from matching.intervals import clopper_pearson
from matching.review import AUDIT, is_audited
from matching.verdicts import agreement
from matching_assets.assets.review import labelled_before
from matching_assets.checks.verdicts import WARN, verdict
from matching_assets.landing import DAY
from matching_assets.partitions import BUSINESS_DAYS
from matching_assets.runbooks import explained
from matching_assets.settings import Review

LEVEL = 0.9999
LEAST_KAPPA = 0.6
"""Landis and Koch, 1977: from here on agreement is called substantial."""
FEWEST_PAIRS = 30


@dg.asset_check(
    asset="review_queue",
    partitions_def=BUSINESS_DAYS,
    additional_ins={"match_decisions": dg.AssetIn(), "labels": dg.AssetIn()},
    description=explained(
        "audit_is_random",
        "Guards the precision that is told of automatic matches: it rests on a random sample of them. "
        "If it fails, the sample is not random or not whole: do not quote an audited precision of this day.",
    ),
)
def audit_is_random(
    review_queue: pl.DataFrame, match_decisions: pl.DataFrame, labels: pl.DataFrame, review: Review
) -> dg.AssetCheckResult:
    """All that the hash draws is asked, and it draws its share."""
    plan = review.plan()
    due = match_decisions.filter(is_audited(match_decisions, plan))
    asked = review_queue.filter(pl.col("why") == AUDIT)
    day = review_queue[DAY].min()
    judged = labelled_before(labels, str(day)).filter("reviewed") if day else labels.head(0)
    missing = due.join(asked, on="record_id", how="anti").join(judged, on="record_id", how="anti").height
    matches = match_decisions.filter(pl.col("decision") == "match").height
    drawn = due.filter(pl.col("decision") == "match").height
    low, high = clopper_pearson(drawn, matches, LEVEL) if matches else (0.0, 1.0)
    saw = f"{drawn} of {matches} matches are drawn, {plan.match_audit:.1%} should be; {missing} are not in the queue."
    remedy = "Materialise review_queue again. If the share stays wrong, record ids were chosen to avoid the audit."
    passed = missing == 0 and low <= plan.match_audit <= high
    return verdict(passed, saw, remedy, WARN, missing=missing, drawn=drawn, matches=matches)


@dg.asset_check(
    asset="review_queue",
    partitions_def=BUSINESS_DAYS,
    description=explained(
        "review_fits_capacity",
        "Guards the people: a queue that they cannot finish is not reviewed but sampled by tiredness. "
        "If it fails, raise `capacity` when there are more people, or audit a smaller share.",
    ),
)
def review_fits_capacity(review_queue: pl.DataFrame, review: Review) -> dg.AssetCheckResult:
    """Not more verdicts are wanted than people can give."""
    wanted, plan = int(review_queue["reviewers"].sum()), review.plan()
    saw = f"{wanted} verdicts are wanted on {review_queue.height} records, people can give {plan.capacity}."
    remedy = "The audit alone is too much: raise `capacity`, or lower `match_audit` and `no_match_audit`."
    return verdict(wanted <= plan.capacity, saw, remedy, WARN, wanted=wanted, capacity=plan.capacity)


@dg.asset_check(
    asset="review_verdicts",
    description=explained(
        "reviewers_agree",
        "Guards the labels: people who do not agree with one another teach nothing reliable. "
        "If it fails, look at the adjudications with the reviewers, agree on a rule, and write it into docs/REVIEW.md.",
    ),
)
def reviewers_agree(review_verdicts: pl.DataFrame) -> dg.AssetCheckResult:
    """Cohen's kappa of records that two people judged is high enough."""
    kappa, equal, pairs = agreement(review_verdicts)
    if kappa is None or pairs < FEWEST_PAIRS:
        return verdict(True, f"{pairs} records were judged by two people; it is told from {FEWEST_PAIRS} on.", "", WARN)
    saw = f"Cohen's kappa is {kappa:.2f} on {pairs} records, {equal:.0%} of the answers are equal."
    remedy = "Look at the adjudications with the reviewers and agree on a rule: docs/REVIEW.md."
    return verdict(kappa >= LEAST_KAPPA, saw, remedy, WARN, kappa=kappa, equal=equal, pairs=pairs)


CHECKS = [audit_is_random, review_fits_capacity, reviewers_agree]
