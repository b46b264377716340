"""What the other candidates of a record say about one of them, compiled."""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np


@nb.njit(cache=True)
def leads(starts: Any, value: Any, out: Any) -> None:
    """How far each value is above the best other one of its group (negative: below) into `out` float32 [n].

    Group g is value[starts[g] : starts[g + 1]]. A value that is alone leads by itself, as if the next were 0.
    """
    for g in range(len(starts) - 1):
        first, last = starts[g], starts[g + 1]
        if last - first == 1:
            out[first] = value[first]
            continue
        best, second, at = value[first], np.float32(-np.inf), first
        for i in range(first + 1, last):
            if value[i] > best:
                best, second, at = value[i], best, i
            elif value[i] > second:
                second = value[i]
        for i in range(first, last):
            out[i] = value[i] - (second if i == at else best)


@nb.njit(cache=True)
def as_good(starts: Any, value: Any, margin: float, out: Any) -> None:
    """How many others of its group are as good as each value, or less than `margin` below, into `out` float32 [n]."""
    for g in range(len(starts) - 1):
        for i in range(starts[g], starts[g + 1]):
            count = 0
            for j in range(starts[g], starts[g + 1]):
                if j != i and value[j] >= value[i] - margin:
                    count += 1
            out[i] = count
