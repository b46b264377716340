"""The ranker: XGBoost on pair features, with monotone constraints where the direction is known.

Its raw score is the *margin*, in log-odds.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matching.features import FEATURE_NAMES, FEATURES
from matching.files import write_json
from matching.priors import Priors

Matrix = NDArray[np.float32]


@dataclass(frozen=True)
class RankerConfig:
    """Depth 4 and at most 100 trees are enough, and keep exact explanations cheap."""

    trees: int = 100
    depth: int = 4
    learning_rate: float = 0.15
    min_child_weight: float = 3.0
    l2: float = 2.0
    seed: int = 7
    threads: int = 2


@dataclass(frozen=True)
class Ranker:
    """A trained forest. `model` is an xgboost.Booster; `priors` give fresh records their features of origin."""

    config: RankerConfig
    model: Any
    priors: Priors

    @classmethod
    def fit(
        cls, pairs: Matrix, right: NDArray[np.bool_], config: RankerConfig | None = None, priors: Priors | None = None
    ) -> Ranker:
        """Train on pair features (float32 [n, features]) and whether each pair is right (bool [n])."""
        import xgboost

        config = config or RankerConfig()
        parameters = {
            "objective": "binary:logistic",
            "tree_method": "hist",
            "max_depth": config.depth,
            "eta": config.learning_rate,
            "min_child_weight": config.min_child_weight,
            "lambda": config.l2,
            "base_score": 0.5,
            "seed": config.seed,
            "nthread": config.threads,
            "monotone_constraints": "(" + ",".join(str(f.monotone) for f in FEATURES) + ")",
        }
        model = xgboost.train(parameters, _matrix(pairs, right), num_boost_round=config.trees)
        return cls(config, model, priors or Priors({}))

    def margins(self, pairs: Matrix) -> NDArray[np.float64]:
        """Log-odds that each pair is right. float64 [n]."""
        if not len(pairs):
            return np.zeros(0)
        return np.asarray(self.model.inplace_predict(pairs, predict_type="margin"), np.float64)

    def contributions(self, pairs: Matrix) -> NDArray[np.float64]:
        """Exact Shapley values of the margin (path-dependent TreeSHAP, Lundberg et al. 2018).

        float64 [n, features + 1], the base margin in the last column; a row sums to the pair's margin.
        """
        if not len(pairs):
            return np.zeros((0, len(FEATURES) + 1))
        return np.asarray(self.model.predict(_matrix(pairs), pred_contribs=True), np.float64)

    def save(self, folder: Path) -> None:
        """Write `ranker.ubj` and `ranker.json`."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "ranker.ubj").write_bytes(bytes(self.model.save_raw("ubj")))
        about = {"config": asdict(self.config), "features": list(FEATURE_NAMES), "priors": self.priors.log_odds}
        write_json(folder / "ranker.json", about)

    @classmethod
    def load(cls, folder: Path) -> Ranker:
        """Raises ValueError when the ranker was trained on other features than this code computes."""
        import xgboost

        known = json.loads((folder / "ranker.json").read_text())
        if tuple(known["features"]) != FEATURE_NAMES:
            raise ValueError("the ranker was trained on other features: use the code version that the manifest names")
        model = xgboost.Booster(params={"nthread": known["config"]["threads"]})
        model.load_model(bytearray((folder / "ranker.ubj").read_bytes()))
        return cls(RankerConfig(**known["config"]), model, Priors(known["priors"]))


def cross_fitted_margins(
    pairs: Matrix, right: NDArray[np.bool_], fold: NDArray[np.int64], taught: NDArray[np.bool_],
    config: RankerConfig | None = None, progress: Callable[[float], None] | None = None,
) -> NDArray[np.float64]:  # fmt: skip
    """Margins of pairs from rankers that never saw a record of the same entity.

    fold: int [n], of each pair's entity; taught: bool [n]. A fold is scored by a ranker trained on the `taught` pairs
    of all others. float64 [n].
    """
    margins = np.zeros(len(pairs))
    folds = np.unique(fold)
    if len(folds) < 2:
        raise ValueError("cross-fitting needs at least two folds: there are too few labelled entities")
    for done, one in enumerate(folds):
        inside = fold == one
        margins[inside] = Ranker.fit(pairs[~inside & taught], right[~inside & taught], config).margins(pairs[inside])
        if progress is not None:
            progress((done + 1) / len(folds))
    return margins


def _matrix(pairs: Matrix, right: NDArray[np.bool_] | None = None) -> Any:
    import xgboost

    return xgboost.DMatrix(
        pairs, label=None if right is None else right.astype(np.float32), feature_names=list(FEATURE_NAMES)
    )
