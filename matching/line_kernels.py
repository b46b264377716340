"""The compiled pass over a line: what is no part of the name comes off, by patterns.

The rules are no part of this file. Patterns come as tables (`matching.patterns`, from `matching.name_tables`); this
file knows how a pattern is run and in which order they are applied.
"""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np

# Operations of a program, each with up to three numbers a, b, c; see `run`.
FAIL, ONE, SPAN, SPLIT, JUMP, CHOOSE, BEGINNING, ENDING, BOUNDARY, LOOK, LOOKED, MARK, MATCH = range(13)
END = 128  # stands for the character behind the last one
INSIDE = 129  # is added to a character that follows a letter or digit
# Patterns by number; from INSTRUMENT on those of instruments. They are numpy's numbers, because numba compiles a
# function anew for each of Python's that it is called with.
_NUMBERS: Any = np.arange(10)
PAR_VALUE, PAR_VALUE_PENCE, PAR_VALUE_CUT, LEADING_THE, HOLDING = _NUMBERS[:5]
STATE, SHARE_CLASS, TRAILING_CLASS, INITIALS, INSTRUMENT = _NUMBERS[5:]
START: Any = np.int64(0)
FULL: Any = np.int64(-2)
SPACE, NEWLINE, POINT = 32, 10, 46
# What is stripped from the ends of texts.
BLANK, COMMA, OPENED, CUT_OFF, BRACKETS, SLASHES, CLOSED = _NUMBERS[:7]
EDGES = np.array([[chr(c) in e for c in range(END)] for e in (" ", " ,-", " -,(", " -,(/", " ,-()", " ,-()/", " -)")])


@nb.njit(cache=True)
def is_word(byte: int) -> bool:
    """A letter, a digit or an underscore."""
    return 97 <= byte <= 122 or 48 <= byte <= 57 or byte == 95 or 65 <= byte <= 90


@nb.njit(cache=True)
def situation(text: Any, size: int, at: int) -> int:
    """What choices go by: the character at a position, and whether one of a word stands before it."""
    before = INSIDE if at > 0 and is_word(text[at - 1]) else 0
    return before + (text[at] if at < size else END)


@nb.njit(cache=True)
def run(programs: Any, text: Any, size: int, pc: int, at: int, stack: Any, mark: Any) -> int:
    """The end of the match that begins at `at`, -1, or FULL where the stack is too small.

    `mark[0]` becomes the start of the pattern's group.

    A row of the stack is (instruction, position, lowest position): what to try next when this way fails. A negative
    instruction ends what is only looked at: -1 if it is wanted, -2 - i if it is not, and then i goes on.
    """
    code, choices, sets = programs.code, programs.choices, programs.sets
    top = 0
    while True:
        operation, a, b = code[pc, 0], code[pc, 1], code[pc, 2]
        if top == len(stack):
            return FULL  # type: ignore[no-any-return]
        goes_on = False
        if operation == ONE:
            goes_on = at < size and sets[a, text[at]]
            at += 1
            pc += 1
        elif operation == SPAN:
            end, most = at, code[pc, 3]
            while end < size and end - at < most and sets[a, text[end]]:
                end += 1
            goes_on = end - at >= b
            pc += 1
            if end - at > b:
                stack[top, 0], stack[top, 1], stack[top, 2] = pc, end - 1, at + b
                top += 1
            at = end
        elif operation == SPLIT:
            stack[top, 0], stack[top, 1], stack[top, 2] = b, at, at
            top += 1
            pc, goes_on = a, True
        elif operation == JUMP:
            pc, goes_on = a, True
        elif operation == CHOOSE:
            pc, goes_on = choices[a, situation(text, size, at)], True
        elif operation == BEGINNING:
            goes_on = at == 0
            pc += 1
        elif operation == ENDING:
            goes_on = at == size
            pc += 1
        elif operation == BOUNDARY:
            goes_on = (at > 0 and is_word(text[at - 1])) != (at < size and is_word(text[at]))
            pc += 1
        elif operation == LOOK:
            stack[top, 0], stack[top, 1], stack[top, 2] = -1 if a else -2 - code[pc, 3], at, at
            top += 1
            goes_on = at >= b
            at -= b
            pc += 1
        elif operation == LOOKED:
            top -= 1
            while stack[top, 0] >= 0:
                top -= 1
            goes_on = stack[top, 0] == -1
            pc, at = a, stack[top, 1]
        elif operation == MARK:
            mark[0] = at
            pc, goes_on = pc + 1, True
        elif operation == MATCH:
            return at
        while not goes_on:
            if top == 0:
                return -1
            pc, at = stack[top - 1, 0], stack[top - 1, 1]
            if pc >= 0 and at > stack[top - 1, 2]:
                stack[top - 1, 1] -= 1
            else:
                top -= 1
            goes_on = pc != -1
            if pc < -1:
                pc = -2 - pc


