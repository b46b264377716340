"""The main job on the embedded sample, in this process: from landed files to a deployed endpoint and ten decided days.

Everything is run as the platform runs it: the same jobs, on an instance that `matching dev` shows afterwards. A second
demo in the same state folder does all of it again; a folder with somebody's own data is refused.
"""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
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
            execute(all_runs(), defs, instance, progress)
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


@dataclass(frozen=True)
class Run:
    """A run of a job, or of some of its assets; of a day where the job has days."""

    job: str
    day: str | None = None
    assets: Sequence[str] = ()
    ops: Mapping[str, Any] = field(default_factory=dict)

    def steps(self, defs: dg.Definitions) -> int:
        """How many steps it has: an asset or a check each."""
        job = defs.resolve_job_def(self.job)
        return len((job.get_subset(asset_selection=self.keys()) if self.assets else job).graph.nodes)

    def keys(self) -> set[dg.AssetKey] | None:
        """The assets, as Dagster wants them."""
        return {dg.AssetKey(asset) for asset in self.assets} or None


def all_runs() -> list[Run]:
    """Every day is taken in, a version is trained, approved and deployed, and every day is decided with it."""
    page = {"drift_report": {"config": {"page": True}}}
    return [
        *(Run("daily_matching", day, INTAKE) for day in days()),
        Run("retrain"),
        Run("promote"),
        *(Run("daily_matching", day, MATCHING, page if day == days()[-1] else {}) for day in days()),
    ]


def execute(runs: Sequence[Run], defs: dg.Definitions, instance: dg.DagsterInstance, progress: Progress) -> None:
    """Run them one after the other in this process; an error of a step is raised here.

    `progress` is told the share of all their steps that are done.
    """
    steps, done = sum(run.steps(defs) for run in runs), 0
    for run in runs:
        run_id, stage = str(uuid.uuid4()), f"{run.job} {run.day or ''}".strip()

        def count(event: dg.EventLogEntry, stage: str = stage) -> None:
            nonlocal done
            if event.dagster_event and event.dagster_event.event_type is dg.DagsterEventType.STEP_SUCCESS:
                done += 1
                progress(stage, done / steps)

        instance.add_event_listener(run_id, count)
        defs.resolve_job_def(run.job).execute_in_process(
            instance=instance,
            run_id=run_id,
            partition_key=run.day,
            asset_selection=sorted(run.keys() or []) or None,
            run_config={**QUIET, "ops": run.ops},
            tags=DEMO,
        )


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
