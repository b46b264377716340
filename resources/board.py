"""What is put up for who looks from outside of Dagster: a heartbeat for a monitor, and the operations page for people.

Two files of the state folder, each replaced as a whole: `heartbeat.json` and `operations.html`. A heartbeat that grows
old is how it is seen that the daemon is dead, which can alert on everything but itself.
"""

import json
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from matching.files import atomic_write, write_json
from resources.store import Json


class Board(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The folder `home`."""

    home: str

    @property
    def page(self) -> Path:
        """Where the operations page is."""
        return Path(self.home) / "operations.html"

    def beat(self, now: float, facts: Json) -> None:
        """Say that the watcher lives at `now` (seconds since 1970), and what it saw."""
        at = datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds")
        write_json(Path(self.home) / "heartbeat.json", {**facts, "at": at, "time": now})

    def last_beat(self) -> Json | None:
        """What was last said; None when nothing ever was."""
        file = Path(self.home) / "heartbeat.json"
        return dict(json.loads(file.read_bytes())) if file.exists() else None

    def put_page(self, html: str) -> Path:
        """Put the operations page up, and say where."""
        atomic_write(self.page, html)
        return self.page
