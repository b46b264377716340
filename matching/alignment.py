"""Token alignment of two names, compiled: which word of the record stands for which word of the reference, and how.

Each word of one name is given at most one word of the other, best pairs first. What is left over may still be explained
together: two words written as one, or initials standing for several words.
"""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np

NONE, EXACT, ABBREVIATION, SPELLING, JOINED, INITIALS = range(6)
KINDS = ("none", "exact", "abbreviation", "spelling", "joined", "initials")
MAX_LENGTH = 40
LEAST_SPELLING = 0.7


@nb.njit(cache=True)
def edit_similarity(left: Any, right: Any, row: Any) -> float:
    """1 - optimal string alignment distance / longer length, of two uint8 texts.

    row: int32 scratch [3, MAX_LENGTH + 1]. Letters after MAX_LENGTH are not read.
    """
    n, m = min(len(left), MAX_LENGTH), min(len(right), MAX_LENGTH)
    if n == 0 or m == 0:
        return 0.0
    for j in range(m + 1):
        row[1, j] = j
    for i in range(1, n + 1):
        row[2, 0] = i
        for j in range(1, m + 1):
            cost = 0 if left[i - 1] == right[j - 1] else 1
            best = min(row[1, j] + 1, row[2, j - 1] + 1, row[1, j - 1] + cost)
            if i > 1 and j > 1 and left[i - 1] == right[j - 2] and left[i - 2] == right[j - 1]:
                best = min(best, row[0, j - 2] + 1)
            row[2, j] = best
        for j in range(m + 1):
            row[0, j] = row[1, j]
            row[1, j] = row[2, j]
    return float(1.0 - row[1, m] / max(n, m))


@nb.njit(cache=True)
def is_number(word: Any) -> bool:
    """Whether a word has digits only."""
    for c in word:
        if c < 48 or c > 57:
            return False
    return len(word) > 0


@nb.njit(cache=True)
def same_digits(left: Any, right: Any) -> bool:
    """Whether two words have the same digits in the same order; words without digits do."""
    i, j = 0, 0
    while True:
        while i < len(left) and (left[i] < 48 or left[i] > 57):
            i += 1
        while j < len(right) and (right[j] < 48 or right[j] > 57):
            j += 1
        if i == len(left) or j == len(right):
            return i == len(left) and j == len(right)
        if left[i] != right[j]:
            return False
        i, j = i + 1, j + 1


@nb.njit(cache=True)
def abbreviates(short: Any, long: Any) -> float:
    """How well `short` abbreviates `long`, 0..1.

    It may be a beginning (`therap`), or the first letter and others in order (`mgmt`). An abbreviation that leaves
    letters out does not end in a vowel of the middle: `apple` is none of `applied`.
    """
    if len(short) < 2 or len(short) >= len(long) or short[0] != long[0]:
        return 0.0
    prefix = 0
    while prefix < len(short) and short[prefix] == long[prefix]:
        prefix += 1
    if prefix == len(short):
        return 0.0 if len(short) < 3 and len(long) > 6 else 0.75 + 0.2 * len(short) / len(long)
    at = 1
    for c in long[1:]:
        if at < len(short) and short[at] == c:
            at += 1
    if at < len(short) or len(short) < 3:
        return 0.0
    vowel = short[-1] in (97, 101, 105, 111, 117)
    if short[-1] == long[-1] or (prefix >= 3 and not vowel) or short[-1] == 115:
        return 0.6 + 0.2 * len(short) / len(long)
    return 0.0


@nb.njit(cache=True)
def word_similarity(left: Any, right: Any, row: Any) -> tuple[float, int]:
    """(similarity 0..1, kind) of two different words. A near number is another number, within a word too."""
    if not same_digits(left, right):
        return 0.0, NONE
    short, long = (left, right) if len(left) <= len(right) else (right, left)
    abbreviation = abbreviates(short, long)
    if abbreviation > 0:
        return abbreviation, ABBREVIATION
    if len(short) >= 4 and (len(long) - len(short)) * 4 <= len(long):
        spelling = edit_similarity(left, right, row)
        if spelling >= LEAST_SPELLING:
            return spelling * spelling, SPELLING
    return 0.0, NONE


