"""Exact binomial statements, against figures from the literature and against brute force."""

import math

import pytest

from matching.intervals import at_least, clopper_pearson, precision_p_value, trials_needed


def test_the_interval_of_five_in_ten_is_the_published_one() -> None:
    assert clopper_pearson(5, 10) == pytest.approx((0.1871, 0.8129), abs=5e-5)


def test_the_interval_of_all_right_ends_at_one_and_begins_at_the_rule_of_three() -> None:
    assert clopper_pearson(100, 100) == pytest.approx((0.025 ** (1 / 100), 1.0))


def test_nothing_observed_says_nothing() -> None:
    assert clopper_pearson(0, 0) == (0.0, 1.0)


def test_more_successes_than_trials_are_refused() -> None:
    with pytest.raises(ValueError, match="3 successes of 2 trials"):
        clopper_pearson(3, 2)


def test_the_p_value_is_the_binomial_tail() -> None:
    tail = sum(math.comb(300, k) * 0.01**k * 0.99 ** (300 - k) for k in range(3))
    assert precision_p_value([2], [300], 0.99) == pytest.approx([tail])


def test_without_an_error_299_trials_show_99_percent() -> None:
    assert trials_needed(0, 0.99, 0.95) == math.ceil(math.log(0.05) / math.log(0.99)) == 299


@pytest.mark.parametrize("errors", [0, 1, 7])
def test_one_trial_fewer_than_needed_is_too_few(errors: int) -> None:
    needed = trials_needed(errors, 0.99, 0.95)
    enough, too_few = precision_p_value([errors, errors], [needed, needed - 1], 0.99)
    assert enough <= 0.05 < too_few


def test_percentages_keep_their_digits_and_no_more() -> None:
    assert (at_least(0.99), at_least(0.995), at_least(0.9)) == ("99 %", "99.5 %", "90 %")
