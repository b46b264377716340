"""Pair features in one compiled pass. What each column means is declared in `matching.features`, in the same order."""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np

from matching.alignment import (
    ABBREVIATION,
    EXACT,
    INITIALS,
    JOINED,
    MAX_LENGTH,
    SPELLING,
    align,
    edit_similarity,
    is_number,
)
from matching.names import MAX_TOKENS

UNKNOWN_IDF = 1.0  # of the largest idf: a word that the reference has never seen is as rare as can be


@nb.njit(cache=True)
def letters(tokens: Any, chars: Any, starts: Any, out: Any) -> int:
    """Write the words of a name without spaces to `out` and return their length."""
    at = 0
    for t in tokens:
        for p in range(starts[t], starts[t + 1]):
            if at < len(out):
                out[at] = chars[p]
                at += 1
    return at


@nb.njit(cache=True)
def agreement(left: int, right: int) -> float:
    """1 equal, -1 different, 0 where either is missing (-1).

    A value that the reference never has (-2) differs from every other.
    """
    if left == -1 or right == -1:
        return 0.0
    return 1.0 if left == right else -1.0


@nb.njit(cache=True, parallel=True)
def name_features(
    pair_record: Any, pair_variant: Any,
    record_tokens: Any, record_starts: Any, record_chars: Any, record_char_starts: Any, known: Any, record_idf: Any,
    tokens: Any, starts: Any, chars: Any, char_starts: Any, idf: Any,
    record_form: Any, form: Any, record_class: Any, share_class: Any, truncated: Any, namesakes: Any, titles: int,
    out: Any, threads: int,
) -> None:  # fmt: skip
    """Fill `out` (float32 [pairs, columns]) for pairs of record and variant numbers.

    The columns are `matching.features.NAME_FEATURES`, in their order.
    """
    for worker in nb.prange(threads):
        left_match, right_match = np.empty(MAX_TOKENS, np.int32), np.empty(MAX_TOKENS, np.int32)
        left_kind, right_kind = np.empty(MAX_TOKENS, np.int32), np.empty(MAX_TOKENS, np.int32)
        left_near, right_near = np.empty(MAX_TOKENS, np.float32), np.empty(MAX_TOKENS, np.float32)
        row = np.empty((3, MAX_LENGTH + 1), np.int32)
        grid = np.empty((MAX_TOKENS, MAX_TOKENS), np.float32)
        left_text, right_text = np.empty(MAX_LENGTH, np.uint8), np.empty(MAX_LENGTH, np.uint8)
        for p in range(worker, len(pair_record), threads):
            r, v = pair_record[p], pair_variant[p]
            left, right = record_tokens[record_starts[r] : record_starts[r + 1]], tokens[starts[v] : starts[v + 1]]
            n, m = len(left), len(right)
            align(left, record_chars, record_char_starts, known, right, chars, char_starts,
                  left_match, left_kind, left_near, right_match, right_kind, right_near, row, grid)  # fmt: skip
            total, cover, exact, lost, rarest, abbreviated, spelt, together = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
            numbers, equal_numbers = 0, 0
            for i in range(n):
                w = record_idf[left[i]]
                total += w
                cover += w * left_near[i]
                if left_kind[i] == EXACT:
                    exact += w
                    rarest = max(rarest, w)
                elif left_kind[i] == ABBREVIATION:
                    abbreviated += w
                elif left_kind[i] == SPELLING:
                    spelt += w
                elif left_kind[i] == JOINED or left_kind[i] == INITIALS:
                    together += w
                else:
                    lost = max(lost, w)
                if is_number(record_chars[record_char_starts[left[i]] : record_char_starts[left[i] + 1]]):
                    numbers += 1
                    equal_numbers += left_kind[i] == EXACT
            other_total, other_cover, other_lost, other_numbers = 0.0, 0.0, 0.0, 0
            for j in range(m):
                w = idf[right[j]]
                other_total += w
                other_cover += w * right_near[j]
                if right_match[j] < 0:
                    other_lost = max(other_lost, w)
                if is_number(chars[char_starts[right[j]] : char_starts[right[j] + 1]]):
                    other_numbers += 1
            a = letters(left, record_chars, record_char_starts, left_text)
            b = letters(right, chars, char_starts, right_text)
            common = 0
            while common < min(a, b) and left_text[common] == right_text[common]:
                common += 1
            total, other_total = max(total, 1e-6), max(other_total, 1e-6)
            same = n == m and n > 0
            for i in range(min(n, m)):
                same = same and left_kind[i] == EXACT and left_match[i] == i
            o = out[p]
            o[0] = 1.0 if same else 0.0
            o[1] = cover / total
            o[2] = other_cover / other_total
            o[3] = exact / total
            o[4] = left_near[0] if n > 0 and m > 0 and left_match[0] == 0 else 0.0
            o[5] = edit_similarity(left_text[:a], right_text[:b], row)
            o[6] = common / max(min(a, b), 1)
            o[7] = rarest
            o[8] = lost
            o[9] = other_lost
            o[10] = n
            o[11] = m
            o[12] = abbreviated / total
            o[13] = spelt / total
            o[14] = together / total
            o[15] = 0.0
            if numbers + other_numbers > 0:
                o[15] = 1.0 if numbers == other_numbers and equal_numbers == numbers else -1.0
            o[16] = agreement(record_form[r], form[v])
            o[17] = agreement(record_class[r], share_class[v])
            o[18] = truncated[r]
            o[19] = min(namesakes[v], 9)
            o[20] = 1.0 if v >= titles else 0.0
