"""Lexical terms of a name: character trigrams and whole words, as numbers, in compiled code.

A trigram over space, a-z and 0-9 has one of 37^3 codes, so no dictionary of trigrams is needed. Word w of the
reference's vocabulary is term GRAMS + w. A name is read as ` word word `, so that beginnings and ends of words are
terms too.
"""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

SYMBOLS = 37
GRAMS = SYMBOLS**3
MAX_TERMS = 256


@nb.njit(cache=True, inline="always")
def symbol(byte: int) -> int:
    """0 for a space, 1..26 for a letter, 27..36 for a digit."""
    if 97 <= byte <= 122:
        return byte - 96
    if 48 <= byte <= 57:
        return byte - 21
    return 0


@nb.njit(cache=True)
def name_terms(tokens: Any, chars: Any, starts: Any, known: Any, out: Any) -> int:
    """Write the distinct terms of one name to `out` (int32 [MAX_TERMS]) and return their number.

    tokens: the name's token numbers. chars, starts: their vocabulary. known: number of each token in the reference's
    vocabulary, or -1.
    """
    count = 0
    first, second = 0, 0
    for t in range(len(tokens)):
        token = tokens[t]
        for position in range(starts[token], starts[token + 1] + 1):
            code = 0 if position == starts[token + 1] else symbol(chars[position])
            term = (first * SYMBOLS + second) * SYMBOLS + code
            first, second = second, code
            if position == starts[token]:  # needs two letters of the word, or its end
                continue
            seen = False
            for i in range(count):
                if out[i] == term:
                    seen = True
                    break
            if not seen and count < MAX_TERMS:
                out[count] = term
                count += 1
    for t in range(len(tokens)):
        word = known[tokens[t]]
        if word < 0:
            continue
        seen = False
        for i in range(count):
            if out[i] == GRAMS + word:
                seen = True
                break
        if not seen and count < MAX_TERMS:
            out[count] = GRAMS + word
            count += 1
    return count


@nb.njit(cache=True)
def all_terms(tokens: Any, name_starts: Any, chars: Any, starts: Any, known: Any) -> tuple[Any, Any]:
    """Terms of every name: (int32 flat, int64 [n + 1])."""
    names = len(name_starts) - 1
    ends = np.zeros(names + 1, np.int64)
    buffer = np.empty(MAX_TERMS, np.int32)
    for i in range(names):
        ends[i + 1] = ends[i] + name_terms(tokens[name_starts[i] : name_starts[i + 1]], chars, starts, known, buffer)
    flat = np.empty(ends[names], np.int32)
    for i in range(names):
        count = name_terms(tokens[name_starts[i] : name_starts[i + 1]], chars, starts, known, buffer)
        flat[ends[i] : ends[i] + count] = buffer[:count]
    return flat, ends


@nb.njit(cache=True)
def invert(terms: Any, name_starts: Any, size: int) -> tuple[Any, Any]:
    """Postings of every term: (int64 [size + 1], int32 name numbers, ascending within a term)."""
    starts = np.zeros(size + 1, np.int64)
    for term in terms:
        starts[term + 1] += 1
    for term in range(size):
        starts[term + 1] += starts[term]
    place = starts[:-1].copy()
    postings = np.empty(len(terms), np.int32)
    for i in range(len(name_starts) - 1):
        for at in range(name_starts[i], name_starts[i + 1]):
            postings[place[terms[at]]] = i
            place[terms[at]] += 1
    return starts, postings


def norms(terms: NDArray[np.int32], name_starts: NDArray[np.int64], weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """Euclidean length of every name's term vector, 1 for a name without terms. float32 [n]."""
    squares = np.concatenate([[0.0], np.cumsum(weight[terms].astype(np.float64) ** 2)])
    total = squares[name_starts[1:]] - squares[name_starts[:-1]]
    return np.sqrt(np.where(total > 0, total, 1.0)).astype(np.float32)
