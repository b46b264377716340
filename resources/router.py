"""The router of a local endpoint: one address for all of its variants. A process of its own.

    python -m resources.router --table F --host H --port P

It follows the table in the file F (resources/routing.py), looks every 50 ms whether there is another, and takes it in
one step: a request is answered by one table or the other. What it does for a request:

* a variant by the hash of the record, or the one that `X-Target-Variant` names (SageMaker's TargetVariant);
* when an instance ends before it has answered, one more try on another: decision ids are made of content, so the same
  question asked twice is the same decision;
* a copy to the shadow, from a bounded queue and after the answer is sent: what does not fit is dropped and counted;
* while variants share a fleet's traffic, what each decided, in `<table>.answers.jsonl` (resources/answers.py);
* counts by variant, as a window for each period (resources/alarms.py) in `<table>.windows.jsonl`, and for Prometheus.

Requests are held in memory only, and no name is written anywhere. The port is held by a parent process that does
nothing else: it forks a new router as soon as one dies, and new connections wait for it in the port's queue.

`GET /-/routes`: the table that is followed. `GET /metrics`: Prometheus. All else goes to a variant.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import sys
import time
import uuid
from collections.abc import Sequence
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path

import orjson
import uvloop

from resources.answers import Answers, answers_file
from resources.metering import Meter
from resources.mirror import Mirror
from resources.routing import Address, Lane, Table, entity_key
from resources.wire import Message, Pool, Server, answer

LOOK_SECONDS = 0.05
PATIENCE_SECONDS = 30.0
SUSPECT_SECONDS = 0.5
"""How long an instance that did not answer is passed over while another is there."""
GRACE_SECONDS = 25.0
MOST_BODY = 8 << 20
MOST_TRIES = 2
BACKLOG = 1024
QUICK_DEATH_SECONDS = 0.5
CLOCK = time.monotonic


class Router:
    """What one router process does; all of it on one event loop."""

    def __init__(self, table: Path) -> None:
        self._file = table
        self._stamp: tuple[int, int] | None = None
        self._pool = Pool()
        self._suspects: dict[Address, float] = {}
        self._meter = Meter(table.with_suffix(".windows.jsonl"))
        self._mirror = Mirror(self._pool, table.with_suffix(".pairs.jsonl"))
        self._answers = Answers(answers_file(table))
        self._turn = 0
        self.busy = 0
        self.table = Table.of({"production": [], "shadow": None, "window_seconds": 1.0})

    def look(self) -> None:
        """Follow the table of the file, if it is another than before."""
        try:
            state = self._file.stat()
        except FileNotFoundError:
            return
        if (stamp := (state.st_ino, state.st_mtime_ns)) != self._stamp:
            self.table = Table.of(orjson.loads(self._file.read_bytes()))
            self._stamp = stamp

    async def watch(self) -> None:
        """Look for another table, and close a window each period; until cancelled."""
        ends = CLOCK() + self.table.window_seconds
        try:
            while True:
                await asyncio.sleep(LOOK_SECONDS)
                self.look()
                if CLOCK() >= ends:
                    self._close_window()
                    ends = CLOCK() + self.table.window_seconds
        finally:
            self._close_window()

    def _close_window(self) -> None:
        self._meter.close_window(time.time())
        self._mirror.write()
        self._answers.write()

    async def handle(self, request: Message) -> Message:
        """The answer to one request."""
        if request.path == b"/-/routes":
            return answer(HTTPStatus.OK, orjson.dumps({"pid": os.getpid(), "table": self.table.document}))
        if request.path == b"/metrics":
            text = self._meter.prometheus() + self._mirror.prometheus()
            return answer(HTTPStatus.OK, text.encode(), b"text/plain; version=0.0.4")
        self.busy += 1
        try:
            return await self._route(request)
        finally:
            self.busy -= 1

    async def _route(self, request: Message) -> Message:
        table = self.table
        named = request.header(b"x-target-variant")
        key = entity_key(request.body, request.header(b"content-type"))
        lane = table.named(named) if named else table.choose(key)
        if lane is None:
            fault = f"there is no variant {named}" if named else "no variant serves yet"
            return _fault(HTTPStatus.BAD_REQUEST if named else HTTPStatus.SERVICE_UNAVAILABLE, fault)
        if not request.header(b"x-request-id"):
            request.headers.append((b"x-request-id", uuid.uuid4().hex.encode()))
        began = CLOCK()
        found, by = await self._ask(table, lane, request, own=bool(named))
        seconds = CLOCK() - began
        if request.method == b"POST":
            self._meter.count(by.target, found, seconds, retried=by != lane)
            if table.shadow and found.status == HTTPStatus.OK:
                self._mirror.offer(table.shadow, key, request, found, seconds)
            if table.splits and not named and by == lane:
                self._answers.note(by.variant, by.version, found)
        headers = [*found.headers, (b"x-invoked-variant", by.variant.encode())]
        return replace(found, headers=headers)

    async def _ask(self, table: Table, lane: Lane, request: Message, own: bool) -> tuple[Message, Lane]:
        """An answer and whose it is: of the lane, or after a broken connection of one other instance."""
        tried: set[Address] = set()
        for address in self._in_order(table, lane, own):
            if len(tried) == MOST_TRIES:
                break
            tried.add(address)
            try:
                found = await self._pool.ask(address, request, PATIENCE_SECONDS)
            except TimeoutError:
                return _fault(HTTPStatus.GATEWAY_TIMEOUT, "the variant did not answer in time"), lane
            except OSError:
                self._suspects[address] = CLOCK() + SUSPECT_SECONDS
                self._pool.forget(address)
                continue
            by = next((some for some in table.lanes if address in some.addresses), lane)
            return found, lane if address in lane.addresses else by
        return _fault(HTTPStatus.SERVICE_UNAVAILABLE, "no instance of the variant answers"), lane

    def _in_order(self, table: Table, lane: Lane, own: bool) -> list[Address]:
        """Whom to ask: the lane's instances in turn, then the others'; those that just broke last, and once more."""
        self._turn += 1
        count = len(lane.addresses)
        first = [lane.addresses[(self._turn + i) % count] for i in range(count)]
        everyone = [*first, *table.others(lane, own)[count:]]
        now = CLOCK()
        suspects = {address for address in everyone if self._suspects.get(address, 0) > now}
        return [*(a for a in everyone if a not in suspects), *(a for a in everyone if a in suspects)]

    async def run(self, listening: socket.socket, stop: asyncio.Event) -> None:
        """Serve until `stop`; then answer what has been asked."""
        loop = asyncio.get_running_loop()
        self.look()
        tasks = [loop.create_task(self.watch()), *self._mirror.start(loop)]
        server = await loop.create_server(lambda: Server(self.handle, MOST_BODY), sock=listening)
        await stop.wait()
        server.close()
        until = CLOCK() + GRACE_SECONDS
        while self.busy and CLOCK() < until:
            await asyncio.sleep(LOOK_SECONDS)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _fault(status: HTTPStatus, error: str) -> Message:
    found = answer(
        status, orjson.dumps({"error": error, "remedy": "Try again soon; if it stays, describe the endpoint."})
    )
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        found.headers.append((b"retry-after", b"1"))
    return found


def serve(table: Path, listening: socket.socket) -> None:
    """Be a router, until SIGTERM."""

    async def until_stopped() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await Router(table).run(listening, stop)

    uvloop.run(until_stopped())


def keep(table: Path, listening: socket.socket) -> None:
    """Hold the port and a router behind it, until SIGTERM; one that dies is replaced at once."""
    child = 0
    ending = False

    def end(*_: object) -> None:
        nonlocal ending
        ending = True
        if child:
            os.kill(child, signal.SIGTERM)

    while not ending:
        born = CLOCK()
        child = os.fork()
        if child == 0:
            serve(table, listening)
            os._exit(0)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, end)
        _, status = os.waitpid(child, 0)
        if not ending:
            print(f"the router {child} ended with {status}: another is started", file=sys.stderr, flush=True)
            time.sleep(QUICK_DEATH_SECONDS if CLOCK() - born < QUICK_DEATH_SECONDS else 0)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m resources.router", description="Route requests to variants.")
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args(arguments)
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # So that another keeper can take over beside a router whose own was killed.
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listening.bind((given.host, given.port))
    listening.listen(BACKLOG)
    keep(given.table, listening)


if __name__ == "__main__":
    main()
