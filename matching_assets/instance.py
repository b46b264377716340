"""The Dagster instance of a state folder: its `dagster/` is DAGSTER_HOME, configured by the checkout's dagster.yaml."""

from __future__ import annotations

import os
from pathlib import Path

from matching.files import atomic_write

CHECKOUT = Path(__file__).parents[1]
CONFIGURATION = "dagster.yaml"


def prepare_instance(home: Path) -> Path:
    """Make `home`/dagster with the checkout's dagster.yaml, let this process and its children use it, and return it.

    An instance that is there keeps its runs; its configuration becomes the checkout's. Raises OSError when it cannot.
    """
    folder = home.resolve() / "dagster"
    wanted = (CHECKOUT / CONFIGURATION).read_bytes()
    written = folder / CONFIGURATION
    if not written.is_file() or written.read_bytes() != wanted:
        atomic_write(written, wanted)
    os.environ["DAGSTER_HOME"] = str(folder)
    os.environ["MATCHING_HOME"] = str(home.resolve())
    return folder