@nb.njit(cache=True)
def find(programs: Any, pattern: int, text: Any, size: int, at: int, stack: Any, mark: Any) -> tuple[int, int]:
    """The first match from `at` on: (begin, end), or (-1, -1)."""
    for begin in range(at, size + 1):
        pc = programs.choices[pattern, situation(text, size, begin)]
        if pc > 0:
            end = run(programs, text, size, pc, begin, stack, mark)
            room = len(stack)
            while end == FULL:
                room *= 4
                end = run(programs, text, size, pc, begin, np.empty((room, 3), np.int32), mark)
            if end >= 0:
                return begin, end
    return -1, -1


@nb.njit(cache=True)
def note(noise: Any, at: int, text: Any, begin: int, end: int, edges: int) -> int:
    """Keep text[begin:end] without its edges, and a line feed; returns where the noise ends.

    An empty `noise` keeps nothing.
    """
    if len(noise) == 0:
        return at
    while begin < end and EDGES[edges, text[begin]]:
        begin += 1
    while end > begin and EDGES[edges, text[end - 1]]:
        end -= 1
    for i in range(begin, end):
        noise[at] = text[i]
        at += 1
    noise[at] = NEWLINE
    return at + 1


@nb.njit(cache=True)
def trimmed(text: Any, size: int, edges: int) -> int:
    """Size without the edges at the end."""
    while size > 0 and EDGES[edges, text[size - 1]]:
        size -= 1
    return size


@nb.njit(cache=True)
def replace(
    programs: Any,
    pattern: int,
    text: Any,
    size: int,
    other: Any,
    noise: Any,
    noted: int,
    keep: bool,
    stack: Any,
    mark: Any,
) -> tuple[int, int]:
    """Write a space in place of every match, and note what stood there if it is kept: (size, end of noise).

    Initials become one word, in capitals, so that it can be told.
    """
    begin, end = find(programs, pattern, text, size, START, stack, mark)
    if begin < 0:
        return size, noted
    written, rest = 0, 0
    while begin >= 0:
        for i in range(rest, begin):
            other[written] = text[i]
            written += 1
        other[written] = SPACE
        written += 1
        if pattern == INITIALS:
            for i in range(begin, end):
                if text[i] != SPACE and text[i] != POINT:
                    other[written] = text[i] - 32
                    written += 1
            other[written] = SPACE
            written += 1
        elif keep:
            noted = note(noise, noted, text, begin, end, SLASHES)
        rest = end
        begin, end = find(programs, pattern, text, size, end, stack, mark)
    for i in range(rest, size):
        other[written] = text[i]
        written += 1
    text[:written] = other[:written]
    return written, noted


@nb.njit(cache=True)
def squeeze(raw: Any, text: Any, longest: int) -> tuple[int, int, int]:
    """Lower-case `raw` with single spaces, at most `longest` characters: (size, size without limit, stripped size)."""
    size, whole, first, last = 0, 0, -1, -1
    for i in range(len(raw)):
        byte = raw[i]
        if byte == SPACE or 9 <= byte <= 13 or 28 <= byte <= 31:
            continue
        if first < 0:
            first = i
        elif last < i - 1:
            whole += 1
            if whole <= longest:
                text[size] = SPACE
                size += 1
        last = i
        whole += 1
        if whole <= longest:
            text[size] = byte + 32 if 65 <= byte <= 90 else byte
            size += 1
    return trimmed(text, size, BLANK), whole, last - first + 1 if first >= 0 else 0


@nb.njit(cache=True)
def is_blank(text: Any, begin: int, end: int, edges: int) -> bool:
    """Whether there is nothing but edges in text[begin:end]."""
    for i in range(begin, end):  # noqa: SIM110 - numba compiles no generator
        if not EDGES[edges, text[i]]:
            return False
    return True


