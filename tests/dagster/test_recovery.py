"""A run that is killed in the middle leaves the last good version readable, and the next run completes."""

import signal
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from matching_assets.jobs import INTAKE

pytestmark = pytest.mark.slow
DAY = "2026-01-05"
OLD = pl.DataFrame({"record_id": ["1", "2"], "name": ["IBM", "Apple Inc"]})
NEW = pl.DataFrame({"record_id": ["1", "2", "3"], "name": ["IBM Corp", "Apple Inc", "SAP SE"]})

KILLED = """
import os, signal, sys, uuid
sys.path.insert(0, {tests!r})
from pathlib import Path
import dagster as dg
from conftest import INTAKE, Platform

platform = Platform(Path({home!r}))

def kill(entry):
    event = entry.dagster_event
    if event and event.event_type_value == {event!r} and event.step_key == {step!r}:
        os.kill(os.getpid(), signal.SIGKILL)

run_id = str(uuid.uuid4())
platform.instance.add_event_listener(run_id, kill)
job = platform.defs.resolve_job_def("daily_matching")
keys = [dg.AssetKey(name) for name in INTAKE]
job.execute_in_process(instance=platform.instance, run_id=run_id, partition_key={day!r}, asset_selection=keys)
"""


def run_killed_at(home: Path, event: str, step: str) -> int:
    """Take the day in, in another process that kills itself at an event of a step. Returns how it ended."""
    script = KILLED.format(tests=str(Path(__file__).parent), home=str(home), event=event, step=step, day=DAY)
    return subprocess.run([sys.executable, "-c", script], capture_output=True, check=False).returncode


@pytest.fixture
def day_taken_in(new_platform):
    platform = new_platform()
    platform.land(f"records/{DAY}", OLD)
    assert platform.run("daily_matching", DAY, INTAKE).success
    return platform


@pytest.mark.parametrize(
    ("event", "step", "raw", "clean"),
    [
        ("STEP_OUTPUT", "raw_records", OLD, OLD),
        ("STEP_START", "guarded_records", NEW, OLD),
        ("STEP_OUTPUT", "guarded_records", NEW, OLD),
    ],
    ids=["raw records computed, not stored", "raw records stored", "clean records computed, not stored"],
)
def test_a_killed_run_leaves_the_last_good_version_readable(day_taken_in, event, step, raw, clean):
    day_taken_in.land(f"records/{DAY}", NEW)
    assert run_killed_at(day_taken_in.home, event, step) == -signal.SIGKILL
    read = {
        name: day_taken_in.tables.read(name, DAY).select("record_id", "name")
        for name in ("raw_records", "clean_records")
    }
    assert read["raw_records"].equals(raw)
    assert read["clean_records"].equals(clean)


def test_after_a_kill_the_next_run_completes_and_doubles_nothing(day_taken_in):
    day_taken_in.land(f"records/{DAY}", NEW)
    assert run_killed_at(day_taken_in.home, "STEP_START", "guarded_records") == -signal.SIGKILL
    assert day_taken_in.run("daily_matching", DAY, INTAKE).success
    assert day_taken_in.tables.read("clean_records", DAY).select("record_id", "name").equals(NEW)
