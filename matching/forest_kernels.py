"""The forest, compiled: margins and exact Shapley values of pairs, a block of pairs at a time.

Trees are complete: node k has the children 2k + 1 and 2k + 2. All nodes of a tree ask all pairs of a block, which is
vector code where the loops have a fixed length, and a pair's answers are the bits of one number (1: to the right). Each
pair is summed by itself in the order of the trees, so its numbers are the same alone and in a batch.
"""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np

BLOCK = 64
ZERO, ONE = np.uint32(0), np.uint32(1)


@nb.njit(cache=True, nogil=True)
def turn(pairs: Any, start: int, columns: Any) -> int:
    """Copy a block of pairs to `columns` (float32 [features, BLOCK]) and return how many there are."""
    size = min(BLOCK, len(pairs) - start)
    for r in range(size):
        for f in range(pairs.shape[1]):
            columns[f, r] = pairs[start + r, f]
    return size


@nb.njit(cache=True, nogil=True)
def ask(columns: Any, feature: Any, threshold: Any, missing_left: Any, bits: Any) -> None:
    """Write to `bits` (uint32 [BLOCK]) what the nodes of one tree answer to each pair; NaN is below no threshold."""
    for r in range(BLOCK):
        bits[r] = ZERO
    for node in range(len(feature)):
        column, limit, flag = columns[feature[node]], threshold[node], ONE << np.uint32(node)
        if missing_left[node]:
            for r in range(BLOCK):
                bits[r] |= flag if column[r] >= limit else ZERO
        else:
            for r in range(BLOCK):
                bits[r] |= ZERO if column[r] < limit else flag


@nb.njit(cache=True, nogil=True)
def margins(
    pairs: Any, feature: Any, threshold: Any, missing_left: Any, leaves: Any, depth: int, base: float, out: Any
) -> None:
    """Fill `out` (float32 [pairs]): `base` and the leaf of each tree, summed in single precision as XGBoost does."""
    columns = np.zeros((pairs.shape[1], BLOCK), np.float32)
    bits, place = np.empty(BLOCK, np.uint32), np.empty(BLOCK, np.uint32)
    total, nodes = np.empty(BLOCK, np.float32), np.uint32(feature.shape[1])
    for start in range(0, len(pairs), BLOCK):
        size = turn(pairs, start, columns)
        total[:] = base
        for tree in range(len(feature)):
            ask(columns, feature[tree], threshold[tree], missing_left[tree], bits)
            for r in range(BLOCK):
                place[r] = (bits[r] & ONE) + ONE
            for _ in range(1, depth):
                for r in range(BLOCK):
                    place[r] = (place[r] << ONE) + ONE + ((bits[r] >> place[r]) & ONE)
            leaf = leaves[tree]
            for r in range(BLOCK):
                total[r] += leaf[place[r] - nodes]
        out[start : start + size] = total[:size]


@nb.njit(cache=True, nogil=True)
def contributions(
    pairs: Any, feature: Any, threshold: Any, missing_left: Any, shares: Any, column_of: Any, out: Any
) -> None:
    """Add to `out` (float64 [pairs, columns]) what each tree contributes by way of each feature.

    shares: float64 [trees, twigs, answers, depth], see `matching.forest`. column_of: where a feature is added.
    """
    depth = shares.shape[3]
    columns = np.zeros((pairs.shape[1], BLOCK), np.float32)
    bits, answers = np.empty(BLOCK, np.uint32), np.empty(BLOCK, np.uint32)
    sums = np.empty((out.shape[1], BLOCK), np.float64)
    for start in range(0, len(pairs), BLOCK):
        size = turn(pairs, start, columns)
        sums[:, :size] = 0.0
        for tree in range(len(feature)):
            ask(columns, feature[tree], threshold[tree], missing_left[tree], bits)
            for twig in range(shares.shape[1]):
                node = shares.shape[1] - 1 + twig
                for r in range(size):
                    answers[r] = (bits[r] >> np.uint32(node)) & ONE
                for level in range(1, depth):
                    above, shift = np.uint32(((node + 1) >> level) - 1), np.uint32(level)
                    for r in range(size):
                        answers[r] |= ((bits[r] >> above) & ONE) << shift
                for level in range(depth):
                    share = shares[tree, twig, :, level]
                    to = sums[column_of[feature[tree, ((node + 1) >> level) - 1]]]
                    for r in range(size):
                        to[r] += share[answers[r]]
        for r in range(size):
            for c in range(out.shape[1]):
                out[start + r, c] += sums[c, r]
