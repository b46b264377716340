"""The ranker: XGBoost on pair features, with monotone constraints where the direction is known.

Its raw score is the *margin*, in log-odds. XGBoost trains; margins and contributions are computed from the trees by
`matching.forest`, so scoring does not import XGBoost.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from matching.features import FEATURE_NAMES, FEATURES
from matching.files import write_json
from matching.forest import Forest
from matching.priors import Priors

Matrix = NDArray[np.float32]
EACH_BY_ITSELF = np.arange(len(FEATURES))


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
    """A trained forest. `model`: XGBoost's UBJSON; `priors` give fresh records their features of origin."""

    config: RankerConfig
    model: bytes
    priors: Priors

    @cached_property
    def forest(self) -> Forest:
        """The model as arrays."""
        return Forest.of(self.model)

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
        known = xgboost.DMatrix(pairs, label=right.astype(np.float32), feature_names=list(FEATURE_NAMES))
        model = xgboost.train(parameters, known, num_boost_round=config.trees)
        return cls(config, bytes(model.save_raw("ubj")), priors or Priors())

    def margins(self, pairs: Matrix) -> NDArray[np.float64]:
        """Log-odds that each pair is right. float64 [n]."""
        return self.forest.margins(pairs)

    def contributions(self, pairs: Matrix, column_of: NDArray[np.int64] = EACH_BY_ITSELF) -> NDArray[np.float64]:
        """Exact Shapley values of the margin (path-dependent TreeSHAP), summed by the column of each feature.

        float64 [n, columns + 1], the base margin in the last; a row sums to the pair's margin. `column_of`: int64
        [features]; without it each feature has its own.
        """
        return self.forest.contributions(pairs, column_of)

    def save(self, folder: Path) -> None:
        """Write `ranker.ubj` and `ranker.json`."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "ranker.ubj").write_bytes(self.model)
        about = {"config": asdict(self.config), "features": list(FEATURE_NAMES), "priors": self.priors.to_json()}
        write_json(folder / "ranker.json", about)

    @classmethod
    def load(cls, folder: Path) -> Ranker:
        """Raises ValueError when the ranker was trained on other features than this code computes."""
        known = json.loads((folder / "ranker.json").read_text())
        if tuple(known["features"]) != FEATURE_NAMES:
            raise ValueError("the ranker was trained on other features: use the code version that the manifest names")
        model = (folder / "ranker.ubj").read_bytes()
        return cls(RankerConfig(**known["config"]), model, Priors.from_json(known["priors"]))


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
