"""What the platform does with a fault that will come some night; docs/RUNBOOK.md has the list of all.

Here are those that need the whole graph. The page each alert names is tested in test_runbooks.py.
"""

import json
import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from matching_assets.definitions import build_defs
from matching_assets.folders import facts_in
from matching_assets.jobs import INTAKE, MATCHING
from resources.registry import LocalRegistry
from resources.store import LocalStore
from resources.telemetry import LocalTelemetry

ROOT = Path(__file__).parents[2]
EMPTY_DAY = "2026-02-02"
ROWS = pl.DataFrame({"record_id": ["1", "2"], "name": ["IBM", "Apple Inc"]})


def failed(result: dg.ExecuteInProcessResult) -> set[str]:
    return {found.check_name for found in result.get_asset_check_evaluations() if not found.passed}


@pytest.mark.parametrize("change", [{"name": "company"}, {"record_id": "id"}])
def test_a_renamed_column_stops_the_day_and_the_corrected_file_heals_it(new_platform, change):
    platform = new_platform()
    for day in ("2026-01-05", "2026-01-06"):
        platform.land(f"records/{day}", ROWS if day == "2026-01-05" else ROWS.rename(change))
    assert platform.run("daily_matching", "2026-01-05", INTAKE).success
    stopped = platform.run("daily_matching", "2026-01-06", INTAKE)
    assert not stopped.success
    assert "guardrails_share" in failed(stopped)
    assert platform.tables.read("clean_records", "2026-01-05").height == 2

    platform.land("records/2026-01-06", ROWS)
    assert platform.run("daily_matching", "2026-01-06", INTAKE).success
    assert platform.tables.read("clean_records", "2026-01-06").height == 2


def test_a_new_column_is_kept_and_stops_nothing(new_platform):
    platform = new_platform()
    platform.land("records/2026-01-05", ROWS)
    platform.land("records/2026-01-06", ROWS.with_columns(rating=pl.lit("AA")))
    assert all(platform.run("daily_matching", day, INTAKE).success for day in ("2026-01-05", "2026-01-06"))
    assert platform.tables.read("raw_records", "2026-01-06")["rating"].to_list() == ["AA", "AA"]


def test_an_empty_day_is_taken_in_the_integrity_monitor_says_so_and_no_other_alarms(platform, days):
    header = platform.tables.read("raw_records", days[0]).drop("day").clear()
    platform.land(f"records/{EMPTY_DAY}", header)
    done = platform.run("daily_matching", EMPTY_DAY, [*INTAKE, *MATCHING])
    assert done.success
    assert platform.tables.read("match_decisions", EMPTY_DAY).is_empty()
    assert failed(done) <= {"usual_volume", "integrity_holds"}
    said = {
        monitor: platform.materialisation(monitor, EMPTY_DAY).metadata["status"].value
        for monitor in ("integrity_report", "drift_report", "prediction_report", "concept_report")
    }
    assert said.pop("integrity_report") == "ALARM"
    assert set(said.values()) == {"UNKNOWN"}


class Full(LocalTelemetry):
    """A sink whose disk is full."""

    def _write(self, name: str, data: bytes) -> None:
        raise OSError(28, "No space left on device")


def test_a_telemetry_sink_that_is_down_loses_no_decision_and_the_run_says_which_step_failed(platform, days):
    before = platform.tables.read("match_decisions", days[0])
    down = build_defs({**platform.resources, "telemetry": Full(root=str(platform.home / "full"))})
    job = down.resolve_job_def("daily_matching")
    keys = [dg.AssetKey(name) for name in ("match_decisions", "scoring_telemetry")]
    stopped = job.execute_in_process(
        instance=platform.instance, partition_key=days[0], asset_selection=keys, raise_on_error=False
    )
    (failure,) = [event for event in stopped.all_events if event.is_step_failure]
    assert failure.step_key == "decided_records"
    assert platform.tables.read("match_decisions", days[0]).equals(before)
    assert platform.endpoint.describe("matching").status == "InService"

    assert platform.run("daily_matching", days[0], ["match_decisions", "scoring_telemetry"]).success
    assert platform.tables.read("match_decisions", days[0]).equals(before)
    assert platform.tables.read("scoring_telemetry", days[0]).height == before.height


@contextmanager
def serving_without(platform, fact: str, scratch: Path) -> Iterator[None]:
    """As if the version that serves had been packed without a fact."""
    store, key = platform.resources["store"], "assets/deployed_endpoint"
    good = store.get_json(key)
    facts = facts_in(platform.folders.read("deployed_endpoint"))
    bundle = scratch / "bundle"
    shutil.copytree(store.get_folder(facts["bundle_digest"]), bundle, copy_function=shutil.copyfile)
    manifest = json.loads((bundle / "manifest.json").read_text())
    del manifest["facts"][fact]
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    about = scratch / "about"
    about.mkdir()
    (about / "facts.json").write_text(json.dumps({**facts, "bundle_digest": store.put_folder(bundle)}))
    store.put_json(key, {**good, "digest": store.put_folder(about)})
    try:
        yield
    finally:
        store.put_json(key, good)


def test_a_monitor_without_reference_says_that_it_does_not_know(platform, days, tmp_path):
    watched = ["drift_report", "prediction_report"]
    with serving_without(platform, "drift_bounds", tmp_path):
        assert platform.run("daily_matching", days[1], watched).success
        for monitor in watched:
            said = platform.materialisation(monitor, days[1]).metadata
            assert said["status"].value == "UNKNOWN"
            assert "without a reference" in said["sentence"].value
    assert platform.run("daily_matching", days[1], watched).success


def test_trainings_that_end_at_once_with_the_same_bundle_are_one_version(tmp_path):
    registry = LocalRegistry(store=LocalStore(root=str(tmp_path)))
    digests = ["a" * 64, "b" * 64] * 4
    with ThreadPoolExecutor(8) as pool:
        versions = list(pool.map(lambda digest: registry.register(digest, {}, {}, {}, {}), digests))
    assert len(set(versions)) == 2
    assert [package.bundle_digest for package in registry.list()] in (["a" * 64, "b" * 64], ["b" * 64, "a" * 64])


def test_every_fault_of_the_list_has_tests_that_are_there():
    listed = (ROOT / "docs" / "RUNBOOK.md").read_text().partition("does with a fault")[2].partition("\n## ")[0]
    rows = [line for line in listed.splitlines() if line.startswith("| ") and "`test_" in line]
    assert len(rows) >= 9
    for file, test in re.findall(r"`(test_\w+)::(test_\w+)`", listed):
        (path,) = (ROOT / "tests").rglob(f"{file}.py")
        assert f"def {test}(" in path.read_text(), test
    assert all(re.search(r"`test_\w+::test_\w+`", row) for row in rows)
