"""What the router counts for each variant: a window a period in a file, and totals for Prometheus.

A window is a line of JSON, appended in one write: a router killed at any point loses the window that was open and tears
at most the last line, which readers leave out. The bands come from the runtime's answer (`X-Bands: match=3,review=1`),
never from the records.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import orjson

from resources.alarms import BANDS, EDGES_MS, Window, bucket
from resources.wire import Message

MOST_BYTES = 16 << 20
"""A file of windows that has grown larger is put aside as `.1`, over the one before."""
COUNTED = ("requests", "errors", "throttled", "retried", "degraded")


class _Tally:
    """Counts of one target."""

    def __init__(self) -> None:
        self.counts = dict.fromkeys(COUNTED, 0)
        self.bands = dict.fromkeys(BANDS, 0)
        self.latency = [0] * len(EDGES_MS)
        self.seconds = 0.0

    def add(self, found: Message, seconds: float, retried: bool) -> None:
        throttled = found.status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
        self.counts["requests"] += 1
        self.counts["errors"] += found.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        self.counts["throttled"] += throttled
        self.counts["retried"] += retried
        self.counts["degraded"] += _whole(found.header(b"x-degraded"))
        self.latency[bucket(1000 * seconds)] += 1
        self.seconds += seconds
        for part in found.header(b"x-bands").split(","):
            band, _, count = part.strip().partition("=")
            if band in self.bands:
                self.bands[band] += _whole(count)


class Meter:
    """Counts by target, since the start and since the last window."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._since: float | None = None
        self._window: dict[str, _Tally] = {}
        self._total: dict[str, _Tally] = {}

    def count(self, target: str, found: Message, seconds: float, retried: bool) -> None:
        """One answered request."""
        for tallies in (self._window, self._total):
            tallies.setdefault(target, _Tally()).add(found, seconds, retried)

    def close_window(self, now: float) -> None:
        """Write what was counted since the last window."""
        since, self._since = self._since, now
        window, self._window = self._window, {}
        lines = b"".join(
            orjson.dumps(
                Window(
                    at=now,
                    seconds=now - since if since else 0.0,
                    target=target,
                    requests=tally.counts["requests"],
                    errors=tally.counts["errors"],
                    throttled=tally.counts["throttled"],
                    degraded=tally.counts["degraded"],
                    bands=tally.bands,
                    latency=tuple(tally.latency),
                ).to_json()
            )
            + b"\n"
            for target, tally in window.items()
        )
        append(self._file, lines)

    def prometheus(self) -> str:
        """The totals in Prometheus' text format."""
        lines = []
        for target, tally in sorted(self._total.items()):
            fleet, role, variant = target.split("/")
            label = f'fleet="{fleet}",role="{role}",variant="{variant}"'
            lines += [f"matching_router_{name}_total{{{label}}} {n}" for name, n in tally.counts.items()]
            lines += [f'matching_router_bands_total{{{label},band="{b}"}} {n}' for b, n in tally.bands.items()]
            seen = 0
            for edge, count in zip(EDGES_MS, tally.latency, strict=True):
                seen += count
                if count:
                    lines.append(f'matching_router_latency_seconds_bucket{{{label},le="{edge / 1000:.6g}"}} {seen}')
            lines.append(f'matching_router_latency_seconds_bucket{{{label},le="+Inf"}} {seen}')
            lines.append(f"matching_router_latency_seconds_sum{{{label}}} {tally.seconds:.6f}")
            lines.append(f"matching_router_latency_seconds_count{{{label}}} {seen}")
        return "".join(f"{line}\n" for line in lines)


def append(file: Path, lines: bytes, most_bytes: int = MOST_BYTES) -> None:
    """Append whole lines in one write; a file that has grown too large is put aside first."""
    if not lines:
        return
    if file.exists() and file.stat().st_size > most_bytes:
        file.replace(file.with_name(f"{file.name}.1"))
    handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(handle, lines)
    finally:
        os.close(handle)


def read_lines(file: Path) -> Iterator[dict[str, object]]:
    """The lines of a file that `append` wrote, oldest first; one that was torn by a kill is left out."""
    for path in (file.with_name(f"{file.name}.1"), file):
        for line in path.read_bytes().split(b"\n")[:-1] if path.exists() else []:
            try:
                yield orjson.loads(line)
            except orjson.JSONDecodeError:
                continue


def read_windows(file: Path, since: float) -> list[Window]:
    """The windows that ended after `since`."""
    return [Window.from_json(line) for line in read_lines(file) if line["at"] > since]  # type: ignore[operator]


def _whole(text: str) -> int:
    return int(text) if text.isdecimal() else 0
