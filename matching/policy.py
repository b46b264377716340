"""Which probability is matched, reviewed or refused, and the certificate that says how often a match is right.

The certificate is Learn-then-Test (Angelopoulos, Bates, Candès, Jordan & Lei 2021, section 4, fixed-sequence testing):

1. Errors come in clusters, since one entity has many records: one record an entity is drawn, by a hash of seed and
   entity, so neither the order of rows nor the outcome has a say. Draws are independent trials, so tests are exact.
2. Thresholds are tried from strict to loose: every distinct probability that was drawn, beginning with a count of
   accepted draws that the outcome has no say in. Too few could not be shown right even without an error (299 for .99
   at .95), and the first few forgive none. So it begins at a count that just forgives 0, 1, 2, ... errors: where the
   ranker itself expects the surest pass (`expected_error`), or, not knowing that, at the largest which is at most a
   quarter of the draws.
3. Each is tested for "precision is below the target" by the exact binomial p-value, all at the full 1 - confidence: the
   first that is not rejected ends the sequence, and the last rejected one is the threshold. The finest grid gave the
   widest coverage when grids of other steps and several starts were compared on real records.
4. The draws speak of a random record of a random entity. Where entities with many records are the worse ones, the share
   over all records is lower. So a threshold must pass a second test too, on all records, with errors summed by entity
   (a normal approximation, ratio estimator with clusters). Asking for both costs no confidence.

Nothing rejected: no certificate, nothing is matched automatically, and the statement says what is missing.
Records that may never be matched (no candidate, degraded, namesakes) have NaN and are left out before the draw.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from statistics import NormalDist
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from matching.intervals import at_least, precision_p_value, trials_needed
from matching.split import hash_keys

START_SHARE = 0.25
LABEL_ERROR = 0.002
AS_SURE = 0.02
METHOD = "Learn-then-Test, fixed-sequence testing, exact binomial p-values, one record an entity"


@dataclass(frozen=True)
class Certificate:
    """What was shown: `errors` wrong of `accepted` draws at or above `threshold`, among `entities` draws.

    Without a grant `threshold` is None and accepted, errors and p_value are those of the strictest threshold tried;
    p_value is None when there were too few draws to try any.
    """

    granted: bool
    threshold: float | None
    target_precision: float
    confidence: float
    entities: int
    accepted: int
    errors: int
    p_value: float | None
    statement: str


@dataclass(frozen=True)
class Policy:
    """The certificate and the probability below which a record is refused without review."""

    certificate: Certificate
    review_floor: float

    def decide(self, probability: ArrayLike, runner_up_probability: ArrayLike, may_match: ArrayLike) -> list[str]:
        """`match`, `review` or `no_match` for each record, from float, float and bool [n].

        A match needs a granted certificate, a probability at its threshold or above, and the right to be matched
        (`may_be_matched`). Anything else is reviewed down to the review floor. NaN is a record without a candidate.
        """
        p = np.asarray(probability, dtype=np.float64)
        threshold = math.inf if self.certificate.threshold is None else self.certificate.threshold
        match = may_be_matched(p, runner_up_probability, may_match) & (p >= threshold)
        bands: list[str] = np.where(match, "match", np.where(p >= self.review_floor, "review", "no_match")).tolist()
        return bands

    def to_json(self) -> dict[str, Any]:
        """The policy, as JSON can hold it without loss."""
        return {"certificate": asdict(self.certificate), "review_floor": self.review_floor}

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> Policy:
        """The policy that `to_json` gave."""
        return Policy(Certificate(**value["certificate"]), float(value["review_floor"]))


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


def certify(
    probability: ArrayLike,
    right: ArrayLike,
    entity: ArrayLike,
    target_precision: float = 0.99,
    confidence: float = 0.95,
    seed: int = 0,
    expected_error: ArrayLike | None = None,
) -> Certificate:
    """The loosest threshold shown to reach `target_precision`, and the sentence that says so.

    `probability` float [n] of each record's best candidate, from models that have not seen the record, NaN where
    the record may never be matched; `right` bool [n], whether that candidate is the right one (False for a record
    that has no match); `entity` str [n]; `expected_error` float [n], how likely a model that has not seen the record
    holds it to be wrong: it only says where to begin, so a bad one costs coverage and never the promise.
    Raises ValueError for unequal lengths, or targets outside (0, 1).
    """
    p, wrong = np.asarray(probability, dtype=np.float64), ~np.asarray(right, dtype=np.bool_)
    owner = np.asarray(entity, dtype=np.str_)
    if not p.shape == wrong.shape == owner.shape:
        raise ValueError(f"probability, right and entity differ in length: {p.shape}, {wrong.shape}, {owner.shape}")
    if not (0 < target_precision < 1 and 0 < confidence < 1):
        raise ValueError(f"target {target_precision} and confidence {confidence} must be inside (0, 1)")
    allowed = ~np.isnan(p)
    expected = None if expected_error is None else np.asarray(expected_error, dtype=np.float64)[allowed]
    p, wrong, owner = p[allowed], wrong[allowed], owner[allowed]
    drawn = _one_record_each(p, wrong, owner, seed)
    drawn = drawn[np.argsort(-p[drawn], kind="stable")]
    scores, errors = p[drawn], np.cumsum(wrong[drawn])
    if expected is None:
        start = _first_count(len(drawn), target_precision, confidence)
    else:
        start = _surest_count(expected[drawn], target_precision, confidence)
    tried = np.flatnonzero(np.r_[scores[:-1] > scores[1:], np.ones(min(len(scores), 1), np.bool_)])
    tried = tried[tried + 1 >= start]  # the last draw of each group of equal probabilities: they pass or fail together
    p_values = precision_p_value(errors[tried], tried + 1, target_precision)
    passed = p_values <= 1 - confidence
    passed &= _records_test(p, wrong, owner, scores[tried], target_precision, confidence)
    rejected = int(np.argmin(np.r_[passed, False]))  # how many from the beginning, without a gap
    at = max(rejected - 1, 0)
    seen = bool(len(tried))
    found = Certificate(
        granted=rejected > 0,
        threshold=float(scores[tried[at]]) if rejected else None,
        target_precision=target_precision,
        confidence=confidence,
        entities=len(drawn),
        accepted=int(tried[at] + 1) if seen else 0,
        errors=int(errors[tried[at]]) if seen else 0,
        p_value=float(p_values[at]) if seen else None,
        statement="",
    )
    return replace(found, statement=_statement(found))


def _one_record_each(
    p: NDArray[np.float64], wrong: NDArray[np.bool_], owner: NDArray[np.str_], seed: int
) -> NDArray[np.int64]:
    """The row of one record of each entity.

    Sorting makes it independent of the order of rows; a hash then picks evenly, so that what the rows are sorted by
    cannot make a wrong one likelier.
    """
    order = np.lexsort((wrong, p, owner))
    names, first, size = np.unique(owner[order], return_index=True, return_counts=True)
    pick = hash_keys(pl.Series(names, dtype=pl.String), f"certificate {seed}") % size.astype(np.uint64)
    return order[first + pick.astype(np.int64)].astype(np.int64)


def _first_count(draws: int, target: float, confidence: float) -> int:
    """The count of accepted draws to begin at; see the module's second point."""
    forgiven, count = 0, trials_needed(0, target, confidence)
    while (larger := trials_needed(forgiven + 1, target, confidence)) <= START_SHARE * draws:
        forgiven, count = forgiven + 1, larger
    return count


