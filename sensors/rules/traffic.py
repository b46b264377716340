"""When a day's traffic is collected again: the day is over, and not all of it was there when it was collected.

A day is matched in the morning, when its file lands; what the endpoint is asked afterwards, and what a process or
SageMaker delivers late, is in no table until then.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Day:
    """A business day, the fingerprint of what there is of it ("": nothing), and of what was collected (None: never)."""

    day: str
    there: str
    collected: str | None


def decide(days: Iterable[Day], today: str) -> dict[str, str]:
    """The days to collect, and the run key of each. `today`: a calendar day (ISO); it is not over yet."""
    due = (one for one in days if one.day < today and one.there != (one.collected or ""))
    return {one.day: f"traffic:{one.day}:{one.there[:16] or 'gone'}" for one in due}
