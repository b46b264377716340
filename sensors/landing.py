"""A look at a landing folder: what is there, what is complete, and its sha256.

The rule is `sensors.rules.landing`; here are the files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matching.files import file_digest
from sensors.rules.landing import Sighting, Stat, complete, observe, stale


@dataclass(frozen=True)
class Look:
    """What a look found.

    All sightings, the sha256 of each complete file, and a sentence for each that stays unfinished.
    """

    seen: Mapping[str, Sighting]
    digests: Mapping[str, str]
    problems: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """For the cursor: file name to size, modification time, since when, sha256."""
        return {n: [s.stat.size, s.stat.modified_ns, s.since, s.digest] for n, s in self.seen.items()}


def _stat(path: Path) -> Stat | None:
    """The stat of a file, or None when it is gone or is no file."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return Stat(found.st_size, found.st_mtime_ns) if path.is_file() else None


def look(folder: Path, before: Mapping[str, Any], now: float) -> Look:
    """Look at `folder`, given the JSON of the look before.

    A file is read once, when it is complete; one that changes under us waits.
    """
    known = {name: Sighting(Stat(size, at), since, digest) for name, (size, at, since, digest) in before.items()}
    paths = folder.iterdir() if folder.is_dir() else ()
    listing = {path.name: stat for path in paths if (stat := _stat(path)) is not None}
    seen = observe(listing, known, now)
    digests = {}
    for name in complete(seen, now):
        file = seen[name]
        digest = file.digest or file_digest(folder / name)
        if _stat(folder / name) == file.stat:
            seen[name] = Sighting(file.stat, file.since, digest)
            digests[name] = digest
    return Look(seen, digests, stale(seen, now))
