"""Admission: how many requests may be inside at once, and how long one may take."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from matching.runtime_input import RequestError


class Gate:
    """Lets a bounded number of requests in.

    `places`: requests inside, waiting or worked on. `seconds`: how long one may be inside. A single client may take
    all places while nobody else is there, and half of them otherwise.
    """

    def __init__(self, places: int = 128, seconds: float = 10.0) -> None:
        self._places, self._seconds = places, seconds
        self._inside: Counter[str] = Counter()

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


def _later(error: str, status: HTTPStatus = HTTPStatus.SERVICE_UNAVAILABLE) -> RequestError:
    return RequestError(error, "Try again soon.", status)
