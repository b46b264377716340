"""The supervisor of `matching.runtime`: which generation serves, which one is coming, which ones retire."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from matching import runtime_control
from matching.files import write_json

TICK_SECONDS = 0.1
START_SECONDS, LEAVING_SECONDS = 300.0, 3.0
PATIENCE_SECONDS = 29.5
REFUSED = 3
# Workers share memory by forking, and only a process without threads may fork; each worker has one thread for work.
ONE_THREAD = {"POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}


@dataclass
class Generation:
    """A process that has workers. `wish`: the id of the swap that asked for it, None where none did."""

    bundle: str
    process: subprocess.Popen[bytes]
    hears: int
    wish: str | None
    started: float
    workers: set[int] = field(default_factory=set)
    leaving: set[int] = field(default_factory=set)
    version: str | None = None
    why: str | None = None

    def listen(self) -> None:
        """Take in what it has told."""
        while select.select([self.hears], [], [], 0)[0] and (said := os.read(self.hears, 65536)):
            for line in said.splitlines():
                event = json.loads(line)
                if event["event"] == "up":
                    self.workers.add(event["pid"])
                    self.version = event["version"]
                elif event["event"] == "leaving":
                    self.leaving.add(event["pid"])
                else:
                    self.why = event["why"]

    def signal(self, how: signal.Signals) -> None:
        """Tell it, or its workers when it is gone itself."""
        for pid in [self.process.pid] if self.process.poll() is None else self.workers:
            try:
                os.kill(pid, how)
            except ProcessLookupError:
                continue


class Supervisor:
    """Keeps a bundle served. `listener` is bound; workers listen on it as soon as they can answer."""

    def __init__(self, listener: socket.socket, state: Path, workers: int, keys: Path | None) -> None:
        self._listener, self._state, self._workers, self._keys = listener, state, workers, keys
        self._lifeline, self._hold = os.pipe()  # its other end closes when this process ends, however it does
        self._current: Generation | None = None
        self._next: Generation | None = None
        self._retired: list[Generation] = []
        self._previous: str | None = None
        self._refused: dict[str, str] | None = None
        self._handled: str | None = None
        self._stop = False
        self._failures = 0

    def stop(self, _sig: int = 0, _frame: FrameType | None = None) -> None:
        """Ask it to end, as a signal handler may."""
        self._stop = True

    def run(self, bundle: Path) -> int:
        """Serve until told to stop. Returns 0, or REFUSED when the first bundle does not come up."""
        metrics = self._state / "metrics"
        metrics.mkdir(parents=True, exist_ok=True)
        for old in metrics.glob("*.prom"):
            old.unlink()
        left_over = runtime_control.desired(self._state)
        self._handled = left_over["id"] if left_over else None
        self._next = self._start(str(bundle), None)
        while not self._stop:
            self._tick()
            if self._current is None and self._next is None:
                return REFUSED
            time.sleep(TICK_SECONDS)
        self._end()
        return 0

    def _tick(self) -> None:
        for one in (self._current, self._next, *self._retired):
            if one is not None:
                one.listen()
        self._retired = [one for one in self._retired if one.process.poll() is None]
        if self._next is not None:
            self._judge(self._next)
        elif (wish := runtime_control.desired(self._state)) and wish["id"] != self._handled:
            self._next = self._start(wish["bundle"], wish["id"])
        elif self._current is not None and self._current.process.poll() is not None:
            self._next = self._start(self._current.bundle, None)

    def _judge(self, coming: Generation) -> None:
        """Let the coming generation take over when all its workers are up, or give it up when it will not come."""
        if len(coming.workers) >= self._workers:
            replaced, self._current, self._next = self._current, coming, None
            if replaced is not None:
                self._retire(replaced)
                if coming.wish:
                    self._previous = replaced.bundle
            self._refused, self._failures = None, 0
            self._handled = coming.wish or self._handled
            self._write_status()
            return
        ended = coming.process.poll() is not None
        if not ended and time.monotonic() - coming.started < START_SECONDS:
            return
        coming.process.kill()
        coming.listen()
        self._next = None
        if coming.wish or self._current is None:
            self._refused = {"bundle": coming.bundle, "why": coming.why or "its process ended before it could serve"}
            self._handled = coming.wish or self._handled
            self._write_status()
        else:  # what served is to be replaced and does not come up: its workers may still answer
            self._failures += 1
            time.sleep(min(self._failures, 10))

    def _retire(self, replaced: Generation) -> None:
        """Have its workers leave, and wait until none of them takes a new connection: then the swap is done."""
        replaced.signal(signal.SIGUSR1)
        self._retired.append(replaced)
        end = time.monotonic() + LEAVING_SECONDS
        while not self._left(replaced) and time.monotonic() < end:
            time.sleep(TICK_SECONDS / 5)

    def _left(self, replaced: Generation) -> bool:
        replaced.listen()
        return replaced.process.poll() is not None or len(replaced.leaving) >= self._workers

    def _start(self, bundle: str, wish: str | None) -> Generation:
        hears, tells = os.pipe()
        given: list[Any] = [
            "--bundle", bundle, "--workers", self._workers, "--listener", self._listener.fileno(),
            "--lifeline", self._lifeline, "--tell", tells, "--state", self._state.resolve(),
            *(["--keys", self._keys.resolve()] if self._keys else []),
        ]  # fmt: skip
        process = subprocess.Popen(
            [sys.executable, "-m", "matching.runtime_generation", *map(str, given)],
            pass_fds=(self._listener.fileno(), self._lifeline, tells),
            env={**os.environ, **ONE_THREAD},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(tells)
        return Generation(bundle, process, hears, wish, time.monotonic())

    def _end(self) -> None:
        """Stop all generations; what is being answered has its time."""
        there = [one for one in (self._current, self._next, *self._retired) if one is not None]
        for one in there:
            one.signal(signal.SIGTERM)
        end = time.monotonic() + PATIENCE_SECONDS
        while any(one.process.poll() is None for one in there) and time.monotonic() < end:
            time.sleep(TICK_SECONDS / 2)
        for one in there:
            one.signal(signal.SIGKILL) if one.process.poll() is None else None

    def _write_status(self) -> None:
        current = self._current
        serving = current and {
            "bundle": current.bundle, "bundle_version": current.version, "workers": len(current.workers),
            "pid": current.process.pid,
        }  # fmt: skip
        host, port = self._listener.getsockname()[:2]
        write_json(
            self._state / "status.json",
            {
                "serving": serving, "previous": self._previous, "refused": self._refused, "handled": self._handled,
                "pid": os.getpid(), "url": f"http://{host}:{port}",
            },
        )  # fmt: skip
