"""Regular expressions as tables for a compiled matcher: the same patterns and meaning as `re`, for ASCII text.

A pattern becomes instructions for a backtracking machine (Thompson 1968, with the priorities of Perl: the first
alternative wins). An alternation looks at the next character first and tries only what can begin with it. The machine
is in `matching.line_kernels`; what is not needed here (lazy repeats, back-references, flags) is refused.
"""

from __future__ import annotations

import re._constants as sre  # type: ignore[import-not-found]
import re._parser as parser  # type: ignore[import-not-found]
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from matching.line_kernels import (
    BEGINNING,
    BOUNDARY,
    CHOOSE,
    END,
    ENDING,
    FAIL,
    INSIDE,
    JUMP,
    LOOK,
    LOOKED,
    MARK,
    MATCH,
    ONE,
    SPAN,
    SPLIT,
)

CHARACTERS = END + 1  # ASCII, and the end of the text
SITUATIONS = INSIDE + CHARACTERS  # each of them, and again behind a character of a word
CATEGORIES: dict[Any, Callable[[str], bool]] = {
    sre.CATEGORY_SPACE: str.isspace,
    sre.CATEGORY_NOT_SPACE: lambda c: not c.isspace(),
    sre.CATEGORY_DIGIT: str.isdigit,
    sre.CATEGORY_NOT_DIGIT: lambda c: not c.isdigit(),
    sre.CATEGORY_WORD: lambda c: c.isalnum() or c == "_",
    sre.CATEGORY_NOT_WORD: lambda c: not (c.isalnum() or c == "_"),
}
PLACES = {sre.AT_BEGINNING: BEGINNING, sre.AT_END: ENDING, sre.AT_BOUNDARY: BOUNDARY}
Node = tuple[Any, Any]


class Programs(NamedTuple):
    """Compiled patterns. Pattern p begins where row p of `choices` says.

    code: int32 [instructions, 4]: operation and its numbers.
    choices: int32 [choices, SITUATIONS]: where to go on, by the next character; 0 is an instruction that fails.
    sets: bool [sets, CHARACTERS]: characters.
    """

    code: NDArray[np.int32]
    choices: NDArray[np.int32]
    sets: NDArray[np.bool_]


def compile_patterns(patterns: Sequence[str]) -> Programs:
    """Compile patterns. Raises ValueError for one that uses what the machine does not know."""
    writer = _Writer(len(patterns))
    for number, pattern in enumerate(patterns):
        try:
            writer.choose(number, [parser.parse(pattern)], after=lambda: writer.write(MATCH))
        except (KeyError, ValueError) as error:
            raise ValueError(f"the compiled matcher does not know {error} in {pattern}") from error
    sets = np.zeros((max(len(writer.sets), 1), CHARACTERS), np.bool_)
    for number, members in enumerate(writer.sets):
        sets[number, sorted(members)] = True
    return Programs(np.array(writer.code, np.int32), np.array(writer.choices, np.int32), sets)


