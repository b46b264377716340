"""How often an A/B test is stopped although nothing differs, when it is looked at after every block.

  .venv/bin/python scripts/sequential_test.py [--runs 2000] [--blocks 1000] [--alpha 0.05]

Two versions with the same share of hits are compared over and over. The sequential test of `matching.experiments` may
stop at most alpha of the runs, whatever the share and however uneven the traffic; a z-test that is looked at as often
is shown beside it. A row with a real difference says how many blocks it takes to find one. Prints a table; exits with 1
when the sequential test stops more equal pairs than alpha and three standard errors allow.
"""

from __future__ import annotations

import argparse
import math
import sys

import numpy as np
from numpy.typing import NDArray

from matching.experiments import PRIOR

CASES = (  # share of A, share of B, requests a block to A and to B
    (0.5, 0.5, 10, 10),
    (0.9, 0.9, 10, 10),
    (0.02, 0.02, 10, 10),
    (0.5, 0.5, 2, 18),
    (0.5, 0.6, 10, 10),
    (0.9, 0.8, 2, 18),
)
FIRST_LOOK = 10
"""Blocks before the z-test is looked at: its normal approximation is none before."""


def simulate(
    case: tuple[float, float, int, int], runs: int, blocks: int, alpha: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """When each run is stopped, by the sequential test and by the z-test: the block's number, or 0 for never."""
    share_a, share_b, size_a, size_b = case
    draws = np.random.default_rng(seed)
    hits = np.zeros((2, runs))
    log_e = np.zeros(runs)
    stopped = np.zeros((2, runs), dtype=np.int64)
    z = -_normal_quantile(alpha / 2)
    for block in range(1, blocks + 1):
        seen = np.array([[size_a], [size_b]]) * (block - 1)
        a, b = (hits + PRIOR) / (seen + 2 * PRIOR)
        both = (size_a * a + size_b * b) / (size_a + size_b)
        new = np.stack([draws.binomial(size_a, share_a, runs), draws.binomial(size_b, share_b, runs)]).astype(float)
        log_e += _log(new[0], size_a, a) + _log(new[1], size_b, b) - _log(new.sum(0), size_a + size_b, both)
        hits += new
        _stop(stopped[0], log_e >= -math.log(alpha), block)
        if block >= FIRST_LOOK:
            n_a, n_b = size_a * block, size_b * block
            pooled = hits.sum(0) / (n_a + n_b)
            error = np.sqrt(np.maximum(pooled * (1 - pooled), 1e-12) * (1 / n_a + 1 / n_b))
            _stop(stopped[1], np.abs(hits[0] / n_a - hits[1] / n_b) > z * error, block)
    return stopped[0], stopped[1]


def _log(hits: NDArray[np.float64], trials: int, share: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(hits * np.log(share) + (trials - hits) * np.log1p(-share))


def _stop(stopped: NDArray[np.int64], now: NDArray[np.bool_], block: int) -> None:
    stopped[now & (stopped == 0)] = block


def _normal_quantile(share: float) -> float:
    from scipy.stats import norm

    return float(norm.ppf(share))


def main() -> int:
    """Run the simulation and return the exit code."""
    parser = argparse.ArgumentParser(description="False stops of an A/B test that is watched.")
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--blocks", type=int, default=1000)
    parser.add_argument("--alpha", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    allowed = given.alpha + 3 * math.sqrt(given.alpha * (1 - given.alpha) / given.runs)
    print(f"{given.runs} runs of {given.blocks} blocks, alpha {given.alpha:g}, a look after every block")
    print(f"{'A':>6} {'B':>6} {'a block':>8}  {'stopped':>8} {'median block':>12}  {'z-test stopped':>14}")
    worst = 0.0
    for case in CASES:
        sequential, z_test = simulate(case, given.runs, given.blocks, given.alpha, given.seed)
        found = sequential[sequential > 0]
        when = f"{np.median(found):.0f}" if found.size else "-"
        size = f"{case[2]}:{case[3]}"
        shares = [float((stopped > 0).mean()) for stopped in (sequential, z_test)]
        print(f"{case[0]:>6} {case[1]:>6} {size:>8}  {shares[0]:>8.1%} {when:>12}  {shares[1]:>14.1%}")
        if case[0] == case[1]:
            worst = max(worst, shares[0])
    print(f"false stops of the sequential test: at most {worst:.1%}, {allowed:.1%} allowed")
    return int(worst > allowed)


if __name__ == "__main__":
    sys.exit(main())
