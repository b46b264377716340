"""The ranker: what it may learn from, which way it may turn, and contributions that sum to its margins."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from matching.features import FEATURE_NAMES, FEATURES, pair_features, retrieve
from matching.files import write_json
from matching.priors import Priors
from matching.ranker import Ranker, RankerConfig, cross_fitted_margins

SMALL = RankerConfig(trees=5, depth=4, min_child_weight=0.1, threads=1)
INFORMATIVE = ("record_cover", "record_words", "lexical", "legal_form", "rivals")


def made_pairs(n: int = 200, seed: int = 7) -> tuple[np.ndarray, np.ndarray]:
    """Pairs with five columns that say something, in quarters so that no split is a matter of rounding."""
    dice = np.random.default_rng(seed)
    pairs = np.zeros((n, len(FEATURES)), np.float32)
    columns = [FEATURE_NAMES.index(name) for name in INFORMATIVE]
    pairs[:, columns] = dice.integers(0, 8, (n, len(columns))) / 4
    cover, words, lexical, form, rivals = pairs[:, columns].T
    right = cover + lexical * (words > 0.7) - rivals / 2 + (form > 1) * 0.3 > 1
    return pairs, right ^ (dice.random(n) < 0.1)


@pytest.fixture(scope="module")
def ranker() -> Ranker:
    return Ranker.fit(*made_pairs(), SMALL)


@pytest.fixture(scope="module")
def real_pairs(small_scorer, small_frames) -> np.ndarray:
    records = small_frames.records.head(30)
    pairs = pair_features(small_scorer.index, records, retrieve(small_scorer.index, records, 5))
    return pairs.select(FEATURE_NAMES).to_numpy()


# Learning


def test_the_same_pairs_give_the_same_model(ranker: Ranker) -> None:
    assert Ranker.fit(*made_pairs(), SMALL).model == ranker.model


def test_right_pairs_get_higher_margins_than_wrong_ones(ranker: Ranker) -> None:
    pairs, right = made_pairs(seed=8)
    margins = ranker.margins(pairs)
    assert margins[right].mean() > margins[~right].mean() + 0.5


@pytest.mark.parametrize("feature", [f for f in FEATURES if f.monotone], ids=lambda f: f.name)
def test_a_feature_only_speaks_for_or_against_a_real_pair_where_that_is_declared(
    feature, small_scorer, real_pairs
) -> None:
    column = FEATURE_NAMES.index(feature.name)
    low, high = real_pairs[:, column].min() - 1, real_pairs[:, column].max() + 1
    changed = np.repeat(real_pairs[None], 9, axis=0)
    changed[:, :, column] = np.linspace(low, high, 9)[:, None]
    margins = small_scorer.ranker.margins(changed.reshape(-1, len(FEATURES))).reshape(9, -1)
    assert (np.diff(margins, axis=0) * feature.monotone >= 0).all()


def test_some_features_of_the_real_ranker_turn_it(small_scorer, real_pairs) -> None:
    turned = []
    for column, feature in enumerate(FEATURES):
        changed = real_pairs.copy()
        changed[:, column] = 0
        if (small_scorer.ranker.margins(changed) != small_scorer.ranker.margins(real_pairs)).any():
            turned.append(feature.name)
    assert len(turned) >= 3


# Cross-fitting: 40 entities of five pairs each


ENTITY = np.repeat(np.arange(40), 5)
FOLD = ENTITY % 4
ALL = np.ones(200, np.bool_)


def moved_by_own_labels(fold: np.ndarray) -> bool:
    """Whether the margins of entity 0 change when its own labels are turned round."""
    pairs, right = made_pairs()
    own = ENTITY == 0
    before = cross_fitted_margins(pairs, right, fold, ALL, SMALL)[own]
    after = cross_fitted_margins(pairs, right ^ own, fold, ALL, SMALL)[own]
    return bool((before != after).any())


def test_the_margins_of_an_entity_do_not_depend_on_its_own_labels() -> None:
    assert not moved_by_own_labels(FOLD)


def test_they_would_if_pairs_were_split_and_not_entities() -> None:
    assert moved_by_own_labels(np.arange(200) % 4)


def test_a_fold_is_scored_by_the_ranker_of_all_others() -> None:
    pairs, right = made_pairs()
    expected = Ranker.fit(pairs[FOLD != 2], right[FOLD != 2], SMALL).margins(pairs[FOLD == 2])
    assert cross_fitted_margins(pairs, right, FOLD, ALL, SMALL)[FOLD == 2].tolist() == expected.tolist()


def test_nothing_is_learnt_from_pairs_that_are_not_taught() -> None:
    pairs, right = made_pairs()
    taught = np.arange(200) % 5 < 3
    turned = np.where(taught, right, ~right)
    before, after = (cross_fitted_margins(pairs, r, FOLD, taught, SMALL) for r in (right, turned))
    assert (before == after).all()


def test_one_fold_is_too_few() -> None:
    with pytest.raises(ValueError, match="at least two folds"):
        cross_fitted_margins(*made_pairs(), np.zeros(200, np.int64), ALL, SMALL)


def test_progress_goes_up_to_the_whole() -> None:
    shares: list[float] = []
    cross_fitted_margins(*made_pairs(), FOLD, ALL, SMALL, shares.append)
    assert shares == [0.25, 0.5, 0.75, 1.0]


# Contributions


def test_contributions_and_the_base_sum_to_the_margin(small_scorer, real_pairs) -> None:
    total = small_scorer.ranker.contributions(real_pairs).sum(axis=1)
    np.testing.assert_allclose(total, small_scorer.ranker.margins(real_pairs), atol=1e-5)


def test_no_pairs_have_no_margins_and_no_contributions(ranker: Ranker) -> None:
    none = np.zeros((0, len(FEATURES)), np.float32)
    assert (ranker.margins(none).shape, ranker.contributions(none).shape) == ((0,), (0, len(FEATURES) + 1))


# On disk


def test_a_loaded_ranker_gives_the_same_margins(ranker: Ranker, tmp_path: Path) -> None:
    Ranker(ranker.config, ranker.model, Priors({"country": {"de": -0.5}})).save(tmp_path)
    loaded, (pairs, _) = Ranker.load(tmp_path), made_pairs(seed=8)
    assert loaded.margins(pairs).tobytes() == ranker.margins(pairs).tobytes()
    assert (loaded.config, loaded.priors.log_odds) == (SMALL, {"country": {"de": -0.5}})


def test_scoring_does_not_import_what_only_training_needs(ranker: Ranker, tmp_path: Path) -> None:
    ranker.save(tmp_path)
    code = (
        "import sys, numpy as np; from pathlib import Path; from matching.ranker import Ranker\n"
        "ranker, pairs = Ranker.load(Path(sys.argv[1])), np.zeros((1, int(sys.argv[2])), np.float32)\n"
        "ranker.margins(pairs), ranker.contributions(pairs)\n"
        "assert not {'xgboost', 'pandas', 'sklearn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path), str(len(FEATURES))], check=True)


def test_a_ranker_of_other_features_is_refused(ranker: Ranker, tmp_path: Path) -> None:
    ranker.save(tmp_path)
    about = json.loads((tmp_path / "ranker.json").read_text())
    write_json(tmp_path / "ranker.json", about | {"features": [*about["features"][1:], "another"]})
    with pytest.raises(ValueError, match="other features"):
        Ranker.load(tmp_path)
