"""From margins to decisions: each record's best candidate and runner-up, and what bars it from being matched.

Used on fresh records and on out-of-fold training records alike, so that the certificate speaks of exactly what happens
in production.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from matching.names import ParsedName
from matching.policy import Policy

LEAST_LEAD = 0.05  # log-odds: a smaller lead over the runner-up is no difference that anybody could explain
# What a parsed name must not have for its record to be matched without a person.
BARRING_FLAGS = ("empty", "overlong", "untransliterated", "mixed_script", "hidden_characters")


@dataclass(frozen=True)
class Ranked:
    """Candidates of n records in order of margin. All [n]; pair -1 where there is none, and then margin NaN.

    order: pair numbers of all records, best first within each, records in order.
    place: rank (1 = best) of each of them.
    """

    best: NDArray[np.int64]
    runner_up: NDArray[np.int64]
    margin: NDArray[np.float64]
    runner_up_margin: NDArray[np.float64]
    order: NDArray[np.int64]
    place: NDArray[np.int64]


def rank(owner: NDArray[np.int32], margins: NDArray[np.float64], records: int) -> Ranked:
    """Order pairs by margin within their record; equal margins keep their retrieval order.

    owner: record number of each pair, ascending. margins: float64 [pairs]. records: their number.
    """
    order = np.lexsort((np.arange(len(owner)), -margins, owner))
    count = np.bincount(owner, minlength=records)
    start = np.cumsum(count) - count
    place = np.arange(len(owner)) - np.repeat(start, count) + 1

    def pick(at: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        pair = np.full(records, -1, np.int64)
        margin = np.full(records, np.nan)
        there = count > at
        pair[there] = order[start[there] + at]
        margin[there] = margins[pair[there]]
        return pair, margin

    best, margin = pick(0)
    runner_up, runner_up_margin = pick(1)
    return Ranked(best, runner_up, margin, runner_up_margin, order, place)


def is_ambiguous(ranked: Ranked) -> NDArray[np.bool_]:
    """Whether two candidates are as good as one another. bool [n]."""
    with np.errstate(invalid="ignore"):
        return np.asarray(ranked.margin - ranked.runner_up_margin < LEAST_LEAD)


def is_unreadable(names: Sequence[ParsedName]) -> NDArray[np.bool_]:
    """Whether a name has any of BARRING_FLAGS: then it cannot be compared as a whole, or not safely. bool [n]."""
    return np.array([any(f in BARRING_FLAGS for f in n.flags) for n in names], np.bool_)


def bands(
    policy: Policy,
    probability: NDArray[np.float64],
    runner_up_probability: NDArray[np.float64],
    readable: NDArray[np.bool_],
    clear: NDArray[np.bool_],
) -> list[str]:
    """`match`, `review` or `no_match` for each record; all [n], probabilities NaN where there is no candidate.

    A name that cannot be read is reviewed. So are two equals (not `clear`) where one of them is likely enough to be
    right: their probabilities add, or namesakes would be refused because each alone is unlikely.
    """
    band = np.array(policy.decide(probability, runner_up_probability, readable & clear), dtype=object)
    either = np.nan_to_num(probability) + np.nan_to_num(runner_up_probability)
    band[~readable | (~clear & (either >= policy.review_floor))] = "review"
    return [str(b) for b in band]
