"""Stage 10, review: what people are asked about each day's decisions, and what they have answered."""

import dagster as dg
import polars as pl

from matching import review as reviewing
from matching.intervals import clopper_pearson
from matching.verdicts import ADJUDICATION, NO, OPEN, UNSURE, agreement, audited, labels_of, settle, standing
from matching_assets.landing import DAY, of_day
from matching_assets.owners import MODEL_RISK, ON_CALL
from matching_assets.partitions import BUSINESS_DAYS
from matching_assets.reporting import report
from matching_assets.review.verdicts import Verdicts
from matching_assets.settings import Review


@dg.asset(
    group_name="review",
    owners=[ON_CALL],
    kinds={"polars", "iceberg"},
    code_version="1",
    partitions_def=BUSINESS_DAYS,
    metadata={"partition_expr": DAY},
)
def review_queue(
    context: dg.AssetExecutionContext, match_decisions: pl.DataFrame, labels: pl.DataFrame, review: Review
) -> dg.MaterializeResult[pl.DataFrame]:
    """What people are asked about the day: what is uncertain, as much as they can judge, and a random audit."""
    day = context.partition_time_window.start.date()
    known = labelled_before(labels, day.isoformat())
    queue = reviewing.review_queue(
        match_decisions, review.plan(), known["record_id"], known.filter("reviewed")["record_id"]
    )
    doubtful = match_decisions.filter(pl.col("decision") == "review").join(known, on="record_id", how="anti").height
    uncertain = queue.filter(pl.col("why") == reviewing.UNCERTAIN).height
    return report(
        of_day(queue, day),
        numbers={
            "uncertain": uncertain,
            "audited": queue.filter(pl.col("why") == reviewing.AUDIT).height,
            "judged_by_two": queue.filter(pl.col("reviewers") == 2).height,
            "verdicts_wanted": queue["reviewers"].sum(),
            "left_out": doubtful - uncertain,
        },
    )


@dg.asset(
    group_name="review",
    owners=[MODEL_RISK],
    kinds={"polars", "iceberg"},
    code_version="1",
    deps=["review_queue"],
)
def review_verdicts(verdicts: dg.ResourceParam[Verdicts]) -> dg.MaterializeResult[pl.DataFrame]:
    """Every verdict that people gave: who, when, on which decision of which version; and how far people agree."""
    given = verdicts.read()
    kappa, equal, pairs = agreement(given)
    stand, outcome = standing(given), settle(given)
    matches = audited(given).filter(shown_decision="match")
    right, of = int(matches["right"].sum()), matches.height
    low, high = clopper_pearson(right, of) if of else (None, None)
    return report(
        given,
        numbers={
            "standing": stand.height,
            "labels": labels_of(given).height,
            "unsure": stand.filter(verdict=UNSURE).height,
            "not_the_proposed_one": stand.filter(verdict=NO).height,
            "waiting_for_others": outcome.filter(status=OPEN).height,
            "adjudications": outcome.filter(status=ADJUDICATION).height,
            "reviewers": stand["reviewer"].n_unique(),
            "median_seconds": stand["seconds"].median(),
            "kappa": kappa,
            "equal_answers": equal,
            "judged_by_two": pairs,
            "audited_matches": of,
            "audit_precision": right / of if of else None,
            "audit_precision_low": low,
            "audit_precision_high": high,
        },
    )


def labelled_before(labels: pl.DataFrame, day: str) -> pl.DataFrame:
    """Records whose label was delivered or given on another day's queue: record_id, reviewed (on a queue).

    A day's own answers do not empty its queue when it is made again.
    """
    if "queue_day" not in labels.columns:
        return labels.select("record_id", reviewed=pl.lit(False))
    return labels.filter(pl.col("queue_day").ne_missing(day)).select(
        "record_id", reviewed=pl.col("queue_day").is_not_null()
    )
