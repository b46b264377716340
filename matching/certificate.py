"""The threshold of auto-matching, and the certificate that says how often a match at or above it is right.

Learn-then-Test (Angelopoulos, Bates, Candès, Jordan & Lei 2021, section 4) with fixed-sequence testing:

1. Thresholds are tried from strict to loose: every distinct probability, beginning at a count of accepted records that
   the outcome has no say in. Too few could not be shown right even without an error (299 for .99 at .95), and the first
   few forgive none. So it begins where the ranker itself expects the surest pass (`expected_error`), or, not knowing
   that, at the largest count which just forgives 0, 1, 2, ... errors and is at most a quarter of all.
2. Each is tested for "precision is below the target", all at the same level: the first that is not rejected ends the
   sequence, and the last rejected one is the threshold.
3. Errors come in clusters, since one entity has many records, which stand or fall together. So entities are counted and
   not records: the accepted records count as `effective` independent trials, fewer by the design effect that entities
   have (Korn & Graubard, "Confidence intervals for proportions with small expected number of positive counts estimated
   from survey data", Survey Methodology 1998), and the binomial p-value is taken of those. The effect is estimated with
   one more entity of the usual size that is wrong altogether: without an error in sight each entity counts once.
   Where every entity has one record the test is the exact binomial one. Else it is an approximation, from few wrong
   entities, which keeps the promise a little too seldom at the full 1 - confidence when real records are resampled. So
   the level is 1 - confidence divided by the usual number of records of an entity (`benchmarks/certificate.py` counts).
4. Precision over all records says little of records that have no match where those are few. Where labels suffice, a
   threshold must also accept at most `most_false_accepts` of them, shown in the same way. Both must be rejected at one
   threshold, so asking for both costs no confidence (an intersection-union test, Berger 1982).

Nothing rejected: no certificate, nothing is matched automatically, and the statement says what is missing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from matching.intervals import at_least, precision_p_value, trials_needed

START_SHARE = 0.25
LABEL_ERROR = 0.002
AS_SURE = 0.02
METHOD = "Learn-then-Test, fixed-sequence testing, binomial p-values of effective trials, entities as clusters"
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Certificate:
    """What was shown: `errors` wrong of `accepted` records at or above `threshold`, among `records` of `entities`.

    effective: the independent trials that the accepted records count as. level: what p_value must not exceed.
    false_accepts: of `no_match` records that have
    no match, how many reached the threshold; most_false_accepts: the share shown, None where labels did not suffice.
    Without a grant `threshold` is None and the counts are those of the strictest threshold tried; p_value is None when
    there were too few records to try any.
    """

    granted: bool
    threshold: float | None
    target_precision: float
    confidence: float
    records: int
    entities: int
    accepted: int
    errors: int
    effective: float
    p_value: float | None
    level: float
    no_match: int
    false_accepts: int
    most_false_accepts: float | None
    statement: str


@dataclass(frozen=True)
class _Clusters:
    """Running sums while records are accepted one by one: records, wrong ones, and their squares summed by entity."""

    n: Floats
    wrong: Floats
    wrong_squared: Floats
    wrong_size: Floats
    size_squared: Floats

    @classmethod
    def of(cls, wrong: NDArray[np.bool_], owner: NDArray[np.str_]) -> _Clusters:
        """From records in the order in which they are accepted."""
        rows = pl.DataFrame({"owner": owner, "w": wrong.astype(np.float64)}).select(
            "w",
            before=pl.col("w").cum_sum().over("owner") - pl.col("w"),
            size=pl.int_range(pl.len()).over("owner").cast(pl.Float64),
        )
        w, before, size = (rows[c].to_numpy() for c in ("w", "before", "size"))
        return cls(
            np.arange(1.0, len(w) + 1),
            np.cumsum(w),
            np.cumsum(2 * before * w + w * w),
            np.cumsum(before + w * size + w),
            np.cumsum(2 * size + 1),
        )

    def design_effect(self, n: Floats, wrong_size: Floats, size_squared: Floats) -> Floats:
        """How many records count as one trial, where `n` records in all are asked about."""
        share, usual = self.wrong / n, size_squared / n
        spread = self.wrong_squared - 2 * share * wrong_size + share * share * size_squared
        return np.maximum((spread + usual * usual) / (self.wrong + usual), 1.0)


def certify(
    probability: ArrayLike,
    right: ArrayLike,
    entity: ArrayLike,
    has_match: ArrayLike | None = None,
    target_precision: float = 0.99,
    confidence: float = 0.95,
    most_false_accepts: float = 0.04,
    expected_error: ArrayLike | None = None,
) -> Certificate:
    """The loosest threshold shown to reach `target_precision`, and the sentence that says so.

    `probability` float [n] of each record's best candidate, from models that have not seen the record, NaN where
    the record may never be matched; `right` bool [n], whether that candidate is the right one (False for a record
    that has no match); `entity` str [n]; `has_match` bool [n], whether there is a right one at all (not given: nothing
    is asked of false accepts); `expected_error` float [n], how likely a model that has not seen the record
    holds it to be wrong: it only says where to begin, so a bad one costs coverage and never the promise.
    Raises ValueError for unequal lengths, or targets outside (0, 1).
    """
    p, wrong = np.asarray(probability, dtype=np.float64), ~np.asarray(right, dtype=np.bool_)
    owner = np.asarray(entity, dtype=np.str_)
    match = np.ones(len(p), np.bool_) if has_match is None else np.asarray(has_match, dtype=np.bool_)
    if not p.shape == wrong.shape == owner.shape == match.shape:
        raise ValueError(
            f"probability, right, entity and has_match differ in length: "
            f"{p.shape}, {wrong.shape}, {owner.shape}, {match.shape}"
        )
    if not (0 < target_precision < 1 and 0 < confidence < 1 and 0 < most_false_accepts < 1):
        raise ValueError(f"{target_precision}, {confidence} and {most_false_accepts} must be inside (0, 1)")
    allowed = np.flatnonzero(~np.isnan(p))
    order = allowed[np.lexsort((wrong[allowed], owner[allowed], -p[allowed]))]
    scores = p[order]
    clusters = _Clusters.of(wrong[order], owner[order])
    expected = None if expected_error is None else np.asarray(expected_error, dtype=np.float64)[order]
    level = (1 - confidence) / _usual_size(clusters)
    start = _start(clusters, expected, target_precision, 1 - level)
    tried = np.flatnonzero(np.r_[scores[:-1] > scores[1:], np.ones(min(len(scores), 1), np.bool_)])
    tried = tried[tried + 1 >= start]  # the last of each group of equal probabilities: they pass or fail together
    effect = clusters.design_effect(clusters.n, clusters.wrong_size, clusters.size_squared)[tried]
    effective = clusters.n[tried] / effect
    p_values = precision_p_value(clusters.wrong[tried] / effect, effective, target_precision)
    passed = p_values <= level
    refused = _few_false_accepts(scores[tried], p[~match], owner[~match], 1 - most_false_accepts, 1 - level)
    if refused is not None:
        passed &= refused
    rejected = int(np.argmin(np.r_[passed, False]))  # how many from the beginning, without a gap
    at = max(rejected - 1, 0)
    seen = bool(len(tried))
    threshold = float(scores[tried[at]]) if seen else math.inf
    found = Certificate(
        granted=rejected > 0,
        threshold=threshold if rejected else None,
        target_precision=target_precision,
        confidence=confidence,
        records=len(order),
        entities=len(np.unique(owner[order])),
        accepted=int(clusters.n[tried[at]]) if seen else 0,
        errors=int(clusters.wrong[tried[at]]) if seen else 0,
        effective=float(effective[at]) if seen else float(_trials(clusters)[-1]) if len(order) else 0.0,
        p_value=float(p_values[at]) if seen else None,
        level=level,
        no_match=int((~match).sum()),
        false_accepts=int((p[~match] >= threshold).sum()),
        most_false_accepts=None if refused is None else most_false_accepts,
        statement="",
    )
    return replace(found, statement=_statement(found))


def _usual_size(clusters: _Clusters) -> float:
    """The records that the entity of a record has, on average over records."""
    return float(clusters.size_squared[-1] / clusters.n[-1]) if len(clusters.n) else 1.0


def _trials(clusters: _Clusters) -> Floats:
    """What the accepted records count as at least: as if an entity's records were all right or all wrong. [n]."""
    return clusters.n**2 / clusters.size_squared


