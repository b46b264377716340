"""Turns: one thread scores, and what waits for it is scored together.

One thread, because Python runs one at a time anyway and a second one would only make both slower; more processors are
used by more workers. Each record is decided by itself, so requests that wait can share a turn: most of what one costs
does not depend on how many records it has, so the busier a worker is, the less a request costs. Large requests come in
parts of TOGETHER records, and after each part the next in line has its turn, so a batch of a thousand does not hold up
single records for a second.

When what is scored together fails, each part is scored by itself, so that a request can only fail for its own reasons.
When a turn takes long, `overdue` is asked, again and again; once it says yes, the thread is left behind with what it
does, and the turn is done once more on another one.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import polars as pl

from matching.scoring import FEW, Scored

TOGETHER = FEW  # records of one turn; more would be shared out to threads, which other workers need more
LOOK_SECONDS = 0.05
Score = Callable[[pl.DataFrame, int, bool], Scored]


@dataclass(frozen=True)
class Part:
    """Records that wait for their decisions. Parts with the same options may share a turn."""

    records: pl.DataFrame
    options: tuple[int, bool]
    decisions: asyncio.Future[pl.DataFrame]


class Turns:
    """Scores what is waiting, in order. `keep` is given everything that was scored."""

    def __init__(
        self, score: Score, overdue: Callable[[], bool] = lambda: False, keep: Callable[[Scored], None] | None = None
    ) -> None:
        self._score, self._overdue, self._keep = score, overdue, keep
        self._waiting: deque[Part] = deque()
        self._working: asyncio.Task[None] | None = None
        self._thread = _thread()
        self._since: float | None = None

    async def score(self, records: pl.DataFrame, top_k: int, reasons: bool) -> pl.DataFrame:
        """The decisions on at most TOGETHER records. Raises what scoring them raises."""
        part = Part(records, (top_k, reasons), asyncio.get_running_loop().create_future())
        self._waiting.append(part)
        if self._working is None:
            self._working = asyncio.create_task(self._work())
        return await part.decisions

    def stuck_seconds(self) -> float:
        """How long the thread has been at one turn; 0 when it is idle."""
        since = self._since
        return 0.0 if since is None else time.monotonic() - since

    def close(self) -> None:
        """Wait for the turn that is being done and end the thread."""
        self._thread.shutdown()

    async def _work(self) -> None:
        while parts := self._next():
            if not await self._turn(parts) and len(parts) > 1:
                for part in parts:
                    await self._turn([part])
        self._working = None

    def _next(self) -> list[Part]:
        """The parts whose turn it is: from the first on, as long as they are alike and not too many."""
        parts: list[Part] = []
        room = TOGETHER
        while self._waiting:
            part = self._waiting[0]
            if not part.decisions.done():  # it is when nobody waits for it any more
                room -= part.records.height
                if parts and (room < 0 or part.options != parts[0].options):
                    break
                parts.append(part)
            self._waiting.popleft()
        return parts

    async def _turn(self, parts: list[Part]) -> bool:
        """Decide the parts together. False when that failed and there are several, who then do not know it yet."""
        done = await self._done(lambda: self._score(pl.concat([part.records for part in parts]), *parts[0].options))
        problem = done.exception()
        if problem is not None and len(parts) > 1:
            return False
        first = 0
        for part in parts:
            if not part.decisions.done():
                if problem is not None:
                    part.decisions.set_exception(problem)
                else:
                    part.decisions.set_result(done.result().decisions.slice(first, part.records.height))
            first += part.records.height
        if problem is None and self._keep is not None:
            self._keep(done.result())
        return problem is None

    async def _done(self, work: Callable[[], Scored]) -> asyncio.Future[Scored]:
        """What became of the work in the thread, or in the next one when the first was left behind."""
        loop = asyncio.get_running_loop()
        self._since = time.monotonic()
        done = loop.run_in_executor(self._thread, work)
        while not (await asyncio.wait((done,), timeout=LOOK_SECONDS))[0]:
            if self._overdue():
                done.add_done_callback(asyncio.Future.exception)  # whatever it was: asyncio would log it with its words
                self._thread.shutdown(wait=False)
                self._thread = _thread()
                done = loop.run_in_executor(self._thread, work)
        self._since = None
        return done


def _thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="scoring")
