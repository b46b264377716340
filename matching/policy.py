"""Which probability is matched, reviewed or refused.

A match needs a granted certificate (`matching.certificate`); without one, everything likely enough is reviewed. A
certificate that turned out not to hold is withdrawn (`Policy.close`): what it would match is reviewed, and all else is
decided as before.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from matching.certificate import Certificate
from matching.kinds import Kind

WITHDRAWN = (
    "No certificate: it was withdrawn, so nothing is matched without review. The registry says why. What it would have "
    "matched is reviewed with the same reference, and the reason MATCHING_CLOSED."
)
SAME_REFERENCE = 0.8
"""The least share of ids, of those in either reference, that a new one must have in common to keep a certificate."""


@dataclass(frozen=True)
class Policy:
    """The certificate, the probability below which a record is refused unseen, and the kinds of record it speaks of.

    withdrawn: the threshold of a certificate that was withdrawn.
    """

    certificate: Certificate
    review_floor: float
    kinds: tuple[Kind, ...] = ()
    withdrawn: float | None = None

    def decide(self, probability: ArrayLike, runner_up_probability: ArrayLike, may_match: ArrayLike) -> list[str]:
        """`match`, `review` or `no_match` for each record, from float, float and bool [n].

        A match needs a granted certificate, a probability at its threshold or above, and the right to be matched
        (`may_be_matched`). Anything else is reviewed down to the review floor. NaN is a record without a candidate.
        """
        p = np.asarray(probability, dtype=np.float64)
        match = may_be_matched(p, runner_up_probability, may_match) & self.reaches_threshold(p)
        surest = "match" if self.withdrawn is None else "review"
        bands: list[str] = np.where(match, surest, np.where(p >= self.review_floor, "review", "no_match")).tolist()
        return bands

    def reaches_threshold(self, probability: ArrayLike) -> NDArray[np.bool_]:
        """Which probabilities are at the certificate's threshold or above, also if it was withdrawn. bool [n].

        None is where there never was a certificate.
        """
        known = self.certificate.threshold if self.withdrawn is None else self.withdrawn
        return np.asarray(np.asarray(probability, dtype=np.float64) >= (math.inf if known is None else known))

    def is_withheld(
        self, probability: ArrayLike, runner_up_probability: ArrayLike, may_match: ArrayLike
    ) -> NDArray[np.bool_]:
        """Which records would be matched, had the certificate not been withdrawn. bool [n]; arguments as `decide`."""
        if self.withdrawn is None:  # one record is the usual case, and nothing withdrawn
            return np.zeros(np.shape(probability), np.bool_)
        return may_be_matched(probability, runner_up_probability, may_match) & self.reaches_threshold(probability)

    def close(self) -> Policy:
        """The policy with its certificate withdrawn: it matches nothing, and reviews what it would have matched.

        One that matches nothing is as it was.
        """
        if self.certificate.threshold is None:
            return self
        withdrawn = replace(self.certificate, granted=False, threshold=None, statement=WITHDRAWN)
        return replace(self, certificate=withdrawn, withdrawn=self.certificate.threshold)

    def to_json(self) -> dict[str, Any]:
        """The policy, as JSON can hold it without loss."""
        kinds = [asdict(kind) for kind in self.kinds]
        known = {"certificate": asdict(self.certificate), "review_floor": self.review_floor, "kinds": kinds}
        return known if self.withdrawn is None else known | {"withdrawn": self.withdrawn}

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> Policy:
        """The policy that `to_json` gave."""
        kinds = tuple(Kind(**kind) for kind in value["kinds"])
        return Policy(Certificate(**value["certificate"]), float(value["review_floor"]), kinds, value.get("withdrawn"))


def may_be_matched(probability: ArrayLike, runner_up_probability: ArrayLike, may_match: ArrayLike) -> NDArray[np.bool_]:
    """Which records can be matched at any threshold, bool [n]: allowed by the caller, and ahead of their runner-up.

    `may_match` is False where the caller bars a match (degraded, namesakes, an unseen script). A runner-up that is as
    probable (NaN: there is none) means that nothing tells the two apart.
    """
    behind = np.asarray(runner_up_probability, dtype=np.float64) >= np.asarray(probability, dtype=np.float64)
    return np.asarray(may_match, dtype=np.bool_) & ~behind


def review_floor(probability: ArrayLike, right: ArrayLike, miss_share: float = 0.01) -> float:
    """The probability below which at most `miss_share` of the right candidates fall: below it a record is `no_match`.

    Chosen on training records (float and bool [n]); a share observed there, not a guarantee. Right candidates only: a
    match that retrieval missed cannot be found by reviewing what it returned. Without right candidates 0, so that
    nothing is refused unseen.
    """
    found = np.sort(np.asarray(probability, dtype=np.float64)[np.asarray(right, dtype=np.bool_)])
    return float(found[int(miss_share * len(found))]) if len(found) else 0.0


def on_reference(
    policy: Policy, before: Iterable[str], reference: Iterable[str], moved: float = 0.0
) -> tuple[Policy, float]:
    """The policy on another reference, and how far that is from the one its certificate was earned on, from 0 to 1.

    The certificate speaks of the reference it was earned on: how often a record has no match in it, and how near its
    entities are to one another. `before` and `reference` are the ids of the reference until now and of the new one;
    their distance is the share of all ids that they do not have in common (Jaccard), and comes to what `moved` already.
    Distances of that kind obey the triangle inequality, so many small steps are never taken for less than they are.
    Further away than 1 - SAME_REFERENCE nothing is matched automatically any more, and the certificate says so.
    """
    known, new = set(before), set(reference)
    moved = min(moved + 1 - len(known & new) / len(known | new), 1.0)
    if moved <= 1 - SAME_REFERENCE + 1e-9:
        return policy, moved
    statement = (
        f"No certificate: it was earned on another reference, with {1 - moved:.0%} of all ids in common with this one. "
        "Nothing is matched automatically. Fit again with labels for this reference."
    )
    withdrawn = replace(policy.certificate, granted=False, threshold=None, statement=statement)
    return replace(policy, certificate=withdrawn), moved
