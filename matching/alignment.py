"""Two names compared, compiled: which word stands for which, and the features of the pair that follow from it.

Each word of one name is given at most one word of the other, best pairs first. What is left over may still be explained
together: two words written as one, or initials standing for several words.

A compiled function is kept on disk and compiled anew when its own file changes, and only then. So compiled code takes
nothing from other files of the project: what it needs of them is handed to it.
"""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np

NONE, EXACT, ABBREVIATION, SPELLING, JOINED, INITIALS = range(6)
KINDS = ("none", "exact", "abbreviation", "spelling", "joined", "initials")
MAX_LENGTH = 40
LEAST_SPELLING = 0.7
BACKWARDS = 0.7  # of an abbreviation where the reference would be the one that abbreviates
SHORTEST, IN_ITS_PLACE = 2, 0.6  # so few letters are an abbreviation only where the word before them is found as well


@nb.njit(cache=True)
def edit_similarity(left: Any, right: Any, masks: Any) -> float:
    """1 - optimal string alignment distance / longer length, of two uint8 texts.

    A column of the table of distances at a time, a bit for each letter of `left` (Hyyrö, "A bit-vector algorithm for
    computing Levenshtein and Damerau edit distances", Nordic Journal of Computing 2003). Letters after MAX_LENGTH are
    not read. masks: uint64 scratch [256], all 0 and left so.
    """
    n, m = min(len(left), MAX_LENGTH), min(len(right), MAX_LENGTH)
    if n == 0 or m == 0:
        return 0.0
    one = np.uint64(1)
    for i in range(n):
        masks[left[i]] |= one << np.uint64(i)
    last = one << np.uint64(n - 1)
    higher, lower = ~np.uint64(0), np.uint64(0)  # where a distance is above or below its left neighbour's
    diagonal, before = np.uint64(0), np.uint64(0)
    distance = n
    for j in range(m):
        equal = masks[right[j]]
        swapped = ((~diagonal & equal) << one) & before
        diagonal = (((equal & higher) + higher) ^ higher) | equal | lower | swapped
        up, down = lower | ~(diagonal | higher), diagonal & higher
        if up & last:
            distance += 1
        if down & last:
            distance -= 1
        up, down = (up << one) | one, down << one
        higher, lower = down | ~(diagonal | up), up & diagonal
        before = equal
    for i in range(n):
        masks[left[i]] = np.uint64(0)
    return float(1.0 - distance / max(n, m))


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
def common_start(left: Any, right: Any) -> int:
    """How many letters two texts begin with together."""
    most, at = min(len(left), len(right)), 0
    while at < most and left[at] == right[at]:
        at += 1
    return at


@nb.njit(cache=True)
def abbreviates(short: Any, long: Any) -> float:
    """How well `short` abbreviates `long`, 0..1.

    It may be a beginning (`therap`), or the first letter and others in order (`mgmt`). An abbreviation that leaves
    letters out does not end in a vowel of the middle: `apple` is none of `applied`.
    """
    if len(short) < 2 or len(short) >= len(long) or short[0] != long[0]:
        return 0.0
    prefix = common_start(short, long)
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
def word_similarity(left: Any, right: Any, masks: Any) -> tuple[float, int]:
    """(similarity 0..1, kind) of two different words, the record's and the reference's.

    A near number is another number, within a word too.
    """
    short, long = (left, right) if len(left) <= len(right) else (right, left)
    abbreviation = abbreviates(short, long)
    if abbreviation > 0 and same_digits(left, right):
        # Feeds shorten names and references seldom do: `rumble` is likelier another company than short for `rumbleon`.
        return abbreviation if len(left) < len(right) else BACKWARDS * abbreviation, ABBREVIATION
    if len(short) >= 4 and (len(long) - len(short)) * 4 <= len(long):
        spelling = edit_similarity(left, right, masks)
        if spelling >= LEAST_SPELLING and same_digits(left, right):
            return spelling * spelling, SPELLING
    return 0.0, NONE