def _surest_count(expected: NDArray[np.float64], target: float, confidence: float) -> int:
    """The smallest count of accepted draws at which the test is about as sure to pass as it can be.

    `expected` float [draws]: chance of an error of each draw, from the highest probability down. Errors are taken to be
    Poisson. No draw is expected to be surer than LABEL_ERROR, because labels are wrong now and then.
    """
    from scipy.stats import poisson

    errors = np.cumsum(np.maximum(expected, LABEL_ERROR))
    counts, forgiven = [], 0
    while (count := trials_needed(forgiven, target, confidence)) <= len(expected):
        counts.append(count)
        forgiven += 1
    if not counts:
        return trials_needed(0, target, confidence)
    chance = poisson.cdf(np.arange(len(counts)), errors[np.array(counts) - 1])
    return counts[int(np.argmax(chance >= chance.max() - AS_SURE))]


def _records_test(
    p: NDArray[np.float64],
    wrong: NDArray[np.bool_],
    owner: NDArray[np.str_],
    thresholds: NDArray[np.float64],
    target: float,
    confidence: float,
) -> NDArray[np.bool_]:
    """Whether precision over all records, errors summed by entity, is above the target at each threshold, bool [m].

    With d the sum of (wrong - allowed share of errors) over an entity's accepted records, the estimate is sum(d) and
    its variance sum(d^2), both kept up while the threshold falls.
    """
    order = np.argsort(-p, kind="stable")
    excess = pl.DataFrame({"entity": owner[order], "x": wrong[order] - (1 - target)})
    before = excess.select(pl.col("x").cum_sum().over("entity") - pl.col("x")).to_series().to_numpy()
    x = excess["x"].to_numpy()
    total, variance = np.cumsum(x), np.cumsum(2 * before * x + x * x)
    last = np.searchsorted(-p[order], -thresholds, side="right") - 1
    return np.asarray(total[last] <= -NormalDist().inv_cdf(confidence) * np.sqrt(variance[last]), dtype=np.bool_)


def _statement(c: Certificate) -> str:
    """The certificate as a sentence, or what is missing for one."""
    target, sure = at_least(c.target_precision), at_least(c.confidence)
    if c.granted:
        return (
            f"Records with a probability of {c.threshold:.6f} or more are matched without review, and with {sure} "
            f"confidence at least {target} of these matches are right. Shown by {c.accepted:,} labelled entities whose "
            f"drawn record reached it, {c.errors:,} of them matched wrongly, among {c.entities:,} entities with one "
            f"record drawn from each ({METHOD}; p = {c.p_value:.4f})."
        )
    return (
        f"No certificate, so nothing is matched without review. To show {target} precision with {sure} confidence, "
        f"{_missing(c)} ({METHOD})."
    )


def _missing(c: Certificate) -> str:
    """Why there is no certificate and what would give one."""
    least = trials_needed(0, c.target_precision, c.confidence)
    if c.p_value is None:
        return (
            f"at least {least:,} labelled entities with a candidate are needed; there are {c.entities:,}, so at least "
            f"{least - c.entities:,} more are needed"
        )
    observed = f"of the {c.accepted:,} entities with the highest probabilities {c.errors:,} were matched wrongly"
    if c.errors >= (1 - c.target_precision) * c.accepted:
        return f"more labels alone are not enough: {observed}; improve the ranker or lower the target"
    if c.p_value <= 1 - c.confidence:
        return f"errors are too concentrated in entities with many records, though {observed}; review those entities"
    needed = trials_needed(c.errors, c.target_precision, c.confidence)
    more = math.ceil(c.entities * (needed / c.accepted - 1))
    return f"about {more:,} more labelled entities are needed: {observed}"
