"""Shadow traffic: copies of requests for a variant whose answers nobody gets.

A copy is offered after its request was answered, and taken only if the queue has room: a shadow that is slow, or gone,
costs the production variant nothing but what it uses of the same machine. Both answers are compared decision by
decision; what is kept is a line for each record with a token of it, both bands, both ids and both latencies. The token
is a keyed hash of the record's id that means nothing outside this file; no name is kept.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections import Counter
from http import HTTPStatus
from pathlib import Path
from typing import Any

import orjson

from resources.answers import decisions_in
from resources.metering import append
from resources.routing import Lane, numbers
from resources.wire import Message, Pool

MOST_WAITING = 64
WORKERS = 2
PATIENCE_SECONDS = 5.0
COUNTED = ("sent", "failed", "refused", "dropped", "uncompared")
MOST_PAIRS = 1000
"""Lines a window: what comes beyond is mirrored and not compared."""


class Mirror:
    """The queue, those who work it off, and the pairs that came of it."""

    def __init__(self, pool: Pool, file: Path) -> None:
        self._pool = pool
        self._file = file
        self._queue: asyncio.Queue[tuple[Lane, Message, Message, float]] = asyncio.Queue(MOST_WAITING)
        self._pairs: list[dict[str, Any]] = []
        self._salt = secrets.token_bytes(16)
        self.counts: Counter[str] = Counter(dict.fromkeys(COUNTED, 0))  # told as zeros until then: a gap is no zero

    def offer(self, lane: Lane, key: bytes, request: Message, answered: Message, seconds: float) -> None:
        """Mirror a request, if the shadow's share takes it in and there is room. Never waits."""
        if numbers(key)[2] >= lane.share:
            return
        try:
            self._queue.put_nowait((lane, request, answered, seconds))
        except asyncio.QueueFull:
            self.counts["dropped"] += 1

    def start(self, loop: asyncio.AbstractEventLoop) -> list[asyncio.Task[None]]:
        """Work the queue off, until cancelled."""
        return [loop.create_task(self._work()) for _ in range(WORKERS)]

    async def _work(self) -> None:
        turn = 0
        while True:
            lane, request, answered, seconds = await self._queue.get()
            if not lane.addresses:
                self.counts["failed"] += 1
                continue
            turn += 1
            began = time.monotonic()
            try:
                shadow = await self._pool.ask(lane.addresses[turn % len(lane.addresses)], request, PATIENCE_SECONDS)
            except OSError:  # a TimeoutError is one
                self.counts["failed"] += 1
                continue
            self.counts["sent"] += 1
            self._compare(answered, shadow, seconds, time.monotonic() - began)

    def _compare(self, answered: Message, shadow: Message, seconds: float, shadow_seconds: float) -> None:
        if shadow.status != HTTPStatus.OK:
            self.counts["refused"] += 1
            return
        theirs = {decision["record_id"]: decision for decision in decisions_in(shadow)}
        for ours in decisions_in(answered):
            other = theirs.get(ours["record_id"])
            if other is None or len(self._pairs) >= MOST_PAIRS:
                self.counts["uncompared"] += 1
                continue
            self._pairs.append(
                {
                    "token": self._token(ours["record_id"]),
                    "band": ours["decision"],
                    "shadow_band": other["decision"],
                    "reference_id": ours["reference_id"],
                    "shadow_reference_id": other["reference_id"],
                    "ms": 1000 * seconds,
                    "shadow_ms": 1000 * shadow_seconds,
                }
            )

    def _token(self, record_id: str) -> str:
        return hashlib.blake2b(record_id.encode(), key=self._salt, digest_size=8).hexdigest()

    def write(self) -> None:
        """Append the pairs of this window to the file."""
        pairs, self._pairs = self._pairs, []
        append(self._file, b"".join(orjson.dumps(pair) + b"\n" for pair in pairs))

    def prometheus(self) -> str:
        """The counts in Prometheus' text format."""
        return "".join(f"matching_router_shadow_{what}_total {n}\n" for what, n in sorted(self.counts.items()))
