"""Groups of contributions, which of them are told, and that the sum of what is told is the whole."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from matching.explanation import GROUP_OF_FEATURE, GROUPS, MOST_SUPPORTING, Told, contrast, tell
from matching.features import FEATURES

ROWS = arrays(np.float64, st.tuples(st.integers(1, 4), st.just(len(GROUPS))), elements=st.floats(-5, 5))


def row(**contributions: float) -> np.ndarray:
    return np.array([[contributions.get(g, 0.0) for g in GROUPS]])


def named(told: Told, row: int = 0) -> list[tuple[str, float]]:
    """What is told of one row, by the names of the groups."""
    names = [*GROUPS, "residual"]
    mine = told.row == row
    return [(names[g], c) for g, c in zip(told.group[mine].tolist(), told.contribution[mine].tolist(), strict=True)]


def told(grouped: np.ndarray) -> list[tuple[str, float]]:
    return named(tell(grouped))


def test_every_feature_counts_in_its_own_group() -> None:
    assert [GROUPS[g] for g in GROUP_OF_FEATURE] == [f.reason_group for f in FEATURES]


def test_the_groups_of_a_real_decision_and_the_base_sum_to_its_margin(small_scorer, small_frames) -> None:
    from matching.features import FEATURE_NAMES, pair_features, retrieve

    records = small_frames.records.head(20)
    pairs = pair_features(small_scorer.index, records, retrieve(small_scorer.index, records, 5))
    matrix = pairs.select(FEATURE_NAMES).to_numpy()
    total = small_scorer.ranker.contributions(matrix, GROUP_OF_FEATURE).sum(axis=1)
    np.testing.assert_allclose(total, small_scorer.ranker.margins(matrix), atol=1e-4)


def test_the_strongest_support_comes_first_then_the_strongest_against_then_the_rest() -> None:
    grouped = row(numbers=0.5, meaning=2.0, alias=-0.5, lead=-1.0, spelling=1.0)
    assert told(grouped) == [("meaning", 2.0), ("spelling", 1.0), ("numbers", 0.5), ("lead", -1.0), ("residual", -0.5)]


def test_at_most_four_groups_support() -> None:
    grouped = np.arange(1.0, len(GROUPS) + 1)[None]
    assert [g for g, _ in told(grouped)] == [*reversed(GROUPS[-MOST_SUPPORTING:]), "residual"]


def test_without_anything_against_nothing_is_told_against() -> None:
    assert told(row(meaning=1.0)) == [("meaning", 1.0), ("residual", 0.0)]


def test_a_decision_with_everything_against_it_tells_the_strongest() -> None:
    assert told(row(meaning=-1.0, lead=-2.0)) == [("lead", -2.0), ("residual", -1.0)]


@given(ROWS)
def test_what_is_told_sums_to_the_whole(grouped: np.ndarray) -> None:
    everything = tell(grouped)
    assert everything.row.tolist() == sorted(everything.row)
    for number, groups in enumerate(grouped):
        reasons = named(everything, number)
        assert sum(c for _, c in reasons) == pytest.approx(groups.sum(), abs=1e-9)
        assert len({g for g, _ in reasons}) == len(reasons)
        assert sum(c > 0 for _, c in reasons[:-1]) <= MOST_SUPPORTING
        assert sum(c < 0 for _, c in reasons[:-1]) <= 1


def test_the_contrast_is_the_largest_differences_to_the_runner_up() -> None:
    found = contrast(row(meaning=2.0, lead=1.0, alias=0.3), row(meaning=2.0, lead=-1.0, numbers=0.5))
    assert named(found) == [("lead", 2.0), ("numbers", -0.5)]


def test_there_is_no_contrast_to_oneself() -> None:
    assert named(contrast(row(meaning=2.0), row(meaning=2.0))) == []
