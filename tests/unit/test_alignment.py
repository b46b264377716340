"""Which word stands for which, and how."""

import ast
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import matching
from matching.alignment import KINDS, abbreviates, align, edit_similarity, word_similarity
from matching.names import MAX_TOKENS
from matching.vocabulary import NameTable, known_as

WORD = st.text("abc", min_size=1, max_size=7)
NAME = st.lists(st.sampled_from(["ab", "abc", "abcd", "abcde", "bcd", "c", "7", "70"]), max_size=6).map(" ".join)


def letters(word: str) -> np.ndarray:
    return np.frombuffer(word.encode(), np.uint8)


def scratch() -> np.ndarray:
    return np.zeros(256, np.uint64)


def aligned(record: str, reference: str) -> tuple[list[tuple[int, str, float]], list[tuple[int, str, float]]]:
    """(partner, kind, similarity) of each word of the record, and of the reference."""
    left, right = NameTable.of([record]), NameTable.of([reference])
    known = known_as(left.vocabulary, right.vocabulary)
    match, kind, near = (np.zeros((2, MAX_TOKENS), t) for t in (np.int32, np.int32, np.float32))
    align(
        left.tokens, left.vocabulary.chars, left.vocabulary.starts, known,
        right.tokens, right.vocabulary.chars, right.vocabulary.starts,
        match[0], kind[0], near[0], match[1], kind[1], near[1],
        scratch(), np.empty((MAX_TOKENS, MAX_TOKENS), np.float32),
    )  # fmt: skip
    sides = [(side, len(t.tokens)) for side, t in enumerate((left, right))]
    ours, theirs = (
        [(int(match[s][i]), KINDS[kind[s][i]], float(near[s][i])) for i in range(size)] for s, size in sides
    )
    return ours, theirs


def kinds(record: str, reference: str) -> list[str]:
    return [kind for _, kind, _ in aligned(record, reference)[0]]


# One word


def optimal_string_alignment(a: str, b: str) -> int:
    """The textbook recursion, as an oracle."""
    d = {(i, 0): i for i in range(len(a) + 1)} | {(0, j): j for j in range(len(b) + 1)}
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            d[i, j] = min(d[i - 1, j] + 1, d[i, j - 1] + 1, d[i - 1, j - 1] + (a[i - 1] != b[j - 1]))
            if i > 1 and j > 1 and a[i - 1] == b[j - 2] and a[i - 2] == b[j - 1]:
                d[i, j] = min(d[i, j], d[i - 2, j - 2] + 1)
    return d[len(a), len(b)]


@given(WORD, WORD)
def test_edit_similarity_is_optimal_string_alignment(a: str, b: str) -> None:
    expected = 1 - optimal_string_alignment(a, b) / max(len(a), len(b))
    assert edit_similarity(letters(a), letters(b), scratch()) == pytest.approx(expected)


def test_words_beyond_the_scratch_are_compared_by_their_beginning() -> None:
    assert edit_similarity(letters("x" * 50), letters("x" * 60), scratch()) == 1.0


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("therapeu", "therapeutics"),
        ("mgmt", "management"),
        ("bncrp", "bancorp"),
        ("svcs", "services"),
        ("hl", "health"),
    ],
)
def test_an_abbreviation_is_a_beginning_or_letters_in_order(short: str, long: str) -> None:
    assert (abbreviates(letters(short), letters(long)) > 0) == (short != "hl")


@pytest.mark.parametrize(
    ("short", "long"), [("anagement", "management"), ("tnemegam", "management"), ("bank", "bank"), ("a", "apple")]
)
def test_other_letters_are_no_abbreviation(short: str, long: str) -> None:
    assert abbreviates(letters(short), letters(long)) == 0.0


def test_a_longer_abbreviation_is_a_better_one() -> None:
    assert abbreviates(letters("therapeu"), letters("therapeutics")) > abbreviates(
        letters("ther"), letters("therapeutics")
    )


def test_near_numbers_are_other_numbers() -> None:
    assert word_similarity(letters("2020"), letters("2021"), scratch()) == (0.0, 0)


# Two names


