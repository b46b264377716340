import numpy as np
import polars as pl
import pytest
from scipy import stats
from scipy.spatial.distance import jensenshannon

from matching.drift_statistics import distances, draw_windows, effect_size, holm, p_value, pairs, typical, unit_of

G = np.random.default_rng(3)
THEN, NOW = G.normal(size=300), np.concatenate([G.normal(0.4, 2, size=180), [np.nan] * 20])
BANDS_THEN = G.choice(["match", "review"], 300, p=[0.8, 0.2])
BANDS_NOW = G.choice(["match", "no_match", "review"], 200, p=[0.5, 0.2, 0.3])


def test_the_effect_of_numbers_is_the_wasserstein_distance_in_standard_deviations():
    expected = stats.wasserstein_distance(THEN, NOW[:180]) / THEN.std()
    assert effect_size(THEN, NOW) == pytest.approx(expected)


def test_the_effect_of_categories_is_the_jensen_shannon_distance():
    kinds = ["match", "no_match", "review"]
    shares = [[np.mean(part == kind) for kind in kinds] for part in (BANDS_THEN, BANDS_NOW)]
    assert effect_size(BANDS_THEN, BANDS_NOW) == pytest.approx(jensenshannon(*shares))


def test_a_weighting_is_the_same_as_repeating_rows():
    values = THEN[:5]
    ours, theirs = np.array([[1.0, 2, 0, 1, 1]]), np.array([[0.0, 1, 1, 1, 0]])
    repeated = [np.repeat(values, weights[0].astype(int)) for weights in (ours, theirs)]
    assert distances(values, ours, theirs, 1.0)[0] == pytest.approx(stats.wasserstein_distance(*repeated))


def test_drawn_windows_have_the_size_asked_for():
    assert draw_windows(np.random.default_rng(0), rows=30, size=12, windows=4).sum(axis=1).tolist() == [12.0] * 4


def test_numbers_are_tested_by_kolmogorov_and_smirnov_without_what_is_missing():
    assert p_value(THEN, NOW) == pytest.approx(stats.ks_2samp(THEN, NOW[:180], method="asymp").pvalue)


def test_categories_are_tested_as_two_samples():
    table = [[np.sum(part == kind) for kind in ("match", "no_match", "review")] for part in (BANDS_THEN, BANDS_NOW)]
    assert p_value(BANDS_THEN, BANDS_NOW) == pytest.approx(stats.chi2_contingency(table, correction=False).pvalue)


def test_one_category_everywhere_is_no_difference():
    alike = np.array(["match"] * 9)
    assert (p_value(alike, alike), effect_size(alike, alike)) == (1.0, 0.0)


def test_there_is_no_effect_where_there_are_no_values():
    assert np.isnan(effect_size(THEN, np.full(5, np.nan)))
    assert p_value(THEN, np.full(5, np.nan)) == 1.0


def test_the_unit_of_a_constant_column_is_not_zero():
    assert unit_of(np.ones(5)) > 0


def test_p_values_are_adjusted_step_by_step():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_typical_values_are_means_or_the_share_that_moved_most():
    assert typical(np.array([1.0, 2.0]), np.array([3.0, np.nan])) == ("mean 1.5", "mean 3")
    assert typical(np.array(["a", "b"]), np.array(["a", "c"])) in {("50.0% b", "0.0% b"), ("0.0% c", "50.0% c")}


def test_numbers_with_gaps_are_paired_with_where_the_gaps_are():
    reference = pl.DataFrame({"x": [1, 2], "y": [1.0, None]})
    found = pairs(reference, pl.DataFrame({"x": [1.5, 2.5], "y": [1.0, 2.0], "z": [0, 0]}))
    assert list(found) == ["x", "y", "y is missing"]
    assert [part.tolist() for part in found["y is missing"]] == [["present", "missing"], ["present", "present"]]
