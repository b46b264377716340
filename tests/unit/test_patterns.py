"""The compiled matcher finds what `re` finds."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matching.line_kernels import find
from matching.name_rules import PATTERNS
from matching.name_tables import INSTRUMENTS
from matching.patterns import compile_patterns

RULES = [*PATTERNS, *(pattern for _, pattern in INSTRUMENTS)]
PROGRAMS = compile_patterns([p.pattern for p in RULES])
# Pieces that the rules look for, and what may stand between them.
PIECES = (
    "common stock,class a,ser b,adr,ads,sponsored,depositary shares,ord 20p,dl-,01,eo 1,usd .50,o.n.,inh,/de/,(publ)"
)
TEXT = st.lists(
    st.sampled_from([*PIECES.split("|"), "the", "inc", "corp-", "units", "5.5%", "pref", "wt", "x", "j.p.", "3",
                     " ", "  ", "-", ",", ".", "(", ")", "/"]) | st.text("abcd19 .,-/()&%", max_size=4), max_size=9,
).map("".join)  # fmt: skip


def found(number: int, text: str, programs=PROGRAMS) -> tuple[int, int, int]:
    """Where a match begins and ends, and where its group begins; -1 where there is none."""
    chars, mark = np.frombuffer(text.encode() + b" ", np.uint8), np.full(1, -1, np.int64)
    begin, end = find(programs, np.int64(number), chars, len(text), np.int64(0), np.empty((4, 3), np.int32), mark)
    return begin, end, int(mark[0]) if begin >= 0 else -1


def expected(pattern: re.Pattern[str], text: str) -> tuple[int, int, int]:
    match = pattern.search(text)
    return (*match.span(), match.start(1) if pattern.groups else -1) if match else (-1, -1, -1)


@given(TEXT)
def test_every_rule_finds_what_re_finds(text: str) -> None:
    for number, rule in enumerate(RULES):
        assert found(number, text) == expected(rule, text), rule.pattern


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("a|ab", "ab"),  # the first alternative wins, not the longest
        ("(?:a|ab)c", "abc"),
        ("a{2,3}", "aaaa"),
        ("(?:ab){1,2}c?", "ababab"),
        ("(?:ab?)*c", "abaabc"),
        ("[^a-c]+$", "abcxyz"),
        (r"(?<!a)b", "abb"),
        (r"a(?!b)", "abac"),
        (r"(?<=ab)c", "c abc"),
        (r"\bx\b", "ax x"),
        (r".*(b)", "abab"),
        ("^a", "ba"),
        ("", "x"),
        ("b|", "ab"),
        (r"\b", " a"),
        (r"(?:\b|x)y", "xy"),
    ],
)
def test_a_pattern_means_what_it_means_to_re(pattern: str, text: str) -> None:
    assert found(0, text, compile_patterns([pattern])) == expected(re.compile(pattern), text)


@pytest.mark.parametrize("pattern", ["a*?", "(a)(b)", r"(a)\1", "(?:a?)*", "(?i:a)", "(?<=a|^)b"])
def test_a_pattern_that_the_matcher_does_not_know_is_refused(pattern: str) -> None:
    with pytest.raises((ValueError, re.error)):
        compile_patterns([pattern])


def test_a_long_text_is_searched_to_its_end() -> None:
    assert found(0, "ab" * 3000 + "c", compile_patterns(["(?:a|b)*c"])) == (0, 6001, -1)
