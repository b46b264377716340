"""Who is scored when and with whom."""

import asyncio
from types import SimpleNamespace

import polars as pl
import pytest

from matching.runtime_turns import TOGETHER, Turns


class Recorder:
    """Scores a number as itself, and keeps which were scored together. It cannot score what `bad` has."""

    def __init__(self, *bad: int) -> None:
        self.turns: list[list[int]] = []
        self._bad = set(bad)

    def score(self, records: pl.DataFrame, top_k: int, reasons: bool) -> SimpleNamespace:
        numbers = records["number"].to_list()
        self.turns.append(numbers)
        if wrong := self._bad & set(numbers):
            raise ArithmeticError(f"cannot score {wrong}")
        return SimpleNamespace(decisions=records.with_columns(top_k=top_k))


def asked_at_once(turns: Turns, *asked: tuple[int, int, int]) -> list[list[int] | str]:
    """What each was told who asked about the numbers `first` to `last` with `top_k`, all at once."""

    async def ask() -> list[pl.DataFrame | BaseException]:
        parts = [(pl.DataFrame({"number": range(first, last + 1)}), top_k, True) for first, last, top_k in asked]
        return await asyncio.gather(*(turns.score(*part) for part in parts), return_exceptions=True)

    told = asyncio.run(ask())
    return [str(one) if isinstance(one, BaseException) else one["number"].to_list() for one in told]


def test_requests_that_wait_are_scored_together_and_each_gets_its_own_decisions():
    recorder = Recorder()
    assert asked_at_once(Turns(recorder.score), (1, 1, 50), (2, 4, 50), (5, 5, 50)) == [[1], [2, 3, 4], [5]]
    assert recorder.turns == [[1, 2, 3, 4, 5]]


def test_requests_with_other_options_and_too_many_records_have_a_turn_of_their_own():
    recorder = Recorder()
    asked_at_once(Turns(recorder.score), (1, 1, 50), (2, 2, 7), (3, 3, 7), (4, 3 + TOGETHER, 7))
    assert [len(turn) for turn in recorder.turns] == [1, 2, TOGETHER]


def test_what_cannot_be_scored_fails_its_own_request_only():
    told = asked_at_once(Turns(Recorder(2).score), (1, 1, 50), (2, 2, 50), (3, 3, 50))
    assert told == [[1], "cannot score {2}", [3]]


def test_who_does_not_wait_any_more_is_not_scored():
    async def leave() -> None:
        recorder = Recorder()
        turns = Turns(recorder.score)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await turns.score(pl.DataFrame({"number": [1]}), 50, True)
        await turns.score(pl.DataFrame({"number": [2]}), 50, True)
        assert recorder.turns == [[2]]

    asyncio.run(leave())


def test_the_next_in_line_has_its_turn_between_two_parts_of_a_batch():
    async def order() -> list[list[int]]:
        recorder = Recorder()
        turns = Turns(recorder.score)

        async def ask(*parts: list[int]) -> None:
            for part in parts:
                await turns.score(pl.DataFrame({"number": part}), 50, True)

        await asyncio.gather(ask([1] * TOGETHER, [1] * TOGETHER, [1] * TOGETHER), ask([2]))
        return recorder.turns

    assert asyncio.run(order()).index([2]) == 1


def test_scored_together_or_alone_the_decisions_are_the_same(small_scorer, small_frames):
    async def ask(*sizes: int) -> pl.DataFrame:
        turns, ends = Turns(small_scorer.score), [sum(sizes[: n + 1]) for n in range(len(sizes))]
        parts = [small_frames.records[end - size : end] for end, size in zip(ends, sizes, strict=True)]
        return pl.concat(await asyncio.gather(*(turns.score(part, 50, True) for part in parts)))

    assert asyncio.run(ask(*[1] * 12)).equals(small_scorer.score(small_frames.records.head(12)).decisions)
