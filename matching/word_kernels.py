"""The compiled pass over words: from cleaned lines to tokens and legal forms, and tokens to their numbers.

The rules are no part of this file: words come as tables (`matching.name_rules`, from `matching.name_tables`).
"""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np

# What a word of the rules can be.
ROMAN, STOP, ARTICLE, NUMBERED, PREFIX, CUT_LINE, AND, INDONESIA = 1, 2, 4, 8, 16, 32, 64, 128
MAX_FORMS, FORM_BITS = 6, 10  # legal forms that are taken off one name, and what each takes of 64 bits
WIDEST_FORM = 5  # words of one legal form
SPACE, NEWLINE = 32, 10
FIRST: Any = np.int64(0)  # numpy's number: numba compiles a function anew for each of Python's it is called with


@nb.njit(cache=True)
def slot_of(slots: Any, chars: Any, starts: Any, text: Any, begin: int, end: int) -> int:
    """Where text[begin:end] stands in a hash table of words, or the empty slot where it would.

    Words are hashed by FNV-1a. A slot holds the number of a word, or -1; their number is a power of two.
    """
    key = np.uint32(2166136261)
    for i in range(begin, end):
        key = np.uint32((key ^ np.uint32(text[i])) * np.uint32(16777619))
    slot = np.int64(key ^ (key >> np.uint32(15))) & (len(slots) - 1)
    while slots[slot] >= 0:
        start = starts[slots[slot]]
        same = starts[slots[slot] + 1] - start == end - begin
        i = 0
        while same and i < end - begin:
            same = chars[start + i] == text[begin + i]
            i += 1
        if same:
            break
        slot = (slot + 1) & (len(slots) - 1)
    return slot  # type: ignore[return-value]


@nb.njit(cache=True)
def look_up(rules: Any, text: Any, begin: int, end: int) -> int:
    """The number of text[begin:end] among the words of the rules, or -1."""
    if end - begin > rules.longest:
        return -1
    return rules.slots[slot_of(rules.slots, rules.chars, rules.starts, text, begin, end)]  # type: ignore[no-any-return]


@nb.njit(cache=True)
def split(text: Any, plain: bool, words: Any, begins: Any, ends: Any, initials: Any) -> int:
    """Write the words of a text one space apart, where each begins and ends, and which are initials.

    Returns their number. `&` and `+` are words, and quotes are nothing, unless the text is to be read as it stands
    (`plain`).
    """
    count, at, inside = 0, 0, False
    for byte in text:
        capital = 65 <= byte <= 90
        if capital or 97 <= byte <= 122 or 48 <= byte <= 57:
            if not inside:
                begins[count], initials[count], inside = at, capital, True
            words[at] = byte + 32 if capital else byte
            at += 1
            continue
        if not plain and (byte == 39 or byte == 96):
            continue
        if inside:
            ends[count], words[at], inside = at, SPACE, False
            at, count = at + 1, count + 1
        if not plain and (byte == 38 or byte == 43):
            begins[count], ends[count], initials[count] = at, at + 3, False
            words[at], words[at + 1], words[at + 2], words[at + 3] = 97, 110, 100, SPACE
            at, count = at + 4, count + 1
    if inside:
        ends[count] = at
        count += 1
    return count


@nb.njit(cache=True)
def joins(kinds: Any, begins: Any, ends: Any, first: int, last: int, at: int) -> bool:
    """Whether word `at` of first..last - 1 only joins others: not the first one, unless it is an article.

    A single letter does so only between words, and not in `PG&E`.
    """
    if not kinds[at] & STOP:
        return False
    if ends[at] - begins[at] > 1:
        return at > first or (kinds[at] & ARTICLE) != 0
    return first < at < last - 1 and not (kinds[at - 1] | kinds[at + 1]) & AND


@nb.njit(cache=True)
def is_cut_off(rules: Any, words: Any, begins: Any, ends: Any, entries: Any, kinds: Any, last: int) -> bool:
    """Whether the last word of a cut name is what is left of a security line, or one letter that says nothing."""
    form_before = entries[last - 2] >= 0 and rules.form[entries[last - 2]] >= 0
    if ends[last - 1] - begins[last - 1] > 1:
        return form_before and (kinds[last - 1] & CUT_LINE) != 0  # type: ignore[no-any-return]
    letter = words[begins[last - 1]]
    numeral = letter == 105 or letter == 118 or letter == 120  # i, v, x: `INCOME FUND I`
    return letter >= 97 and not (numeral and (form_before or (kinds[last - 2] & NUMBERED) != 0))


