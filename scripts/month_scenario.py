"""A simulated month: thirty business days by an in-process clock, with all that the platform does by itself.

  .venv/bin/python -m scripts.month_scenario [--home DIR] [--seed 7]

Everything real runs: files land, the sensors decide and the jobs that they ask for are executed in this process one
after the other, people's verdicts become labels, versions are trained, judged, and deployed to an endpoint of its own
processes, by a canary under traffic. Simulated are the feed (scripts/month_feed.py), the people, who know the truth and
answer each day's queue in the evening, one who promotes what was approved, and the clock: a day is over when nothing is
left to do.

On day 15 another feed style arrives. On day 24 a batch of labels lands of which most are wrong. Prints a timeline,
writes `month.html` into the state folder, and exits with 1 if a quiet day started a retraining, the change was not
seen by day 17, no better version came into production, audited precision fell below 99 %, or the wrong labels were
believed.
`MATCHING_HOME=DIR matching dev` shows the month in the UI afterwards.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

import polars as pl

from matching.files import atomic_write
from matching_assets.release import ENDPOINT
from scripts.month_feed import as_a_terminal, as_an_index
from scripts.month_judge import Expectation, Seen, compare_versions, expectations
from scripts.month_page import page
from scripts.month_platform import Month

HISTORY_DAY, FIRST_DAY = date(2026, 1, 5), date(2026, 1, 12)
DAYS, CHANGE, POISON = 30, 15, 24
HISTORY, RECORDS, POISONED, WRONG = 1200, 200, 400, 0.6


def business_day(number: int) -> date:
    """Day 1 is FIRST_DAY."""
    weeks, days = divmod(number - 1, 5)
    return FIRST_DAY + timedelta(weeks=weeks, days=days)


def begin(month: Month) -> None:
    """Before the month: a reference, a day of labelled records, a first version that serves."""
    history = month.world.day("history", as_an_index, HISTORY, month.seed)
    month.land("reference", month.world.reference)
    month.land(f"records/{HISTORY_DAY}", history)
    month.settle()
    month.land("labels/history", month.world.labels(history))
    month.settle()
    month.promote("ALL_AT_ONCE")
    month.settle()


def live(month: Month, number: int) -> None:
    """A business day, from the file's landing to the evening."""
    month.day, day = number, business_day(number)
    style = as_an_index if number < CHANGE else as_a_terminal
    records = [month.world.day(f"d{number:02}", style, RECORDS, month.seed)]
    if number == CHANGE:
        month.say("the feed writes in another style from today on")
    if number == POISON:
        asked = month.world.day("poison", style, POISONED, month.seed)
        month.land("labels/poisoned", month.world.poisoned(asked, WRONG, month.seed))
        month.say(f"{POISONED} labels land, of which {WRONG:.0%} are wrong")
        records.append(asked)
    month.land(f"records/{day}", pl.concat(records))
    month.settle()
    month.look(day)
    month.review(day)
    month.settle()
    if month.trainings and month.trainings[-1].day == number:
        month.conclude()


def report(month: Month) -> list[Expectation]:
    """Judge the month and write its page."""
    digests = {package.version: package.bundle_digest for package in month.resources["registry"].list()}
    first, last = min(month.promoted.values()), max(month.promoted.values())
    unseen = month.world.day("unseen", as_a_terminal, 600, month.seed)
    folders = [month.resources["store"].get_folder(digests[version]) for version in (first, last)]
    better = compare_versions(*folders, unseen, month.world.labels(unseen))
    seen = Seen(month.alarms, month.trainings, month.promoted, month.verdicts.read(), CHANGE, POISON)
    found = expectations(seen, better)
    days = [business_day(number).isoformat() for number in range(1, DAYS + 1)]
    bands = {band: [month.shares.get(day, {}).get(band) for day in days] for band in ("match", "review", "no_match")}
    right = [month.shares.get(day, {}).get("precision") for day in days]
    plots = {"Bands of the day's decisions": bands}
    atomic_write(month.home / "month.html", page(days, plots, right, month.events, found))
    return found


def main() -> int:
    """Run the month and return the exit code."""
    parser = argparse.ArgumentParser(description="A simulated month of thirty business days.")
    parser.add_argument("--home", type=Path, help="an empty folder for all state, which is kept (default: a new one)")
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    home = given.home or Path(tempfile.mkdtemp(prefix="matching-month-"))
    home.mkdir(parents=True, exist_ok=True)
    if any(home.iterdir()):
        parser.error(f"{home} is not empty")
    os.environ["MATCHING_HOME"] = str(home)
    month = Month(home, given.seed)
    try:
        begin(month)
        for number in range(1, DAYS + 1):
            live(month, number)
        found = report(month)
    finally:
        month.resources["endpoint"].delete(ENDPOINT)
    for one in found:
        print(f"{'held  ' if one.held else 'MISSED'}  {one.what}: {one.saw}")
    print(f"{DAYS} days in {time.monotonic() - month.began:.0f} s; the page is {home / 'month.html'}")
    return 0 if all(one.held for one in found) else 1


if __name__ == "__main__":
    sys.exit(main())
