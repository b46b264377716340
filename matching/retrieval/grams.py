"""Lexical terms of a name, as numbers, in compiled code: no dictionary, a term follows from the letters alone.

Scored terms, whose weights make the lexical cosine:
- trigrams over space, a-z and 0-9, one of 37^3 codes. A name is read as ` word word `, so that beginnings and ends of
  words are terms too;
- words, and neighbouring words written as one (`Sun Trust` has `suntrust`), by hash. Words of the same hash are
  taken for the same; there are twice as many hashes as names.
Direct terms, which only say where to look, by another hash:
- the whole name without spaces: an equal name is looked at first;
- initials: a long name stands under its own, where a short word of a record looks (`IBM`); a short name stands under
  its letters, where the initials of a record's long name look.
"""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np

SYMBOLS = 37
GRAMS = SYMBOLS**3
MAX_TERMS = 256  # scored terms of one name; later ones are not read
DIRECT_TERMS = 3  # direct terms of one name, at most
WORDS, REFERENCE, RECORD = 0, 1, 2  # whose terms: trigrams and words alone (the encoder's), a reference's, a record's
WHOLE, LONG, SHORT = 1, 2, 3  # kinds of direct terms
LEAST_INITIALS, MOST_INITIALS = 3, 6
HASH_START, HASH_PRIME = np.uint32(2166136261), np.uint32(16777619)


def table_bits(names: int) -> int:
    """log2 of how many hashed terms an index of so many names tells apart: two for each name, at least 2^16."""
    return max(16, (2 * names - 1).bit_length())


@nb.njit(cache=True, inline="always")
def symbol(byte: int) -> int:
    """0 for a space, 1..26 for a letter, 27..36 for a digit."""
    if 97 <= byte <= 122:
        return byte - 96
    if 48 <= byte <= 57:
        return byte - 21
    return 0


@nb.njit(cache=True)
def hashed(text: Any, state: Any) -> Any:
    """FNV-1a of bytes, going on from `state`: words hashed one after the other are hashed as if written as one."""
    for byte in text:
        state = np.uint32((state ^ np.uint32(byte)) * HASH_PRIME)
    return state


@nb.njit(cache=True)
def slot(state: Any, kind: int, bits: int) -> int:
    """One of 2^bits places for a hash of some kind, the high bits of a product (Knuth, TAOCP 3, section 6.4)."""
    mixed = np.uint32(np.uint32(state ^ np.uint32(kind * 0x85EBCA6B & 0xFFFFFFFF)) * np.uint32(2654435769))
    return np.int32(mixed >> np.uint32(32 - bits))  # type: ignore[return-value]


@nb.njit(cache=True)
def add(term: int, out: Any, count: int, limit: int) -> int:
    """Append a term that is not there yet; returns how many there are."""
    for i in range(count):
        if out[i] == term:
            return count
    if count < limit:
        out[count] = term
        return count + 1
    return count


@nb.njit(cache=True)
def name_terms(tokens: Any, chars: Any, starts: Any, bits: int, whose: int, out: Any) -> int:
    """Write the distinct terms of one name to `out` (int32), direct ones last, and return their number.

    tokens: the name's token numbers. chars, starts: their vocabulary. bits: see `table_bits`.
    """
    count = 0
    first, second = 0, 0
    for token in tokens:
        for position in range(starts[token], starts[token + 1] + 1):
            code = 0 if position == starts[token + 1] else symbol(chars[position])
            term = (first * SYMBOLS + second) * SYMBOLS + code
            first, second = second, code
            if position > starts[token]:  # needs two letters of the word, or its end
                count = add(term, out, count, MAX_TERMS)
    whole, initials, letters = HASH_START, HASH_START, 0
    for t in range(len(tokens)):
        word = chars[starts[tokens[t]] : starts[tokens[t] + 1]]
        state = hashed(word, HASH_START)
        count = add(GRAMS + slot(state, 0, bits), out, count, MAX_TERMS)
        if whose != WORDS and t + 1 < len(tokens):
            state = hashed(chars[starts[tokens[t + 1]] : starts[tokens[t + 1] + 1]], state)
            count = add(GRAMS + slot(state, 0, bits), out, count, MAX_TERMS)
        whole, initials = hashed(word, whole), hashed(word[:1], initials)
        letters += len(word)
    if whose == WORDS or len(tokens) == 0:
        return count
    direct, limit = GRAMS + (1 << bits), MAX_TERMS + DIRECT_TERMS
    count = add(direct + slot(whole, WHOLE, bits), out, count, limit)
    if LEAST_INITIALS <= len(tokens) <= MOST_INITIALS:
        count = add(direct + slot(initials, SHORT if whose == RECORD else LONG, bits), out, count, limit)
    if LEAST_INITIALS <= letters <= MOST_INITIALS:
        count = add(direct + slot(whole, LONG if whose == RECORD else SHORT, bits), out, count, limit)
    elif whose == RECORD and LEAST_INITIALS <= starts[tokens[0] + 1] - starts[tokens[0]] <= MOST_INITIALS:
        state = hashed(chars[starts[tokens[0]] : starts[tokens[0] + 1]], HASH_START)
        count = add(direct + slot(state, LONG, bits), out, count, limit)
    return count


@nb.njit(cache=True, nogil=True)
def all_terms(tokens: Any, name_starts: Any, chars: Any, starts: Any, bits: int, whose: int) -> tuple[Any, Any]:
    """Terms of every name: (int32 flat, int64 [n + 1]). Name i has tokens[name_starts[i] : name_starts[i + 1]]."""
    names = len(name_starts) - 1
    room = 0
    for i in range(names):
        most = DIRECT_TERMS
        for at in range(name_starts[i], name_starts[i + 1]):
            most += starts[tokens[at] + 1] - starts[tokens[at]] + 2
        room += min(most, MAX_TERMS + DIRECT_TERMS)
    flat, ends = np.empty(room, np.int32), np.zeros(names + 1, np.int64)
    for i in range(names):
        own = tokens[name_starts[i] : name_starts[i + 1]]
        ends[i + 1] = ends[i] + name_terms(own, chars, starts, bits, whose, flat[ends[i] :])
    return flat[: ends[names]].copy(), ends


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


@nb.njit(cache=True)
def norms(terms: Any, name_starts: Any, weight: Any) -> Any:
    """Euclidean length of every name's vector of scored terms, 1 for a name without terms. float32 [n]."""
    out = np.ones(len(name_starts) - 1, np.float32)
    for i in range(len(out)):
        square = 0.0
        for at in range(name_starts[i], name_starts[i + 1]):
            if terms[at] < len(weight):
                square += weight[terms[at]] * weight[terms[at]]
        if square > 0:
            out[i] = np.sqrt(square)
    return out
