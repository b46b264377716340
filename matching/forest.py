"""A trained forest as arrays: its margins, and their exact Shapley values from tables made once.

Contributions are those of path-dependent TreeSHAP (Lundberg et al., "From local explanations to global understanding
with explainable AI for trees", Nature Machine Intelligence 2020), XGBoost's `pred_contribs`. For one leaf the game is a
product: with v the leaf's value, o_i whether the pair takes the leaf's way at the nodes of feature i, and z_i the share
of the training data that does, the value of a set of features is v * prod(o_i inside) * prod(z_i outside). By its
multilinear extension (Owen, "Multilinear extensions of games", Management Science 1972) the Shapley value of i is

    v * (o_i - z_i) * integral over t from 0 to 1 of prod over j != i of (z_j + t * (o_j - z_j))

a polynomial that Gauss-Legendre quadrature integrates exactly. It depends on the pair only through the answers of the
nodes on the leaf's path. So the values for all 2^depth answers are kept in tables (the idea of Yang, "Fast TreeSHAP",
2021, version 2), one for each *twig*, a node with two leaves; explaining a pair is looking them up.

Trees are filled up to complete ones of the forest's depth; where a tree ends earlier everything goes left.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matching.ubjson import read_ubjson

DEEPEST = 5  # the tables grow fourfold with each level; answers are the bits of a uint32


@dataclass(frozen=True)
class Forest:
    """n complete trees of one depth. feature, threshold, missing_left, cover: [n, 2^depth - 1], by node.

    A pair goes left where its feature is below the threshold, or missing (NaN) and `missing_left`. cover: share of the
    node's training data that went left. leaves: float32 [n, 2^depth]. base: the margin before any tree, in log-odds.
    features: how many a pair has.
    """

    feature: NDArray[np.int32]
    threshold: NDArray[np.float32]
    missing_left: NDArray[np.bool_]
    cover: NDArray[np.float64]
    leaves: NDArray[np.float32]
    base: float
    features: int

    @classmethod
    def of(cls, model: bytes) -> Forest:
        """Read an XGBoost model of one output (UBJSON). Raises ValueError for one that is too deep."""
        learner = read_ubjson(model)["learner"]
        trees = learner["gradient_booster"]["model"]["trees"]
        parameters = learner["learner_model_param"]
        share = float(parameters["base_score"].strip("[]"))
        depth = max([1, *(_depth(tree, 0) for tree in trees)])
        if depth > DEEPEST:
            raise ValueError(f"the forest is {depth} levels deep, at most {DEEPEST} can be explained exactly and fast")
        nodes = 2**depth - 1
        forest = cls(
            np.zeros((len(trees), nodes), np.int32),
            np.full((len(trees), nodes), np.inf, np.float32),
            np.ones((len(trees), nodes), np.bool_),
            np.ones((len(trees), nodes), np.float64),
            np.zeros((len(trees), nodes + 1), np.float32),
            math.log(share) - math.log1p(-share),
            int(parameters["num_feature"]),
        )
        for number, tree in enumerate(trees):
            forest._plant(number, tree, 0, 0)
        return forest

    def _plant(self, number: int, tree: Any, node: int, place: int) -> None:
        """Copy a node of XGBoost's tree and all below it to `place` of the complete tree `number`."""
        left, right = tree["left_children"][node], tree["right_children"][node]
        if left >= 0:
            self.feature[number, place] = tree["split_indices"][node]
            self.threshold[number, place] = tree["split_conditions"][node]
            self.missing_left[number, place] = tree["default_left"][node]
            self.cover[number, place] = tree["sum_hessian"][left] / np.float64(tree["sum_hessian"][node])
            self._plant(number, tree, left, 2 * place + 1)
            self._plant(number, tree, right, 2 * place + 2)
            return
        while place < self.feature.shape[1]:
            place = 2 * place + 1
        self.leaves[number, place - self.feature.shape[1]] = tree["split_conditions"][node]

    @property
    def depth(self) -> int:
        """How many questions a tree asks."""
        return int(self.leaves.shape[1]).bit_length() - 1

    @cached_property
    def _path(self) -> NDArray[np.int64]:
        """The nodes above each leaf, lowest first. int64 [leaves, depth]."""
        leaf = np.arange(self.leaves.shape[1]) + self.leaves.shape[1]
        return np.stack([(leaf >> level) - 1 for level in range(1, self.depth + 1)], axis=1)

    @cached_property
    def _outside(self) -> NDArray[np.float64]:
        """The share of a node's data that takes a leaf's way, for each level of its path. [n, leaves, depth]."""
        right = (np.arange(self.leaves.shape[1])[:, None] >> np.arange(self.depth)) & 1
        return np.where(right, 1 - self.cover[:, self._path], self.cover[:, self._path])

    @cached_property
    def expected(self) -> float:
        """The margin of no pair in particular: `base` and the mean leaf of each tree, in log-odds."""
        return self.base + float((self.leaves * self._outside.prod(axis=2)).sum())

    @cached_property
    def shares(self) -> NDArray[np.float64]:
        """The tables: Shapley values of the levels of each twig's path. [n, twigs, answers, depth], level 0 the twig.

        Bit k of `answers` is that of level k (1: right). Where a feature comes again its lowest level speaks for it.
        """
        leaves, depth = self.leaves.shape[1], self.depth
        answers, levels = np.arange(2**depth), np.arange(depth)
        way = (np.arange(leaves)[:, None] >> levels) & 1
        inside = np.equal(way[:, None, :], (answers[:, None] >> levels) & 1).astype(np.float64)
        inside = np.repeat(inside[None], len(self.leaves), axis=0)
        outside = np.repeat(self._outside[:, :, None, :], len(answers), axis=2)
        feature = self.feature[:, self._path]
        for upper in range(depth):
            for lower in range(upper):  # one feature asked twice is one player; a player of 1 and 1 has no say
                again = (feature[:, :, lower] == feature[:, :, upper])[:, :, None]
                for player in (inside, outside):
                    player[..., lower] *= np.where(again, player[..., upper], 1.0)
                    player[..., upper] = np.where(again, 1.0, player[..., upper])
        values = np.zeros_like(inside)
        points, weights = np.polynomial.legendre.leggauss((depth + 1) // 2)
        for t, weight in zip((points + 1) / 2, weights / 2, strict=True):
            factor = outside + t * (inside - outside)
            for level in range(depth):
                values[..., level] += weight * factor[..., levels != level].prod(axis=-1)
        values *= (inside - outside) * self.leaves[:, :, None, None]
        return np.ascontiguousarray(values[:, 0::2] + values[:, 1::2])

    def margins(self, pairs: NDArray[np.float32]) -> NDArray[np.float64]:
        """The sum of each pair's leaves and the base, float64 [n], as XGBoost has it to the last bit."""
        from matching.forest_kernels import margins

        pairs, out = self._checked(pairs), np.empty(len(pairs), np.float32)
        margins(pairs, self.feature, self.threshold, self.missing_left, self.leaves, self.depth, self.base, out)
        return out.astype(np.float64)

    def contributions(self, pairs: NDArray[np.float32], column_of: NDArray[np.int64]) -> NDArray[np.float64]:
        """Shapley values of each pair, summed by the column of each feature, float64 [n, columns + 1].

        The last column is `expected`; a row sums to the pair's margin.
        """
        from matching.forest_kernels import contributions

        pairs, out = self._checked(pairs), np.zeros((len(pairs), int(column_of.max()) + 2))
        out[:, -1] = self.expected
        contributions(pairs, self.feature, self.threshold, self.missing_left, self.shares, column_of, out)
        return out

    def _checked(self, pairs: NDArray[np.float32]) -> NDArray[np.float32]:
        """The pairs as the compiled code reads them: it would read past the end of a row that is too short."""
        if pairs.ndim != 2 or pairs.shape[1] != self.features:
            raise ValueError(f"pairs must be [n, {self.features}], not {list(pairs.shape)}")
        return np.ascontiguousarray(pairs, np.float32)


def _depth(tree: Any, node: int) -> int:
    left, right = tree["left_children"][node], tree["right_children"][node]
    return 0 if left < 0 else 1 + max(_depth(tree, left), _depth(tree, right))
