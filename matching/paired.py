"""Is a challenger better than the champion on the very same records? Entity by entity, each counted once.

Records of one entity stand or fall together, so entities are the units: one is *gained* when the challenger is right
about more of its records, and *lost* when it is right about fewer. If the two are equally good, a change is as likely
one way as the other: McNemar's exact test (McNemar 1947; with several records of an entity, the sign test).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl

from matching.experiments import mcnemar
from matching.judging import judge

QUESTIONS = {
    "top1": ("the best candidate is right", pl.col("has_match"), pl.col("hit") == 1),
    "matches": (
        "it is matched automatically, and rightly",
        None,
        (pl.col("decision") == "match") & pl.col("named_right"),
    ),
}
"""Name to what is asked of a record, in words; of which records (None: all); and when the answer is right."""


@dataclass(frozen=True)
class Paired:
    """Of `entities`, how many were gained and lost, and how likely so much is if both are equally good (two-sided)."""

    entities: int
    gained: int
    lost: int
    p_value: float


def compare_pairs(challenger: pl.DataFrame, champion: pl.DataFrame, labels: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """Both versions' decisions on the same labelled records, by name of QUESTIONS as `Paired`. JSON-able.

    Raises InputError as `matching.judging.judge` does.
    """
    first, second = (judge(decisions, labels) for decisions in (challenger, champion))
    return {name: asdict(_paired(first, second, of, right)) for name, (_, of, right) in QUESTIONS.items()}


def _paired(challenger: pl.DataFrame, champion: pl.DataFrame, of: pl.Expr | None, right: pl.Expr) -> Paired:
    sides = [
        judged.filter(pl.lit(True) if of is None else of).group_by("entity").agg(right=right.fill_null(False).sum())
        for judged in (challenger, champion)
    ]
    change = sides[0].join(sides[1], on="entity", suffix="_before").select(
        gain=pl.col("right").cast(pl.Int64) - pl.col("right_before").cast(pl.Int64)
    )["gain"]  # fmt: skip
    gained, lost = int((change > 0).sum()), int((change < 0).sum())
    return Paired(len(change), gained, lost, mcnemar(gained, lost))


def told(paired: Mapping[str, Mapping[str, Any]]) -> str:
    """The outcome in sentences, for the gate and the card."""
    return " ".join(
        f"On the same {found['entities']:,} held-out entities, {QUESTIONS[name][0]} more often for {found['gained']:,} "
        f"and less often for {found['lost']:,} than with the champion (exact McNemar p = {found['p_value']:.2g})."
        for name, found in paired.items()
    )
