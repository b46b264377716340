"""From a ranker's margin to the probability that the candidate is the right one, and how far to believe it.

The map is isotonic regression (pool adjacent violators), centred: each block of equal values becomes one point at the
block's mean margin, as in Oron & Flournoy, "Centered Isotonic Regression", Statistics in Biopharmaceutical Research
2017. Between the points and beyond the ends it is linear in log-odds, which is the scale that margins have; beyond the
ends with slope 1, the ranker's own. So a higher margin always is a higher probability, never 0 and never 1.

Probabilities inside (0, 1) come from half a wrong match added at the highest margin and half a right one at the lowest
(the prior of Krichevsky & Trofimov 1981). It also settles few samples: without any the map is the logistic function of
the margin, n right ones alone give (n + .5) / (n + 1), n wrong ones .5 / (n + 1), a single one .75 or .25.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

PRIOR = 0.5
SAME_VALUE = 1e-12  # two blocks whose means differ by less are one block: the difference is rounding
BINS = 15


@dataclass(frozen=True)
class Calibration:
    """A strictly increasing map from margin to probability through the points (`margin`, `value`), both increasing."""

    margin: tuple[float, ...]
    value: tuple[float, ...]

    @staticmethod
    def fit(margins: ArrayLike, right: ArrayLike) -> Calibration:
        """Fit on margins (float [n]) and whether each one's candidate was right (bool [n]).

        Margins must come from a ranker that has not seen these records. Raises ValueError for unequal lengths and for
        a margin that is not finite.
        """
        from scipy.optimize import isotonic_regression

        x, y = np.asarray(margins, dtype=np.float64), np.asarray(right, dtype=np.float64)
        if x.ndim != 1 or x.shape != y.shape:
            raise ValueError(f"margins and right must be two lists of one length, not {x.shape} and {y.shape}")
        if not np.isfinite(x).all():
            raise ValueError("a margin is not finite; leave out records without a candidate")
        if not len(x):
            return Calibration((0.0,), (0.5,))
        x, y = np.r_[x.min(), x, x.max()], np.r_[1.0, y, 0.0]
        weight = np.r_[PRIOR, np.ones(len(x) - 2), PRIOR]
        levels, level = np.unique(x, return_inverse=True)
        mass = np.bincount(level, weight)
        fitted = isotonic_regression(np.bincount(level, weight * y) / mass, weights=mass).x
        block = np.r_[0, np.cumsum(np.diff(fitted) > SAME_VALUE)]
        total = np.bincount(block, mass)
        centres = np.bincount(block, mass * levels) / total
        values = np.bincount(block, mass * fitted) / total
        return Calibration(tuple(centres.tolist()), tuple(values.tolist()))

    @cached_property
    def _points(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The points with their values in log-odds."""
        return np.array(self.margin), np.array([math.log(p) - math.log1p(-p) for p in self.value])

    def probability(self, margins: ArrayLike) -> NDArray[np.float64]:
        """The probability of each margin, float64 of the same shape.

        Inside (0, 1) for margins up to about 30 beyond the ends. NaN (no candidate) stays NaN. Needs numpy only.
        """
        x = np.asarray(margins, dtype=np.float64)
        points, log_odds = self._points
        beyond = np.minimum(x - points[0], 0.0) + np.maximum(x - points[-1], 0.0)
        result: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-(np.interp(x, points, log_odds) + beyond)))
        return result

    def to_json(self) -> dict[str, list[float]]:
        """The points, as JSON can hold them without loss."""
        return {"margin": list(self.margin), "value": list(self.value)}

    @staticmethod
    def from_json(points: Mapping[str, Sequence[Any]]) -> Calibration:
        """The calibration that `to_json` gave."""
        return Calibration(tuple(map(float, points["margin"])), tuple(map(float, points["value"])))


def equal_mass_bins(probability: NDArray[np.float64], bins: int = BINS) -> NDArray[np.int64]:
    """The bin of each probability, int64 [n]: bins of equal mass, where equal probabilities share a bin."""
    edges = np.unique(np.quantile(probability, np.arange(1, bins) / bins)) if len(probability) else np.empty(0)
    return np.searchsorted(edges, probability, side="right").astype(np.int64)


def calibration_error(probability: ArrayLike, right: ArrayLike, bins: int = BINS) -> float | None:
    """Expected calibration error: the mean distance of probability and truth over bins of equal mass; None without any.

    Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.
    """
    p, y = np.asarray(probability, dtype=np.float64), np.asarray(right, dtype=np.float64)
    if not len(p):
        return None
    return float(np.abs(np.bincount(equal_mass_bins(p, bins), p - y)).sum() / len(p))


def brier_score(probability: ArrayLike, right: ArrayLike) -> float | None:
    """The mean squared distance of probability and truth (Brier 1950). None without records."""
    p, y = np.asarray(probability, dtype=np.float64), np.asarray(right, dtype=np.float64)
    return float(np.mean((p - y) ** 2)) if len(p) else None