class _Writer:
    def __init__(self, patterns: int) -> None:
        self.code: list[list[int]] = [[FAIL, 0, 0, 0]]
        self.choices = [[0] * SITUATIONS for _ in range(patterns)]
        self.sets: list[frozenset[int]] = []

    def write(self, operation: int, a: int = 0, b: int = 0, c: int = 0) -> int:
        self.code.append([operation, a, b, c])
        return len(self.code) - 1

    def set_number(self, members: frozenset[int]) -> int:
        if members not in self.sets:
            self.sets.append(members)
        return self.sets.index(members)

    def choose(self, number: int, branches: Sequence[Sequence[Node]], after: Callable[[], int]) -> None:
        """Write the branches, each followed by what `after` writes, and their tries by next character."""
        starts = []
        for branch in branches:
            starts.append(len(self.code))
            self.sequence(branch)
            after()
        tries: dict[tuple[int, ...], int] = {(): 0}
        possible = [_first(branch) for branch in branches]
        for situation in range(SITUATIONS):
            live = tuple(s for s, (first, empty) in zip(starts, possible, strict=True) if empty or situation in first)
            if live not in tries:
                tries[live] = len(self.code) if len(live) > 1 else live[0]
                for start in live[:-1]:
                    self.write(SPLIT, start, len(self.code) + 1)
                if len(live) > 1:
                    self.write(JUMP, live[-1])
            self.choices[number][situation] = tries[live]

    def sequence(self, nodes: Sequence[Node]) -> None:
        for operation, given in nodes:
            members = _members(operation, given)
            if members is not None:
                self.write(ONE, self.set_number(members))
            elif operation is sre.MAX_REPEAT:
                self.repeat(*given)
            elif operation is sre.SUBPATTERN:
                group, add, remove, inner = given
                if add or remove or (group or 1) > 1:
                    raise ValueError("flags and second groups")
                if group:
                    self.write(MARK)
                self.sequence(inner)
            elif operation is sre.BRANCH:
                self.branch(given[1])
            elif operation is sre.AT:
                self.write(PLACES[given])
            elif operation in (sre.ASSERT, sre.ASSERT_NOT):
                self.look(operation is sre.ASSERT, *given)
            else:
                raise ValueError(str(operation))

    def branch(self, branches: Sequence[Sequence[Node]]) -> None:
        self.choices.append([0] * SITUATIONS)
        self.write(CHOOSE, len(self.choices) - 1)
        ends: list[int] = []

        def leave() -> int:
            ends.append(self.write(JUMP))
            return ends[-1]

        self.choose(len(self.choices) - 1, branches, leave)
        for end in ends:
            self.code[end][1] = len(self.code)

    def repeat(self, least: int, most: int, inner: Sequence[Node]) -> None:
        endless = most is sre.MAXREPEAT
        members = _members(*inner[0]) if len(inner) == 1 else None
        if members is not None:
            self.write(SPAN, self.set_number(members), least, 1 << 30 if endless else most)
            return
        if endless and _first(inner)[1]:
            raise ValueError("an endless repeat of nothing")
        for _ in range(least):
            self.sequence(inner)
        splits = []
        for _ in range(1 if endless else most - least):
            splits.append(self.write(SPLIT, len(self.code) + 1))
            self.sequence(inner)
        if endless:
            self.write(JUMP, splits[0])
        for split in splits:
            self.code[split][2] = len(self.code)

    def look(self, wanted: bool, direction: int, inner: Any) -> None:
        least, most = inner.getwidth()
        if direction < 0 and least != most:
            raise ValueError("looking back at several widths")
        start = self.write(LOOK, int(wanted), least if direction < 0 else 0)
        self.sequence(inner)
        end = self.write(LOOKED)
        self.code[start][3] = self.code[end][1] = len(self.code)


def _members(operation: Any, given: Any) -> frozenset[int] | None:
    """The characters of a node that is one character, else None."""
    if operation is sre.LITERAL:
        return frozenset({given} if given < END else ())
    if operation is sre.NOT_LITERAL:
        return frozenset(range(END)) - {given}
    if operation is sre.ANY:
        return frozenset(range(END)) - {10}
    if operation is not sre.IN:
        return None
    members: set[int] = set()
    for kind, value in given:
        if kind is sre.CATEGORY:
            members |= {c for c in range(END) if CATEGORIES[value](chr(c))}
        elif kind is sre.RANGE:
            members |= set(range(value[0], min(value[1] + 1, END)))
        elif kind is sre.LITERAL:
            members |= {value} & set(range(END))
    return frozenset(range(END)) - members if given[0][0] is sre.NEGATE else frozenset(members)


def _first(nodes: Sequence[Node]) -> tuple[frozenset[int], bool]:
    """Situations in which a match can begin, and whether it can be empty."""
    first: frozenset[int] = frozenset()
    for at, (operation, given) in enumerate(nodes):
        members, empty = _members(operation, given), False
        begins = frozenset(members or ()) | {INSIDE + c for c in members or ()}
        if operation is sre.MAX_REPEAT:
            begins, empty = _first(given[2])
            empty = empty or given[0] == 0
        elif operation is sre.SUBPATTERN:
            begins, empty = _first(given[3])
        elif operation is sre.BRANCH:
            parts = [_first(branch) for branch in given[1]]
            begins, empty = frozenset().union(*(p[0] for p in parts)), any(p[1] for p in parts)
        elif operation is sre.AT and given is sre.AT_BOUNDARY and not first:
            begins, empty = _first(nodes[at + 1 :])
            return (begins, True) if empty else (begins & _BOUNDARIES, False)
        elif members is None:  # it only looks
            empty = True
        first |= begins
        if not empty:
            return first, False
    return first, True


_IS_WORD = CATEGORIES[sre.CATEGORY_WORD]
_BOUNDARIES = frozenset(c for c in range(END) if _IS_WORD(chr(c))) | {
    INSIDE + c for c in range(CHARACTERS) if c == END or not _IS_WORD(chr(c))
}
