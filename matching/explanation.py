"""From exact Shapley contributions to reason groups, and the choice of those that are told.

A group's contribution is the sum over its features. Groups are a partition of the features, so by additivity the
groups, with the base margin, sum to the margin (Lundberg & Lee 2017). What is told are the strongest supporting groups,
the strongest against, and the rest as one residual, so the printed sum closes too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from matching.features import FEATURES

GROUPS: tuple[str, ...] = tuple(dict.fromkeys(f.reason_group for f in FEATURES))
MOST_SUPPORTING = 4
RESIDUAL = len(GROUPS)
_OF_FEATURE = np.array([GROUPS.index(f.reason_group) for f in FEATURES])


@dataclass(frozen=True)
class Told:
    """One told group of one decision: its number in GROUPS (RESIDUAL for the rest) and its contribution in log-odds."""

    group: int
    contribution: float


def group_contributions(contributions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum the contributions of features by group; the base margin is left out.

    float64 [n, features + 1] -> [n, groups].
    """
    grouped = np.zeros((len(contributions), len(GROUPS)))
    for column, group in enumerate(_OF_FEATURE):
        grouped[:, group] += contributions[:, column]
    return grouped


def tell(grouped: NDArray[np.float64]) -> list[list[Told]]:
    """What is told of each row of group contributions (float64 [n, groups]); it sums to the row.

    At most MOST_SUPPORTING supporting groups, strongest first; the strongest against, if there is one; the residual.
    """
    told = []
    for row, order in zip(grouped, np.argsort(-grouped, axis=1, kind="stable"), strict=True):
        chosen = [int(g) for g in order[:MOST_SUPPORTING] if row[g] > 0]
        if row[order[-1]] < 0:
            chosen.append(int(order[-1]))
        rest = float(row.sum() - row[chosen].sum())
        told.append([*(Told(g, float(row[g])) for g in chosen), Told(RESIDUAL, rest)])
    return told


def contrast(chosen: NDArray[np.float64], runner_up: NDArray[np.float64], most: int = 2) -> list[list[Told]]:
    """What sets the chosen candidate apart from the runner-up: the `most` groups with the largest differences.

    Both float64 [n, groups].
    """
    difference = chosen - runner_up
    order = np.argsort(-np.abs(difference), axis=1, kind="stable")[:, :most]
    return [
        [Told(int(g), float(row[g])) for g in best if row[g] != 0] for row, best in zip(difference, order, strict=True)
    ]
