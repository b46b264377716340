"""Who watches the watcher: whether the daemon and its sensors live, told from outside of them.

Alerts come from the daemon. When it is dead none comes, so something else has to ask: `matching health` from cron, a
container's health check, or any monitor that looks at the age of `heartbeat.json`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import dagster as dg

from matching_assets.release import ENDPOINT
from resources.board import Board
from resources.store import MissingError

LATE_SECONDS = 300.0
"""The heartbeat is left once a minute."""
SERVING = ("InService", "Updating", "Creating", "RollingBack")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: whether it is well (None: it says nothing about that), and a line that says so."""

    well: bool | None
    line: str

    @property
    def word(self) -> str:
        """How the line begins."""
        return {True: "ok", False: "DEAD", None: "note"}[self.well]


def examine(instance: dg.DagsterInstance, resources: dict[str, Any], board: Board, now: float) -> list[Finding]:
    """Everything that has to live, at `now` (seconds since 1970)."""
    return [*_daemons(instance, now), *_heartbeat(board, now), *_endpoint(resources), *_alerts(resources)]


def _daemons(instance: dg.DagsterInstance, now: float) -> Iterator[Finding]:
    """Each daemon says twice a minute that it lives; Dagster itself gives it half an hour before it is missed."""
    beats = {name: status.last_heartbeat for name, status in instance.get_daemon_statuses().items()}
    dead = sorted(name for name, beat in beats.items() if beat is None or now - beat.timestamp > LATE_SECONDS)
    if dead:
        remedy = "Restart it: `matching dev`, or its task in AWS. Nothing is lost, sensors catch up."
        yield Finding(False, f"daemon: no sign of life of {', '.join(dead).lower()}. {remedy}")
    else:
        yield Finding(True, "daemon: alive")


def _heartbeat(board: Board, now: float) -> Iterator[Finding]:
    beat = board.last_beat()
    if beat is None:
        yield Finding(False, "sensors: never heard of. Is the sensor `heartbeats` on?")
        return
    minutes = (now - beat["time"]) / 60
    if minutes * 60 > LATE_SECONDS:
        said = f"last heard of {minutes:.0f} min ago, at {beat['at']}; it should be each minute"
        yield Finding(False, f"sensors: {said}.")
        return
    for sentence in beat["troubles"]:
        yield Finding(False, f"sensors: {sentence}")
    if not beat["troubles"]:
        yield Finding(True, f"sensors: {len(beat['sensors'])} are watched, heard of at {beat['at']}")


def _endpoint(resources: dict[str, Any]) -> Iterator[Finding]:
    try:
        status = resources["endpoint"].describe(ENDPOINT)
    except MissingError:
        yield Finding(True, "endpoint: nothing is deployed")
        return
    answering = sum(variant.instances for variant in status.variants)
    well = status.status in SERVING and answering > 0
    yield Finding(well, f"endpoint: {status.status}, {answering} instances answer")


def _alerts(resources: dict[str, Any]) -> Iterator[Finding]:
    """Open alerts are told of, but are no fault of the watcher."""
    for alert in resources["alerts"].open_alerts():
        yield Finding(None, f"open {alert.severity}: {alert.sentence} {alert.runbook}")
