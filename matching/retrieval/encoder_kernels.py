"""Compiled reading of the encoder: one name at a time, in a fixed order of additions."""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np


@nb.njit(cache=True)
def mean_vectors(terms: Any, starts: Any, table: Any) -> Any:
    """Mean of the term vectors of each name. float32 [n, dim]."""
    names, dim = len(starts) - 1, table.shape[1]
    out = np.zeros((names, dim), np.float32)
    for i in range(names):
        count = starts[i + 1] - starts[i]
        for at in range(starts[i], starts[i + 1]):
            for d in range(dim):
                out[i, d] += table[terms[at], d]
        if count > 0:
            for d in range(dim):
                out[i, d] /= np.float32(count)
    return out


@nb.njit(cache=True)
def residual_unit(mean: Any, layer: Any) -> Any:
    """Rows `x + relu(x) @ layer`, scaled to length 1; a zero row stays zero. float32 [n, dim]."""
    names, dim = mean.shape
    out = np.zeros((names, dim), np.float32)
    for i in range(names):
        for d in range(dim):
            out[i, d] = mean[i, d]
        for e in range(dim):
            x = mean[i, e]
            if x > 0:
                for d in range(dim):
                    out[i, d] += x * layer[e, d]
        square = np.float32(0.0)
        for d in range(dim):
            square += out[i, d] * out[i, d]
        if square > 0:
            length = np.float32(np.sqrt(square))
            for d in range(dim):
                out[i, d] /= length
    return out
