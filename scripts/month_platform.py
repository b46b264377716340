"""The platform that a simulated month happens to: its sensors and jobs in this process, its people, its clock."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from textwrap import shorten
from typing import Any
from unittest.mock import patch

import dagster as dg
import polars as pl

from matching.client import Client
from matching.records import write_table
from matching.verdicts import NONE, YES
from matching_assets import settings
from matching_assets.definitions import build_defs
from matching_assets.instance import prepare_instance
from matching_assets.landing import DAY, Landing
from matching_assets.release import ENDPOINT
from matching_assets.review.verdicts import verdicts_below
from matching_assets.tags import REASON_TAG, WHY_TAG
from resources.board import Board
from resources.environment import for_environment
from scripts.month_feed import World, as_a_terminal
from scripts.month_judge import Training
from sensors.checks import check_failures
from sensors.failures import run_failures
from sensors.history import newest, value
from sensors.labels import new_labels
from sensors.records import records_arrival
from sensors.responses import responses

SENSORS = (records_arrival, new_labels, responses, run_failures, check_failures)
MONITORS = ("integrity_report", "drift_report", "prediction_report", "concept_report", "performance_report")
SETTLED_SECONDS = 15
"""A file is taken when it has looked the same for ten seconds: the second look is that much later."""
TRAFFIC = 20
"""Requests a second while a canary is watched."""
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
FILED = {".dagster/repository": "__repository__@matching"}
"""Files runs under the code location, so that `matching dev` shows them."""


class Month:
    """The platform on a state folder of its own, and what happens to it."""

    def __init__(self, home: Path, seed: int) -> None:
        self.began, self.home, self.seed = time.monotonic(), home, seed
        self.world = World.of_sample()
        self.landing = home / "landing"
        self.verdicts = verdicts_below(home)
        self.resources: dict[str, Any] = {
            **for_environment("local", home),
            "landing": Landing(root=str(self.landing)),
            "verdicts": self.verdicts,
            "board": Board(home=str(home)),
            "review": settings.Review(capacity=150, match_audit=0.15, no_match_audit=0.1, double_share=0.0),
            "training": settings.Training(encoder_steps=60, ranker_trees=60, least_new_labels=1000),
        }
        prepare_instance(home)
        self.instance = dg.DagsterInstance.get()
        self.defs = build_defs(self.resources)
        self.cursors: dict[str, str | None] = {}
        self.asked: set[str | None] = set()
        self.day = 0
        self.events: list[tuple[int, str]] = []
        self.trainings: list[Training] = []
        self.promoted: dict[int, int] = {}
        self.alarms: dict[str, list[int]] = {monitor: [] for monitor in MONITORS}
        self.shares: dict[str, dict[str, float | None]] = {}

    def say(self, text: str) -> None:
        """One line of the timeline."""
        self.events.append((self.day, text))
        print(f"{time.monotonic() - self.began:6.1f} s  day {self.day:2}  {text}", flush=True)

    def land(self, stem: str, frame: pl.DataFrame) -> None:
        """Drop a file, as a delivery does."""
        write_table(frame, self.landing / f"{stem}.parquet")

    def run(self, job: str, **given: Any) -> dg.ExecuteInProcessResult:
        """Run a job in this process."""
        ops = {name: {"config": config} for name, config in given.pop("ops", {}).items()}
        tags = FILED | given.pop("tags", {})
        return self.defs.resolve_job_def(job).execute_in_process(
            instance=self.instance, run_config={**QUIET, "ops": ops}, tags=tags, raise_on_error=False, **given
        )

    def settle(self) -> None:
        """Let the sensors look, and run what they ask for, until they ask for nothing more."""
        while sum(self._tick(sensor) for sensor in SENSORS):
            continue

    def _tick(self, sensor: dg.SensorDefinition) -> bool:
        """A look of a sensor, and a later one where it watches files. True when it asked for runs, which are over."""
        wanted: list[dg.RunRequest] = []
        needed = {key: self.resources[key] for key in sensor.required_resource_keys}
        for later in (0, SETTLED_SECONDS) if "landing" in needed else (0,):
            cursor = self.cursors.get(sensor.name)
            context = dg.build_sensor_context(self.instance, cursor=cursor, resources=needed)
            with ahead(later), context:
                found = sensor(context)
            if isinstance(found, dg.SensorResult):
                self.cursors[sensor.name] = found.cursor or cursor
                wanted += found.run_requests or []
        new = {request.run_key: request for request in wanted if request.run_key not in self.asked}
        for key, request in new.items():
            self.asked.add(key)
            self._execute(sensor, request)
        return bool(new)

    def _execute(self, sensor: dg.SensorDefinition, request: dg.RunRequest) -> None:
        job = request.job_name or sensor.job.name
        done = self.run(
            job,
            partition_key=request.partition_key,
            asset_selection=list(request.asset_selection or []) or None,
            tags={**request.tags, "dagster/sensor_name": sensor.name},
        )
        if job != "daily_matching":
            self.say(f"{sensor.name} starts {job}: {shorten(request.tags.get(WHY_TAG, ''), 300, placeholder=' ...')}")
        judged = newest(self.instance, "approval")
        if not done.success and (job != "retrain" or judged is None or judged.run_id != done.run_id):
            raise RuntimeError(f"{job} failed; see run {done.run_id} in {self.home}")
        if job == "retrain":
            self.note_training(request.tags[REASON_TAG])

    def note_training(self, reason: str) -> None:
        """What became of the newest version."""
        package = self.resources["registry"].list()[-1]
        self.trainings.append(Training(self.day, reason, package.version, package.status))
        self.say(f"version {package.version} is {package.status}")

    def promote(self, rollout: str) -> None:
        """A person promotes the newest approved version; by a canary while it is asked."""
        config: dict[str, Any] = {"requested_by": "month", "least_requests": 20, "traffic_seconds": 60.0}
        if rollout == "CANARY":
            config |= {"rollout": rollout, "share": 0.2, "bake_seconds": 3.0}
        with self.traffic() if rollout == "CANARY" else ahead(0):
            done = self.run("promote", ops={"shadow_comparison": config, "deployed_endpoint": config})
        if not done.success:
            told = [c.description for c in done.get_asset_check_evaluations() if not c.passed]
            raise RuntimeError(f"promote failed: {told}")
        version = self.resources["registry"].champion().version
        self.promoted[self.day] = version
        self.say(f"version {version} is promoted ({rollout.lower().replace('_', ' ')})")

    def conclude(self) -> None:
        """What follows a training: somebody promotes what the gates approved, or takes wrong labels away."""
        version, status = self.trainings[-1].version, self.trainings[-1].status
        poisoned = self.landing / "labels" / "poisoned.parquet"
        if status == "Approved" and version not in self.promoted.values():
            self.promote("CANARY")
        elif status == "Rejected" and poisoned.exists():
            poisoned.unlink()
            self.say("somebody reads why it was rejected, takes the wrong labels away and starts a training")
            self.run("retrain", tags={REASON_TAG: "person"})
            self.note_training("person")
            self.conclude()

    @contextmanager
    def traffic(self) -> Iterator[None]:
        """Questions to the endpoint, one after the other, from another thread."""
        over = threading.Event()
        url = self.resources["endpoint"].describe(ENDPOINT).url
        records = self.world.day(f"traffic-{self.day}", as_a_terminal, 500, self.seed).to_dicts()

        def ask() -> None:
            client = Client(url)
            while not over.is_set():
                for record in records:
                    client.decide([record], reasons=False)
                    if over.wait(1 / TRAFFIC):
                        return

        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def look(self, day: date) -> None:
        """What the day's decisions were, and which monitors alarm."""
        decisions = self.resources["tables"].read("match_decisions", day.isoformat())
        shares = {
            band: float((decisions["decision"] == band).mean() or 0.0) for band in ("match", "review", "no_match")
        }
        matches = decisions.filter(decision="match")
        truth = pl.Series([self.world.truth[record_id] for record_id in matches["record_id"]], dtype=pl.String)
        right = (matches["reference_id"].eq_missing(truth)).mean()
        self.shares[day.isoformat()] = {**shares, "precision": right}
        for monitor in MONITORS:
            record = newest(self.instance, monitor, day.isoformat())
            if record is not None and value(record, "status") == "ALARM":
                self.alarms[monitor].append(self.day)
                self.say(f"{monitor}: {value(record, 'sentence')}")

    def review(self, day: date) -> int:
        """In the evening people answer the day's queue; they know the truth. How many verdicts they gave."""
        queue = self.resources["tables"].read("review_queue", day.isoformat())
        given = [self._answer(row, day) for row in queue.iter_rows(named=True)]
        self.verdicts.add(*given)
        return len(given)

    def _answer(self, row: dict[str, Any], day: date) -> dict[str, Any]:
        truth = self.world.truth[row["record_id"]]
        return {
            "record_id": row["record_id"], "reviewer": "simulated",
            "verdict": YES if truth else NONE, "reference_id": truth,
            "decided_at": datetime(day.year, day.month, day.day, 18, tzinfo=UTC), "seconds": 8.0,
            "queue_day": row[DAY], "why": row["why"], "reviewers": row["reviewers"],
            "shown_reference_id": row["reference_id"], "shown_decision": row["decision"],
            "shown_probability": row["probability"], "bundle_version": row["bundle_version"],
        }  # fmt: skip


@contextmanager
def ahead(seconds: float) -> Iterator[None]:
    """The clock of this process is so much ahead."""
    real = time.time
    with patch("time.time", lambda: real() + seconds):
        yield