@nb.njit(cache=True)
def cut_line(
    programs: Any, instruments: int, text: Any, size: int, noise: Any, other: Any, stack: Any, mark: Any
) -> tuple[int, int, int, int]:
    """Take the security line off a text, in place.

    Returns its size, the share class or 0, kinds of instruments as bits, and the end of the noise.
    """
    share_class, kinds, noted = 0, 0, START
    digits = False
    for i in range(size):
        digits = digits or 48 <= text[i] <= 57
    if digits:
        size, noted = replace(programs, PAR_VALUE, text, size, other, noise, noted, True, stack, mark)
        size, noted = replace(programs, PAR_VALUE_PENCE, text, size, other, noise, noted, True, stack, mark)
    for kind in range(instruments):
        begin, end = find(programs, INSTRUMENT + kind, text, size, START, stack, mark)
        if begin >= 0 and not is_blank(text, START, begin, OPENED):
            other[0] = SPACE
            other[1 : 1 + end - begin] = text[begin:end]
            if share_class == 0 and find(programs, SHARE_CLASS, other, 1 + end - begin, START, stack, mark)[0] >= 0:
                share_class = other[mark[0]]
            noted = note(noise, noted, text, begin, end, BRACKETS)
            kinds |= 1 << kind
            size = trimmed(text, begin, CUT_OFF)
    size, noted = replace(programs, PAR_VALUE_CUT, text, size, other, noise, noted, True, stack, mark)
    for _ in range(4):
        before = size
        size, noted = replace(programs, LEADING_THE, text, size, other, noise, noted, False, stack, mark)
        size = trimmed(text, size, BLANK)
        lead = 0
        while lead < size and text[lead] == SPACE:
            lead += 1
        for i in range(lead, size):
            text[i - lead] = text[i]
        size -= lead
        size, noted = replace(programs, HOLDING, text, size, other, noise, noted, True, stack, mark)
        size = trimmed(text, size, COMMA)
        size, noted = replace(programs, STATE, text, size, other, noise, noted, True, stack, mark)
        size = trimmed(text, size, COMMA)
        if size == before:
            break
    for pattern in (SHARE_CLASS, TRAILING_CLASS):
        begin, end = find(programs, pattern, text, size, START, stack, mark)
        if begin > 0 and not is_blank(text, START, begin, BLANK) and is_blank(text, end, size, BLANK):
            share_class = share_class if share_class else text[mark[0]]
            noted = note(noise, noted, text, begin, end, CLOSED)
            size = trimmed(text, begin, OPENED)
    return size, share_class, kinds, noted


@nb.njit(cache=True)
def has_words(text: Any, size: int) -> bool:
    """Whether there is a letter, a digit, or a sign that is read as a word."""
    for i in range(size):  # noqa: SIM110 - as above
        if 97 <= text[i] <= 122 or 48 <= text[i] <= 57 or text[i] == 38 or text[i] == 43:
            return True
    return False


@nb.njit(cache=True, nogil=True)
def read_lines(
    raw: Any,  # uint8: ASCII text of all names
    starts: Any,  # int64 [names + 1]
    widths: Any,  # int32 [names]: -1, or the width of a name that has been cut to length already; filled in
    wholes: Any,  # int32 [names]: the same for the width with single spaces
    programs: Any,
    instruments: int,
    longest: int,
    noise: Any,  # uint8 of enough room if there is one name, or nothing where noise is not wanted
) -> tuple[Any, Any, Any, Any, Any, Any]:
    """Clean lines: (text, sizes, share classes or 0, kinds of instruments as bits, plain, ends of noise).

    text: uint8, of name i from starts[i] on, with initials in capitals. A line that is nothing but noise is `plain`:
    then the text is what it was.
    """
    names = len(starts) - 1
    text = np.empty(len(raw), np.uint8)
    sizes, noted = np.zeros(names, np.int32), np.zeros(names, np.int32)
    share_class, kinds, plain = np.zeros(names, np.uint8), np.zeros(names, np.uint8), np.zeros(names, np.bool_)
    room = 0
    for i in range(names):
        room = max(room, starts[i + 1] - starts[i])
    other, stack, mark = np.empty(room + 4, np.uint8), np.empty((256, 3), np.int32), np.zeros(1, np.int64)
    for i in range(names):
        line, given = text[starts[i] : starts[i + 1]], raw[starts[i] : starts[i + 1]]
        size, whole, width = squeeze(given, line, longest if widths[i] < 0 else len(given))
        if widths[i] < 0:
            widths[i], wholes[i] = width, whole
        size, letter, found, end = cut_line(programs, instruments, line, size, noise, other, stack, mark)
        if has_words(line, size):
            size, _ = replace(programs, INITIALS, line, size, other, noise, end, False, stack, mark)
        else:
            size, letter, end, plain[i] = squeeze(given, line, longest)[0], 0, 0, True
        sizes[i], share_class[i], kinds[i], noted[i] = size, letter, found, end
    return text, sizes, share_class, kinds, plain, noted
