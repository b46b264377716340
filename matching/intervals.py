"""Exact binomial statements: the interval of a share, the test of a precision, and the labels that a test needs.

One draw must be one independent trial. Records of one entity are not: count what they are worth
(`matching.certificate`), or take `matching.evaluation`'s bootstrap over entities.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray


def clopper_pearson(successes: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """The exact two-sided interval for a share (Clopper & Pearson 1934); (0, 1) without trials."""
    from scipy.special import betaincinv

    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} successes of {trials} trials")
    tail = (1 - level) / 2
    low = float(betaincinv(successes, trials - successes + 1, tail)) if successes else 0.0
    high = float(betaincinv(successes + 1, trials - successes, 1 - tail)) if successes < trials else 1.0
    return low, high


def precision_p_value(errors: ArrayLike, trials: ArrayLike, target: float) -> NDArray[np.float64]:
    """P(as few errors or fewer) if the precision were `target`: the exact binomial p-value of "precision < target".

    `errors` and `trials` are float [n]: numbers that are not whole, as effective trials are, are interpolated by the
    incomplete beta function. float64 [n].
    """
    from scipy.special import betainc

    wrong, n = np.asarray(errors, np.float64), np.asarray(trials, np.float64)
    return np.where(wrong >= n, 1.0, betainc(np.maximum(n - wrong, 1e-9), wrong + 1, target))


def trials_needed(errors: int, target: float, confidence: float) -> int:
    """The fewest trials with this many errors that show a precision of `target`: ln(delta) / ln(target) for none."""
    low, high = errors, errors + 1
    while precision_p_value(errors, high, target) > 1 - confidence:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if precision_p_value(errors, middle, target) <= 1 - confidence else (middle, high)
    return high


def at_least(share: float) -> str:
    """A share as a percentage with as many digits as it has and no trailing zeros: `.995` is `99.5 %`."""
    return f"{math.floor(share * 1e6 + 0.5) / 1e4:g} %"
