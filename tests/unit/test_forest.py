"""The compiled forest: its oracles are XGBoost itself and Shapley's definition."""

import itertools
import json
import math
from typing import Any

import numpy as np
import pytest

from matching.features import FEATURE_NAMES, FEATURES, pair_features, retrieve
from matching.forest import DEEPEST, Forest
from matching.forest_kernels import BLOCK
from matching.ranker import EACH_BY_ITSELF

FEW = 5


def booster(model: bytes) -> Any:
    import xgboost

    loaded = xgboost.Booster(params={"nthread": 1})
    loaded.load_model(bytearray(model))
    return loaded


def trained(depth: int, trees: int = 6, features: int = FEW, base_score: float = 0.5, seed: int = 7) -> bytes:
    """A small forest on few features, so that each comes again on most paths; some values are missing."""
    import xgboost

    dice = np.random.default_rng(seed)
    pairs = made(400, features, seed)
    right = np.nansum(pairs, axis=1) + dice.normal(size=len(pairs)) > features
    parameters = {
        "objective": "binary:logistic", "tree_method": "hist", "max_depth": depth, "eta": 0.5, "seed": 7,
        "nthread": 1, "base_score": base_score, "min_child_weight": 0.1,
    }  # fmt: skip
    model = xgboost.train(parameters, xgboost.DMatrix(pairs, label=right), num_boost_round=trees)
    return bytes(model.save_raw("ubj"))


def made(n: int, features: int = FEW, seed: int = 8) -> np.ndarray:
    """Pairs whose values stand on the thresholds as often as beside them, one in five missing."""
    dice = np.random.default_rng(seed)
    pairs = dice.integers(0, 8, (n, features)).astype(np.float32) / 4
    pairs[dice.random(pairs.shape) < 0.2] = np.nan
    return pairs


@pytest.fixture(scope="module")
def real_pairs(small_scorer, small_frames) -> np.ndarray:
    records = small_frames.records.head(30)
    pairs = pair_features(small_scorer.index, records, retrieve(small_scorer.index, records, 5))
    return pairs.select(FEATURE_NAMES).to_numpy()


@pytest.fixture(scope="module")
def torn_pairs(real_pairs) -> np.ndarray:
    """The real pairs with one value in four missing."""
    return np.where(np.random.default_rng(7).random(real_pairs.shape) < 0.25, np.float32(np.nan), real_pairs)


# Margins


@pytest.mark.parametrize("depth", range(1, DEEPEST + 1))
def test_margins_are_those_of_xgboost_to_the_last_bit(depth: int) -> None:
    model, pairs = trained(depth), made(3 * BLOCK + 1)
    expected = booster(model).inplace_predict(pairs, predict_type="margin")
    assert Forest.of(model).margins(pairs).tolist() == expected.tolist()


def test_so_are_those_of_real_pairs_with_and_without_missing_values(small_scorer, real_pairs, torn_pairs) -> None:
    ranker = small_scorer.ranker
    for pairs in (real_pairs, torn_pairs):
        expected = booster(ranker.model).inplace_predict(pairs, predict_type="margin")
        assert ranker.margins(pairs).tolist() == expected.tolist()


def test_the_base_counts() -> None:
    model, pairs = trained(3, base_score=0.2), made(9)
    expected = booster(model).inplace_predict(pairs, predict_type="margin")
    assert Forest.of(model).margins(pairs).tolist() == expected.tolist()


def test_a_forest_that_asks_nothing_gives_its_base_and_its_leaves() -> None:
    import xgboost

    known = xgboost.DMatrix(np.ones((4, FEW), np.float32), label=[1, 1, 0, 1])
    model = xgboost.train({"objective": "binary:logistic", "base_score": 0.5}, known, num_boost_round=2)
    forest = Forest.of(bytes(model.save_raw("ubj")))
    expected = model.inplace_predict(made(2), predict_type="margin")
    assert forest.margins(made(2)).tolist() == expected.tolist()
    assert not forest.contributions(made(2), np.arange(FEW))[:, :-1].any()


def test_a_pair_has_the_same_numbers_alone_and_in_any_place_of_a_batch(small_scorer, torn_pairs) -> None:
    forest = small_scorer.ranker.forest
    margins, shares = forest.margins(torn_pairs), forest.contributions(torn_pairs, EACH_BY_ITSELF)
    for i in (0, 1, BLOCK - 1, BLOCK, BLOCK + 1, len(torn_pairs) - 1):
        one = torn_pairs[i : i + 1]
        assert forest.margins(one).tobytes() == margins[i].tobytes()
        assert forest.contributions(one, EACH_BY_ITSELF).tobytes() == shares[i].tobytes()


