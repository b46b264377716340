"""The runs that ended since the last look, and where the next look begins.

Both alert sensors read the same stream. Without a cursor (the first tick, or a lost one) the look begins `LOOK_BACK`
ago: old failures do not ring again, and one that happened while the daemon was being restarted is not missed.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import dagster as dg

LOOK_BACK = 3600.0
AT_ONCE = 100
ENDS: Final = (dg.DagsterEventType.RUN_SUCCESS, dg.DagsterEventType.RUN_FAILURE)


@dataclass(frozen=True)
class Ended:
    """A run, and when it ended (epoch seconds)."""

    run: dg.DagsterRun
    at: float


def ended_since(instance: dg.DagsterInstance, position: Mapping[str, int]) -> tuple[list[Ended], dict[str, int]]:
    """Runs that succeeded or failed since `position`, oldest first, at most `AT_ONCE` of each; and the new position."""
    ended, reached = [], dict(position)
    for kind in ENDS:
        after = position.get(kind.value)
        wanted = dg.RunStatusChangeRecordsFilter(
            event_type=kind,
            after_storage_id=after,
            after_timestamp=time.time() - LOOK_BACK if after is None else None,
        )
        for record in instance.fetch_run_status_changes(wanted, limit=AT_ONCE, ascending=True).records:
            reached[kind.value] = record.storage_id
            run = instance.get_run_by_id(record.run_id)
            if run is not None:
                ended.append(Ended(run, record.timestamp))
    return sorted(ended, key=lambda e: e.at), reached
