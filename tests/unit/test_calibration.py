"""The map from margin to probability: strictly increasing, inside (0, 1), and believable."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matching.calibration import Calibration, brier_score, calibration_error


def sample(n: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Margins as float32 trees give them, and whether each candidate was right: log-odds at half the margin."""
    rng = np.random.default_rng(seed)
    margins = rng.normal(0, 4, n).astype(np.float32).astype(np.float64)
    return margins, rng.random(n) < 1 / (1 + np.exp(-margins / 2))


def test_distinct_margins_give_distinct_probabilities_in_the_same_order() -> None:
    margins, right = sample(20_000)
    ordered = np.unique(margins)
    assert (np.diff(Calibration.fit(margins, right).probability(ordered)) > 0).all()


def test_neighbouring_float32_margins_far_beyond_the_ends_stay_apart() -> None:
    calibration = Calibration.fit(*sample(2_000))
    far = np.float32(20.0)
    for margin, towards in ((far, np.float32(99)), (-far, np.float32(-99))):
        pair = np.array([margin, np.nextafter(margin, towards)], dtype=np.float64)
        low, high = np.sort(calibration.probability(pair))
        assert 0 < low < high < 1


def test_probabilities_are_believable_on_records_it_has_not_seen() -> None:
    calibration = Calibration.fit(*sample(20_000, seed=1))
    margins, right = sample(20_000, seed=2)
    assert calibration_error(calibration.probability(margins), right) < 0.02


def test_an_uncalibrated_probability_has_an_error_that_shows() -> None:
    margins, right = sample(20_000)
    assert calibration_error(1 / (1 + np.exp(-margins)), right) > 0.05


def test_blocks_are_replaced_by_their_centres() -> None:
    calibration = Calibration.fit([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [0, 0, 1, 0, 1, 1])
    # Pools: 1 and 2 with the half right one, 3 and 4, 5 and 6 with the half wrong one.
    assert calibration.margin == pytest.approx((3.5 / 2.5, 3.5, 14 / 2.5))
    assert calibration.value == pytest.approx((0.5 / 2.5, 0.5, 2 / 2.5))


def test_without_labels_it_is_the_logistic_function_of_the_margin() -> None:
    assert Calibration.fit([], []).probability([0.0, 2.0]) == pytest.approx([0.5, 1 / (1 + np.exp(-2))])


@pytest.mark.parametrize(("right", "expected"), [(True, 0.75), (False, 0.25)])
def test_one_label_moves_the_probability_half_way(right: bool, expected: float) -> None:
    assert Calibration.fit([3.0], [right]).probability([3.0]) == pytest.approx([expected])


def test_labels_that_are_all_right_never_give_certainty() -> None:
    calibration = Calibration.fit(np.arange(10.0), np.ones(10))
    assert calibration.value == pytest.approx((10.5 / 11,))
    assert calibration.probability([9.0])[0] < 1


def test_labels_that_are_all_wrong_never_give_impossibility() -> None:
    assert Calibration.fit(np.arange(10.0), np.zeros(10)).value == pytest.approx((0.5 / 11,))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.floats(-12, 12, width=16), st.booleans()), max_size=60))
def test_any_labels_give_an_increasing_map_inside_zero_and_one(labels: list[tuple[float, bool]]) -> None:
    calibration = Calibration.fit([m for m, _ in labels], [r for _, r in labels])
    probability = calibration.probability(np.arange(-15.0, 15.0, 0.125))
    assert (np.diff(probability) > 0).all()
    assert 0 < probability[0] < probability[-1] < 1


def test_it_survives_json_bit_by_bit() -> None:
    margins, right = sample(3_000)
    calibration = Calibration.fit(margins, right)
    again = Calibration.from_json(json.loads(json.dumps(calibration.to_json())))
    assert again == calibration
    assert (again.probability(margins) == calibration.probability(margins)).all()


def test_a_record_without_a_candidate_has_no_probability() -> None:
    assert np.isnan(Calibration.fit(*sample(100)).probability([np.nan]))[0]


def test_the_order_of_labels_does_not_matter() -> None:
    margins, right = sample(500)
    assert Calibration.fit(margins, right) == Calibration.fit(margins[::-1], right[::-1])


def test_margins_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match="not finite"):
        Calibration.fit([0.0, np.nan], [1, 0])


def test_margins_and_labels_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match="one length"):
        Calibration.fit([0.0, 1.0], [1])


def test_calibration_error_and_brier_score_are_those_worked_out_by_hand() -> None:
    # bins {.9 x3: 2/3 right, .5: wrong, .1 x2: wrong}
    p, y = [0.9, 0.9, 0.5, 0.1, 0.9, 0.1], [1, 1, 0, 0, 0, 0]
    assert calibration_error(p, y) == pytest.approx(3 / 6 * abs(0.9 - 2 / 3) + 1 / 6 * 0.5 + 2 / 6 * 0.1)
    assert brier_score(p, y) == pytest.approx((0.01 + 0.01 + 0.81 + 0.25 + 0.01 + 0.01) / 6)


def test_figures_of_no_records_are_none() -> None:
    assert calibration_error([], []) is None
    assert brier_score([], []) is None
