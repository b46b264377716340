"""A confidence sequence for a share: an interval that may be looked at after every outcome, for ever.

An ordinary interval is right 95 times of 100 if it is looked at once; whoever looks daily and acts on the worst day is
wrong nearly always in the end. This one holds at all times together: P(the share leaves it at any time) <= 1 - level.
That is the betting construction of Waudby-Smith & Ramdas, "Estimating means of bounded random variables by betting"
(JRSS-B 2024, section 4): for each share m that might be the true one, somebody bets on outcomes that are more often
wrong (or more often right) than m says, at odds that are fair under m. Under m his capital is a martingale, so it
exceeds 1 / delta with probability delta at most (Ville 1939); shares whose bettor grew richer are refuted.

For outcomes that are right or wrong the bets can be mixed in closed form: over all alternatives q < m (or q > m) with
the weight of Jeffreys' Beta(1/2, 1/2), the mixture of Robbins (1970). Then the capital depends on the counts alone, and
the bet against m stays a supermartingale when the share changes with time but never falls below m. So "the sequence
lies wholly below the target" is a safe thing to act on, at any time, under any past that kept the target.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

PRIOR = 0.5  # Jeffreys: sharp where shares are near 1, which is where ours are
STEPS = 60


def confidence_sequence(right: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """The lowest and the highest share that `right` of `trials` outcomes have not refuted; (0, 1) without outcomes.

    Each side alone is wrong, at any time, with probability (1 - level) / 2 at most.
    """
    if not 0 <= right <= trials:
        raise ValueError(f"{right} right of {trials}")
    if trials == 0:
        return 0.0, 1.0
    limit, share = math.log(2 / (1 - level)), right / trials
    high = _edge(lambda m: bool(log_capital(right, trials, m) < limit), share, 1.0)
    low = 1 - _edge(lambda m: bool(log_capital(trials - right, trials, m) < limit), 1 - share, 1.0)
    return low, high


def log_capital(right: ArrayLike, trials: ArrayLike, share: float) -> NDArray[np.float64]:
    """The logarithm of what a bettor has who began with 1 and bet that fewer than `share` are right. float64 [n]."""
    from scipy.special import betainc, betaln, xlog1py

    good = np.asarray(right, np.float64)
    wrong = np.asarray(trials, np.float64) - good
    if share >= 1:
        return np.where(wrong > 0, np.inf, 0.0)
    with np.errstate(divide="ignore"):  # nothing is left of a bet that lost all
        mixed = betaln(good + PRIOR, wrong + PRIOR) + np.log(betainc(good + PRIOR, wrong + PRIOR, share))
    fair = betaln(PRIOR, PRIOR) + math.log(betainc(PRIOR, PRIOR, share))
    likelihood = good * math.log(share) + xlog1py(wrong, -share)
    return np.asarray(mixed - fair - likelihood, np.float64)


def _edge(stands: Callable[[float], bool], inside: float, outside: float) -> float:
    """Where `stands` ends between a share inside the interval and one that may be outside."""
    if stands(outside):
        return outside
    for _ in range(STEPS):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if stands(middle) else (inside, middle)
    return outside