@nb.njit(cache=True)
def align(
    left: Any, left_chars: Any, left_starts: Any, known: Any, right: Any, right_chars: Any, right_starts: Any,
    left_match: Any, left_kind: Any, left_similarity: Any, right_match: Any, right_kind: Any, right_similarity: Any,
    row: Any, grid: Any,
) -> None:  # fmt: skip
    """Align the words of a record (left) with those of a reference (right).

    Writes for every word the number of its partner (-1: none), the kind, and the similarity.
    grid: float32 scratch [MAX_TOKENS, MAX_TOKENS].
    """
    n, m = len(left), len(right)
    for i in range(n):
        left_match[i], left_kind[i], left_similarity[i] = -1, NONE, 0.0
    for j in range(m):
        right_match[j], right_kind[j], right_similarity[j] = -1, NONE, 0.0
    for i in range(n):  # equal words first: they need no letters
        for j in range(m):
            if right_match[j] < 0 and known[left[i]] == right[j]:
                left_match[i], left_kind[i], left_similarity[i] = j, EXACT, 1.0
                right_match[j], right_kind[j], right_similarity[j] = i, EXACT, 1.0
                break
    for i in range(n):
        for j in range(m):
            grid[i, j] = 0.0
            if left_match[i] < 0 and right_match[j] < 0:
                a = left_chars[left_starts[left[i]] : left_starts[left[i] + 1]]
                b = right_chars[right_starts[right[j]] : right_starts[right[j] + 1]]
                similarity, kind = word_similarity(a, b, row)
                grid[i, j] = similarity if kind != SPELLING else -similarity
    while True:
        best, at_i, at_j = np.float32(0.0), -1, -1
        for i in range(n):
            if left_match[i] < 0:
                for j in range(m):
                    if right_match[j] < 0 and abs(grid[i, j]) > best:
                        best, at_i, at_j = abs(grid[i, j]), i, j
        if at_i < 0:
            break
        kind = SPELLING if grid[at_i, at_j] < 0 else ABBREVIATION
        left_match[at_i], left_kind[at_i], left_similarity[at_i] = at_j, kind, best
        right_match[at_j], right_kind[at_j], right_similarity[at_j] = at_i, kind, best
    joined(left, left_chars, left_starts, right, right_chars, right_starts,
           left_match, left_kind, left_similarity, right_match, right_kind, right_similarity)  # fmt: skip
    joined(right, right_chars, right_starts, left, left_chars, left_starts,
           right_match, right_kind, right_similarity, left_match, left_kind, left_similarity)  # fmt: skip


@nb.njit(cache=True)
def joined(
    whole: Any, whole_chars: Any, whole_starts: Any, parts: Any, part_chars: Any, part_starts: Any,
    whole_match: Any, whole_kind: Any, whole_similarity: Any, part_match: Any, part_kind: Any, part_similarity: Any,
) -> None:  # fmt: skip
    """Explain a word as several neighbouring words written as one, or a left-over one as their initials.

    All letters of a word explain it better than an abbreviation (`north` for `northwest`) or a spelling does.
    """
    for i in range(len(whole)):
        if whole_kind[i] == EXACT:
            continue
        word = whole_chars[whole_starts[whole[i]] : whole_starts[whole[i] + 1]]
        for first in range(len(parts)):
            at, last = 0, first
            while last < len(parts) and at < len(word) and (part_match[last] < 0 or part_match[last] == i):
                part = part_chars[part_starts[parts[last]] : part_starts[parts[last] + 1]]
                fits = True
                for c in range(min(len(part), len(word) - at)):
                    if part[c] != word[at + c]:
                        fits = False
                        break
                if not fits:
                    break
                at += len(part)
                last += 1
            complete = at == len(word) or (at > len(word) and whole_kind[i] != ABBREVIATION)
            if complete and last - first >= 2:
                if whole_match[i] >= 0:
                    former = whole_match[i]
                    part_match[former], part_kind[former], part_similarity[former] = -1, NONE, 0.0
                whole_match[i], whole_kind[i], whole_similarity[i] = first, JOINED, 0.95
                for p in range(first, last):
                    part_match[p], part_kind[p], part_similarity[p] = i, JOINED, 0.95
                break
            if whole_kind[i] == NONE and 2 <= len(word) <= len(parts) - first:
                initials = True
                for c in range(len(word)):
                    if part_match[first + c] >= 0 or part_chars[part_starts[parts[first + c]]] != word[c]:
                        initials = False
                        break
                if initials and (len(word) > 2 or len(parts) == 2):
                    whole_match[i], whole_kind[i], whole_similarity[i] = first, INITIALS, 0.8
                    for p in range(first, first + len(word)):
                        part_match[p], part_kind[p], part_similarity[p] = i, INITIALS, 0.8
                    break