def _start(clusters: _Clusters, expected: Floats | None, target: float, confidence: float) -> int:
    """The count of accepted records to begin at; see the module's first point.

    `expected` float [n]: chance of an error of each record, from the highest probability down. Errors are taken to be
    Poisson. None is expected to be surer than LABEL_ERROR, because labels are wrong now and then.
    """
    from scipy.stats import poisson

    trials = _trials(clusters)
    most = trials.max(initial=0.0) * (START_SHARE if expected is None else 1.0)
    needed = [trials_needed(0, target, confidence)]
    while (larger := trials_needed(len(needed), target, confidence)) <= most:
        needed.append(larger)
    counts = [int(np.argmax(trials >= k)) + 1 for k in needed if trials.max(initial=0.0) >= k]
    if not counts:
        return len(trials) + 1
    if expected is None:
        return counts[-1]
    usual = clusters.size_squared / clusters.n
    errors = np.cumsum(np.maximum(expected, LABEL_ERROR)) / usual
    chance = poisson.cdf(np.arange(len(counts)), errors[np.array(counts) - 1])
    return counts[int(np.argmax(chance >= chance.max() - AS_SURE))]


def _few_false_accepts(
    thresholds: Floats, p: Floats, owner: NDArray[np.str_], target: float, confidence: float
) -> NDArray[np.bool_] | None:
    """Whether each threshold is shown to refuse `target` of the records without a match, bool [m].

    p: float [k] of those records, NaN where they may never be matched. None where they are too few to show it.
    """
    _, entity, size = np.unique(owner, return_inverse=True, return_counts=True)
    squares = float((size**2).sum())
    if not len(p) or len(p) ** 2 / squares < trials_needed(0, target, confidence):
        return None
    refused_last = -np.nan_to_num(p, nan=-1.0)
    order = np.argsort(refused_last, kind="stable")
    accepted = np.searchsorted(refused_last[order], -thresholds, side="right")
    clusters = _Clusters.of(np.ones(len(p), np.bool_), owner[order])
    wrong_size = np.cumsum(size[entity[order]].astype(np.float64))
    n = np.full(len(p), float(len(p)))
    effect = np.r_[squares / len(p), clusters.design_effect(n, wrong_size, np.full(len(p), squares))][accepted]
    p_values = precision_p_value(accepted / effect, len(p) / effect, target)
    return np.asarray(p_values <= 1 - confidence, dtype=np.bool_)