@nb.njit(cache=True)
def note(noise: Any, at: int, words: Any, begin: int, end: int) -> int:
    """Keep a word and a line feed; returns where the noise ends. Empty noise keeps nothing."""
    if len(noise) == 0:
        return at
    noise[at : at + end - begin] = words[begin:end]
    noise[at + end - begin] = NEWLINE
    return at + end - begin + 1


@nb.njit(cache=True)
def identify(
    rules: Any, words: Any, begins: Any, ends: Any, initials: Any, entries: Any, kinds: Any, count: int,
    truncated: bool, noise: Any, noted: int,
) -> tuple[int, int, int, int]:  # fmt: skip
    """Take the legal form off the words: (first word, behind the last one, legal form, end of noise).

    The form is the numbers of its parts + 1, from the last part to the first, FORM_BITS each.
    """
    first, last, parts, found = FIRST, count, 0, FIRST
    if truncated and count > 2 and is_cut_off(rules, words, begins, ends, entries, kinds, last):
        last -= 1
        noted = note(noise, noted, words, begins[last], ends[last])
    while last > 1 and parts < MAX_FORMS:
        if joins(kinds, begins, ends, first, last, last - 1) and not truncated:  # `FIRST TRUST COMPANY OF` may go on
            last -= 1
            continue
        form, taken = -1, 1
        for width in range(min(WIDEST_FORM, last - 1), 0, -1):
            if not kinds[last - width] & ROMAN:
                word = entries[last - 1] if width == 1 else look_up(rules, words, begins[last - width], ends[last - 1])
                if word >= 0 and rules.form[word] >= 0:
                    form, taken = rules.form[word], width
                    break
        if form < 0 and truncated and parts == 0 and entries[last - 1] >= 0:
            form = rules.cut_form[entries[last - 1]]
            if form >= 0:
                noted = note(noise, noted, words, begins[last - 1], ends[last - 1])
        if form < 0:
            break
        found = found << FORM_BITS | form + 1
        parts += 1
        last -= taken
    # Two initials in front are a person's, as in A. O. Smith, unless they are Indonesia's P.T.
    person = initials[0] and ends[0] - begins[0] == 2 and not kinds[0] & INDONESIA
    if last > 1 and parts == 0 and kinds[0] & PREFIX and not person:
        found, first = np.int64(rules.prefix_form[entries[0]] + 1), 1
    while last - first > 1 and joins(kinds, begins, ends, first, last, last - 1):
        last -= 1
    return first, last, found, noted


@nb.njit(cache=True)
def spell(rules: Any, words: Any, begin: int, end: int, entry: int, out: Any, at: int) -> int:
    """Write the one spelling of a word: numerals and abbreviations as the rules say, numbers without leading zeros."""
    if entry >= 0 and rules.canonical[entry] >= 0:
        canonical = rules.canonical[entry]
        for i in range(rules.starts[canonical], rules.starts[canonical + 1]):
            out[at] = rules.chars[i]
            at += 1
        return at
    number = True
    for i in range(begin, end):
        number = number and words[i] < 58
    while number and end - begin > 1 and words[begin] == 48:
        begin += 1
    for i in range(begin, end):
        out[at] = words[i]
        at += 1
    return at


@nb.njit(cache=True, nogil=True)
def read_words(
    text: Any,  # uint8: cleaned lines
    starts: Any,  # int64 [names + 1]: where each begins
    sizes: Any,  # int32 [names]
    plain: Any,  # bool [names]: to be read as it stands
    truncated: Any,  # bool [names]
    rules: Any,
    most: int,  # tokens of one name
    noise: Any,  # uint8 of enough room if there is one name, or nothing where noise is not wanted
    noted: Any,  # int32 [names]: end of the noise, moved on
) -> tuple[Any, Any, Any, Any, Any]:
    """Read words: (uint8 spelling, int64 [names + 1] its starts, int32 [names, most] ends of tokens, counts, forms).

    Counts, int32 [names], are of all tokens, also of those that do not fit. forms: int64 [names], see `identify`.
    """
    names = len(starts) - 1
    counts, forms = np.zeros(names, np.int32), np.zeros(names, np.int64)
    token_ends = np.zeros((names, most), np.int32)
    rooms = np.zeros(names + 1, np.int64)
    longest = 0
    for i in range(names):
        longest = max(longest, sizes[i])
        rooms[i + 1] = rooms[i] + 4 * sizes[i] + most * rules.widest
    spelling = np.empty(rooms[names], np.uint8)
    words = np.empty(4 * longest + 8, np.uint8)
    begins, ends = np.empty(longest + 2, np.int32), np.empty(longest + 2, np.int32)
    entries, kinds = np.empty(longest + 2, np.int32), np.empty(longest + 2, np.int32)
    initials = np.zeros(longest + 2, np.bool_)
    for i in range(names):
        count = split(text[starts[i] : starts[i] + sizes[i]], plain[i], words, begins, ends, initials)
        if count == 0:
            continue
        for word in range(count):
            entry = look_up(rules, words, begins[word], ends[word])
            entries[word], kinds[word] = entry, rules.kind[entry] if entry >= 0 else 0
        first, last, end = FIRST, count, noted[i]
        if not plain[i]:
            first, last, forms[i], end = identify(
                rules, words, begins, ends, initials, entries, kinds, count, truncated[i], noise, end
            )
        kept = 0
        for word in range(first, last):
            kept += not joins(kinds, begins, ends, first, last, word)
        at, token = rooms[i], 0
        for word in range(first, last):
            if not plain[i] and kept > 0 and joins(kinds, begins, ends, first, last, word):
                continue
            entry = -1 if plain[i] else entries[word]
            if token < most:
                at = spell(rules, words, begins[word], ends[word], entry, spelling, at)
                token_ends[i, token] = at - rooms[i]
            elif len(noise) > 0:
                end = spell(rules, words, begins[word], ends[word], entry, noise, end)
                noise[end] = SPACE
                end += 1
            token += 1
        counts[i], noted[i] = token, end
    return spelling, rooms, token_ends, counts, forms


