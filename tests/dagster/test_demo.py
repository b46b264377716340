"""The demo's edges: what it puts into the state folder, whose folder it refuses, and which decisions it shows."""

import dagster as dg
import polars as pl
import pytest
from filelock import FileLock

from matching.records import InputError
from matching_assets import sample
from matching_assets.demo import Run, execute, run_demo, seed_landing
from matching_assets.examples import KINDS, choose_examples


def landed(folder):
    return {path.relative_to(folder).as_posix(): path.stat().st_mtime_ns for path in folder.rglob("*.parquet")}


def test_every_day_of_the_sample_lands_in_a_file_of_its_name(tmp_path):
    seed_landing(tmp_path)
    assert set(landed(tmp_path)) == {
        "reference.parquet",
        "labels/sample.parquet",
        *(f"records/{day}.parquet" for day in sample.days()),
    }


def test_a_second_demo_leaves_files_that_are_the_same(tmp_path):
    seed_landing(tmp_path)
    before = landed(tmp_path)
    seed_landing(tmp_path)
    assert landed(tmp_path) == before


def test_somebodys_own_reference_is_not_overwritten(tmp_path):
    own = pl.DataFrame({"reference_id": ["1"], "name": ["IBM"]})
    own.write_parquet(tmp_path / "reference.parquet")
    with pytest.raises(InputError, match=r"reference\.parquet: this is not the demo's file"):
        seed_landing(tmp_path)
    assert pl.read_parquet(tmp_path / "reference.parquet").equals(own)


@pytest.mark.parametrize("name", ["reference.csv", "records/2026-02-02.csv", "labels/mine.csv"])
def test_a_folder_with_data_of_somebody_is_refused(tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("reference_id,name\n1,IBM\n")
    with pytest.raises(InputError, match=r"this is not the demo's file\. Set MATCHING_HOME"):
        seed_landing(tmp_path)


def test_two_demos_do_not_run_in_one_folder(tmp_path):
    with FileLock(tmp_path / ".demo.lock"), pytest.raises(InputError, match="another demo is running here"):
        run_demo(tmp_path, lambda stage, share: None)


@pytest.fixture
def decided():
    """Decisions, telemetry, records, labels and master, with two of each kind of decision that is shown."""
    rows = [
        ("a1", "match", "R", 0.99, "R", 0.9),
        ("a2", "match", "R", 0.98, "R", 0.5),
        ("b1", "review", "R", 0.80, "R", 0.9),
        ("b2", "review", "R", 0.60, "R", 0.9),
        ("c1", "no_match", "R", 0.01, None, 0.1),
        ("d1", "review", "R", 0.70, None, 0.9),
        ("e1", "match", "R", 0.99, "other", 0.1),
    ]
    ids, bands, references, probability, labels, similar = zip(*rows, strict=True)
    decisions = pl.DataFrame(
        {"record_id": ids, "decision": bands, "reference_id": references, "probability": probability}
    ).with_columns(runner_up_id=pl.lit("S"), runner_up_probability=pl.lit(0.5))
    return (
        decisions,
        pl.DataFrame({"record_id": ids, "lexical_similarity": similar}),
        pl.DataFrame({"record_id": ids, "name": [f"Company {i}" for i in ids]}),
        pl.DataFrame({"record_id": ids, "reference_id": labels}),
        pl.DataFrame({"reference_id": ["R", "S"], "name": ["Right Inc", "Second Inc"]}),
    )


def test_an_example_of_each_kind_is_shown(decided):
    chosen = [example.decision["record_id"] for example in choose_examples(*decided)]
    assert chosen == ["a2", "b1", "c1", "d1", "b2"]
    assert len(chosen) == len(KINDS)


def test_a_wrong_match_is_not_shown_as_a_right_one(decided):
    assert "e1" not in [example.decision["record_id"] for example in choose_examples(*decided)]


def test_an_example_knows_the_names_of_its_references(decided):
    assert choose_examples(*decided)[0].reference_names == {"R": "Right Inc", "S": "Second Inc"}


def test_a_kind_that_did_not_occur_is_left_out(decided):
    decisions, *others = decided
    assert len(choose_examples(decisions.filter(pl.col("decision") == "match"), *others)) == 1


def test_the_bar_is_full_when_the_last_step_is_done():
    @dg.asset
    def reference() -> None: ...

    @dg.asset(deps=[reference])
    def index() -> None: ...

    @dg.asset_check(asset=reference)
    def unique() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=True)

    job = dg.define_asset_job("train", selection=[reference, index])
    defs = dg.Definitions(assets=[reference, index], asset_checks=[unique], jobs=[job])
    shown = []
    with dg.DagsterInstance.ephemeral() as instance:
        execute([Run("train"), Run("train", assets=["index"])], defs, instance, lambda _, share: shown.append(share))
    assert shown == [0.25, 0.5, 0.75, 1.0]
