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
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import polars as pl

from matching.scoring import FEW, Scored

TOGETHER = FEW  # records of one turn; more would be shared out to threads, which other workers need more
LOOK_SECONDS = 0.05
Score = Callable[[pl.DataFrame, int, bool], Scored]
Keep = Callable[[Scored, Sequence[float]], None]


@dataclass(frozen=True)
class Part:
    """Records that wait for their decisions. Parts with the same options may share a turn."""

    records: pl.DataFrame
    options: tuple[int, bool]
    decisions: asyncio.Future[pl.DataFrame]
    since: float


class Turns:
    """Scores what is waiting, in order. `keep` is given everything that was scored, and each record's milliseconds."""

    def __init__(self, score: Score, overdue: Callable[[], bool] = lambda: False, keep: Keep | None = None) -> None:
        self._score, self._overdue, self._keep = score, overdue, keep
        self._waiting: deque[Part] = deque()
        self._alone: deque[Part] = deque()  # of a turn that failed together
        self._turn: list[Part] = []
        self._running: Future[Scored] | None = None
        self._thread = _thread()
        self._since: float | None = None
        self._looking = False

    async def score(self, records: pl.DataFrame, top_k: int, reasons: bool) -> pl.DataFrame:
        """The decisions on at most TOGETHER records. Raises what scoring them raises."""
        loop = asyncio.get_running_loop()
        part = Part(records, (top_k, reasons), loop.create_future(), time.monotonic())
        self._waiting.append(part)
        if self._since is None:
            self._since = time.monotonic()
            loop.call_soon(self._begin, loop)  # and not at once: what arrives in this moment shares the turn
        return await part.decisions

    def stuck_seconds(self) -> float:
        """How long the thread has been at one turn; 0 when it is idle."""
        since = self._since
        return 0.0 if since is None else time.monotonic() - since

    def close(self) -> None:
        """Wait for the turn that is being done and end the thread."""
        self._thread.shutdown()

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Give the thread the next turn, if anybody waits."""
        self._turn = self._next()
        if not self._turn:
            self._since = self._running = None
            return
        self._since = time.monotonic()
        self._give(loop)
        if not self._looking:
            self._looking = True
            loop.call_later(LOOK_SECONDS, self._look, loop)

    def _give(self, loop: asyncio.AbstractEventLoop) -> None:
        records, options = [part.records for part in self._turn], self._turn[0].options

        def back(done: Future[Scored]) -> None:
            if not loop.is_closed():  # it is when a turn that was left behind outlives everything else
                loop.call_soon_threadsafe(self._end, done, loop)

        self._running = self._thread.submit(lambda: self._score(pl.concat(records), *options))
        self._running.add_done_callback(back)

    def _next(self) -> list[Part]:
        """The parts whose turn it is: from the first on, as long as they are alike and not too many."""
        parts: list[Part] = []
        room = TOGETHER
        while self._alone:
            part = self._alone.popleft()
            if not part.decisions.done():
                return [part]
        while self._waiting:
            part = self._waiting[0]
            if not part.decisions.done():  # it is when nobody waits for it any more
                room -= part.records.height
                if parts and (room < 0 or part.options != parts[0].options):
                    break
                parts.append(part)
            self._waiting.popleft()
        return parts

    def _end(self, done: Future[Scored], loop: asyncio.AbstractEventLoop) -> None:
        """Tell who waited what became of their turn, and begin the next. What was left behind is not heard."""
        problem = done.exception()
        if done is not self._running:
            return
        if problem is not None and len(self._turn) > 1:
            self._alone.extend(self._turn)
        else:
            self._tell(problem, done)
        self._begin(loop)

    def _tell(self, problem: BaseException | None, done: Future[Scored]) -> None:
        first = 0
        for part in self._turn:
            if not part.decisions.done():
                if problem is not None:
                    part.decisions.set_exception(problem)
                else:
                    part.decisions.set_result(done.result().decisions.slice(first, part.records.height))
            first += part.records.height
        if problem is None and self._keep is not None:
            now = time.monotonic()
            latency = [1000 * (now - part.since) for part in self._turn for _ in range(part.records.height)]
            self._keep(done.result(), latency)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Now and then, while anything is scored, ask whether it is to be done once more on another thread."""
        self._looking = self._since is not None
        if not self._looking:
            return
        if self._turn and self._overdue():
            self._thread.shutdown(wait=False)
            self._thread = _thread()
            self._give(loop)
        loop.call_later(LOOK_SECONDS, self._look, loop)


def _thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="scoring")