@nb.njit(cache=True, nogil=True)
def number_tokens(
    spelling: Any, rooms: Any, token_ends: Any, counts: Any, slots: Any, chars: Any, starts: Any, size: int
) -> tuple[Any, int]:
    """Numbers of all tokens in a vocabulary of `size` words that has room for more: (int32 flat, its new size)."""
    total = 0
    for i in range(len(counts)):
        total += min(counts[i], token_ends.shape[1])
    tokens = np.empty(total, np.int32)
    done = 0
    for i in range(len(counts)):
        begin = rooms[i]
        for token in range(min(counts[i], token_ends.shape[1])):
            end = rooms[i] + token_ends[i, token]
            slot = slot_of(slots, chars, starts, spelling, begin, end)
            if slots[slot] < 0:
                slots[slot] = size
                chars[starts[size] : starts[size] + end - begin] = spelling[begin:end]
                starts[size + 1] = starts[size] + end - begin
                size += 1
            tokens[done] = slots[slot]
            done += 1
            begin = end
    return tokens, size


@nb.njit(cache=True, nogil=True)
def fill_slots(slots: Any, chars: Any, starts: Any, size: int) -> None:
    """Enter the first `size` words, all different, into empty slots."""
    for word in range(size):
        slots[slot_of(slots, chars, starts, chars, starts[word], starts[word + 1])] = word


@nb.njit(cache=True)
def numbers_of(slots: Any, chars: Any, starts: Any, asked_chars: Any, asked_starts: Any) -> Any:
    """The number of each asked word, or -1. int32 [asked words]."""
    found = np.empty(len(asked_starts) - 1, np.int32)
    for word in range(len(found)):
        found[word] = slots[slot_of(slots, chars, starts, asked_chars, asked_starts[word], asked_starts[word + 1])]
    return found


@nb.njit(cache=True, nogil=True)
def document_frequency(tokens: Any, starts: Any, size: int) -> Any:
    """In how many names each of `size` tokens occurs. int32 [size]."""
    frequency, seen_in = np.zeros(size, np.int32), np.full(size, -1, np.int32)
    for i in range(len(starts) - 1):
        for at in range(starts[i], starts[i + 1]):
            if seen_in[tokens[at]] != i:
                seen_in[tokens[at]] = i
                frequency[tokens[at]] += 1
    return frequency


@nb.njit(cache=True, nogil=True)
def first_alike(tokens: Any, starts: Any) -> Any:
    """For each name the first one that has the same tokens in the same order. int64 [names]."""
    names = len(starts) - 1
    size = 2
    while size < 2 * names:
        size *= 2
    slots, first = np.full(size, -1, np.int64), np.empty(names, np.int64)
    for i in range(names):
        key = np.uint64(14695981039346656037)
        for at in range(starts[i], starts[i + 1]):
            key = (key ^ np.uint64(tokens[at])) * np.uint64(1099511628211)
        slot = np.int64((key ^ (key >> np.uint64(32))) & np.uint64(size - 1))
        while slots[slot] >= 0:
            other = slots[slot]
            length = starts[i + 1] - starts[i]
            same = starts[other + 1] - starts[other] == length
            at = 0
            while same and at < length:
                same = tokens[starts[other] + at] == tokens[starts[i] + at]
                at += 1
            if same:
                break
            slot = (slot + 1) & (size - 1)
        if slots[slot] < 0:
            slots[slot] = i
        first[i] = slots[slot]
    return first