@pytest.mark.parametrize(
    ("record", "reference", "expected"),
    [
        ("zenith copper", "copper zenith", ["exact", "exact"]),
        ("zenith therapeu", "zenith therapeutics", ["exact", "abbreviation"]),
        ("zenyth copper", "zenith copper", ["spelling", "exact"]),
        ("northwest air", "north west air", ["joined", "exact"]),
        ("north west air", "northwest air", ["joined", "joined", "exact"]),
        ("ibm", "international business machines", ["initials"]),
        ("zenith", "northolt", ["none"]),
        ("fund 2", "fund 3", ["exact", "none"]),
    ],
)
def test_each_word_is_explained_in_its_way(record: str, reference: str, expected: list[str]) -> None:
    assert kinds(record, reference) == expected


@pytest.mark.parametrize(
    ("record", "reference", "expected"),
    [
        ("zenith eu pa", "zenith europacific partners", ["exact", "abbreviation", "abbreviation"]),
        ("zenith h", "zenith hotels", ["exact", "abbreviation"]),
        ("zenith bancorp nc", "zenith bancorp north carolina", ["exact", "exact", "initials"]),
        ("pa zenith", "partners zenith", ["none", "exact"]),
        ("zenith pa", "zenith europacific partners", ["exact", "none"]),
        ("zenith 3", "zenith 3m", ["exact", "none"]),
    ],
)
def test_two_letters_are_an_abbreviation_only_in_their_place(record: str, reference: str, expected: list[str]) -> None:
    assert kinds(record, reference) == expected


def test_a_record_abbreviates_a_reference_rather_than_the_other_way_round() -> None:
    (_, _, shortened), (_, _, lengthened) = (
        aligned(*names)[0][0] for names in (("rumble", "rumbleon"), ("rumbleon", "rumble"))
    )
    assert lengthened < shortened


def test_a_word_stands_for_one_word_only() -> None:
    assert kinds("zenith zenith", "zenith copper") == ["exact", "none"]


def test_the_better_partner_is_taken() -> None:
    ours, _ = aligned("therapeu", "therapy therapeutics")
    assert ours[0][0] == 1


def test_a_word_that_is_joined_lets_its_former_partner_go() -> None:
    ours, theirs = aligned("northwest", "north west northwist")
    assert ours[0][:2] == (0, "joined")
    assert [partner for partner, _, _ in theirs] == [0, 0, -1]


def test_names_of_the_greatest_length_are_aligned() -> None:
    name = " ".join(f"word{chr(97 + i)}" for i in range(MAX_TOKENS))
    assert kinds(name, name) == ["exact"] * MAX_TOKENS


@pytest.mark.parametrize(("record", "reference"), [("", "zenith"), ("zenith", ""), ("", "")])
def test_a_name_without_words_has_no_partner(record: str, reference: str) -> None:
    ours, theirs = aligned(record, reference)
    assert {kind for _, kind, _ in ours + theirs} <= {"none"}


@given(NAME, NAME)
def test_partners_point_at_each_other_and_similarities_are_shares(record: str, reference: str) -> None:
    ours, theirs = aligned(record, reference)
    for side, other in ((ours, theirs), (theirs, ours)):
        for i, (partner, kind, similarity) in enumerate(side):
            assert (partner < 0) == (kind == "none") == (similarity == 0.0)
            assert 0.0 <= similarity <= 1.0
            if partner >= 0:  # of several words that are one, each points at it, and it at the first
                back = other[partner][0]
                assert back == i or side[back][0] == partner


def test_compiled_code_takes_nothing_from_another_file() -> None:
    """Or it would stay as it was compiled when the other file changes: the cache looks at its own file only."""
    for path in Path(matching.__path__[0]).rglob("*.py"):
        tree = ast.parse(path.read_text())
        imported = [n.module or "" for n in tree.body if isinstance(n, ast.ImportFrom)]
        if any(isinstance(n, ast.Import) and n.names[0].name == "numba" for n in tree.body):
            assert not [name for name in imported if name.startswith("matching")], path


@given(NAME)
def test_a_name_agrees_with_itself(name: str) -> None:
    assert set(kinds(name, name)) <= {"exact"}
