"""The platform with its daemon running, from an empty state folder to a retraining for drift. Run it to see it.

  .venv/bin/python scripts/daemon_scenario.py [--home DIR]

Everything is started by sensors, as in production; this script only drops files, switches the approval sensor on and
off, and asks for a backfill with Dagster's own command line. It prints a timeline, stops what it started, and exits
with 0 when all happened that should have, with 1 at the first thing that did not. Nothing leaves this machine: the code
server listens on a Unix socket and the endpoint on 127.0.0.1.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import polars as pl

from matching.files import atomic_write
from matching.records import read_table, write_table
from matching_assets.instance import CHECKOUT, prepare_instance
from matching_assets.sample import days, records_of_day, sample_files
from resources.environment import for_environment

BIN = Path(sys.executable).parent
WORKSPACE = ["-w", str(CHECKOUT / "workspace.yaml")]
FEED_WIDTH = 12
SUCCESS = dg.DagsterRunStatus.SUCCESS
FAILED = (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)


class ScenarioError(RuntimeError):
    """Something did not happen that should have, or failed on the way."""


class Scenario:
    """A state folder with its Dagster instance, and what is done to it and waited for."""

    def __init__(self, home: Path) -> None:
        self.began = time.monotonic()
        self.home = home
        self.folder = prepare_instance(home)
        self.instance = dg.DagsterInstance.get()
        self.tables = for_environment()["tables"]

    def say(self, text: str) -> None:
        """One line of the timeline."""
        print(f"{time.monotonic() - self.began:7.1f} s  {text}", flush=True)

    def land(self, day: str, records: pl.DataFrame) -> None:
        """Drop a day's file, as a delivery does: written beside its place and renamed."""
        write_table(records, self.home / "landing" / "records" / f"{day}.csv")

    def runs(self, job: str, **tags: str) -> list[dg.DagsterRun]:
        """The runs of a job with these tags, oldest first. ScenarioError: one of them failed."""
        filters = dg.RunsFilter(job_name=job, tags={key.replace("__", "/"): value for key, value in tags.items()})
        runs = [record.dagster_run for record in self.instance.get_run_records(filters, ascending=True)]
        if failed := [run for run in runs if run.status in FAILED]:
            raise ScenarioError(f"{job} {failed[0].run_id} failed; see {self.home}")
        return runs

    def wait(self, what: str, happened: Callable[[], bool], minutes: float) -> None:
        """Wait until something has happened. ScenarioError: it has not within so many minutes."""
        until = time.monotonic() + 60 * minutes
        while not happened():
            if time.monotonic() > until:
                raise ScenarioError(f"not within {minutes} minutes: {what}")
            time.sleep(1)
        self.say(what)

    def is_done(self, job: str, count: int, **tags: str) -> bool:
        """True when `count` runs of a job with these tags have succeeded."""
        return sum(run.status == SUCCESS for run in self.runs(job, **tags)) >= count

    def is_matched(self, day: str) -> bool:
        """True when a run of the whole job, not only of its intake, has succeeded for the day."""
        return any(
            run.status == SUCCESS and not run.asset_selection
            for run in self.runs("daily_matching", dagster__partition=day)
        )

    def dagster(self, *arguments: str) -> None:
        """A command of Dagster's own command line. ScenarioError: it failed."""
        done = subprocess.run(
            [BIN / "dagster", *arguments, *WORKSPACE], cwd=self.folder, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise ScenarioError(f"dagster {' '.join(arguments)}: {done.stderr[-2000:]}")

    @contextmanager
    def daemon(self) -> Iterator[None]:
        """The daemon, with a code server of its own; both end with the block, and so does the endpoint."""
        log = self.home / "daemon.log"
        with log.open("wb") as out:
            command = [BIN / "dagster-daemon", "run", *WORKSPACE]
            process = subprocess.Popen(command, cwd=self.folder, stdout=out, stderr=subprocess.STDOUT)
            try:
                self.say(f"the daemon is started, its log is {log}")
                yield
            finally:
                process.terminate()
                process.wait(timeout=60)
                for_environment()["endpoint"].delete("matching")
                self.say("the daemon and the endpoint are stopped")


def in_another_style(records: pl.DataFrame) -> pl.DataFrame:
    """The records as a terminal feed would write them: a name in capitals, cut off after 12 characters, and no more."""
    return records.select("record_id", pl.col("name").str.to_uppercase().str.slice(0, FEED_WIDTH))


def bring_into_production(scenario: Scenario, first: list[str]) -> None:
    """Empty folder to a deployed version, with all of the first days matched."""
    for name in ("reference", "labels"):
        place = "labels/sample.parquet" if name == "labels" else "reference.parquet"
        write_table(read_table(sample_files()[name]), scenario.home / "landing" / place)
    for day in first:
        scenario.land(day, records_of_day(day))
    scenario.say(f"a reference, labels and the files of {len(first)} days have landed")
    scenario.wait("all days are taken in", lambda: scenario.is_done("daily_matching", len(first)), minutes=10)
    scenario.wait("new labels have started a training", lambda: bool(scenario.runs("retrain")), minutes=3)
    scenario.wait("it has ended", lambda: scenario.is_done("retrain", 1, matching__reason="labels"), minutes=15)
    scenario.dagster("sensor", "start", "approved_version")
    scenario.wait("the approved version is deployed", lambda: scenario.is_done("promote", 1), minutes=5)
    scenario.dagster("sensor", "stop", "approved_version")
    scenario.wait("all days are matched", lambda: all(map(scenario.is_matched, first)), minutes=15)


def match_what_lands(scenario: Scenario, day: str) -> None:
    """A day's file lands: it is matched, and again when it is corrected. A wrong file name is told of, once."""
    records = records_of_day(day)
    scenario.land(day, records)
    atomic_write(scenario.home / "landing" / "records" / "yesterday.csv", "record_id,name\n")
    scenario.say(f"{day}.csv has landed, and a file with a wrong name")
    scenario.wait(f"{day} is matched", lambda: scenario.is_matched(day), minutes=5)
    decided = scenario.tables.read("match_decisions", day).height
    held = scenario.tables.read("quarantined_records", day).height
    if decided + held != records.height:
        raise ScenarioError(f"{records.height} records landed, {decided} were decided and {held} quarantined")
    scenario.say(f"of its {records.height} records {decided} have a decision and {held} are in quarantine")
    alerts = (scenario.home / "alerts.jsonl").read_text().count("landing:records:yesterday.csv")
    if alerts != 1:
        raise ScenarioError(f"{alerts} alerts on the wrong file name")
    scenario.say("the wrong file name was alerted on once")

    scenario.land(day, records.head(records.height - 1))
    scenario.say(f"a correction of {day}.csv has landed")
    again = {"dagster__partition": day, "matching__reason": "records"}
    scenario.wait("the correction is matched", lambda: scenario.is_done("daily_matching", 2, **again), minutes=5)


def drift_for_two_days(scenario: Scenario, drifting: list[str]) -> None:
    """Two days of another feed's style: each alarms, and a retraining begins whose tags say why."""
    for day in drifting:
        scenario.land(day, in_another_style(records_of_day(day)))
        scenario.say(f"{day}.csv has landed, written in another feed's style")
        scenario.wait(f"{day} is matched", lambda day=day: scenario.is_matched(day), minutes=5)
    scenario.wait("drift has started a training", lambda: bool(scenario.runs("retrain", matching__reason="drift")), 5)
    (run,) = scenario.runs("retrain", matching__reason="drift")
    scenario.say(f"its tags say: {run.tags['matching/drift_windows']}: {run.tags['matching/why']}")
    scenario.wait("it has ended", lambda: scenario.is_done("retrain", 1, matching__reason="drift"), minutes=15)


def backfill(scenario: Scenario, first: str, last: str) -> None:
    """Three days again, asked for on the command line."""
    scenario.dagster("job", "backfill", "-j", "daily_matching", "--from", first, "--to", last, "--noprompt")
    scenario.say(f"a backfill from {first} to {last} was asked for")

    def is_done() -> bool:
        runs = [run for run in scenario.runs("daily_matching") if "dagster/backfill" in run.tags]
        return sum(run.status == SUCCESS for run in runs) == 3

    scenario.wait("its three days are matched again", is_done, minutes=10)


def main() -> int:
    """Run the scenario and return the exit code."""
    parser = argparse.ArgumentParser(description="From an empty state folder to a retraining for drift.")
    parser.add_argument("--home", type=Path, help="an empty folder for all state, which is kept (default: a new one)")
    home = parser.parse_args().home or Path(tempfile.mkdtemp(prefix="matching-"))
    home.mkdir(parents=True, exist_ok=True)
    if any(home.iterdir()):
        parser.error(f"{home} is not empty")
    scenario = Scenario(home)
    arriving = days()
    try:
        with scenario.daemon():
            bring_into_production(scenario, arriving[:7])
            match_what_lands(scenario, arriving[7])
            drift_for_two_days(scenario, arriving[8:])
            backfill(scenario, arriving[0], arriving[2])
    except ScenarioError as problem:
        scenario.say(f"FAILED: {problem}")
        return 1
    scenario.say("all happened as it should")
    return 0


if __name__ == "__main__":
    sys.exit(main())
