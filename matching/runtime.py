"""Serving: `python -m matching.runtime`. What callers may rely on is in docs/SERVING.md.

This process binds the port and keeps a generation of workers up (`matching.runtime_generation`); it never loads a
bundle itself, so little can happen to it. A swap starts another generation beside the one that serves; when its workers
answer, the old ones retire. A generation that does not come up changes nothing. When the process that forked the
workers dies, they go on serving until another generation is up.

    python -m matching.runtime [serve] --bundle DIR [--host H] [--port P] [--workers N] [--control DIR]
    python -m matching.runtime swap --bundle DIR --control DIR
    python -m matching.runtime rollback --control DIR
    python -m matching.runtime status --control DIR

SageMaker starts a container with the word `serve`, the model in /opt/ml/model (SM_MODEL_DIR), and the port in
SAGEMAKER_BIND_TO_PORT.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from matching import runtime_control
from matching.runtime_supervisor import Supervisor

COMMANDS = ("serve", "swap", "rollback", "status")


def serve(
    bundle: Path, host: str = "127.0.0.1", port: int = 8080, workers: int = 1, control: Path | None = None,
    keys: Path | None = None,
) -> int:  # fmt: skip
    """Serve `bundle` until the process is told to stop. Returns the exit status: 0, or 3 when the bundle is refused.

    `keys`: a file of API keys (`matching.runtime_keys`). Raises OSError when the port is taken.
    """
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    state = control or Path(tempfile.mkdtemp(prefix="matching-runtime-"))
    supervisor = Supervisor(listener, state, workers, keys)
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, supervisor.stop)
    try:
        return supervisor.run(bundle.resolve())
    finally:
        listener.close()
        if control is None:
            shutil.rmtree(state, ignore_errors=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line of the container."""
    parser = argparse.ArgumentParser(prog="python -m matching.runtime", description="Serve a bundle over HTTP.")
    parser.add_argument("command", nargs="?", choices=COMMANDS, help="serve, as SageMaker says, when left out")
    parser.add_argument("--bundle", type=Path, default=Path(os.environ.get("SM_MODEL_DIR", "/opt/ml/model")))
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0 inside a container")
    parser.add_argument("--port", type=int, default=int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080")))
    parser.add_argument("--workers", type=int, help="processes that score (1; a container: one for each processor)")
    parser.add_argument("--control", type=Path, help="the folder through which it is swapped and asked")
    given = parser.parse_args(arguments)
    if given.command in (None, "serve"):
        keys = os.environ.get("MATCHING_API_KEY_FILE")
        workers = given.workers or (os.cpu_count() or 1 if given.command else 1)
        return serve(given.bundle, given.host, given.port, workers, given.control, Path(keys) if keys else None)
    if given.control is None:
        parser.error(f"{given.command} needs --control")
    try:
        said = {
            "swap": lambda: runtime_control.swap(given.control, given.bundle),
            "rollback": lambda: runtime_control.rollback(given.control),
            "status": lambda: runtime_control.status(given.control),
        }[given.command]()
    except runtime_control.ControlError as problem:
        print(problem, file=sys.stderr)
        return 1
    print(json.dumps(said, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
