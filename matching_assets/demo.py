"""The main job on the embedded sample, in this process: from landed files to a deployed endpoint and ten decided days.

Everything is run as the platform runs it: the same jobs, on an instance that `matching dev` shows afterwards. A second
demo in the same state folder does all of it again; a folder with somebody's own data is refused.
"""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
from filelock import FileLock, Timeout

from matching.records import ATTRIBUTES, InputError, read_table, write_table
from matching_assets.definitions import build_defs
from matching_assets.examples import Example, choose_examples
from matching_assets.folders import facts_in
from matching_assets.instance import prepare_instance
from matching_assets.jobs import INTAKE, MATCHING
from matching_assets.landing import Landing
from matching_assets.partitions import newest_of_each
from matching_assets.release import ENDPOINT
from matching_assets.sample import days, records_of_day, sample_files
from resources.environment import for_environment

Progress = Callable[[str, float], None]
DEMO = {"matching/reason": "demo", ".dagster/repository": "__repository__@matching"}
"""Tags of a demo's runs. The second files them under the code location, as if its UI had started them."""
QUIET = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}
STEPS = 182
"""Steps of all runs, checks included: what the progress bar counts to."""


@dataclass(frozen=True)
class DemoResult:
    """What is shown: figures on held-out entities, decisions, the card, and the endpoint's answer to one record."""

    metrics: dict[str, Any]
    baseline: dict[str, float | None]
    certificate: str
    examples: list[Example]
    card: Path
    endpoint: str
    asked: dict[str, Any]
    answer: dict[str, Any]
    latency_ms: float


def run_demo(home: Path, progress: Progress) -> DemoResult:
    """Run the graph on the sample in the state folder `home`; `progress(stage, share)` from 0 to 1.

    InputError: `home` holds other data, or another demo runs in it.
    """
    resources = for_environment("local", home)
    landing = Landing(root=str(home.resolve() / "landing"))
    with _alone_in(home):
        prepare_instance(home)
        progress("files land", 0.0)
        seed_landing(Path(landing.root))
        defs = build_defs({**resources, "landing": landing})
        with dg.DagsterInstance.get() as instance:
            _clear_away(instance)
            _run_all(Runs(defs, instance, progress))
    progress("asking the endpoint", 1.0)
    return _shown(resources)


def seed_landing(folder: Path) -> None:
    """Let the sample land, day by day. InputError: something else has landed here, which is never overwritten."""
    files = sample_files()
    frames = {folder / f"records/{day}.parquet": records_of_day(day) for day in days()}
    frames[folder / "reference.parquet"] = read_table(files["reference"])
    frames[folder / "labels/sample.parquet"] = read_table(files["labels"])
    for path in sorted(path for path in folder.rglob("[!.]*") if path.is_file()):
        if path not in frames or not read_table(path).equals(frames[path]):
            remedy = "Set MATCHING_HOME to another folder: the demo wants one of its own."
            raise InputError("this is not the demo's file", file=str(path), remedy=remedy)
    for path, frame in frames.items():
        if not path.exists():
            write_table(frame, path)


class Runs:
    """Runs jobs one after the other in this process, and tells how far all of them are."""

    def __init__(self, defs: dg.Definitions, instance: dg.DagsterInstance, progress: Progress) -> None:
        self.defs, self.instance, self.progress = defs, instance, progress
        self.all_steps = STEPS
        self.done = 0

    def run(
        self, job: str, day: str | None = None, assets: Sequence[str] = (), ops: Mapping[str, Any] | None = None
    ) -> None:
        """Run a job, or some of its assets; an error of a step is raised here."""
        run_id = str(uuid.uuid4())
        self.instance.add_event_listener(run_id, lambda event: self._count(event, f"{job} {day or ''}"))
        self.defs.resolve_job_def(job).execute_in_process(
            instance=self.instance,
            run_id=run_id,
            partition_key=day,
            asset_selection=[dg.AssetKey(asset) for asset in assets] or None,
            run_config={**QUIET, "ops": ops or {}},
            tags=DEMO,
        )

    def _count(self, event: dg.EventLogEntry, stage: str) -> None:
        if event.dagster_event and event.dagster_event.event_type is dg.DagsterEventType.STEP_SUCCESS:
            self.done += 1
            self.progress(stage.strip(), min(self.done / self.all_steps, 1.0))


def _run_all(runs: Runs) -> None:
    """Every day is taken in, a version is trained, approved and deployed, and every day is decided with it."""
    for day in days():
        runs.run("daily_matching", day, INTAKE)
    runs.run("retrain")
    runs.run("promote")
    for day in days():
        page = {"drift_report": {"config": {"page": day == days()[-1]}}}
        runs.run("daily_matching", day, MATCHING, page)


def _shown(resources: Mapping[str, Any]) -> DemoResult:
    """What is shown, read from where the assets have put it."""
    tables, folders, endpoint = (resources[key] for key in ("tables", "folder_io_manager", "endpoint"))
    measured = facts_in(folders.read("evaluation"))
    records = newest_of_each(tables.read("clean_records").lazy())
    examples = choose_examples(
        tables.read("match_decisions"),
        tables.read("scoring_telemetry"),
        records,
        tables.read("labels"),
        tables.read("reference_master"),
    )
    given = records.filter(pl.col("record_id") == examples[0].decision["record_id"]).row(0, named=True)
    asked = {column: given[column] for column in ("record_id", "name", *ATTRIBUTES) if given.get(column) is not None}
    began = time.perf_counter()
    (answer,) = endpoint.invoke(ENDPOINT, [asked])
    return DemoResult(
        metrics=measured["metrics"],
        baseline=measured["baseline"],
        certificate=facts_in(folders.read("decision_policy"))["policy"]["certificate"]["statement"],
        examples=examples,
        card=folders.read("model_card") / "card.md",
        endpoint=endpoint.describe(ENDPOINT).url,
        asked=asked,
        answer=answer,
        latency_ms=1000 * (time.perf_counter() - began),
    )


@contextmanager
def _alone_in(home: Path) -> Iterator[None]:
    """Hold the state folder's demo lock. It is the operating system's: a demo that was killed no longer holds it."""
    home.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(home / ".demo.lock", timeout=0):
            yield
    except Timeout as problem:
        raise InputError("another demo is running here", file=str(home), remedy="Wait for it to end.") from problem


def _clear_away(instance: dg.DagsterInstance) -> None:
    """End the runs of a demo that was killed, and give back the places in pools that they held."""
    dead = dg.RunsFilter(tags={"matching/reason": "demo"}, statuses=[dg.DagsterRunStatus.STARTED])
    for run in instance.get_runs(dead):
        instance.report_run_failed(run, "The demo was killed.")
    storage = instance.event_log_storage
    for run_id in storage.get_concurrency_run_ids():
        run = instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            storage.free_concurrency_slots_for_run(run_id)
