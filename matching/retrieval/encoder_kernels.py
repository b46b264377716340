"""Compiled reading of the encoder: one name at a time, in a fixed order of additions."""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np


@nb.njit(cache=True)
def unit_vector(terms: Any, table: Any, layer: Any, mean: Any, out: Any) -> None:
    """Write the vector of one name: `x + relu(x) @ layer` of the mean x of its terms' vectors, scaled to length 1.

    A name without terms has zeros.
    """
    dim = len(out)
    mean[:] = 0.0
    for term in terms:
        for d in range(dim):
            mean[d] += table[term, d]
    for d in range(dim):
        mean[d] /= np.float32(max(len(terms), 1))
        out[d] = mean[d]
    for e in range(dim):
        x = mean[e]
        if x > 0:
            for d in range(dim):
                out[d] += x * layer[e, d]
    square = np.float32(0.0)
    for d in range(dim):
        square += out[d] * out[d]
    if square > 0:
        length = np.float32(np.sqrt(square))
        for d in range(dim):
            out[d] /= length


@nb.njit(cache=True, nogil=True)
def unit_vectors(terms: Any, starts: Any, table: Any, layer: Any) -> Any:
    """Vectors of names. terms: int32 flat, starts: int64 [n + 1], table: float32 [terms, dim], layer: [dim, dim]."""
    names, dim = len(starts) - 1, table.shape[1]
    out = np.empty((names, dim), np.float32)
    mean = np.empty(dim, np.float32)
    for i in range(names):
        unit_vector(terms[starts[i] : starts[i + 1]], table, layer, mean, out[i])
    return out


@nb.njit(cache=True, nogil=True)
def int8_codes(vectors: Any, lanes: int) -> tuple[Any, Any]:
    """int8 [n, lanes], padded with zeros, and the scale float32 [n] that turns them back; 0 for a zero vector."""
    names, dim = vectors.shape
    codes, scale = np.zeros((names, lanes), np.int8), np.zeros(names, np.float32)
    for i in range(names):
        largest = np.float32(0.0)
        for d in range(dim):
            largest = max(largest, abs(vectors[i, d]))
        scale[i] = largest / np.float32(127)
        if scale[i] > 0:
            for d in range(dim):
                codes[i, d] = np.int8(np.rint(vectors[i, d] / scale[i]))
    return codes, scale
