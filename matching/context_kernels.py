"""What the other candidates of a record say about one of them, compiled."""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np


@nb.njit(cache=True)
def leads(value: Any, out: Any) -> None:
    """How far each value is above the best other one (negative: below) into `out`. The only one leads by itself."""
    best, second, at = value[0], np.float32(0.0 if len(value) == 1 else -np.inf), 0
    for i in range(1, len(value)):
        if value[i] > best:
            best, second, at = value[i], best, i
        elif value[i] > second:
            second = value[i]
    for i in range(len(value)):
        out[i] = value[i] - (second if i == at else best)


@nb.njit(cache=True)
def as_good(value: Any, margin: float, most: int, out: Any) -> None:
    """How many others are as good as each value, or at most `margin` below, but not above `most`, into `out`."""
    for i in range(len(value)):
        count = 0
        for other in value:
            count += other >= value[i] - margin
        out[i] = min(count - 1, most)


@nb.njit(cache=True, nogil=True)
def compare_candidates(owner: Any, pairs: Any, read: Any, write: Any, margin: float, most: int) -> None:
    """Fill the columns `write` of `pairs` (float32 [n, columns]) from the columns `read`, for each owner by itself.

    owner: ascending. read: same_name, record_cover, reference_cover, lexical, embedding. write: leads of lexical, of
    coverage both ways and of embedding, and how many others have the same name, and as good a record_cover.
    """
    first = 0
    cover = np.empty(len(owner), np.float32)
    while first < len(owner):
        last = first
        while last < len(owner) and owner[last] == owner[first]:
            cover[last] = pairs[last, read[1]] * pairs[last, read[2]]
            last += 1
        group = pairs[first:last]
        leads(group[:, read[3]], group[:, write[0]])
        leads(cover[first:last], group[:, write[1]])
        leads(group[:, read[4]], group[:, write[2]])
        equal = np.float32(0.0)
        for same in group[:, read[0]]:
            equal += same
        for i in range(len(group)):
            group[i, write[3]] = min(equal - group[i, read[0]], np.float32(most))
        as_good(group[:, read[1]], margin, most, group[:, write[4]])
        first = last


@nb.njit(cache=True, nogil=True)
def two_best(owner: Any, values: Any, best: Any, second: Any) -> None:
    """The places of each owner's two highest values into `best` and `second` (-1 before); of equal ones the first."""
    for i in range(len(values)):
        o = owner[i]
        if best[o] < 0 or values[i] > values[best[o]]:
            best[o], second[o] = i, best[o]
        elif second[o] < 0 or values[i] > values[second[o]]:
            second[o] = i
