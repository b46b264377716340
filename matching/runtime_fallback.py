"""What is done when the encoder or the vectors fail or are slow: the lexical path, degraded, and nothing is matched.

A fault may only move records to review. So a degraded decision is always `review`: without vectors the probability is
not the one that was certified, and nobody has certified the lexical path. After a fault the encoder is left alone for a
while, then tried with one request; a trial that takes too long costs that request its budget and no more.

A call cannot be stopped, so whoever waits for a decision asks `Sturdy.overdue` now and then and, when it says yes,
leaves the thread behind and asks again: `matching.runtime_turns` does. The encoder gets no thread of its own: handing
names over and vectors back would cost every request more than the encoder does.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
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
    """The encoder gave vectors that are no numbers."""


@dataclass
class Calls:
    """The calls of the encoder that have not ended: when each began, and which of them nobody waits for any more."""

    began: dict[object, float] = field(default_factory=dict)
    left_behind: set[object] = field(default_factory=set)

    def begin(self) -> object:
        """A call begins."""
        call = object()
        self.began[call] = time.monotonic()
        return call

    def end(self, call: object) -> None:
        """It has ended, well or not."""
        del self.began[call]
        self.left_behind.discard(call)

    def leave_late_ones(self) -> bool:
        """Leave behind what is over its budget; whether there was any."""
        now = time.monotonic()
        late = {call for call, began in list(self.began.items()) if now - began > BUDGET_SECONDS} - self.left_behind
        self.left_behind |= late
        return bool(late)


@dataclass(frozen=True)
class GuardedEncoder(Encoder):
    """An encoder whose calls are watched, and that is not believed when it gives no numbers."""

    own: Encoder
    calls: Calls

    def embed_table(self, *given: Any) -> NDArray[np.float32]:
        """As Encoder's. Raises EncoderDownError."""
        call = self.calls.begin()
        try:
            vectors = self.own.embed_table(*given)
        finally:
            self.calls.end(call)
        if len(vectors) != len(given[0]) or not np.isfinite(vectors).all():
            raise EncoderDownError("not a vector of numbers for each name")
        return vectors


class Sturdy:
    """A scorer that answers without its encoder when it has to. `faults`: how often, by kind."""

    def __init__(self, scorer: Scorer, rest_seconds: float = REST_SECONDS) -> None:
        self._calls = Calls()
        self.scorer = guarded(scorer, self._calls)
        self.bundle_version = scorer.bundle_version
        self.faults: dict[str, int] = {}
        self._rest, self._until = rest_seconds, 0.0

    def score(self, records: pl.DataFrame, top_k: int = 50, reasons: bool = True) -> Scored:
        """As Scorer's. What fails without the encoder too raises as it does there."""
        if time.monotonic() >= self._until and not self._calls.left_behind:
            try:
                return self.scorer.score(records, top_k, reasons)
            except FAULTS as fault:
                self._rest_from(type(fault).__name__)
        return self.scorer.score(records, top_k, reasons, with_embedding=False)

    def overdue(self) -> bool:
        """Whether the encoder is late. Said once of a call: who is told leaves it behind and asks for `score` again."""
        late = self._calls.leave_late_ones()
        if late:
            self._rest_from("TimeoutError")
        return late

    def _rest_from(self, kind: str) -> None:
        self.faults[kind] = self.faults.get(kind, 0) + 1
        self._until = time.monotonic() + self._rest


def guarded(scorer: Scorer, calls: Calls) -> Scorer:
    """The scorer with its encoder watched. To be done before its first use: what it has worked out is not kept."""
    encoder = scorer.index.encoder
    if encoder is None:
        return scorer
    watched = GuardedEncoder(encoder.config, encoder.table, encoder.layer, encoder, calls)
    return replace(scorer, index=replace(scorer.index, encoder=watched))
