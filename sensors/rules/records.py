"""Which days to match: one run for each day whose landed file holds other content than the day was last read from.

The run key is (day, content, run that it replaces). So a repeated event asks for nothing new, a corrected file runs
again, and so does a correction that is taken back later; none of it depends on a cursor.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Container, Mapping
from dataclasses import dataclass
from datetime import date

FILE_NAME = re.compile(r"(?P<day>\d{4}-\d{2}-\d{2})\.(csv|parquet)")


@dataclass(frozen=True)
class TakenIn:
    """What a day was last read from: sha256 of the file (None when not recorded), and the run that read it."""

    digest: str | None
    run_id: str


@dataclass(frozen=True)
class DayRequest:
    """A run of `daily_matching` to ask for."""

    day: str
    digest: str
    run_key: str
    why: str


@dataclass(frozen=True)
class Decision:
    """The runs to ask for, in the order of days, and one sentence for each file that cannot be used.

    `asked`: file to the sha256 that needs no second look, because it was asked for or had been read before.
    """

    requests: tuple[DayRequest, ...]
    problems: Mapping[str, str]
    asked: Mapping[str, str]


def day_of(name: str) -> str | None:
    """The business day that a file is named after; None when it is not `YYYY-MM-DD.csv` or `.parquet`."""
    found = FILE_NAME.fullmatch(name)
    if found is None:
        return None
    try:
        return date.fromisoformat(found["day"]).isoformat()
    except ValueError:
        return None


def decide(
    digests: Mapping[str, str], asked: Mapping[str, str], taken_in: Mapping[str, TakenIn], days: Container[str]
) -> Decision:
    """Decide which days to match.

    `digests`: complete file to its sha256. `asked`: what the last decision said; it may be lost. `taken_in`: day to
    what it was last read from, for the days of files that are not in `asked`. `days`: the days that the graph knows.
    """
    problems: dict[str, str] = {}
    by_day: dict[str, list[str]] = defaultdict(list)
    for name in sorted(digests):
        day = day_of(name)
        if day is None:
            problems[name] = f"{name} is not named after a day: call it YYYY-MM-DD.csv or YYYY-MM-DD.parquet."
        elif day not in days:
            problems[name] = f"{name}: the asset graph has no such day. Is the date right?"
        else:
            by_day[day].append(name)

    requests = []
    settled = {name: digest for name, digest in asked.items() if name in digests}
    for day, names in sorted(by_day.items()):
        if len(names) > 1:
            both = " and ".join(names)
            problems |= dict.fromkeys(names, f"{both} are all of {day}: remove what is wrong.")
            continue
        name, digest, last = names[0], digests[names[0]], taken_in.get(day)
        if asked.get(name) == digest:
            continue
        if last is not None and last.digest == digest:
            # Another content that was asked for may still be on its way; then this one's turn comes after it.
            settled.setdefault(name, digest)
            continue
        run_key = f"{day}:{digest[:16]}:{last.run_id if last else 'first'}"
        why = f"{name} {'arrived' if last is None else 'holds other content than the day was last read from'}."
        requests.append(DayRequest(day, digest, run_key, why))
        settled[name] = digest
    return Decision(tuple(requests), problems, settled)
