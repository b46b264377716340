"""Days scored again with another bundle: beside what was decided, and never over it."""

from contextlib import nullcontext

import dagster as dg
import polars as pl
import pytest

from matching_assets.cli import main
from resources.registry import CLOSES

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def closed_version(platform) -> str:
    """Another version than the one that decided: its closed form, registered and not deployed."""
    from matching_assets.closing import close

    package = close("for a test", platform.resources["store"], platform.registry)
    assert CLOSES in package.lineage
    return str(package.version)


@pytest.fixture
def here(platform, monkeypatch):
    """The commands find the platform's state folder, and its instance."""
    for name in ("MATCHING_HOME", "DAGSTER_HOME"):
        monkeypatch.setenv(name, str(platform.home))
    monkeypatch.setattr(dg.DagsterInstance, "get", staticmethod(lambda: nullcontext(platform.instance)))
    return platform


def test_a_range_of_days_is_scored_again_a_run_for_each_and_what_was_decided_stays(
    here, closed_version, days, capsys
) -> None:
    before = here.tables.read("match_decisions")
    known = len(here.instance.get_runs(dg.RunsFilter(job_name="rescore")))
    assert main(["rescore", "--from", days[0], "--to", days[1], "--version", closed_version]) == 0
    runs = here.instance.get_runs(dg.RunsFilter(job_name="rescore"))
    assert sorted(run.tags["dagster/partition"] for run in runs[: len(runs) - known]) == days[:2]
    assert here.tables.read("match_decisions").equals(before)
    rescored, diff = here.tables.read("rescored_decisions"), here.tables.read("decision_diff")
    matched = before.filter(pl.col("decision") == "match", pl.col("day").cast(pl.String).is_in(days[:2]))
    assert set(rescored["day"].cast(pl.String)) == set(days[:2])
    assert set(diff["record_id"]) == set(matched["record_id"])
    assert set(diff["why"]) == {"closed"}
    assert capsys.readouterr().out.count(" lost, 0 to another") == 2
    assert main(["trace", diff["record_id"][0], "--home", str(here.home)]) == 0
    said = capsys.readouterr().out
    assert "beside the decision, which stands: review" in said
    assert "otherwise  Automatic matching is closed in one of the two." in said


def test_the_bundle_that_decided_decides_so_again(here, days) -> None:
    version = here.registry.champion().lineage["bundle_version"]
    done = here.run("rescore", days[2], ops={"rescored_decisions": {"version": version}})
    assert done.success
    (check,) = done.get_asset_check_evaluations()
    assert (check.check_name, check.passed) == ("decisions_reproduced", True)
    assert here.tables.read("decision_diff", days[2]).is_empty()


def test_a_bundle_that_nobody_knows_is_refused_before_anything_runs(here, days, capsys) -> None:
    assert main(["rescore", "--from", days[0], "--to", days[0], "--version", "99"]) == 2
    assert "99: there is no such bundle" in capsys.readouterr().err


def test_days_that_were_never_decided_are_said(here, capsys) -> None:
    assert main(["rescore", "--from", "2030-01-01", "--to", "2030-01-02", "--version", "1"]) == 2
    assert "no day from 2030-01-01 to 2030-01-02 was decided" in capsys.readouterr().err


def test_what_a_backfill_is_configured_with_reaches_each_of_its_runs(here) -> None:
    """The job has no configuration of its own that would take its place."""
    assert here.defs.resolve_job_def("rescore").run_config is None
    assert here.defs.resolve_job_def("rescore").partitions_def is not None
