"""Which days to run: each whose landed file holds other content than the day was last matched from.

The run key is (day, content, run that it replaces). So a repeated event asks for nothing new, a corrected file runs
again, and so does a correction that is taken back later; none of it depends on a cursor.

Before the first deployment there is nothing to match with: a day is taken in only, so that training can begin, and
is matched once a version serves.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

USUAL_DAYS = 5
FILE_NAME = re.compile(r"(?P<day>\d{4}-\d{2}-\d{2})\.(csv|parquet)")


@dataclass(frozen=True)
class Day:
    """A day that was read: sha256 of its file (None: not recorded), the run that read it, and was it matched since."""

    digest: str | None
    run_id: str
    matched: bool


@dataclass(frozen=True)
class Request:
    """A run of `daily_matching` to ask for. `matching`: False when the day is to be taken in only."""

    day: str
    run_key: str
    matching: bool
    why: str


@dataclass(frozen=True)
class Decision:
    """The runs to ask for, in the order of days, and one sentence for each file that cannot be used.

    `asked`: for each file, the mark of what needs no second look, because it was asked for or had been done before.
    """

    requests: tuple[Request, ...]
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


def mark(digest: str, serving: bool) -> str:
    """What `asked` holds for a file of this content."""
    return digest if serving else f"{digest} taken in"


def decide(
    digests: Mapping[str, str], asked: Mapping[str, str], known: Mapping[str, Day], days: Container[str], serving: bool
) -> Decision:
    """Decide which days to run.

    `digests`: complete file to its sha256. `asked`: what the last decision said; it may be lost. `known`: what is known
    of the days of files whose mark is not in `asked`. `days`: the business days of the graph. `serving`: a version is
    deployed.
    """
    by_day, problems = _sorted_out(digests, days)
    requests = []
    settled = {name: done for name, done in asked.items() if name in digests}
    for day, name in by_day.items():
        digest, last, wanted = digests[name], known.get(day), mark(digests[name], serving)
        if asked.get(name) == wanted:
            continue
        if last is not None and last.digest == digest and (last.matched or not serving):
            # Another content that was asked for may still be on its way; then this one's turn comes after it.
            if asked.get(name, digest).startswith(digest):
                settled[name] = wanted
            continue
        run_key = f"{day}:{digest[:16]}:{last.run_id if last else 'first'}{'' if serving else ':intake'}"
        requests.append(Request(day, run_key, serving, _why(name, digest, last, serving)))
        settled[name] = wanted
    return Decision(tuple(requests), problems, settled)


def due(days: Sequence[str], now: datetime, deadline: time) -> str | None:
    """The newest of `days` whose file should have come: its deadline (of the same day, UTC) has passed."""
    passed = [day for day in days if datetime.combine(date.fromisoformat(day), deadline, UTC) <= now]
    return max(passed, default=None)


def missing(days: Sequence[str], read: Container[str], landed: Container[str], now: datetime, deadline: time) -> str:
    """A sentence when the newest day that is due has no file; empty when all is well.

    `days`: the newest business days, in order. `read`: those that were taken in; `landed`: those that a file is there
    of. Where none of the `USUAL_DAYS` before was read there is no feed that could be late.
    """
    wanted = due(days, now, deadline)
    before = [day for day in days if wanted and day < wanted][-USUAL_DAYS:]
    if wanted is None or wanted in read or wanted in landed or not any(day in read for day in before):
        return ""
    return f"The file of {wanted} has not come by {deadline:%H:%M} UTC. A holiday? Otherwise ask the feed's owner."


def _sorted_out(names: Iterable[str], days: Container[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Day to its one file, in the order of days; and file to why it cannot be used."""
    problems: dict[str, str] = {}
    by_day: dict[str, list[str]] = defaultdict(list)
    for name in sorted(names):
        day = day_of(name)
        if day is None:
            problems[name] = f"{name} is not named after a day: call it YYYY-MM-DD.csv or YYYY-MM-DD.parquet."
        elif day not in days:
            problems[name] = f"{name} is not of a business day that the asset graph knows. Is the date right?"
        else:
            by_day[day].append(name)
    for day, both in by_day.items():
        if len(both) > 1:
            problems |= dict.fromkeys(both, f"{' and '.join(both)} are all of {day}: remove what is wrong.")
    return {day: of_day[0] for day, of_day in sorted(by_day.items()) if len(of_day) == 1}, problems


def _why(name: str, digest: str, last: Day | None, serving: bool) -> str:
    if last is None:
        return f"{name} arrived." if serving else f"{name} arrived; it is matched once a version is deployed."
    if last.digest != digest:
        return f"{name} holds other content than the day was last read from."
    return f"{name} was taken in but not matched yet."
