"""What is done when the encoder or the vectors fail or are slow: the lexical path, degraded, and nothing is matched.

A fault may only move records to review. So a degraded decision is always `review`: without vectors the probability is
not the one that was certified, and nobody has certified the lexical path. After a fault the encoder is left alone for a
while, then tried with one request; a trial that takes too long costs that request its budget and no more.
"""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from matching.retrieval.encoder import Encoder
from matching.scoring import Scored, Scorer

BUDGET_SECONDS = 0.25  # an encoder answers in 0.1 ms; on a machine that is short of processors that may become 50
REST_SECONDS = 5.0
# What a component that is damaged, missing or given nonsense raises; the lexical path fails by itself where it is not
# the encoder's or the vectors' fault.
FAULTS = (ArithmeticError, LookupError, MemoryError, OSError, RuntimeError, TypeError, ValueError)


class EncoderDownError(RuntimeError):
    """The encoder failed, was slow, or gave vectors that are no numbers."""


class Lane:
    """A thread for the encoder, so that it can be left behind. Without one, as before a fork, it is just called."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._last: Future[Any] | None = None

    def open(self) -> None:
        """Start the thread."""
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="encoder")

    def run(self, work: Any, *given: Any) -> Any:
        """The result of `work`. Raises EncoderDownError when it is late, also while an earlier call still is."""
        if self._pool is None:
            return work(*given)
        if self._last is not None and not self._last.done():
            raise EncoderDownError("still busy with an earlier call")
        self._last = self._pool.submit(work, *given)
        try:
            return self._last.result(BUDGET_SECONDS)
        except TimeoutError as late:
            raise EncoderDownError("slow") from late


@dataclass(frozen=True)
class GuardedEncoder(Encoder):
    """An encoder that is left behind when it is slow, and not believed when it gives no numbers."""

    own: Encoder
    lane: Lane

    def embed_table(self, *given: Any) -> NDArray[np.float32]:
        """As Encoder's. Raises EncoderDownError."""
        vectors: NDArray[np.float32] = self.lane.run(self.own.embed_table, *given)
        if len(vectors) != len(given[0]) or not np.isfinite(vectors).all():
            raise EncoderDownError("not a vector of numbers for each name")
        return vectors


class Sturdy:
    """A scorer that answers without its encoder when it has to. `on_fault` is told the kind of each fault."""

    def __init__(self, scorer: Scorer, rest_seconds: float = REST_SECONDS) -> None:
        self.lane = Lane()
        self.scorer = guarded(scorer, self.lane)
        self.bundle_version = scorer.bundle_version
        self.faults: dict[str, int] = {}
        self._rest, self._until = rest_seconds, 0.0

    def score(self, records: pl.DataFrame, top_k: int = 50, reasons: bool = True) -> Scored:
        """As Scorer's. What fails without the encoder too raises as it does there."""
        if time.monotonic() >= self._until:
            try:
                return self.scorer.score(records, top_k, reasons)
            except FAULTS as fault:
                kind = type(fault).__name__
                self.faults[kind] = self.faults.get(kind, 0) + 1
                self._until = time.monotonic() + self._rest
        return self.scorer.score(records, top_k, reasons, with_embedding=False)


def guarded(scorer: Scorer, lane: Lane) -> Scorer:
    """The scorer with its encoder on a lane. To be done before its first use: what it has worked out is not kept."""
    encoder = scorer.index.encoder
    if encoder is None:
        return scorer
    watched = GuardedEncoder(encoder.config, encoder.table, encoder.layer, encoder, lane)
    return replace(scorer, index=replace(scorer.index, encoder=watched))
