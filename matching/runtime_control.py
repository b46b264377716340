"""The control folder of a serving process: what is wished for, and what is.

    desired.json   {"id", "bundle"}: written by `swap`, read by the supervisor
    status.json    written by the supervisor: {"serving": {"bundle", "bundle_version", "workers"}, "previous": bundle,
                   "handled": id, "refused": {"bundle", "why"} or null, "pid", "url"}

Files and no route: who may write to the folder may swap, and nothing on the network can.
"""

from __future__ import annotations

import json
import time
import uuid
from pathlib import Path
from typing import Any

from matching.files import write_json

PATIENCE_SECONDS = 120.0


class ControlError(RuntimeError):
    """A wish that was not fulfilled. What served before goes on serving."""


def status(control: Path) -> dict[str, Any]:
    """What serves. Raises ControlError when nothing ever did."""
    try:
        said: dict[str, Any] = json.loads((control / "status.json").read_bytes())
    except FileNotFoundError as missing:
        raise ControlError(f"nothing serves with --control {control}") from missing
    return said


def swap(control: Path, bundle: Path, patience: float = PATIENCE_SECONDS) -> dict[str, Any]:
    """Serve another bundle; returns the status when it does. Raises ControlError when it is refused, saying why."""
    status(control)
    wish = uuid.uuid4().hex
    write_json(control / "desired.json", {"id": wish, "bundle": str(bundle.resolve())})
    end = time.monotonic() + patience
    while (now := status(control))["handled"] != wish:
        if time.monotonic() > end:
            raise ControlError(f"no answer within {patience:g} s: does pid {now['pid']} still run?")
        time.sleep(0.05)
    if now["refused"]:
        raise ControlError(f"{now['refused']['bundle']} is refused: {now['refused']['why']}")
    return now


def rollback(control: Path, patience: float = PATIENCE_SECONDS) -> dict[str, Any]:
    """Serve what was served before the last swap. Raises ControlError when nothing was, or when it is refused."""
    previous = status(control)["previous"]
    if previous is None:
        raise ControlError("nothing was served before")
    return swap(control, Path(previous), patience)


def desired(control: Path) -> dict[str, str] | None:
    """What is wished for, None when nothing is or the wish cannot be read."""
    try:
        wish = json.loads((control / "desired.json").read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    return wish if isinstance(wish, dict) and {"id", "bundle"} <= wish.keys() else None
