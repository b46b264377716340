"""An A/B judged on labels: of the records that each side answered, how many it decided rightly, how many wrongly.

*Right* is an automatic match to a right reference, or a refusal of a record that has none; *wrong* is an automatic
match to anything else. What goes to review is neither. Both shares are compared by the sequential test of
`matching.experiments`, so the result may be looked at whenever one likes. It needs outcomes in the order in which they
became known; blocks are cut by which side they are of, never by how they came out.

That two versions are equal is never shown: without a difference, or without labels, the verdict stays `undecided`.
Which records have labels must not depend on the side that answered: reviewers' queues are made of the daily batch,
which is decided by A throughout.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import polars as pl

from matching.experiments import Block, Sequential, sequential_test
from matching.judging import right_pairs

ALPHA = 0.05
Verdict = Literal["better", "worse", "undecided"]


class Outcome(NamedTuple):
    """What became of one record: which side answered (`A` or `B`), and whether that was right or wrong (or neither)."""

    side: str
    right: bool
    wrong: bool


@dataclass(frozen=True)
class Judged:
    """B against A so far. `right` and `wrong`: the tests of both shares, each at half of alpha."""

    verdict: Verdict
    right: Sequential
    wrong: Sequential
    sentence: str


def judge_outcomes(outcomes: Sequence[Outcome], alpha: float = ALPHA) -> Judged:
    """Whether B is shown to be better or worse than A, by outcomes in the order in which they became known.

    Worse: fewer right or more wrong. Better: one of the two is shown for it, and neither against it.
    """
    right = sequential_test(_blocks((outcome.side, outcome.right) for outcome in outcomes))
    wrong = sequential_test(_blocks((outcome.side, outcome.wrong) for outcome in outcomes))
    signs = [
        (test.share_b > test.share_a) == good if test.differ(alpha / 2) else None
        for test, good in ((right, True), (wrong, False))
    ]
    verdict: Verdict = "worse" if False in signs else "better" if True in signs else "undecided"
    return Judged(verdict, right, wrong, _sentence(verdict, right, wrong))


def _blocks(hits: Iterable[tuple[str, bool]]) -> Iterator[Block]:
    """Cut as soon as both sides are in it. What is left over waits for the other side."""
    counts = {"A": [0, 0], "B": [0, 0]}
    for side, hit in hits:
        counts[side][0] += 1
        counts[side][1] += hit
        if counts["A"][0] and counts["B"][0]:
            yield Block(*counts["A"], *counts["B"])
            counts = {"A": [0, 0], "B": [0, 0]}


def _sentence(verdict: Verdict, right: Sequential, wrong: Sequential) -> str:
    if not right.blocks:
        return "Undecided: no labelled records of both sides yet."
    counts = (
        f"right {right.a} of {right.n_a} by A and {right.b} of {right.n_b} by B, "
        f"wrong {wrong.a} by A and {wrong.b} by B"
    )
    said = {"better": "B is better than A", "worse": "B is worse than A", "undecided": "Undecided"}[verdict]
    return f"{said}: {counts}."


def outcomes_of(answers: pl.DataFrame, labels: pl.DataFrame, sides: dict[str, str]) -> pl.DataFrame:
    """How answers turned out that have a label, in their order: record_id, side, right, wrong.

    answers: record_id, variant, decision, reference_id; one a record. labels: record_id, reference_id (null: has no
    match), optional same_name_alternatives. `sides`: variant to `A` or `B`; answers of others are left out.
    """
    right = right_pairs(labels).with_columns(named_right=pl.lit(True))
    known = labels.select("record_id", has_match=pl.col("reference_id").is_not_null()).unique("record_id")
    judged = (
        answers.filter(pl.col("variant").is_in(list(sides)))
        .cast({"reference_id": pl.String})
        .join(known, on="record_id", maintain_order="left")
        .join(right, on=["record_id", "reference_id"], how="left", maintain_order="left")
        .with_columns(pl.col("named_right").fill_null(False))
    )
    match, refused = pl.col("decision") == "match", pl.col("decision") == "no_match"
    return judged.select(
        "record_id",
        side=pl.col("variant").replace_strict(sides, return_dtype=pl.String),
        right=(match & pl.col("named_right")) | (refused & ~pl.col("has_match")),
        wrong=match & ~pl.col("named_right"),
    )
