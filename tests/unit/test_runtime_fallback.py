"""Faults of the encoder and the vectors: the lexical path answers, degraded, and nothing is matched that was not."""

import asyncio
import time
from dataclasses import fields, replace

import numpy as np
import polars as pl
import pytest

from matching.retrieval.encoder import Encoder
from matching.runtime_fallback import BUDGET_SECONDS, Sturdy
from matching.runtime_turns import Turns
from matching.scoring import Scorer


class Failing(Encoder):
    def embed_table(self, *given):
        raise OSError("the file of weights is gone")


class Slow(Encoder):
    def embed_table(self, *given):
        time.sleep(4 * BUDGET_SECONDS)
        return super().embed_table(*given)


class Nonsense(Encoder):
    def embed_table(self, *given):
        return super().embed_table(*given) * np.nan


class TooShort(Encoder):
    def embed_table(self, *given):
        return super().embed_table(*given)[:0]


def with_encoder(scorer: Scorer, kind: type[Encoder]) -> Sturdy:
    encoder = kind(**{one.name: getattr(scorer.index.encoder, one.name) for one in fields(Encoder)})
    return Sturdy(replace(scorer, index=replace(scorer.index, encoder=encoder)))


def decided(sturdy: Sturdy, *parts: pl.DataFrame) -> list[pl.DataFrame]:
    """The decisions on some records after the other."""

    async def one_by_one() -> list[pl.DataFrame]:
        turns = Turns(sturdy.score, sturdy.overdue)
        return [await turns.score(part, 50, True) for part in parts]

    return asyncio.run(one_by_one())


def damaged(scorer: Scorer) -> Sturdy:
    """Its vectors are no table."""
    arrays = scorer.index.arrays | {"codes": np.zeros(10, np.int8)}
    return Sturdy(replace(scorer, index=replace(scorer.index, arrays=arrays)))


FAULTS = {kind.__name__: kind for kind in (Failing, Slow, Nonsense, TooShort)}


@pytest.mark.parametrize("fault", [*FAULTS, "damaged vectors"])
def test_a_fault_only_moves_records_to_review(small_scorer, small_frames, fault):
    records = small_frames.records.head(40)
    well = small_scorer.score(records).decisions
    sturdy = with_encoder(small_scorer, FAULTS[fault]) if fault in FAULTS else damaged(small_scorer)
    [ill] = decided(sturdy, records)
    assert ill["record_id"].equals(well["record_id"])
    assert ill["degraded"].all()
    assert set(ill["decision"]) == {"review"}
    assert "match" in set(well["decision"])
    assert sum(sturdy.faults.values()) == 1


def test_a_slow_encoder_costs_one_request_its_budget_and_the_next_ones_nothing(small_scorer, small_frames):
    asked: list[float] = []

    class Counted(Slow):
        def embed_table(self, *given):
            asked.append(0.0)
            return super().embed_table(*given)

    sturdy = with_encoder(small_scorer, Counted)
    ill = decided(sturdy, *(small_frames.records[n : n + 1] for n in range(5)))
    assert all(decisions["degraded"].all() for decisions in ill)
    assert len(asked) == 1


def test_an_encoder_that_is_well_again_is_used_again(small_scorer, small_frames):
    sturdy = with_encoder(small_scorer, Failing)
    sturdy.score(small_frames.records.head(2))
    sturdy.scorer = small_scorer
    sturdy._until = 0.0
    assert sturdy.score(small_frames.records.head(2)).decisions.equals(
        small_scorer.score(small_frames.records.head(2)).decisions
    )


def test_a_well_encoder_decides_as_the_scorer_does(small_scorer, small_frames):
    sturdy = with_encoder(small_scorer, Encoder)
    records = small_frames.records.head(40)
    assert sturdy.score(records).decisions.equals(small_scorer.score(records).decisions)
    assert sturdy.faults == {}


def test_what_fails_without_the_encoder_too_is_no_answer(small_scorer, small_frames):
    with pytest.raises(KeyError):
        Sturdy(replace(small_scorer, index=replace(small_scorer.index, arrays={}))).score(small_frames.records.head(1))