def _statement(c: Certificate) -> str:
    """The certificate as a sentence, or what is missing for one."""
    target, sure = at_least(c.target_precision), at_least(c.confidence)
    if c.granted:
        return (
            f"Records with a probability of {c.threshold:.6f} or more are matched without review, and with {sure} "
            f"confidence at least {target} of these matches are right. Shown by {c.accepted:,} labelled records that "
            f"reached it, {c.errors:,} of them matched wrongly, of {c.records:,} records of {c.entities:,} entities; "
            f"they count as {c.effective:,.0f} independent trials, because records of one entity stand or fall "
            f"together ({METHOD}; p = {c.p_value:.4f}).{_of_false_accepts(c)}"
        )
    return (
        f"No certificate, so nothing is matched without review. To show {target} precision with {sure} confidence, "
        f"{_missing(c)} ({METHOD})."
    )


def _of_false_accepts(c: Certificate) -> str:
    """What is known of records without a match."""
    if c.most_false_accepts is None:
        return f" Too few labels are known to have no match ({c.no_match:,}) to say how many of those are matched."
    return (
        f" Of records that have no match at most {at_least(c.most_false_accepts)} are matched, with the same "
        f"confidence: {c.false_accepts:,} of {c.no_match:,} were."
    )


def _missing(c: Certificate) -> str:
    """Why there is no certificate and what would give one."""
    least = trials_needed(0, c.target_precision, 1 - c.level)
    if c.p_value is None:
        there = math.floor(c.effective + 1e-9)
        return (
            f"at least {least:,} labelled entities with a candidate are needed; there are {c.entities:,} (as good as "
            f"{there:,} with one record each), so at least {least - there:,} more are needed"
        )
    observed = f"of the {c.accepted:,} records with the highest probabilities {c.errors:,} were matched wrongly"
    if c.errors >= (1 - c.target_precision) * c.accepted:
        return f"more labels alone are not enough: {observed}; improve the ranker or lower the target"
    if c.p_value <= c.level:
        return (
            f"too many records without a match are accepted ({c.false_accepts:,} of {c.no_match:,}), though {observed}"
        )
    needed = trials_needed(math.ceil(c.errors * c.effective / c.accepted), c.target_precision, 1 - c.level)
    more = math.ceil(c.entities * (needed / c.effective - 1))
    return f"about {more:,} more labelled entities are needed: {observed}"
