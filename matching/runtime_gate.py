"""Admission: how many requests may be inside at once, whose turn it is, and how long one may take.

A bounded number of requests is inside. One thread scores, because Python runs one at a time anyway and a second one
would only make both slower; more processors are used by more workers. Large requests are worked on in parts, and after
each part the next in line has its turn, so a batch of a thousand does not hold up single records for a second.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import TypeVar

from matching.runtime_input import RequestError

T = TypeVar("T")


class Gate:
    """Lets a bounded number of requests in and has their parts worked on one at a time, in order.

    `places`: requests inside, waiting or worked on. `seconds`: how long one may be inside. A single client may take
    all places while nobody else is there, and half of them otherwise.
    """

    def __init__(self, places: int = 32, seconds: float = 10.0) -> None:
        self._places, self._seconds = places, seconds
        self._inside: Counter[str] = Counter()
        self._turn = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="scoring")
        self._since: float | None = None

    @asynccontextmanager
    async def place(self, client: str) -> AsyncIterator[None]:
        """Be inside. Raises RequestError: 503 when it is full or took too long, 429 when this client has its share."""
        inside = self._inside.total()
        if inside >= self._places:
            raise _later("too many requests are waiting")
        if self._inside[client] >= self._places // 2 and inside > self._inside[client]:
            raise _later("this client has its share of the places", HTTPStatus.TOO_MANY_REQUESTS)
        self._inside[client] += 1
        try:
            async with asyncio.timeout(self._seconds):
                yield
        except TimeoutError as late:
            raise _later(f"no answer within {self._seconds:g} s") from late
        finally:
            self._inside[client] -= 1
            self._inside += Counter()  # forget those who have left

    async def run(self, work: Callable[[], T]) -> T:
        """Do `work` in the thread when it is this request's turn."""
        async with self._turn:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._timed, work)

    def stuck_seconds(self) -> float:
        """How long the thread has been at one part of the work; 0 when it is idle."""
        since = self._since
        return 0.0 if since is None else time.monotonic() - since

    def close(self) -> None:
        """Wait for the work that is being done and end the thread."""
        self._thread.shutdown()

    def _timed(self, work: Callable[[], T]) -> T:
        self._since = time.monotonic()
        try:
            return work()
        finally:
            self._since = None


def _later(error: str, status: HTTPStatus = HTTPStatus.SERVICE_UNAVAILABLE) -> RequestError:
    return RequestError(error, "Try again soon.", status)
