"""Word evidence, compiled: which words of a pair are shared, left over or stand for one another, written as bytes.

It reads alignments as `matching.alignment.align_pairs` writes them. Words are ASCII.
"""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np

SHARED_AND_LEFT_OVER, RAREST, LEFT_OVER, RESPELT, SHORTENED = range(5)
EXACT, SPELLING = 1, 3  # as in matching.alignment; a test holds them together
_SHARED = np.frombuffer(b"shared:", np.uint8)
_RECORD = np.frombuffer(b"only in the record:", np.uint8)
_REFERENCE = np.frombuffer(b"only in the reference:", np.uint8)
_SPACE, _AND = np.frombuffer(b" ", np.uint8), np.frombuffer(b"; ", np.uint8)
_AS, _OPEN, _CLOSE = (np.frombuffer(text, np.uint8) for text in (b" ~ ", b" (", b")"))


@nb.njit(cache=True, nogil=True)
def put(text: Any, out: Any, at: int) -> int:
    """Write `text` to `out` where it fits, and return where it ends or would end."""
    if at + len(text) <= len(out):
        out[at : at + len(text)] = text
    return at + len(text)


@nb.njit(cache=True, nogil=True)
def put_left_over(head: Any, tokens: Any, match: Any, chars: Any, starts: Any, first: int, out: Any, at: int) -> int:
    """Write `head` and the words without a partner, if there are any; a semicolon before it unless at `first`."""
    begun = False
    for i in range(len(tokens)):
        if match[i] < 0:
            if not begun:
                at = put(_AND, out, at) if at > first else at
                at, begun = put(head, out, at), True
            at = put(chars[starts[tokens[i]] : starts[tokens[i] + 1]], out, put(_SPACE, out, at))
    return at


@nb.njit(cache=True, nogil=True)
def said_before(i: int, tokens: Any, match: Any, kind: Any, partners: Any) -> bool:
    """Whether an earlier word is the same and stands for the same."""
    for j in range(i):
        alike = tokens[j] == tokens[i] and match[j] >= 0 and kind[j] == kind[i]
        if alike and partners[match[j]] == partners[match[i]]:
            return True
    return False


@nb.njit(cache=True, nogil=True)
def put_shared(rarest: bool, ours: Any, theirs: Any, match: Any, kind: Any, chars: Any, starts: Any, idf: Any,
               out: Any, at: int) -> int:  # fmt: skip
    """Write the equal words in their order after `shared:`, or only the two `rarest` of them, the rarest first."""
    first, second, begun = -1, -1, False
    for i in range(len(ours)):
        if match[i] < 0 or kind[i] != EXACT or said_before(i, ours, match, kind, theirs):
            continue
        word = theirs[match[i]]
        if rarest:
            if first < 0 or idf[word] > idf[first]:
                first, second = word, first
            elif second < 0 or idf[word] > idf[second]:
                second = word
        else:
            at, begun = (at if begun else put(_SHARED, out, at)), True
            at = put(chars[starts[word] : starts[word + 1]], out, put(_SPACE, out, at))
    if first >= 0:
        at = put(chars[starts[first] : starts[first + 1]], out, at)
    if second >= 0:
        at = put(chars[starts[second] : starts[second + 1]], out, put(_SPACE, out, at))
    return at


@nb.njit(cache=True, nogil=True)
def put_partners(
    respelt: bool, ours: Any, record_chars: Any, record_starts: Any, theirs: Any, chars: Any, starts: Any,
    match: Any, kind: Any, kind_chars: Any, kind_starts: Any, out: Any, at: int,
) -> int:  # fmt: skip
    """Write which words stand for one another: the `respelt` ones, or those that are shortened or joined."""
    first = at
    for i in range(len(ours)):
        k = kind[0, i]
        if match[0, i] < 0 or k == EXACT or (k == SPELLING) != respelt:
            continue
        if said_before(i, ours, match[0], kind[0], theirs):
            continue
        at = put(_AND, out, at) if at > first else at
        at = put(_AS, out, put(record_chars[record_starts[ours[i]] : record_starts[ours[i] + 1]], out, at))
        before = at
        for j in range(len(theirs)):
            if match[1, j] == i:
                at = put(_SPACE, out, at) if at > before else at
                at = put(chars[starts[theirs[j]] : starts[theirs[j] + 1]], out, at)
        if at == before:
            word = theirs[match[0, i]]
            at = put(chars[starts[word] : starts[word + 1]], out, at)
        at = put(_CLOSE, out, put(kind_chars[kind_starts[k] : kind_starts[k + 1]], out, put(_OPEN, out, at)))
    return at


@nb.njit(cache=True, nogil=True)
def write_words(
    pair: Any,  # int64 [n]: the pair that each text is about
    what: Any,  # int64 [n]: what is told of it, SHARED_AND_LEFT_OVER and so on
    pair_record: Any, pair_variant: Any, match: Any, kind: Any,
    record_tokens: Any, record_starts: Any, record_chars: Any, record_char_starts: Any,
    tokens: Any, starts: Any, chars: Any, char_starts: Any, idf: Any, kind_chars: Any, kind_starts: Any,
    out: Any,  # uint8: the texts one after another
    ends: Any,  # int64 [n]: where each ends
) -> int:  # fmt: skip
    """Write n texts and return their length in all. What does not fit into `out` is not written: come with more."""
    at = 0
    for n in range(len(pair)):
        p = pair[n]
        r, v = pair_record[p], pair_variant[p]
        ours, theirs = record_tokens[record_starts[r] : record_starts[r + 1]], tokens[starts[v] : starts[v + 1]]
        first = at
        if what[n] == SHARED_AND_LEFT_OVER or what[n] == RAREST:
            at = put_shared(what[n] == RAREST, ours, theirs, match[p, 0], kind[p, 0], chars, char_starts, idf, out, at)
        if what[n] == SHARED_AND_LEFT_OVER or what[n] == LEFT_OVER:
            at = put_left_over(_RECORD, ours, match[p, 0], record_chars, record_char_starts, first, out, at)
            at = put_left_over(_REFERENCE, theirs, match[p, 1], chars, char_starts, first, out, at)
        if what[n] == RESPELT or what[n] == SHORTENED:
            at = put_partners(what[n] == RESPELT, ours, record_chars, record_char_starts, theirs, chars, char_starts,
                              match[p], kind[p], kind_chars, kind_starts, out, at)  # fmt: skip
        ends[n] = at
    return at