# Contributions


def test_contributions_are_those_of_xgboost_on_real_pairs(small_scorer, real_pairs, torn_pairs) -> None:
    import xgboost

    ranker = small_scorer.ranker
    for pairs in (real_pairs, torn_pairs):
        known = xgboost.DMatrix(pairs, feature_names=list(FEATURE_NAMES))
        expected = booster(ranker.model).predict(known, pred_contribs=True)
        np.testing.assert_allclose(ranker.contributions(pairs), expected, atol=1e-4)


@pytest.mark.parametrize("depth", range(1, DEEPEST + 1))
def test_contributions_are_those_of_xgboost_where_features_come_again(depth: int) -> None:
    import xgboost

    model, pairs = trained(depth), made(50)
    expected = booster(model).predict(xgboost.DMatrix(pairs), pred_contribs=True)
    np.testing.assert_allclose(Forest.of(model).contributions(pairs, np.arange(FEW)), expected, atol=1e-4)


def expected_value(node: dict[str, Any], x: dict[str, float], known: frozenset[str]) -> float:
    """What a tree gives on average when only the `known` features of a pair are: both ways, by cover, at the others."""
    if "leaf" in node:
        return float(node["leaf"])
    children = {child["nodeid"]: child for child in node["children"]}
    if node["split"] in known:
        value = x[node["split"]]
        way = "missing" if math.isnan(value) else "yes" if value < node["split_condition"] else "no"
        return expected_value(children[node[way]], x, known)
    total = sum(child["cover"] for child in children.values())
    return sum(child["cover"] / total * expected_value(child, x, known) for child in children.values())


def shapley_values(model: bytes, pair: np.ndarray) -> np.ndarray:
    """Shapley's formula over all subsets of features; the value of no feature in the last place."""
    trees = [json.loads(tree) for tree in booster(model).get_dump(dump_format="json", with_stats=True)]
    names = [f"f{i}" for i in range(FEW)]
    x = dict(zip(names, pair.tolist(), strict=True))
    value = {
        subset: sum(expected_value(tree, x, subset) for tree in trees)
        for size in range(FEW + 1)
        for subset in map(frozenset, itertools.combinations(names, size))
    }
    out = np.zeros(FEW + 1)
    for i, name in enumerate(names):
        for subset in (s for s in value if name not in s):
            weight = math.factorial(len(subset)) * math.factorial(FEW - len(subset) - 1) / math.factorial(FEW)
            out[i] += weight * (value[subset | {name}] - value[subset])
    out[-1] = value[frozenset()]
    return out


@pytest.mark.parametrize("depth", [1, 3, 4])
def test_contributions_are_the_shapley_values_of_the_definition(depth: int) -> None:
    model, pairs = trained(depth), made(12, seed=9)
    brute = np.array([shapley_values(model, pair) for pair in pairs])
    assert np.isnan(pairs).any()
    assert (np.abs(brute[:, :-1]).max(axis=0) > 0.01).sum() >= min(depth + 1, 4)  # several features have a say
    np.testing.assert_allclose(Forest.of(model).contributions(pairs, np.arange(FEW)), brute, atol=1e-5)


def test_contributions_may_be_summed_by_group(small_scorer, real_pairs) -> None:
    forest, group = small_scorer.ranker.forest, np.arange(len(FEATURES)) % 3
    each, grouped = forest.contributions(real_pairs, EACH_BY_ITSELF), forest.contributions(real_pairs, group)
    expected = np.stack([each[:, :-1][:, group == g].sum(axis=1) for g in range(3)], axis=1)
    np.testing.assert_allclose(grouped[:, :-1], expected, atol=1e-12)
    assert grouped[:, -1].tolist() == each[:, -1].tolist()


# What is refused


def test_a_forest_that_is_too_deep_is_refused() -> None:
    with pytest.raises(ValueError, match="levels deep"):
        Forest.of(trained(DEEPEST + 1))


@pytest.mark.parametrize("shape", [(3, FEW - 1), (3, FEW + 1), (FEW,)])
def test_pairs_of_another_width_are_refused(shape: tuple[int, ...]) -> None:
    forest, pairs = Forest.of(trained(2)), np.zeros(shape, np.float32)
    with pytest.raises(ValueError, match=r"must be \[n, 5\]"):
        forest.margins(pairs)
    with pytest.raises(ValueError, match=r"must be \[n, 5\]"):
        forest.contributions(pairs, np.arange(FEW))
