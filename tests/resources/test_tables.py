"""The contract of the tables, held by each implementation; Glue and S3 are a moto server: pyarrow and polars call it.

What is refused or widened is decided before a catalog is asked, and is tried on one implementation.
"""

import json
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import Path

import polars as pl
import pytest

from matching.records import InputError
from resources.iceberg import Part
from resources.store import MissingError
from resources.tables import GlueTables, LocalTables, Tables

MONDAY, TUESDAY = date(2024, 1, 1), date(2024, 1, 2)
REASONS = pl.List(pl.Struct({"code": pl.String, "contribution": pl.Float64}))


@pytest.fixture(params=["local", "glue"])
def tables(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tables:
    if request.param == "local":
        return LocalTables(warehouse=str(tmp_path / "a folder" / "warehouse"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    url = request.getfixturevalue("aws_server")
    namespace = f"t{uuid.uuid4().hex[:8]}"
    return GlueTables(bucket="matching-test", region_name="us-east-1", endpoint_url=url, namespace=namespace)


@pytest.fixture
def local(tmp_path: Path) -> LocalTables:
    return LocalTables(warehouse=str(tmp_path))


def day(value: date) -> Part:
    return Part("day", days=(value, value))


def records(value: date, *ids: str, **columns: object) -> pl.DataFrame:
    frame = pl.DataFrame({"record_id": list(ids)}, schema={"record_id": pl.String})
    return frame.with_columns(pl.lit(value).alias("day"), *(pl.lit(v).alias(c) for c, v in columns.items()))


def test_a_table_comes_back_as_it_was_written(tables: Tables) -> None:
    frame = pl.DataFrame(
        {
            "record_id": ["r1", "r2", None],
            "probability": pl.Series([0.25, None, float("inf")], dtype=pl.Float32),
            "n": [1, 2, None],
            "degraded": [True, False, None],
            "aliases": [["a", None], [], None],
            "reasons": pl.Series([[{"code": "NAME", "contribution": 0.5}], [], []], dtype=REASONS),
            "at": pl.Series([datetime(2024, 1, 1), None, None], dtype=pl.Datetime("us")),  # noqa: DTZ001 - a wall clock
            "day": [MONDAY, TUESDAY, None],
        }
    )
    tables.write("decisions", frame)

    assert tables.read("decisions").equals(frame)
    assert tables.read("decisions").schema == frame.schema


def test_a_table_written_again_is_replaced(tables: Tables) -> None:
    tables.write("reference", pl.DataFrame({"id": ["a", "b"]}))
    tables.write("reference", pl.DataFrame({"id": ["c"]}))

    assert tables.read("reference")["id"].to_list() == ["c"]


def test_a_day_written_again_is_replaced_and_not_doubled(tables: Tables) -> None:
    tables.write("records", records(MONDAY, "a", "b"), day(MONDAY))
    tables.write("records", records(TUESDAY, "c"), day(TUESDAY))
    tables.write("records", records(MONDAY, "d"), day(MONDAY))

    assert tables.read("records", "2024-01-01")["record_id"].to_list() == ["d"]
    assert tables.read("records", "2024-01-02")["record_id"].to_list() == ["c"]


def test_all_days_are_read_in_their_order_however_often_one_was_redone(tables: Tables) -> None:
    tables.write("records", records(TUESDAY, "c", "b"), day(TUESDAY))
    tables.write("records", records(MONDAY, "z", "a"), day(MONDAY))
    before = tables.read("records")
    tables.write("records", records(TUESDAY, "c", "b"), day(TUESDAY))

    assert tables.read("records").equals(before)
    assert before["record_id"].to_list() == ["z", "a", "c", "b"]


def test_a_day_without_rows_is_a_day_and_not_an_error(tables: Tables) -> None:
    tables.write("quarantine", records(MONDAY), day(MONDAY))

    assert tables.read("quarantine", "2024-01-01").height == 0


def test_a_day_that_was_never_written_has_no_rows(tables: Tables) -> None:
    tables.write("records", records(MONDAY, "a"), day(MONDAY))

    assert tables.read("records", "2024-01-09").height == 0


def test_partitions_can_be_keys_of_a_text_column(tables: Tables) -> None:
    tables.write("slices", pl.DataFrame({"market": ["us"], "n": [1]}), Part("market", keys=("us",)))
    tables.write("slices", pl.DataFrame({"market": ["o'x"], "n": [2]}), Part("market", keys=("o'x",)))
    tables.write("slices", pl.DataFrame({"market": ["o'x"], "n": [3]}), Part("market", keys=("o'x",)))

    assert tables.read("slices", "o'x")["n"].to_list() == [3]
    assert tables.read("slices")["n"].sort().to_list() == [1, 3]


def test_a_new_column_leaves_the_other_days_as_they_are(tables: Tables) -> None:
    tables.write("records", records(MONDAY, "a", sector="bank"), day(MONDAY))
    tables.write("records", records(TUESDAY, "b", lei="L"), day(TUESDAY))

    assert tables.read("records").select("record_id", "sector", "lei").rows() == [("a", "bank", None), ("b", None, "L")]


def test_a_whole_table_takes_the_columns_and_types_of_its_last_frame(tables: Tables) -> None:
    tables.write("features", pl.DataFrame({"id": ["a"], "x": [1], "y": ["old"]}))
    frame = pl.DataFrame({"id": ["a"], "x": ["one"], "z": [0.5]})
    tables.write("features", frame)

    assert tables.read("features").select("id", "x", "z").equals(frame)
    assert sorted(tables.read("features").columns) == ["id", "x", "z"]


def test_a_day_with_another_type_is_refused_and_the_table_stays(local: LocalTables) -> None:
    local.write("records", records(MONDAY, "a", size=1), day(MONDAY))

    with pytest.raises(InputError, match="size"):
        local.write("records", records(TUESDAY, "b", size="large"), day(TUESDAY))
    assert local.read("records")["size"].to_list() == [1]


def test_a_row_of_another_day_is_refused_and_named(local: LocalTables) -> None:
    frame = pl.concat([records(MONDAY, "a"), records(TUESDAY, "b")])

    with pytest.raises(InputError, match="column day, row 2"):
        local.write("records", frame, day(MONDAY))


def test_a_row_without_a_day_is_refused(local: LocalTables) -> None:
    with pytest.raises(InputError, match="1 rows are not of the partition"):
        local.write("records", records(MONDAY, "a").with_columns(day=pl.lit(None, dtype=pl.Date)), day(MONDAY))


def test_a_partitioned_frame_without_its_column_is_refused(local: LocalTables) -> None:
    with pytest.raises(InputError, match="column day: the partitions need this column, as Date"):
        local.write("records", pl.DataFrame({"id": ["a"]}), day(MONDAY))


@pytest.mark.parametrize(
    ("kind", "widened"),
    [
        (pl.UInt32, pl.Int64),
        (pl.UInt8, pl.Int32),
        (pl.Int8, pl.Int32),
        (pl.List(pl.UInt32), pl.List(pl.Int64)),
        (pl.Struct({"n": pl.UInt16}), pl.Struct({"n": pl.Int32})),
    ],
)
def test_integers_that_iceberg_lacks_are_widened(local: LocalTables, kind: pl.DataType, widened: pl.DataType) -> None:
    value = {pl.List: [7], pl.Struct: {"n": 7}}.get(kind.base_type(), 7)
    local.write("counts", pl.DataFrame({"n": pl.Series([value], dtype=kind)}))

    assert local.read("counts").schema == {"n": widened}
    assert local.read("counts")["n"].to_list() == [value]


def test_categories_become_text(local: LocalTables) -> None:
    local.write("bands", pl.DataFrame({"band": pl.Series(["match", None], dtype=pl.Enum(["match"]))}))

    assert local.read("bands")["band"].to_list() == ["match", None]


def test_a_column_without_a_type_is_refused_by_name(local: LocalTables) -> None:
    with pytest.raises(InputError, match="column sector: has no type"):
        local.write("records", pl.DataFrame({"id": ["a"], "sector": [None]}))


def test_a_null_that_would_come_back_as_an_empty_list_is_refused(local: LocalTables) -> None:
    frame = pl.DataFrame({"reasons": pl.Series([[], None], dtype=REASONS)})

    with pytest.raises(InputError, match="column reasons, row 2: a list of structs is null"):
        local.write("decisions", frame)


def test_all_files_lie_in_the_warehouse_whatever_its_name(tmp_path: Path) -> None:
    warehouse = tmp_path / "a folder of Zoë, 100%"
    LocalTables(warehouse=str(warehouse)).write("records", records(MONDAY, "a"), day(MONDAY))

    assert [path.name for path in tmp_path.iterdir()] == [warehouse.name]
    assert LocalTables(warehouse=str(warehouse)).read("records")["record_id"].to_list() == ["a"]


def test_tables_are_listed_and_a_missing_one_says_so(tables: Tables) -> None:
    tables.write("b", pl.DataFrame({"id": ["a"]}))
    tables.write("a", pl.DataFrame({"id": ["a"]}))

    assert tables.names() == ["a", "b"]
    assert (tables.exists("a"), tables.exists("c")) == (True, False)
    with pytest.raises(MissingError, match="no table c"):
        tables.read("c")


def test_a_partition_of_a_table_without_partitions_is_refused(local: LocalTables) -> None:
    local.write("reference", pl.DataFrame({"id": ["a"]}))

    with pytest.raises(ValueError, match="no partitions"):
        local.read("reference", "2024-01-01")


PARENT = """
import json, os, signal, sys
from datetime import date
import polars as pl
import pyiceberg.io.pyarrow
from pyiceberg.catalog.sql import SqlCatalog
from resources.iceberg import Part
from resources.tables import LocalTables
for line in sys.stdin:
    children = []
    for program in json.loads(line):
        children.append(os.fork())
        if children[-1] == 0:
            try:
                exec(program)
            except BaseException as problem:
                print(repr(problem), file=sys.stderr, flush=True)
                os._exit(1)
            os._exit(0)
    print(json.dumps([os.waitpid(child, 0)[1] for child in children]), flush=True)
"""
"""A process that has everything imported, but no thread yet, and so can fork others that write tables."""


@pytest.fixture(scope="module")
def processes() -> Iterator[Callable[..., list[int]]]:
    """Run programs at once, each in a process of its own, and return how they ended: 0, or a signal."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", PARENT], **pipes) as parent:

        def run(*programs: str) -> list[int]:
            parent.stdin.write(json.dumps(programs) + "\n")
            parent.stdin.flush()
            return json.loads(parent.stdout.readline())

        yield run
        parent.stdin.close()


WRITER = """
tables = LocalTables(warehouse={warehouse!r})
for number in range({first}, 9, 2):
    day = date(2024, 1, number)
    tables.write("records", pl.DataFrame({{"n": [number], "day": [day]}}), Part("day", days=(day, day)))
    tables.write("both", pl.DataFrame({{"writer": [{first}]}}))
"""


@pytest.mark.slow
def test_processes_that_write_the_same_tables_at_once_all_succeed(
    tmp_path: Path, local: LocalTables, processes: Callable[..., list[int]]
) -> None:
    writers = [WRITER.format(warehouse=str(tmp_path), first=first) for first in (1, 2)]

    assert processes(*writers) == [0, 0]
    assert local.read("records")["n"].to_list() == list(range(1, 9))
    assert local.read("both").height == 1


KILLED = """
commit = SqlCatalog.commit_table
def dying(self, *arguments):
    if {after}:
        commit(self, *arguments)
    os.kill(os.getpid(), signal.SIGKILL)
SqlCatalog.commit_table = dying
day = date(2024, 1, 1)
frame = pl.DataFrame({{"record_id": ["new"], "more": [1], "day": [day]}})
LocalTables(warehouse={warehouse!r}).write("records", frame, Part("day", days=(day, day)))
"""
SIGKILL = 9


@pytest.mark.parametrize(("after", "expected"), [(False, ["old"]), (True, ["new"])])
def test_a_write_that_is_killed_at_its_commit_leaves_the_last_good_version(
    tmp_path: Path, local: LocalTables, processes: Callable[..., list[int]], after: bool, expected: list[str]
) -> None:
    local.write("records", records(MONDAY, "old", sector="bank"), day(MONDAY))

    assert processes(KILLED.format(warehouse=str(tmp_path), after=after)) == [SIGKILL]

    assert local.read("records")["record_id"].to_list() == expected
    local.write("records", records(MONDAY, "next"), day(MONDAY))
    assert local.read("records")["record_id"].to_list() == ["next"]


def test_a_first_write_that_is_killed_leaves_no_half_table(
    tmp_path: Path, local: LocalTables, processes: Callable[..., list[int]]
) -> None:
    assert processes(KILLED.format(warehouse=str(tmp_path), after=False)) == [SIGKILL]

    assert not local.exists("records")
    local.write("records", records(MONDAY, "first"), day(MONDAY))
    assert local.read("records", "2024-01-01")["record_id"].to_list() == ["first"]
