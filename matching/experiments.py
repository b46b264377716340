"""Is the new version as good as the old one? Shadow pairs, a canary beside a baseline, A/B: counts in, findings out.

Pure functions; where the counts come from is `resources` (the router's windows and pairs) or two scorers.

*A/B and canary* are watched while they run, which breaks a test that was made for one look: at 5 % and a look after
each of 100 batches, a z-test stops two equal versions in a third of all cases. The test here may be looked at whenever
one likes. It multiplies e-values of blocks of outcomes (Turner, Ly & Grünwald 2024, "Generic E-variables for exact
sequential k-sample tests that allow for optional stopping", Journal of Statistical Planning and Inference 230), and
the product passes 1 / alpha with probability alpha at most, ever, if the versions are equal (Ville 1939).
`scripts/sequential_test.py` shows it by simulation.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import polars as pl

BANDS = ("match", "review", "no_match")
PRIOR = 0.18
"""Pseudo-counts of each outcome before the first: the Beta(0.18, 0.18) prior that the paper recommends (section 4)."""
SHOWN = 20


class Block(NamedTuple):
    """Outcomes that came in together: of `n_a` requests to A, `a` were hits; likewise B."""

    n_a: int
    a: int
    n_b: int
    b: int


@dataclass(frozen=True)
class Sequential:
    """An always-valid test of "A and B hit equally often" after some blocks. `log_e`: log of the e-value."""

    blocks: int
    n_a: int
    a: int
    n_b: int
    b: int
    log_e: float

    @property
    def share_a(self) -> float:
        """The share of hits of A; NaN before the first."""
        return self.a / self.n_a if self.n_a else math.nan

    @property
    def share_b(self) -> float:
        """The share of hits of B; NaN before the first."""
        return self.b / self.n_b if self.n_b else math.nan

    def differ(self, alpha: float) -> bool:
        """Whether it is shown that they differ, being wrong with probability `alpha` at most however often asked."""
        return self.log_e >= -math.log(alpha)


def sequential_test(blocks: Iterable[Block]) -> Sequential:
    """The test after these blocks, in their order. A block's size may depend on earlier blocks, not on its outcomes."""
    n_a = a = n_b = b = count = 0
    log_e = 0.0
    for block in blocks:
        if block.n_a and block.n_b:  # one side alone says nothing of a difference
            share_a, share_b = _expected(a, n_a), _expected(b, n_b)
            both = (block.n_a * share_a + block.n_b * share_b) / (block.n_a + block.n_b)
            log_e += _log_likelihood(block.a, block.n_a, share_a) + _log_likelihood(block.b, block.n_b, share_b)
            log_e -= _log_likelihood(block.a + block.b, block.n_a + block.n_b, both)
            count += 1
        n_a, a, n_b, b = n_a + block.n_a, a + block.a, n_b + block.n_b, b + block.b
    return Sequential(count, n_a, a, n_b, b, log_e)


def _expected(hits: int, trials: int) -> float:
    return (hits + PRIOR) / (trials + 2 * PRIOR)


def _log_likelihood(hits: int, trials: int, share: float) -> float:
    return hits * math.log(share) + (trials - hits) * math.log1p(-share)


@dataclass(frozen=True)
class Arm:
    """What one side of a canary did in a period: requests, errors, records by band, and latencies in buckets."""

    requests: int
    errors: int
    bands: Mapping[str, int]
    latency: Sequence[int]


@dataclass(frozen=True)
class Tolerance:
    """How much worse a canary may be than the baseline: differences of shares, and a factor of its 95 % latency.

    What is beyond must also be shown, at `alpha` for all questions together.
    """

    errors: float = 0.005
    bands: float = 0.1
    latency: float = 1.5
    alpha: float = 0.01


TOLERANCE = Tolerance()


def judge_canary(
    canary: Sequence[Arm], baseline: Sequence[Arm], edges_ms: Sequence[float], tolerance: Tolerance = TOLERANCE
) -> list[str]:
    """What speaks against a canary, in sentences. `canary` and `baseline`: the same periods, in order.

    `edges_ms`: upper edges of the latency buckets. The baseline is a fresh instance of the old version with as much
    traffic: instances that have been warm for weeks would make any newcomer look slow.
    """
    alpha = tolerance.alpha / (2 + len(BANDS))
    pairs = list(zip(canary, baseline, strict=True))
    found = []
    errors = sequential_test(Block(c.requests, c.errors, b.requests, b.errors) for c, b in pairs)
    if errors.differ(alpha) and errors.share_a > errors.share_b + tolerance.errors:
        found.append(f"its error share is {errors.share_a:.2%}, the baseline's {errors.share_b:.2%}")
    for band in BANDS:
        shares = sequential_test(
            Block(sum(c.bands.values()), c.bands.get(band, 0), sum(b.bands.values()), b.bands.get(band, 0))
            for c, b in pairs
        )
        if shares.differ(alpha) and abs(shares.share_a - shares.share_b) > tolerance.bands:
            found.append(f"its share of {band} is {shares.share_a:.1%}, the baseline's {shares.share_b:.1%}")
    slow, fast = (_quantile([arm.latency for arm in arms], 0.95, edges_ms) for arms in (canary, baseline))
    if slow and fast and slow > tolerance.latency * fast and _slower(pairs).differ(alpha):
        found.append(f"95 % of its answers take up to {slow:.3g} ms, the baseline's {fast:.3g} ms")
    return found