@nb.njit(cache=True)
def align(
    left: Any, left_chars: Any, left_starts: Any, known: Any, right: Any, right_chars: Any, right_starts: Any,
    left_match: Any, left_kind: Any, left_similarity: Any, right_match: Any, right_kind: Any, right_similarity: Any,
    masks: Any, grid: Any,
) -> None:  # fmt: skip
    """Align the words of a record (left) with those of a reference (right).

    Writes for every word the number of its partner (-1: none), the kind, and the similarity.
    grid: float32 scratch [words, words].
    """
    n, m = len(left), len(right)
    left_match[:n], left_kind[:n], left_similarity[:n] = -1, NONE, 0.0
    right_match[:m], right_kind[:m], right_similarity[:m] = -1, NONE, 0.0
    for i in range(n):  # equal words first: they need no letters
        for j in range(m):
            if right_match[j] < 0 and known[left[i]] == right[j]:
                left_match[i], left_kind[i], left_similarity[i] = j, EXACT, 1.0
                right_match[j], right_kind[j], right_similarity[j] = i, EXACT, 1.0
                break
    for i in range(n):
        for j in range(m if left_match[i] < 0 else 0):
            if right_match[j] < 0:
                a = left_chars[left_starts[left[i]] : left_starts[left[i] + 1]]
                b = right_chars[right_starts[right[j]] : right_starts[right[j] + 1]]
                similarity, kind = word_similarity(a, b, masks)
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
    for i in range(1, n):
        j = left_match[i - 1] + 1
        if left_match[i] >= 0 or j == 0 or j == m or right_match[j] >= 0:
            continue
        a = left_chars[left_starts[left[i]] : left_starts[left[i] + 1]]
        b = right_chars[right_starts[right[j]] : right_starts[right[j] + 1]]
        if len(a) <= SHORTEST and common_start(a, b) == len(a) < len(b) and not is_number(a):
            left_match[i], left_kind[i], left_similarity[i] = j, ABBREVIATION, IN_ITS_PLACE
            right_match[j], right_kind[j], right_similarity[j] = i, ABBREVIATION, IN_ITS_PLACE


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
        for first in range(len(parts) - 1):
            if part_chars[part_starts[parts[first]]] != word[0]:
                continue
            at, last = 0, first
            while last < len(parts) and at < len(word) and (part_match[last] < 0 or part_match[last] == i):
                part = part_chars[part_starts[parts[last]] : part_starts[parts[last] + 1]]
                if common_start(part, word[at:]) < min(len(part), len(word) - at):
                    break
                at += len(part)
                last += 1
            complete = at == len(word) or (at > len(word) and whole_kind[i] != ABBREVIATION)
            kind, similarity = JOINED, 0.95
            if not complete or last - first < 2:
                kind, similarity, last, end = INITIALS, 0.8, first, min(first + len(word), len(parts))
                while last < end and part_match[last] < 0:
                    if part_chars[part_starts[parts[last]]] != word[last - first]:
                        break
                    last += 1
                follows = i > 0 and first > 0 and whole_match[i - 1] == first - 1
                clear = len(word) > 2 or (len(word) == 2 and (len(parts) == 2 or follows))
                if whole_kind[i] != NONE or last - first < len(word) or not clear:
                    continue
            elif whole_match[i] >= 0:
                former = whole_match[i]
                part_match[former], part_kind[former], part_similarity[former] = -1, NONE, 0.0
            whole_match[i], whole_kind[i], whole_similarity[i] = first, kind, similarity
            part_match[first:last], part_kind[first:last], part_similarity[first:last] = i, kind, similarity
            break


