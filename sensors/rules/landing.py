"""Which files of a landing folder are complete.

A writer may still be at work on a file that is there: its name says so (`.part`, `.tmp`, a leading dot), it is empty,
or it changes between two looks. Such a file is left alone until it has looked the same for `SETTLE_SECONDS`; one that
stays unfinished for `STALE_SECONDS` is a problem that somebody has to hear of. A modification time alone would not do:
copying tools set it back to the original's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

SETTLE_SECONDS = 10.0
STALE_SECONDS = 3600.0
PARTIAL_SUFFIXES = (".tmp", ".part", ".partial", ".filepart", ".crdownload", ".swp", "~")


@dataclass(frozen=True)
class Stat:
    """Size in bytes and modification time in nanoseconds: what a look at a file costs nothing to learn."""

    size: int
    modified_ns: int


@dataclass(frozen=True)
class Sighting:
    """A file as last seen.

    Its stat, the epoch second since which it looks like that, and its sha256 once it was read.
    """

    stat: Stat
    since: float
    digest: str | None = None


def observe(listing: Mapping[str, Stat], before: Mapping[str, Sighting], now: float) -> dict[str, Sighting]:
    """Today's sightings.

    An unchanged file keeps its age and digest, a changed or new one starts afresh, a vanished one is forgotten. One
    that was seen in what is now the future was seen by a clock that was wrong: its age begins anew.
    """
    seen = {}
    for name, stat in sorted(listing.items()):
        last = before.get(name)
        same = last is not None and last.stat == stat
        seen[name] = replace(last, since=min(last.since, now)) if last and same else Sighting(stat, now)
    return seen


def is_unfinished(name: str, stat: Stat) -> bool:
    """True when the name or the size says that a writer is not done."""
    return name.startswith(".") or name.endswith(PARTIAL_SUFFIXES) or stat.size == 0


def complete(seen: Mapping[str, Sighting], now: float) -> tuple[str, ...]:
    """Names of the files that can be read: finished, and unchanged for `SETTLE_SECONDS`."""
    return tuple(
        name for name, file in seen.items() if not is_unfinished(name, file.stat) and now - file.since >= SETTLE_SECONDS
    )


def stale(seen: Mapping[str, Sighting], now: float) -> dict[str, str]:
    """A sentence for each file that has been unfinished and untouched for `STALE_SECONDS`."""
    return {
        name: f"{name} has been unfinished for over an hour: deliver it again, or remove it."
        for name, file in seen.items()
        if is_unfinished(name, file.stat) and now - file.since >= STALE_SECONDS
    }
