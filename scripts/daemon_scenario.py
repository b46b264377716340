"""The platform with its daemon running: a day arrives, is corrected, drifts, and is matched again. Run it to see it.

  .venv/bin/python scripts/daemon_scenario.py [--home DIR]

A fresh state folder is seeded by the demo's code. From then on everything is started by sensors, as in production: this
script only drops files, and asks for a backfill with Dagster's own command line. It prints a timeline, stops what it
started, and exits with 0 when all happened that should have, with 1 at the first thing that did not. Nothing leaves
this machine: the code server listens on a Unix socket and the endpoint on 127.0.0.1.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import polars as pl

from matching.files import atomic_write
from matching.records import write_table
from matching_assets.demo import run_demo
from matching_assets.instance import CHECKOUT, prepare_instance
from matching_assets.release import ENDPOINT
from matching_assets.sample import days, records_of_day
from matching_assets.tags import DAY_TAG, REASON_TAG, WHY_TAG
from resources.environment import for_environment
from sensors.history import newest
from sensors.rules.responses import REASONS

BIN = Path(sys.executable).parent
WORKSPACE = ["-w", str(CHECKOUT / "workspace.yaml")]
FEED_WIDTH = 12
RECORDS = 180
NEW_DAYS = ("2026-01-19", "2026-01-20", "2026-01-21", "2026-01-22")
SUCCESS = dg.DagsterRunStatus.SUCCESS
FAILED = (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)


class ScenarioError(RuntimeError):
    """Something did not happen that should have, or failed on the way."""


class Scenario:
    """A seeded state folder with its Dagster instance, and what is done to it and waited for."""

    def __init__(self, home: Path) -> None:
        self.began = time.monotonic()
        self.home = home
        run_demo(home, lambda _stage, _share: None)
        self.say(f"the demo has seeded {home}: {len(days())} days matched with a version it trained and deployed")
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

    def is_judged(self, run_id: str) -> bool:
        """True when a training has come to its approval, and ended. ScenarioError: it failed before."""
        run = self.instance.get_run_by_id(run_id)
        approval = newest(self.instance, "approval")
        judged = approval is not None and approval.run_id == run_id
        if run is not None and run.status in FAILED and not judged:
            raise ScenarioError(f"retrain {run_id} failed; see {self.home}")
        return judged and run is not None and run.is_finished

    def verdict(self) -> str:
        """The status of the newest version. A rejection is no failure of the scenario: it is what gates are for."""
        with dg.build_resources({"registry": for_environment()["registry"]}) as resources:
            package = resources.registry.list()[-1]
        return f"version {package.version} is {package.status}"

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
                for_environment()["endpoint"].delete(ENDPOINT)
                process.terminate()
                process.wait(timeout=60)
                self.say("the endpoint and the daemon are stopped")


def another_day(seed: int) -> pl.DataFrame:
    """Records that arrive on a day after the sample's: some of the sample's, drawn anew and under ids of their own."""
    drawn = pl.concat([records_of_day(day) for day in days()]).sample(RECORDS, seed=seed)
    return drawn.with_columns(record_id=pl.format("{}-{}", "record_id", pl.lit(seed)))


def in_another_style(records: pl.DataFrame) -> pl.DataFrame:
    """The records as a terminal feed would write them: a name in capitals, cut off after 12 characters, and no more."""
    return records.select("record_id", pl.col("name").str.to_uppercase().str.slice(0, FEED_WIDTH))


def match_what_lands(scenario: Scenario, day: str) -> None:
    """A day's file lands: it is matched, and again when it is corrected. A wrong file name is told of, once."""
    records = another_day(seed=1)
    scenario.land(day, records)
    atomic_write(scenario.home / "landing" / "records" / "yesterday.csv", "record_id,name\n")
    scenario.say(f"{day}.csv has landed, and a file with a wrong name")
    scenario.wait(f"{day} is matched", lambda: scenario.is_matched(day), minutes=10)
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
    scenario.wait("the correction is matched", lambda: scenario.is_done("daily_matching", 2, **again), minutes=10)


def drift_for_some_days(scenario: Scenario, drifting: Sequence[str]) -> None:
    """Days of another feed's style: they alarm, and a retraining begins whose tags say why.

    A window takes in days before until it has enough decisions, so the first day alone may not be seen.
    """
    for seed, day in enumerate(drifting, start=2):
        scenario.land(day, in_another_style(another_day(seed)))
        scenario.say(f"{day}.csv has landed, written in another feed's style")
        scenario.wait(f"{day} is matched", lambda day=day: scenario.is_matched(day), minutes=10)

    def answered() -> list[dg.DagsterRun]:
        return [run for run in scenario.runs("retrain") if run.tags.get(REASON_TAG) in REASONS.values()]

    scenario.wait("an alarm has started a training", lambda: bool(answered()), minutes=10)
    run = answered()[0]
    scenario.say(f"its tags say: {run.tags[REASON_TAG]} on {run.tags[DAY_TAG]}: {run.tags[WHY_TAG]}")
    scenario.wait("its version is judged", lambda: scenario.is_judged(run.run_id), minutes=20)
    scenario.say(f"the gates say: {scenario.verdict()}")


def backfill(scenario: Scenario, *wanted: str) -> None:
    """Some days again, asked for on the command line."""
    scenario.dagster("job", "backfill", "-j", "daily_matching", "--partitions", ",".join(wanted), "--noprompt")
    scenario.say(f"a backfill of {', '.join(wanted)} was asked for")

    def done() -> set[str]:
        runs = [run for run in scenario.runs("daily_matching") if "dagster/backfill" in run.tags]
        return {run.tags["dagster/partition"] for run in runs if run.status == SUCCESS}

    scenario.wait("its days are matched again", lambda: done() == set(wanted), minutes=15)


def main() -> int:
    """Run the scenario and return the exit code."""
    parser = argparse.ArgumentParser(description="The platform with its daemon running.")
    parser.add_argument("--home", type=Path, help="an empty folder for all state, which is kept (default: a new one)")
    home = parser.parse_args().home or Path(tempfile.mkdtemp(prefix="matching-"))
    home.mkdir(parents=True, exist_ok=True)
    if any(home.iterdir()):
        parser.error(f"{home} is not empty")
    scenario = Scenario(home)
    try:
        with scenario.daemon():
            match_what_lands(scenario, NEW_DAYS[0])
            drift_for_some_days(scenario, NEW_DAYS[1:])
            backfill(scenario, *days()[:3])
    except ScenarioError as problem:
        scenario.say(f"FAILED: {problem}")
        return 1
    scenario.say("all happened as it should")
    return 0


if __name__ == "__main__":
    sys.exit(main())
