"""A sensor's cursor: versioned JSON that may be lost.

Nothing that must not happen twice depends on it. A missing, unreadable or older cursor reads as an empty one, and run
keys made of content keep what was done from being done again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

VERSION = 1


def load(text: str | None) -> dict[str, Any]:
    """The state in a cursor; empty when there is none that this version wrote."""
    try:
        cursor = json.loads(text or "null")
    except json.JSONDecodeError:
        return {}
    state = cursor.get("state") if isinstance(cursor, dict) and cursor.get("version") == VERSION else None
    return state if isinstance(state, dict) else {}


def dump(state: Mapping[str, Any]) -> str:
    """The cursor that holds `state`."""
    return json.dumps({"version": VERSION, "state": state}, sort_keys=True)
