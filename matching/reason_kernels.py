"""Which groups are told of a pair and which side of each is true, compiled. What it needs to know is handed to it."""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np


@nb.njit(cache=True)
def descending(values: Any, order: Any) -> None:
    """Write the places of values to `order`, the highest first, equal ones as they come."""
    for i in range(len(values)):
        at = i
        while at > 0 and values[order[at - 1]] < values[i]:
            order[at] = order[at - 1]
            at -= 1
        order[at] = i


@nb.njit(cache=True, nogil=True)
def tell(grouped: Any, most: int, row: Any, group: Any, value: Any) -> int:
    """For each row at most `most` groups above 0, the lowest below, and the rest as group `grouped.shape[1]`.

    grouped: float64 [n, groups]. Writes what is told to `row`, `group` and `value`, and returns how much it is.
    """
    count, groups = 0, grouped.shape[1]
    order = np.empty(groups, np.int64)
    for r in range(len(grouped)):
        descending(grouped[r], order)
        rest = 0.0
        for at in range(groups):
            contribution = grouped[r, order[at]]
            if (at < most and contribution > 0) or (at == groups - 1 and contribution < 0):
                row[count], group[count], value[count] = r, order[at], contribution
                count += 1
            else:
                rest += contribution
        row[count], group[count], value[count] = r, groups, rest
        count += 1
    return count


@nb.njit(cache=True, nogil=True)
def contrast(difference: Any, most: int, row: Any, group: Any, value: Any) -> int:
    """For each row of differences (float64 [n, groups]) the `most` largest that are not 0; as `tell`."""
    count = 0
    order = np.empty(difference.shape[1], np.int64)
    for r in range(len(difference)):
        descending(np.abs(difference[r]), order)
        for g in order[:most]:
            if difference[r, g] != 0:
                row[count], group[count], value[count] = r, g, difference[r, g]
                count += 1
    return count


@nb.njit(cache=True, nogil=True)
def sides(row: Any, group: Any, value: Any, features: Any, columns: Any, least: Any, known: Any, out: Any) -> None:
    """The side of each told group that is true of its pair: 0 supports, 1 against, 2 agrees, 3 differs, 4 silent.

    columns: int64 [groups, most], the features of each group. least: float32 [groups], the least that counts, or 0.
    known: bool [groups + 1, sides], which sides a group has; the last one is the residual.
    """
    for k in range(len(row)):
        g = group[k]
        out[k] = 0 if value[k] > 0 else 1
        if g == len(columns):
            continue
        lowest, highest, nothing = np.float32(np.inf), np.float32(-np.inf), True
        for column in columns[g]:
            of_pair = features[row[k], column]
            lowest, highest, nothing = min(lowest, of_pair), max(highest, of_pair), nothing and of_pair == 0
        if least[g] > 0:
            nothing = abs(highest) < least[g]
        if known[g, 2]:
            mixed = lowest < 0 and highest > 0
            out[k] = 2 if (value[k] > 0 if mixed else highest > 0) else 3
        if least[g] > 0 and highest <= -least[g]:
            out[k] = 1
        if nothing and known[g, 4]:
            out[k] = 4