@nb.njit(cache=True, nogil=True)
def align_pairs(
    pair_record: Any, pair_variant: Any,
    record_tokens: Any, record_starts: Any, record_chars: Any, record_char_starts: Any, known: Any,
    tokens: Any, starts: Any, chars: Any, char_starts: Any, match: Any, kind: Any,
) -> None:  # fmt: skip
    """Align many pairs of record and variant numbers: `match` and `kind`, int32 [pairs, 2 (record, reference), words].

    What stands beyond the words of a name is not written.
    """
    near = np.empty((2, match.shape[2]), np.float32)
    masks, grid = np.zeros(256, np.uint64), np.empty((match.shape[2], match.shape[2]), np.float32)
    for p in range(len(pair_record)):
        r, v = pair_record[p], pair_variant[p]
        align(record_tokens[record_starts[r] : record_starts[r + 1]], record_chars, record_char_starts, known,
              tokens[starts[v] : starts[v + 1]], chars, char_starts,
              match[p, 0], kind[p, 0], near[0], match[p, 1], kind[p, 1], near[1], masks, grid)  # fmt: skip


@nb.njit(cache=True)
def letters(tokens: Any, chars: Any, starts: Any, out: Any) -> int:
    """Write the words of a name without spaces to `out` and return their length."""
    at = 0
    for t in tokens:
        for p in range(starts[t], min(starts[t + 1], starts[t] + len(out) - at)):
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


@nb.njit(cache=True, nogil=True)
def name_features(
    pair_record: Any, pair_variant: Any,
    record_tokens: Any, record_starts: Any, record_chars: Any, record_char_starts: Any, known: Any, record_idf: Any,
    tokens: Any, starts: Any, chars: Any, char_starts: Any, idf: Any,
    record_form: Any, form: Any, record_class: Any, share_class: Any, truncated: Any, namesakes: Any, titles: int,
    longest: int, out: Any,
) -> None:  # fmt: skip
    """Fill `out` (float32 [pairs, columns]) for pairs of record and variant numbers.

    The columns are `matching.features.NAME_FEATURES`, in their order. longest: words that a name may have.
    """
    left_match, right_match, left_kind, right_kind = np.empty((4, longest), np.int32)
    left_near, right_near = np.empty((2, longest), np.float32)
    masks, grid = np.zeros(256, np.uint64), np.empty((longest, longest), np.float32)
    text = np.empty((2, MAX_LENGTH), np.uint8)
    for p in range(len(pair_record)):
        r, v = pair_record[p], pair_variant[p]
        left, right = record_tokens[record_starts[r] : record_starts[r + 1]], tokens[starts[v] : starts[v + 1]]
        n, m = len(left), len(right)
        align(left, record_chars, record_char_starts, known, right, chars, char_starts,
              left_match, left_kind, left_near, right_match, right_kind, right_near, masks, grid)  # fmt: skip
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
        a, b = letters(left, record_chars, record_char_starts, text[0]), letters(right, chars, char_starts, text[1])
        common = common_start(text[0, :a], text[1, :b])
        total, other_total = max(total, 1e-6), max(other_total, 1e-6)
        in_place = 0
        for i in range(n):
            in_place += left_kind[i] == EXACT and left_match[i] == i
        o = out[p]
        o[0] = 1.0 if in_place == n == m and n > 0 else 0.0
        o[1] = cover / total
        o[2] = other_cover / other_total
        o[3] = exact / total
        o[4] = left_near[0] if n > 0 and m > 0 and left_match[0] == 0 else 0.0
        o[5] = edit_similarity(text[0, :a], text[1, :b], masks)
        o[6] = common / max(min(a, b), 1)
        o[7] = rarest
        o[8] = lost
        o[9] = other_lost
        o[10] = n
        o[11] = m
        o[12] = abbreviated / total
        o[13] = spelt / total
        o[14] = together / total
        o[15] = 0.0 if numbers + other_numbers == 0 else 1.0 if numbers == other_numbers == equal_numbers else -1.0
        o[16] = agreement(record_form[r], form[v])
        o[17] = agreement(record_class[r], share_class[v])
        o[18] = truncated[r]
        o[19] = min(namesakes[v], 9)
        o[20] = 1.0 if v >= titles else 0.0
