"""From margins to the best candidate and the runner-up, and what bars a record from being matched."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matching.decision import LEAST_LEAD, in_order, is_ambiguous, is_unreadable, rank
from matching.vocabulary import NameTable

# Record 0 has pairs 0 to 2, record 1 none, record 2 pair 3.
OWNER = np.array([0, 0, 0, 2], np.int32)
MARGINS = np.array([1.0, 3.0, 2.0, -4.0])


def test_the_best_pair_and_the_runner_up_are_those_of_the_highest_margins() -> None:
    ranked = rank(OWNER, MARGINS, 3)
    assert (ranked.best.tolist(), ranked.runner_up.tolist()) == ([1, -1, 3], [2, -1, -1])


def test_a_pair_that_is_not_there_has_no_margin() -> None:
    ranked = rank(OWNER, MARGINS, 3)
    np.testing.assert_array_equal(ranked.margin, [3.0, np.nan, -4.0])
    np.testing.assert_array_equal(ranked.runner_up_margin, [2.0, np.nan, np.nan])


def test_candidates_are_numbered_from_one_within_their_record() -> None:
    order, place = in_order(OWNER, MARGINS)
    assert (order.tolist(), place.tolist()) == ([1, 2, 0, 3], [1, 2, 3, 1])


def test_equal_margins_keep_the_order_of_retrieval() -> None:
    owner, margins = np.zeros(3, np.int32), np.array([1.0, 2.0, 2.0])
    ranked = rank(owner, margins, 1)
    assert in_order(owner, margins)[0].tolist() == [1, 2, 0]
    assert (ranked.best.tolist(), ranked.runner_up.tolist()) == ([1], [2])


@given(st.lists(st.lists(st.integers(-3, 3), max_size=5), max_size=6))
def test_the_two_best_are_the_first_two_in_order(margins: list[list[int]]) -> None:
    owner = np.repeat(np.arange(len(margins), dtype=np.int32), [len(m) for m in margins])
    flat = np.array([m for one in margins for m in one], np.float64)
    ranked, (order, place) = rank(owner, flat, len(margins)), in_order(owner, flat)
    for nth, found in ((1, ranked.best), (2, ranked.runner_up)):
        expected = dict(zip(owner[order[place == nth]].tolist(), order[place == nth].tolist(), strict=True))
        assert found.tolist() == [expected.get(i, -1) for i in range(len(margins))]


@pytest.mark.parametrize("records", [0, 3])
def test_records_without_any_candidate_are_ranked(records: int) -> None:
    ranked = rank(np.zeros(0, np.int32), np.zeros(0), records)
    assert ranked.best.tolist() == [-1] * records
    assert not is_ambiguous(ranked).any()


@pytest.mark.parametrize(("lead", "ambiguous"), [(0.0, True), (LEAST_LEAD / 2, True), (LEAST_LEAD * 2, False)])
def test_two_candidates_are_ambiguous_when_no_lead_could_be_explained(lead: float, ambiguous: bool) -> None:
    ranked = rank(np.zeros(2, np.int32), np.array([1.0, 1.0 + lead]), 1)
    assert is_ambiguous(ranked).tolist() == [ambiguous]


def test_a_single_candidate_is_not_ambiguous() -> None:
    assert not is_ambiguous(rank(np.zeros(1, np.int32), np.zeros(1), 1)).any()


@pytest.mark.parametrize(
    "name", [None, "", "\U0001f600", "\u0410pple Inc", "IBM\u200b Corp", " ".join(f"w{i}" for i in range(17))]
)
def test_a_name_that_cannot_be_compared_safely_is_unreadable(name: str | None) -> None:
    assert is_unreadable(NameTable.of([name])).tolist() == [True]


@pytest.mark.parametrize(
    "name", ["Apple Inc", "\u0420\u043e\u0441\u0441\u0438\u044f", "INTERNATIONAL BUSINESS MACHINES"]
)
def test_another_script_and_a_cut_name_are_readable(name: str) -> None:
    assert is_unreadable(NameTable.of([name])).tolist() == [False]
