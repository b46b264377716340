"""From exact Shapley contributions of reason groups to the choice of those that are told.

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
GROUP_OF_FEATURE = np.array([GROUPS.index(f.reason_group) for f in FEATURES])
MOST_SUPPORTING = 4
RESIDUAL = len(GROUPS)


@dataclass(frozen=True)
class Told:
    """What is told of many rows, in their order. All [k].

    row: of the group contributions. group: number in GROUPS (RESIDUAL for the rest). contribution: in log-odds.
    """

    row: NDArray[np.int64]
    group: NDArray[np.int64]
    contribution: NDArray[np.float64]


def tell(grouped: NDArray[np.float64]) -> Told:
    """What is told of each row of group contributions (float64 [n, groups]); it sums to the row.

    At most MOST_SUPPORTING supporting groups, strongest first; the strongest against, if there is one; the residual.
    """
    from matching import reason_kernels

    told = _room(len(grouped) * (MOST_SUPPORTING + 2))
    return _first(told, reason_kernels.tell(grouped, MOST_SUPPORTING, told.row, told.group, told.contribution))


def contrast(chosen: NDArray[np.float64], runner_up: NDArray[np.float64], most: int = 2) -> Told:
    """What sets the chosen candidate apart from the runner-up: the `most` groups with the largest differences.

    Both float64 [n, groups].
    """
    from matching import reason_kernels

    told = _room(len(chosen) * most)
    return _first(told, reason_kernels.contrast(chosen - runner_up, most, told.row, told.group, told.contribution))


def _room(most: int) -> Told:
    return Told(np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most))


def _first(told: Told, count: int) -> Told:
    return Told(told.row[:count], told.group[:count], told.contribution[:count])
