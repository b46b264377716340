"""Two bundles' decisions on the same records, side by side: what is otherwise now, and which part of a bundle did it.

A band follows from a probability by a policy. So where the reference is the same, the probability that was is put to
the policy that is: if that gives the band that is now, thresholds alone explain it; if the new probability under the
old policy does, the models do. Where the reference is another, it is asked which bundle knows which of the two.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from matching.policy import Policy
from matching.records import read_own

SAME = 1e-12
"""Probabilities that are nearer than this are the same."""
WHY: Final = {
    "undecided_then": "The record had no decision then.",
    "not_there_now": "The record is not among the day's clean records now.",
    "other_input": "The bundle is the same, so what it was asked or how it ran was not.",
    "reference_gone": "The reference that was chosen is not in the new bundle's reference.",
    "reference_added": "The reference that is chosen was not in the old bundle's reference.",
    "candidate": "One of the two found no candidate.",
    "ranking": "Both know both references, and order them otherwise.",
    "closed": "Automatic matching is closed in one of the two.",
    "kind": "One of the two has no certificate for records of this source or line type.",
    "degraded": "One of the two was decided without a component.",
    "ambiguous": "In one of the two the best candidates cannot be told apart.",
    "thresholds": "The probability that was would be in the new band by the thresholds of now.",
    "probability": "The new probability would be in the new band by the thresholds of then.",
    "both": "Probability and thresholds moved, and neither alone explains it.",
    "models": "Band and reference are the same; probability or reasons are not.",
}
"""Why a decision is otherwise, as a word and in a sentence; the first that is true is told."""
MARKS: Final = {"closed": "MATCHING_CLOSED", "kind": "KIND_NOT_CERTIFIED", "ambiguous": "AMBIGUOUS"}
"""Reason codes that only one of the two decisions has, and what that says."""


@dataclass(frozen=True)
class Side:
    """What has to be known of a bundle to say why it decides otherwise: its policy, and the ids of its reference."""

    policy: Policy
    references: pl.Series

    @classmethod
    def of(cls, bundle: Path) -> Side:
        """From the folder of a bundle."""
        policy = Policy.from_json(json.loads((bundle / "policy.json").read_text()))
        return cls(policy, read_own(bundle / "index" / "reference.parquet")["reference_id"])


def diff_decisions(was: pl.DataFrame, now: pl.DataFrame, then: Side, since: Side) -> pl.DataFrame:
    """A row for each record whose decision is not the same in every respect, in the order of `was`.

    was, now: decisions of one bundle each; then, since: those bundles. Columns: record_id; change (`band`, `reference`,
    `band and reference`, `details`, `undecided`); why (a word of WHY); decision, reference_id, probability and
    bundle_version, each with the suffixes _was and _now; codes_gone and codes_new, lists of reason codes.
    """
    columns = ["record_id", "decision", "reference_id", "probability", "degraded", "bundle_version"]
    codes = pl.col("reasons").list.eval(pl.element().struct.field("code")).alias("codes")
    both = (
        was.select(*columns, codes)
        .rename(lambda name: name if name == "record_id" else f"{name}_was")
        .join(
            now.select(*columns, codes).rename(lambda name: name if name == "record_id" else f"{name}_now"),
            on="record_id",
            how="full",
            coalesce=True,
            maintain_order="left_right",
        )
        .with_columns(
            codes_gone=pl.col("codes_was").list.set_difference("codes_now"),
            codes_new=pl.col("codes_now").list.set_difference("codes_was"),
        )
    )
    told = both.with_columns(_change()).filter(pl.col("change").is_not_null())
    told = told.with_columns(**_bands(told, then, since))
    return told.with_columns(why=_why(then, since)).select(
        "record_id",
        "change",
        "why",
        *(f"{name}_{side}" for name in ("decision", "reference_id", "probability") for side in ("was", "now")),
        "codes_gone",
        "codes_new",
        "bundle_version_was",
        "bundle_version_now",
    )


def _change() -> pl.Expr:
    band = pl.col("decision_was") != pl.col("decision_now")
    reference = pl.col("reference_id_was").ne_missing(pl.col("reference_id_now"))
    moved = (pl.col("probability_was") - pl.col("probability_now")).abs() > SAME
    told = (pl.col("codes_gone").list.len() + pl.col("codes_new").list.len()) > 0
    return (
        pl.when(pl.col("decision_was").is_null() | pl.col("decision_now").is_null())
        .then(pl.lit("undecided"))
        .when(band & reference)
        .then(pl.lit("band and reference"))
        .when(band)
        .then(pl.lit("band"))
        .when(reference)
        .then(pl.lit("reference"))
        .when(moved | told)
        .then(pl.lit("details"))
        .alias("change")
    )


def _bands(told: pl.DataFrame, then: Side, since: Side) -> dict[str, pl.Series]:
    """The bands that each probability has by the other's thresholds, where nothing else bars a match."""
    was, now = (told[f"probability_{side}"].fill_null(0.0).to_numpy() for side in ("was", "now"))
    nothing, free = [0.0] * told.height, [True] * told.height
    return {
        "was_by_now": pl.Series(since.policy.decide(was, nothing, free), dtype=pl.String),
        "now_by_was": pl.Series(then.policy.decide(now, nothing, free), dtype=pl.String),
    }


def _why(then: Side, since: Side) -> pl.Expr:
    """The first word of WHY that is true of a row."""
    no_candidate = pl.col("reference_id_was").is_null() | pl.col("reference_id_now").is_null()
    other = pl.col("reference_id_was").ne_missing(pl.col("reference_id_now"))
    marked = {
        word: pl.col("codes_gone").list.contains(code) | pl.col("codes_new").list.contains(code)
        for word, code in MARKS.items()
    }
    band = pl.col("change") == "band"
    by_now = pl.col("was_by_now") == pl.col("decision_now")
    by_was = pl.col("now_by_was") == pl.col("decision_now")
    rules: Mapping[str, pl.Expr] = {
        "undecided_then": pl.col("decision_was").is_null(),
        "not_there_now": pl.col("decision_now").is_null(),
        "other_input": pl.col("bundle_version_was") == pl.col("bundle_version_now"),
        "candidate": other & no_candidate,
        "reference_gone": other & ~pl.col("reference_id_was").is_in(since.references.implode()),
        "reference_added": other & ~pl.col("reference_id_now").is_in(then.references.implode()),
        "ranking": other,
        "closed": band & marked["closed"],
        "kind": band & marked["kind"],
        "degraded": band & (pl.col("degraded_was") != pl.col("degraded_now")),
        "ambiguous": band & marked["ambiguous"],
        "thresholds": band & by_now,
        "probability": band & by_was,
        "both": band,
    }
    return pl.coalesce(*(pl.when(true).then(pl.lit(word)) for word, true in rules.items()), pl.lit("models"))
