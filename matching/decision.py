"""From margins to decisions: each record's best candidate and runner-up, and what bars it from being matched.

Used on fresh records and on out-of-fold training records alike, so that the certificate speaks of exactly what happens
in production.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from matching.names import flag_bits
from matching.policy import Policy
from matching.vocabulary import NameTable

LEAST_LEAD = 0.05  # log-odds: a smaller lead over the runner-up is no difference that anybody could explain
# What a parsed name must not have for its record to be matched without a person.
BARRING_FLAGS = flag_bits(("empty", "overlong", "untransliterated", "mixed_script", "hidden_characters", "illegible"))


@dataclass(frozen=True)
class Ranked:
    """The best pair and the runner-up of n records. All [n]; pair -1 where there is none, and then margin NaN."""

    best: NDArray[np.int64]
    runner_up: NDArray[np.int64]
    margin: NDArray[np.float64]
    runner_up_margin: NDArray[np.float64]


def rank(owner: NDArray[np.int32], margins: NDArray[np.float64], records: int) -> Ranked:
    """The two pairs of the highest margin of each record; of equal margins the first in the order of retrieval.

    owner: record number of each pair, ascending. margins: float64 [pairs]. records: their number.
    """
    from matching.context_kernels import two_best

    best, runner_up = np.full(records, -1, np.int64), np.full(records, -1, np.int64)
    two_best(owner, margins, best, runner_up)
    known = np.append(margins, np.nan)  # the last for the pair -1
    return Ranked(best, runner_up, known[best], known[runner_up])


def in_order(owner: NDArray[np.int32], margins: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All pairs by margin within their record, equal ones in the order of retrieval: (pair, place), both int64 [pairs].

    place: 1 is best. owner: record number of each pair, ascending.
    """
    order = np.lexsort((-margins, owner))
    count = np.bincount(owner)
    return order, np.arange(1, len(owner) + 1) - np.repeat(np.cumsum(count) - count, count)


def is_ambiguous(ranked: Ranked) -> NDArray[np.bool_]:
    """Whether two candidates are as good as one another. bool [n]."""
    return np.asarray(ranked.margin - ranked.runner_up_margin < LEAST_LEAD)


def is_unreadable(names: NameTable) -> NDArray[np.bool_]:
    """Whether a name has any of BARRING_FLAGS: then it cannot be compared as a whole, or not safely. bool [n]."""
    return np.asarray(names.flags & BARRING_FLAGS != 0)


def bands(
    policy: Policy,
    probability: NDArray[np.float64],
    runner_up_probability: NDArray[np.float64],
    readable: NDArray[np.bool_],
    clear: NDArray[np.bool_],
    outside: NDArray[np.bool_],
) -> list[str]:
    """`match`, `review` or `no_match` for each record; all [n], probabilities NaN where there is no candidate.

    A name that cannot be read is reviewed. So are two equals (not `clear`) where one of them is likely enough to be
    right: their probabilities add, or namesakes would be refused because each alone is unlikely. So is what would be
    matched, but is `outside` the kinds of record that the certificate speaks of (`matching.kinds`).
    """
    band = policy.decide(probability, runner_up_probability, readable & clear & ~outside)
    either = np.fmax(probability, 0.0) + np.fmax(runner_up_probability, 0.0)
    barred = outside & policy.reaches_threshold(probability)
    for record in np.flatnonzero(~readable | barred | (~clear & (either >= policy.review_floor))).tolist():
        band[record] = "review"
    return band
