"""What an asset gets and leaves behind, through Dagster: tables and folders, in one graph on the local resources."""

from datetime import date
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from matching.files import folder_digest
from matching.records import content_hash
from resources.environment import for_environment
from resources.folders import FolderIOManager
from resources.store import MissingError, ObjectStore

DAYS = dg.DailyPartitionsDefinition("2024-01-01")
NAMES = {"2024-01-01": ["Acme", "Blue"], "2024-01-02": ["Cobalt"], "2024-01-03": []}


class Vocabulary:
    """A component that is a folder."""

    def __init__(self, words: list[str]) -> None:
        self.words = words

    def save(self, folder: Path) -> None:
        (folder / "words.txt").write_text("\n".join(self.words))


@dg.asset(partitions_def=DAYS, metadata={"partition_expr": "day"})
def names(context: dg.AssetExecutionContext) -> pl.DataFrame:
    day = context.partition_key
    frame = pl.DataFrame({"name": NAMES[day]}, schema={"name": pl.String})
    return frame.with_columns(pl.lit(date.fromisoformat(day)).alias("day"))


@dg.asset(partitions_def=DAYS, metadata={"partition_expr": "day"})
def upper_names(names: pl.DataFrame) -> pl.DataFrame:
    return names.with_columns(pl.col("name").str.to_uppercase())


@dg.asset
def all_names(upper_names: pl.LazyFrame) -> pl.DataFrame:
    return upper_names.select("name").collect()


@dg.asset(io_manager_key="folder_io_manager")
def vocabulary(all_names: pl.DataFrame) -> Vocabulary:
    return Vocabulary(all_names["name"].to_list())


@dg.asset
def word_count(vocabulary: Path) -> pl.DataFrame:
    return pl.DataFrame({"words": [len((vocabulary / "words.txt").read_text().split())]})


@dg.asset(partitions_def=DAYS, io_manager_key="folder_io_manager")
def daily_folder(context: dg.AssetExecutionContext, tmp: dg.ResourceParam[str]) -> Path:
    folder = Path(tmp) / context.partition_key
    folder.mkdir(exist_ok=True)
    (folder / "day.txt").write_text(context.partition_key)
    return folder


DAILY, WHOLE = [names, upper_names], [all_names, vocabulary, word_count]


@pytest.fixture
def resources(tmp_path: Path) -> dict[str, object]:
    return for_environment("local", tmp_path / "home")


@pytest.fixture
def instance() -> dg.DagsterInstance:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def test_a_graph_of_tables_and_folders_runs_end_to_end(
    resources: dict[str, object], instance: dg.DagsterInstance
) -> None:
    for day in NAMES:
        dg.materialize(DAILY, partition_key=day, resources=resources, instance=instance)
    dg.materialize(DAILY, partition_key="2024-01-01", resources=resources, instance=instance)
    dg.materialize([*DAILY, *WHOLE], selection=WHOLE, resources=resources, instance=instance)

    tables, folders = resources["tables"], resources["folder_io_manager"]
    assert tables.read("upper_names", "2024-01-01")["name"].to_list() == ["ACME", "BLUE"]
    assert tables.read("all_names")["name"].to_list() == ["ACME", "BLUE", "COBALT"]
    assert tables.read("word_count")["words"].item() == 3
    assert (folders.read("vocabulary") / "words.txt").read_text() == "ACME\nBLUE\nCOBALT"


def test_a_table_reports_its_rows_columns_and_content_hash(
    resources: dict[str, object], instance: dg.DagsterInstance
) -> None:
    result = dg.materialize([names], partition_key="2024-01-01", resources=resources, instance=instance)

    event = result.asset_materializations_for_node("names")[0]
    assert event.metadata["dagster/row_count"].value == 2
    assert [column.name for column in event.metadata["dagster/column_schema"].schema.columns] == ["name", "day"]
    stored = resources["tables"].read("names")
    assert event.tags["dagster/data_version"] == content_hash(stored)


def test_a_folder_reports_its_digest_size_and_files(
    resources: dict[str, object], instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    @dg.asset(io_manager_key="folder_io_manager")
    def model() -> Vocabulary:
        return Vocabulary(["one", "two"])

    result = dg.materialize([model], resources=resources, instance=instance)

    event = result.asset_materializations_for_node("model")[0]
    digest = folder_digest(resources["folder_io_manager"].read("model"))
    reported = {key: event.metadata[key].value for key in ("digest", "size_bytes", "files")}
    assert reported == {"digest": digest, "size_bytes": 7, "files": 1}
    assert event.tags["dagster/data_version"] == digest


def test_a_data_version_that_an_asset_gives_itself_stays(
    resources: dict[str, object], instance: dg.DagsterInstance
) -> None:
    @dg.asset
    def versioned() -> dg.Output[pl.DataFrame]:
        return dg.Output(pl.DataFrame({"a": [1]}), data_version=dg.DataVersion("mine"))

    result = dg.materialize([versioned], resources=resources, instance=instance)

    assert result.asset_materializations_for_node("versioned")[0].tags["dagster/data_version"] == "mine"


def test_each_partition_has_its_own_folder(
    resources: dict[str, object], instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    for day in ("2024-01-01", "2024-01-02"):
        dg.materialize(
            [daily_folder], partition_key=day, resources={**resources, "tmp": str(tmp_path)}, instance=instance
        )

    folders = resources["folder_io_manager"]
    assert (folders.read("daily_folder", "2024-01-01") / "day.txt").read_text() == "2024-01-01"
    assert (folders.read("daily_folder", "2024-01-02") / "day.txt").read_text() == "2024-01-02"


def test_an_asset_that_fails_leaves_its_last_folder(resources: dict[str, object], instance: dg.DagsterInstance) -> None:
    class Torn:
        def save(self, folder: Path) -> None:
            (folder / "words.txt").write_text("half")
            raise OSError("no space left on device")

    def run(value: object) -> dg.ExecuteInProcessResult:
        @dg.asset(io_manager_key="folder_io_manager")
        def model() -> object:
            return value

        return dg.materialize([model], resources=resources, instance=instance, raise_on_error=False)

    assert run(Vocabulary(["good"])).success
    assert not run(Torn()).success
    assert (resources["folder_io_manager"].read("model") / "words.txt").read_text() == "good"


def test_what_is_no_folder_is_refused_by_its_type(store: ObjectStore) -> None:
    with pytest.raises(TypeError, match="a dict is no folder"):
        FolderIOManager(store=store)._put({"a": 1})


def test_a_folder_that_was_never_materialised_says_so(store: ObjectStore) -> None:
    with pytest.raises(MissingError, match="assets/ranker: materialise that asset first"):
        FolderIOManager(store=store).read("ranker")
