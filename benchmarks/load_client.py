"""Open-loop load: requests are due at times that are fixed beforehand, whether or not earlier ones have been answered.

Latency counts from when a request was due, so a server that stalls is charged for all that had to wait: no coordinated
omission (Tene, "How NOT to Measure Latency"). A request whose connection breaks, or that is answered 429 or 503, is
sent again as `matching.client` does it: up to TRIES times, later each time, with jitter, and never sooner than
Retry-After asks; how often is told apart from what failed in the end, and `refused` keeps what earlier tries were told.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httptools

from matching.client import AGAIN, FIRST_PAUSE

TRIES = 4  # the default of matching.client
PATIENCE_SECONDS = 10.0


@dataclass
class Answer:
    """What became of request `number`. `ms` counts from when it was due; `status` 0: never answered."""

    number: int
    ms: float = 0.0
    status: int = 0
    tries: int = 0
    refused: list[str] = field(default_factory=list)
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


class Connection(asyncio.Protocol):
    """One kept connection with at most one request on it."""

    def __init__(self) -> None:
        self.open = True
        self.keep = True
        self._waiting: asyncio.Future[None] | None = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    async def ask(self, request: bytes, answer: Answer) -> None:
        """Send a request and wait for the whole answer. Raises ConnectionError, TimeoutError."""
        self._answer, self._body = answer, bytearray()
        answer.headers = {}
        self._parser = httptools.HttpResponseParser(self)
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self._waiting
        answer.status, answer.body = self._parser.get_status_code(), bytes(self._body)
        self.keep = self._parser.should_keep_alive()

    def close(self) -> None:
        self.open = False
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._answer.headers[name.decode().lower()] = value.decode()

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        if self._waiting and not self._waiting.done():
            self._waiting.set_result(None)

    def connection_lost(self, _problem: Exception | None) -> None:
        self.open = False
        if self._waiting and not self._waiting.done():
            self._waiting.set_exception(ConnectionResetError("closed before the answer was complete"))


class Load:
    """Sends requests to one address at a fixed rate."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._idle: list[Connection] = []

    def run(self, bodies: Sequence[bytes], rate: float) -> list[Answer]:
        """Send all bodies, the n-th due n / rate seconds after the start; the answers, in their order."""
        import uvloop

        return uvloop.run(self._run(bodies, rate))

    async def _run(self, bodies: Sequence[bytes], rate: float) -> list[Answer]:
        head = (
            f"POST /invocations HTTP/1.1\r\nHost: {self._host}\r\nContent-Type: application/json\r\nContent-Length: "
        ).encode()
        requests = [head + str(len(body)).encode() + b"\r\n\r\n" + body for body in bodies]
        answers = [Answer(number) for number in range(len(bodies))]
        begin = time.perf_counter() + 0.1
        under_way = []
        for answer, request in zip(answers, requests, strict=True):
            due = begin + answer.number / rate
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            under_way.append(asyncio.create_task(self._send(request, answer, due)))
        await asyncio.gather(*under_way)
        return answers

    async def _send(self, request: bytes, answer: Answer, due: float) -> None:
        for tried in range(TRIES):
            if tried:
                pause = random.uniform(0, FIRST_PAUSE * 2**tried)
                await asyncio.sleep(max(pause, float(answer.headers.get("retry-after", 0))))
            answer.tries += 1
            answer.headers = {}
            try:
                await self._ask(request, answer)
                told = str(answer.status)
            except OSError as lost:  # TimeoutError too
                answer.status, told = 0, type(lost).__name__
            answer.ms = 1000 * (time.perf_counter() - due)
            if answer.status not in (0, *AGAIN):
                return
            answer.refused.append(told)

    async def _ask(self, request: bytes, answer: Answer) -> None:
        connection = next((one for one in iter(self._take, None) if one.open), None)
        if connection is None:
            loop = asyncio.get_running_loop()
            _, connection = await loop.create_connection(Connection, self._host, self._port)
        try:
            await connection.ask(request, answer)
        except (OSError, TimeoutError):
            connection.close()
            raise
        if connection.open and connection.keep:
            self._idle.append(connection)
        else:
            connection.close()

    def _take(self) -> Connection | None:
        return self._idle.pop() if self._idle else None
