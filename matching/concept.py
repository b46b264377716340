"""Whether decisions turn out as the probabilities said: concept drift, seen in what people audited and overrode.

Features may look as ever while what they mean has changed. A calibrated probability is a prediction that people's
answers put to the test, whichever records they were asked about: drawing them by their probability, as the queue does,
changes nothing about how often a record of probability p should turn out right. So the errors of each kind are
compared with the sum of predicted errors, by the exact tail of the Poisson binomial distribution (Hong, "On computing
the distribution function for the Poisson binomial distribution", CSDA 2013), one-sided: fewer errors than predicted
call for nothing.

Kinds: `audited matches` and `reviewed candidates` are predicted by their probability; `audited refusals`, whose error
is that there was a match after all, by the most of them that can be wrong as held-out entities were: the upper limit
of that share (Clopper & Pearson, 1 %).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from matching.drift_statistics import holm
from matching.findings import ALARM, FALSE_ALARMS, UNKNOWN, Finding, ordered, unknown, verdict
from matching.intervals import clopper_pearson
from matching.verdicts import NONE, SETTLED, YES, settle, standing

FEWEST = 30  # outcomes of a kind
KINDS = {"match": "audited matches", "no_match": "audited refusals", "review": "reviewed candidates"}
SMALLEST_GAPS = {"audited matches": 0.02, "audited refusals": 0.05, "reviewed candidates": 0.1}
"""What calibration and reviewers may be off by, however certain it is; most where few held-out records calibrate."""


def outcomes(verdicts: pl.DataFrame) -> pl.DataFrame:
    """How decisions turned out that people have settled: a row for each record.

    Columns: record_id, queue_day, decided_at, kind (a value of KINDS), why, bundle_version, probability, wrong. A
    refusal of which people only know that the proposed reference is not right is left out: it may be right or wrong.
    """
    shown = standing(verdicts).unique("record_id", keep="first", maintain_order=True)
    settled = settle(verdicts).filter(status=SETTLED)
    named = (pl.col("answer") == YES) & pl.col("answer_id").eq_missing(pl.col("shown_reference_id"))
    refused = pl.when(pl.col("answer").is_in([YES, NONE])).then(pl.col("answer") == YES)
    return (
        shown.drop("decided_at", "reference_id")
        .join(
            settled.select("record_id", "answer", "decided_at", answer_id="reference_id"),
            on="record_id",
            maintain_order="left",
        )
        .select(
            "record_id",
            "queue_day",
            "decided_at",
            "why",
            "bundle_version",
            kind=pl.col("shown_decision").replace_strict(KINDS, default=None, return_dtype=pl.String),
            probability=pl.col("shown_probability"),
            wrong=pl.when(pl.col("shown_decision") == "no_match").then(refused).otherwise(~named),
        )
        .drop_nulls(["kind", "wrong"])
    )


def check_concept(found: pl.DataFrame, held_out: tuple[int, int]) -> Finding:
    """Judge `outcomes`. held_out: the wrong refusals among held-out entities, and all."""
    wrong, refused = held_out
    share = clopper_pearson(wrong, refused, 0.98)[1] if refused else np.nan
    rows: list[dict[str, Any]] = []
    tails: list[float] = []
    for kind in KINDS.values():
        own = found.filter(pl.col("kind") == kind)
        predicted = np.nan_to_num(1 - own["probability"].to_numpy().astype(np.float64), nan=1.0)
        if kind == KINDS["no_match"]:
            predicted = np.full(own.height, share)
        if own.height < FEWEST or np.isnan(predicted).any():
            rows.append({"column": kind, "group": "concept", "status": UNKNOWN})
            continue
        observed = int(own["wrong"].sum())
        tails.append(at_least(observed, predicted))
        told = {"reference": f"{predicted.mean():.1%} wrong predicted", "current": f"{observed / own.height:.1%} wrong"}
        rows.append({"column": kind, "group": "concept", "effect": observed / own.height - predicted.mean()} | told)
    if not tails:
        return unknown(f"{found.height} decisions were judged by people; {FEWEST} of a kind are needed.", found.height)
    adjusted = iter(holm(tails))
    for row in rows:
        if "effect" in row:
            p, bound = next(adjusted), SMALLEST_GAPS[row["column"]]
            status = verdict(row["effect"], bound, p, FALSE_ALARMS["concept"])
            row |= {"bound": bound, "adjusted_p": p, "status": status}
    columns = ordered(rows)
    worst = columns.filter(pl.col("status") != UNKNOWN).row(0, named=True)
    numbers = f"{worst['column']}: {worst['current']}, {worst['reference']} (adjusted p {worst['adjusted_p']:.2g})"
    said = "More errors than predicted" if worst["status"] == ALARM else "Errors are as predicted; the farthest"
    return Finding(worst["status"], f"{said}: {numbers}.", worst["effect"], columns, found.height)


def at_least(errors: int, predicted: NDArray[np.float64]) -> float:
    """P(so many errors or more) when each outcome is wrong with its predicted probability, float64 [n]."""
    mass = np.zeros(errors + 1)  # of 0 .. errors - 1 errors, and of more
    mass[0] = 1.0
    for p in predicted:
        stays = mass * (1 - p)
        stays[-1] = mass[-1]
        stays[1:] += mass[:-1] * p
        mass = stays
    return float(mass[-1]) if errors else 1.0
