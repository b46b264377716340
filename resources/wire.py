"""HTTP/1.1 on asyncio, as thin as a router can do with: parsed by httptools, kept alive on both sides.

Nothing here knows what is sent. A message is whole before it is handed on, so that it can be sent a second time when
the first receiver dies; `most_body` bounds what that costs.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import responses
from typing import cast

import httptools

Headers = list[tuple[bytes, bytes]]
HOP_BY_HOP = frozenset({b"connection", b"keep-alive", b"transfer-encoding", b"content-length", b"host", b"expect"})
"""Headers of one connection (RFC 9110, 7.6.1), and those that are made anew."""


@dataclass
class Message:
    """A request or an answer; header names are in lower case."""

    headers: Headers = field(default_factory=list)
    body: bytes = b""
    method: bytes = b""
    path: bytes = b""
    status: int = 0

    def header(self, name: bytes) -> str:
        """The value of a header, or an empty text."""
        return next((value.decode("latin-1") for known, value in self.headers if known == name), "")


def answer(status: int, body: bytes, content_type: bytes = b"application/json") -> Message:
    """An answer of our own."""
    return Message([(b"content-type", content_type)], body, status=status)


def _wire(first: bytes, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> bytes:
    lines = [first, *(b"%s: %s" % pair for pair in headers if pair[0] not in HOP_BY_HOP)]
    return b"\r\n".join([*lines, b"content-length: %d" % len(body), b"", body])


class Server(asyncio.Protocol):
    """One connection of a client. Requests on it are answered in turn."""

    def __init__(self, handle: Callable[[Message], Awaitable[Message]], most_body: int) -> None:
        self._handle = handle
        self._most_body = most_body
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[tuple[Message, bool]] = deque()
        self._work: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport | None = None
        self._begin()

    def _begin(self) -> None:
        self._message, self._parts, self._size = Message(), list[bytes](), 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one, and says it is not

    def connection_lost(self, _: Exception | None) -> None:
        """See asyncio. What is being answered is worked out to its end: it may have been mirrored and counted."""
        self._transport = None

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._refuse(HTTPStatus.BAD_REQUEST, b'{"error": "this is not HTTP"}')

    def on_url(self, url: bytes) -> None:
        """Part of the request line."""
        self._message.path += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self._message.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """All headers are there."""
        if self._message.header(b"expect").lower() == "100-continue" and self._transport:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        """Part of the body."""
        self._size += len(body)
        if self._size <= self._most_body:
            self._parts.append(body)

    def on_message_complete(self) -> None:
        """A request is whole."""
        if self._size > self._most_body:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, b'{"error": "the request is too large"}')
            return
        self._message.method, self._message.body = self._parser.get_method(), b"".join(self._parts)
        self._waiting.append((self._message, self._parser.should_keep_alive()))
        self._begin()
        if self._work is None:
            self._work = asyncio.get_running_loop().create_task(self._answer_all())

    async def _answer_all(self) -> None:
        try:
            while self._waiting:
                message, keep = self._waiting.popleft()
                self._write(await self._handle(message), keep)
        except BaseException:
            # A client must not wait for an answer that will not come.
            if self._transport:
                self._transport.abort()
            raise
        finally:
            self._work = None

    def _refuse(self, status: HTTPStatus, body: bytes) -> None:
        self._write(answer(status, body), keep=False)

    def _write(self, message: Message, keep: bool) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        connection = b"keep-alive" if keep else b"close"
        first = b"HTTP/1.1 %d %s\r\nconnection: %s" % (message.status, _phrase(message.status), connection)
        self._transport.write(_wire(first, message.headers, message.body))
        if not keep:
            self._transport.close()


def _phrase(status: int) -> bytes:
    return responses.get(status, "Unknown").encode()


class Connection(asyncio.Protocol):
    """One connection to an instance, for one request at a time. ConnectionError: it ended before the answer did."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[Message] | None = None
        self._begin()

    def _begin(self) -> None:
        self._parser, self._message, self._parts = httptools.HttpResponseParser(self), Message(), list[bytes]()

    @property
    def usable(self) -> bool:
        """Whether another request can be sent."""
        return self.transport is not None and not self.transport.is_closing() and self._answer is None

    async def ask(self, request: bytes) -> Message:
        """Send a request and wait for its answer."""
        if self.transport is None:
            raise ConnectionResetError("the instance has closed the connection")
        self._begin()
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        try:
            return await self._answer
        finally:
            self._answer = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio."""
        self.transport = cast("asyncio.Transport", transport)

    def connection_lost(self, _: Exception | None) -> None:
        """See asyncio."""
        self.transport = None
        if self._answer and not self._answer.done():
            self._answer.set_exception(ConnectionResetError("the instance ended before it had answered"))

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            if self.transport:
                self.transport.abort()

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self._message.headers.append((name.lower(), value))

    def on_body(self, body: bytes) -> None:
        """Part of the body."""
        self._parts.append(body)

    def on_message_complete(self) -> None:
        """The answer is whole."""
        self._message.status, self._message.body = self._parser.get_status_code(), b"".join(self._parts)
        if not self._parser.should_keep_alive() and self.transport:
            self.transport.close()
        if self._answer and not self._answer.done():
            self._answer.set_result(self._message)


class Pool:
    """Connections to instances, kept while they are good."""

    def __init__(self, connect_seconds: float = 1.0) -> None:
        self._idle: dict[tuple[str, int], list[Connection]] = {}
        self._connect_seconds = connect_seconds

    async def ask(self, address: tuple[str, int], message: Message, seconds: float) -> Message:
        """What the instance at `address` answers. OSError: it does not listen, or ended. TimeoutError."""
        first = b"%s %s HTTP/1.1\r\nhost: %s:%d" % (message.method, message.path, address[0].encode(), address[1])
        connection = await self._connection(address)
        try:
            async with asyncio.timeout(seconds):
                found = await connection.ask(_wire(first, message.headers, message.body))
        except BaseException:
            if connection.transport:
                connection.transport.abort()
            raise
        if connection.usable:
            self._idle.setdefault(address, []).append(connection)
        return found

    async def _connection(self, address: tuple[str, int]) -> Connection:
        idle = self._idle.get(address, [])
        while idle:
            if (connection := idle.pop()).usable:
                return connection
        async with asyncio.timeout(self._connect_seconds):
            _, connection = await asyncio.get_running_loop().create_connection(Connection, *address)
        return connection

    def forget(self, address: tuple[str, int]) -> None:
        """Close what is kept to an instance that is gone."""
        for connection in self._idle.pop(address, []):
            if connection.transport:
                connection.transport.abort()
