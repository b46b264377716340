"""One process measured: how long it took and how much memory it had, start-up included."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Run:
    """Wall-clock seconds, and the most resident memory that the process had, in bytes."""

    seconds: float
    peak_bytes: int


def run(command: Sequence[str | Path], log: Path) -> Run:
    """Run a command; what it says goes to `log`. Raises CalledProcessError with its last line when it fails."""
    words = [str(word) for word in command]
    # Where PYTHONDONTWRITEBYTECODE is set every start compiles all libraries anew, which is nobody's speed.
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    started = time.perf_counter()
    with log.open("w") as out:
        process = subprocess.Popen(words, stdout=out, stderr=subprocess.STDOUT, env=kept)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        last = next((line for line in reversed(log.read_text().splitlines()) if line.strip()), "")
        raise subprocess.CalledProcessError(process.returncode, words, output=last)
    return Run(time.perf_counter() - started, usage.ru_maxrss * 1024)
