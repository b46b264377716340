"""Server processes of this machine: started detached from who starts them, asked how they are, stopped for certain."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import psutil

if TYPE_CHECKING:
    import requests

PATIENCE_SECONDS = 30
"""How long a server may answer what it has begun before it is killed; longer than the runtime's own grace."""


class Started(NamedTuple):
    """A process. A pid is given away again after its process ended; together with the start time it is not."""

    pid: int
    created: float


def free_port(host: str) -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def start(command: Sequence[str], log: Path, settings: Mapping[str, str] | None = None) -> Started:
    """Start a process in a session of its own, so that it outlives this one. Its output is added to `log`.

    settings: environment variables that it has beside ours.
    """
    with log.open("ab") as out:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
            env={**os.environ, **(settings or {})},
        )
    started = Started(process.pid, psutil.Process(process.pid).create_time())
    # It is meant to run on: without this, Python warns when the object goes.
    process.returncode = 0
    return started


def is_running(started: Started) -> bool:
    """Whether the process is there and has not ended."""
    try:
        process = psutil.Process(started.pid)
        return bool(process.create_time() == started.created and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def stop(started: Started) -> None:
    """Ask a process to end, and end it if it does not. One that is gone is left alone."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        until = time.monotonic() + PATIENCE_SECONDS
        if is_running(started):
            with suppress(ProcessLookupError):
                os.kill(started.pid, number)
        while is_running(started) and time.monotonic() < until:
            time.sleep(0.02)
    # One that we started stays listed until we have asked how it ended; others are their own starter's.
    with suppress(ChildProcessError):
        os.waitpid(started.pid, os.WNOHANG)


def http() -> requests.Session:
    """A session that leaves proxies aside: the address is this machine's."""
    import requests

    session = requests.Session()
    session.trust_env = False
    return session


def ping(url: str) -> dict[str, Any] | None:
    """What `GET /ping` says, or None while it does not answer with 200."""
    import requests

    try:
        answer = http().get(f"{url}/ping", timeout=5)
        answer.raise_for_status()
    except requests.RequestException:
        return None
    said: dict[str, Any] = answer.json()
    return said
