"""Who may learn from which entities of a task."""

from pathlib import Path

import polars as pl
import pytest

from benchmarks.tasks import TASKS, read_task, some_of

DATA = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """300 entities with two records each, and a reference that has others beside them."""
    ids = [f"q{i:03d}" for i in range(600)]
    entities = [f"R{i // 2:03d}" for i in range(600)]
    pl.DataFrame({"record_id": ids, "name": ids}).write_parquet(tmp_path / "records.parquet")
    pl.DataFrame({"record_id": ids, "reference_id": entities}).write_parquet(tmp_path / "labels.parquet")
    known = [f"R{i:03d}" for i in range(1_000)]
    pl.DataFrame({"reference_id": known, "name": known}).write_parquet(tmp_path / "reference.parquet")
    return tmp_path


def test_no_entity_is_both_learnt_from_and_judged(folder: Path):
    task = read_task(folder)
    assert set(task.learnt["reference_id"]).isdisjoint(task.asked["reference_id"])
    assert 0.2 < task.asked.height / task.labels.height < 0.4


def test_a_smaller_task_still_has_every_right_reference(folder: Path):
    task = read_task(folder, size=100)
    assert 50 < task.labels.height < 150
    assert set(task.labels["reference_id"]) <= set(task.reference["reference_id"])
    assert task.records.height == task.labels.height
    assert task.reference.height < 1_000


def test_a_part_of_the_labels_has_whole_entities(folder: Path):
    part = some_of(read_task(folder).labels, 200, seed=1)
    assert set(part["reference_id"].value_counts()["count"]) == {2}


@pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data beside the checkout")
@pytest.mark.parametrize("name", TASKS)
def test_the_shared_tasks_split_by_entity(name: str):
    task = read_task(DATA / name)
    assert set(task.learnt["entity_key"]).isdisjoint(task.asked["entity_key"])
