"""What people answered: from verdicts, which are only ever added, to labels, open questions and agreement.

A verdict is a row of VERDICTS: `yes` names the reference that the record is; `no` says that the proposed one is wrong
and no more; `none` that no reference is right; `unsure` asks somebody else; `withdrawn` takes the reviewer's earlier
verdict on the record back. Of several by one person on one record the newest stands.

A record is *settled* when as many people as its row of the queue asks for have answered (`unsure` is no answer), and
more than half of them the same. Where two disagree, a third person is asked: *adjudication*. Only settled answers
become labels; `no` never does, because it names no reference.
"""

from __future__ import annotations

import re

import polars as pl

from matching.records import InputError

YES, NO, NONE, UNSURE, WITHDRAWN = "yes", "no", "none", "unsure", "withdrawn"
ANSWERS = (YES, NO, NONE, UNSURE)
VERDICTS: dict[str, pl.DataType | type[pl.DataType]] = {
    "record_id": pl.String,
    "reviewer": pl.String,
    "verdict": pl.String,
    "reference_id": pl.String,
    "decided_at": pl.Datetime("us", "UTC"),
    "seconds": pl.Float64,
    "queue_day": pl.Date,
    "why": pl.String,
    "reviewers": pl.Int8,
    "shown_reference_id": pl.String,
    "shown_decision": pl.String,
    "shown_probability": pl.Float64,
    "bundle_version": pl.String,
}
LABELS = (
    "record_id", "reference_id", "why", "reviewer", "decided_at", "seconds", "queue_day",
    "shown_reference_id", "shown_decision", "bundle_version",
)  # fmt: skip
OPEN, ADJUDICATION, SETTLED = "open", "adjudication", "settled"
REVIEWER = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")


def checked_reviewer(reviewer: str) -> str:
    """`reviewer` if it is an id that may stand in a file's name. InputError otherwise."""
    if not REVIEWER.fullmatch(reviewer):
        raise InputError(
            f"{reviewer!r} is no reviewer id", remedy="Use 1 to 32 of a-z, 0-9, - and _, such as a staff number."
        )
    return reviewer


def standing(verdicts: pl.DataFrame) -> pl.DataFrame:
    """The verdicts that stand, in the order in which they were given: the newest by each person on each record."""
    newest = verdicts.sort("decided_at", maintain_order=True).unique(
        ["record_id", "reviewer"], keep="last", maintain_order=True
    )
    return newest.filter(pl.col("verdict") != WITHDRAWN)


def settle(verdicts: pl.DataFrame) -> pl.DataFrame:
    """What has become of each record with a standing verdict.

    Columns: record_id, status (`open`, `adjudication`, `settled`), answers (people who were sure), answer (of the
    settled: a verdict), reference_id, reviewer and decided_at of the verdict that settled it.
    """
    voted = standing(verdicts)
    same = ["record_id", "verdict", "reference_id"]
    sure = pl.col("verdict") != UNSURE
    counted = voted.with_columns(
        votes=pl.when(sure).then(pl.len().over(same)).otherwise(0),
        answers=sure.sum().over("record_id"),
        asked=pl.col("reviewers").max().over("record_id"),
    )
    leading = counted.sort("votes", "decided_at", maintain_order=True).unique(
        "record_id", keep="last", maintain_order=True
    )
    enough = pl.col("answers") >= pl.col("asked")
    status = (
        pl.when(enough & (2 * pl.col("votes") > pl.col("answers")))
        .then(pl.lit(SETTLED))
        .when(enough | (pl.col("answers") > pl.col("votes")))
        .then(pl.lit(ADJUDICATION))
        .otherwise(pl.lit(OPEN))
    )
    settled = pl.col("status") == SETTLED
    return leading.with_columns(status=status, answers=pl.col("answers").cast(pl.Int32)).select(
        "record_id",
        "status",
        "answers",
        *(
            pl.when(settled).then(pl.col(own)).alias(name)
            for own, name in (
                ("verdict", "answer"),
                ("reference_id", "reference_id"),
                ("reviewer", "reviewer"),
                ("decided_at", "decided_at"),
            )
        ),
    )


def labels_of(verdicts: pl.DataFrame) -> pl.DataFrame:
    """The labels that the verdicts make, with their provenance: the columns LABELS, in the order of decision.

    `reviewer` and what follows are of the verdict that settled the record. `why` says whether it was an audit.
    """
    settled = settle(verdicts).filter(pl.col("answer").is_in([YES, NONE])).select("record_id", "reviewer")
    return standing(verdicts).join(settled, on=["record_id", "reviewer"], maintain_order="left").select(LABELS)


def audited(verdicts: pl.DataFrame) -> pl.DataFrame:
    """How the audited decisions turned out: record_id, queue_day, shown_decision, bundle_version, right.

    One row for each audited record whose verdicts have settled. It counts `no`, which makes no label: an estimate from
    labels alone would leave out matches that people only know to be wrong. A match is right when its reference is; a
    refusal when none is, and null (unknown) when people only know that the proposed one is not.
    """
    of_shown = standing(verdicts).filter(why="audit").unique("record_id", keep="first", maintain_order=True)
    settled = settle(verdicts).filter(status=SETTLED).select("record_id", "answer", answer_id="reference_id")
    matched = (pl.col("answer") == YES) & pl.col("answer_id").eq_missing(pl.col("shown_reference_id"))
    refused = pl.when(pl.col("answer") != NO).then(pl.col("answer") == NONE)
    right = pl.when(pl.col("shown_decision") == "match").then(matched).otherwise(refused)
    return of_shown.join(settled, on="record_id", maintain_order="left").select(
        "record_id", "queue_day", "shown_decision", "bundle_version", right=right
    )


def agreement(verdicts: pl.DataFrame) -> tuple[float | None, float | None, int]:
    """(Cohen's kappa, share of equal answers, pairs) of records that two people judged, the first two who were sure.

    Cohen, "A Coefficient of Agreement for Nominal Scales", 1960. The categories are: the proposed reference; each
    other one; none; not the proposed one. None where there is no pair, and kappa also where all answers are the same,
    because then it is not defined.
    """
    from sklearn.metrics import cohen_kappa_score

    sure = standing(verdicts).filter(pl.col("verdict") != UNSURE)
    proposed = (pl.col("verdict") == YES) & pl.col("reference_id").eq_missing(pl.col("shown_reference_id"))
    answer = (
        pl.when(proposed)
        .then(pl.lit("proposed"))
        .otherwise(pl.coalesce(pl.concat_str(pl.lit("other "), "reference_id"), "verdict"))
    )
    both = (
        sure.with_columns(answer=answer)
        .group_by("record_id", maintain_order=True)
        .agg(pl.col("answer").head(2))
        .filter(pl.col("answer").list.len() == 2)
    )
    first, second = (both["answer"].list.get(i).to_list() for i in (0, 1))
    if not first:
        return None, None, 0
    equal = sum(a == b for a, b in zip(first, second, strict=True)) / len(first)
    kappa = None if len({*first, *second}) == 1 else float(cohen_kappa_score(first, second))
    return kappa, equal, len(first)