def _slower(pairs: Sequence[tuple[Arm, Arm]]) -> Sequential:
    """How often each side is slower than the baseline's median so far: what is compared with was known before."""
    seen: list[int] = []
    blocks = []
    for canary, baseline in pairs:
        if sum(seen):
            middle, half = 0, 0
            while 2 * half < sum(seen):
                half += seen[middle]
                middle += 1
            above = [sum(arm.latency[middle:]) for arm in (canary, baseline)]
            blocks.append(Block(sum(canary.latency), above[0], sum(baseline.latency), above[1]))
        seen = _added(seen, baseline.latency)
    return sequential_test(blocks)


def _added(one: Sequence[int], other: Sequence[int]) -> list[int]:
    size = max(len(one), len(other))
    return [sum(x) for x in zip(*([*counts, *[0] * (size - len(counts))] for counts in (one, other)), strict=True)]


def _quantile(latencies: Iterable[Sequence[int]], share: float, edges_ms: Sequence[float]) -> float | None:
    counts: list[int] = []
    for latency in latencies:
        counts = _added(counts, latency)
    seen = 0
    for edge, count in zip(edges_ms, counts, strict=False):
        seen += count
        if count and seen >= share * sum(counts):
            return edge
    return None


@dataclass(frozen=True)
class Comparison:
    """Two versions on the same records. `bands`: rows {band, shadow_band, records}.

    `same`: the same band and id. `conflicts`: both match, and to different ids, so one of them is wrong.
    `gained` and `lost`: matched by the shadow only, and by production only; `p_value`: McNemar's, exact, that the two
    are equally likely. `latency_ratio`: the median over records, shadow to production; None without times.
    `disagreements`: some of the records that differ, by token, those in which both match first.
    """

    records: int
    same: int
    conflicts: int
    gained: int
    lost: int
    p_value: float
    latency_ratio: float | None
    bands: list[dict[str, Any]] = field(default_factory=list)
    disagreements: list[dict[str, Any]] = field(default_factory=list)

    @property
    def agreement(self) -> float | None:
        """The share of records with the same band and id."""
        return self.same / self.records if self.records else None

    def to_json(self) -> dict[str, Any]:
        """For a report."""
        return {**asdict(self), "agreement": self.agreement}


def compare(pairs: pl.DataFrame, shown: int = SHOWN) -> Comparison:
    """Compare what production and shadow decided about the same records.

    pairs: token (not a name), band, shadow_band, reference_id, shadow_reference_id, ms, shadow_ms; a row a record.
    The order of the rows changes nothing.
    """
    same_id = pl.col("reference_id").eq_missing(pl.col("shadow_reference_id"))
    match, shadow_match = (pl.col(name) == "match" for name in ("band", "shadow_band"))
    told = pairs.with_columns(
        same=(pl.col("band") == pl.col("shadow_band")) & same_id,
        conflict=match & shadow_match & ~same_id,
        gained=shadow_match & ~match,
        lost=match & ~shadow_match,
    )
    counts = told.select(pl.col("same", "conflict", "gained", "lost").sum()).row(0, named=True)
    bands = pairs.group_by("band", "shadow_band").agg(records=pl.len()).sort("band", "shadow_band")
    differing = told.filter(~pl.col("same")).sort("conflict", "token", descending=[True, False]).head(shown)
    ratio = pairs.filter((pl.col("ms") > 0) & (pl.col("shadow_ms") > 0)).select(pl.col("shadow_ms") / pl.col("ms"))
    median = ratio.to_series().median()
    return Comparison(
        records=pairs.height,
        same=counts["same"],
        conflicts=counts["conflict"],
        gained=counts["gained"],
        lost=counts["lost"],
        p_value=mcnemar(counts["gained"], counts["lost"]),
        latency_ratio=float(median) if isinstance(median, int | float) else None,
        bands=bands.to_dicts(),
        disagreements=differing.select(
            "token", "band", "shadow_band", "reference_id", "shadow_reference_id"
        ).to_dicts(),
    )


def mcnemar(gained: int, lost: int) -> float:
    """The exact two-sided p-value that a change is as likely one way as the other (McNemar 1947): a fair coin's."""
    from scipy.stats import binom

    if gained + lost == 0:
        return 1.0
    return float(min(1.0, 2 * binom.cdf(min(gained, lost), gained + lost, 0.5)))
