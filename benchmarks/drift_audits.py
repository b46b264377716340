"""What is told of precision: the confidence sequence of the audit, and the estimate that needs no labels."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from matching.concept import KINDS, check_concept
from matching.confidence_sequence import log_capital
from matching.findings import ALARM
from matching.performance import LEVEL

if TYPE_CHECKING:
    from benchmarks.drift import World

TRUTHS = (0.9, 0.95, 0.99, 0.995, 0.999)
FALLEN = (0.9, 0.95, 0.97, 0.98)
TARGET = 0.99
AUDITS, AT_ONCE = 5000, 500
WRONG_ALL_AT_ONCE = 0.05


def sequences(draws: int) -> dict[str, Any]:
    """Sequences of AUDITS outcomes, looked at after each: how often the truth is ever outside, above or below.

    `seen`: of a precision that fell below the target, the audits until the sequence lies below it: median and 90 %.
    """
    limit, trials = math.log(2 / (1 - LEVEL)), np.arange(1, AUDITS + 1)
    missed: dict[str, dict[str, float]] = {}
    for truth in TRUTHS:
        above, below = [], []
        for right in _right(truth, draws):
            above.append((log_capital(right, trials, truth) >= limit).any(axis=1))
            below.append((log_capital(trials - right, trials, 1 - truth) >= limit).any(axis=1))
        missed[str(truth)] = {"below": float(np.mean(above)), "above": float(np.mean(below))}
    seen = {}
    for truth in FALLEN:
        refuted = log_capital(next(_right(truth, AT_ONCE)), trials, TARGET) >= limit
        first = np.where(refuted.any(axis=1), refuted.argmax(axis=1) + 1, AUDITS)
        seen[str(truth)] = [int(np.quantile(first, q)) for q in (0.5, 0.9)]
    return {"draws": draws, "audits": AUDITS, "level": LEVEL, "missed": missed, "seen": seen}


def _right(truth: float, draws: int) -> Iterator[NDArray[np.int64]]:
    """How many of the first n audits were right, for sequences of AUDITS: int64 [AT_ONCE, AUDITS], `draws` in all."""
    generator = np.random.default_rng(round(1000 * truth))
    for _ in range(draws // AT_ONCE):
        yield np.cumsum(generator.random((AT_ONCE, AUDITS)) < truth, axis=1)


def estimates(world: World, draws: int, size: int = 1000) -> dict[str, Any]:
    """The estimate of precision without labels, held against all labels of windows of `size` records.

    `error`: mean of |estimated - counted| over windows, `bias`: its mean; `counted_alone`: the error that an audit of
    5 % of the window's matches has. `concept`: the same where WRONG_ALL_AT_ONCE of the matches have become wrong while
    nothing else changed, with the share of months in which the concept monitor sees it.
    """
    from benchmarks.drift import reviewed, wrong_refusals

    generator = np.random.default_rng(0)
    matches = world.outcomes.filter(kind=KINDS["match"])
    share = matches.height / world.outcomes.height
    errors, audit = [], []
    for _ in range(draws):
        window = matches[generator.integers(0, matches.height, round(size * share))]
        counted = 1 - float(window["wrong"].mean())  # type: ignore[arg-type]
        errors.append(float(window["probability"].mean()) - counted)  # type: ignore[arg-type]
        some = window["wrong"].to_numpy()[generator.random(window.height) < 0.05]
        audit.append(1 - some.mean() - counted if len(some) else np.nan)
    turned = pl.Series(np.random.default_rng(1).random(world.outcomes.height) < WRONG_ALL_AT_ONCE)
    broken = (pl.col("kind") == KINDS["match"]) & pl.lit(turned)
    changed = world.some(np.ones(world.outcomes.height, bool))
    changed = type(world)(
        world.scorer,
        world.records,
        world.telemetry,
        world.outcomes.with_columns(wrong=pl.col("wrong") | broken),
        world.entity,
    )
    seen = [
        check_concept(reviewed(changed, 500, generator), wrong_refusals(world)).status == ALARM for _ in range(draws)
    ]
    now = changed.outcomes.filter(kind=KINDS["match"])
    return {
        "windows": draws,
        "error": float(np.mean(np.abs(errors))),
        "bias": float(np.mean(errors)),
        "counted_alone": float(np.nanmean(np.abs(audit))),
        "estimated": float(matches["probability"].mean()),  # type: ignore[arg-type]
        "counted": 1 - float(matches["wrong"].mean()),  # type: ignore[arg-type]
        "concept": {
            "counted": 1 - float(now["wrong"].mean()),  # type: ignore[arg-type]
            "estimated": float(now["probability"].mean()),  # type: ignore[arg-type]
            "seen": float(np.mean(seen)),
        },
    }
