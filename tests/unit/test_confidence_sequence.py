import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matching.confidence_sequence import confidence_sequence, log_capital
from matching.intervals import clopper_pearson

COUNTS = st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(COUNTS)
def test_the_share_that_was_seen_is_always_inside(counts):
    low, high = confidence_sequence(*counts, level=0.98)
    assert 0 <= low <= counts[0] / counts[1] <= high <= 1


@given(COUNTS)
def test_it_is_wider_than_an_interval_that_is_looked_at_once(counts):
    low, high = confidence_sequence(*counts, level=0.9)
    exact = clopper_pearson(*counts, level=0.9)
    assert low <= exact[0] + 1e-9
    assert high >= exact[1] - 1e-9


@given(COUNTS, st.floats(0.01, 0.99))
def test_what_lies_above_the_sequence_is_refuted_and_what_lies_inside_is_not(counts, share):
    low, high = confidence_sequence(*counts, level=0.98)
    limit = math.log(100)
    if high < share:
        assert log_capital(*counts, share) >= limit - 1e-6
    if low < share < high:
        assert log_capital(*counts, share) <= limit + 1e-6


def test_without_outcomes_nothing_is_known():
    assert confidence_sequence(0, 0) == (0.0, 1.0)


def test_impossible_counts_are_refused():
    with pytest.raises(ValueError, match="6 right of 5"):
        confidence_sequence(6, 5)


def test_the_capital_is_a_martingale_under_the_share_that_is_bet_against():
    """After any past, what the bettor has is what he can expect to have after the next outcome."""
    right, trials = np.array([0, 3, 40, 990]), np.array([1, 5, 41, 1000])
    for share in (0.5, 0.9, 0.99):
        now = np.exp(log_capital(right, trials, share))
        up, down = (np.exp(log_capital(right + more, trials + 1, share)) for more in (1, 0))
        assert np.allclose(share * up + (1 - share) * down, now, rtol=1e-9)


def test_whoever_looks_after_every_outcome_is_misled_no_more_often_than_promised():
    """2,000 outcomes each, all of them looked at: the truth is outside at any time in at most 2 of 100 sequences."""
    g = np.random.default_rng(7)
    truth, limit = 0.99, math.log(100)
    trials = np.arange(1, 2001)
    right = np.cumsum(g.random((300, 2000)) < truth, axis=1)
    below = (log_capital(right, trials, truth) >= limit).any(axis=1)
    above = (log_capital(trials - right, trials, 1 - truth) >= limit).any(axis=1)
    assert (below | above).mean() <= 0.02
    daily = np.array([[clopper_pearson(int(r[n - 1]), n, 0.98)[1] < truth for n in range(50, 2001, 50)] for r in right])
    assert daily.any(axis=1).mean() > 0.02


def test_a_precision_that_fell_is_seen_within_two_hundred_audits():
    assert confidence_sequence(185, 200, level=0.98)[1] < 0.99
