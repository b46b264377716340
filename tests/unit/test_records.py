"""Frames of the contract: what is read, what is written, and what is said when it cannot be."""

from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from matching.records import InputError, content_hash, read_table, write_table


def frame() -> pl.DataFrame:
    return pl.DataFrame({"record_id": ["007", "b"], "name": ["Alpha", None], "size": [1.5, None]})


# The error


def test_an_error_names_the_place_the_fault_and_the_remedy() -> None:
    error = InputError("is no LEI", file="r.csv", column="lei", row=3, remedy="Correct it.")
    assert str(error) == "file r.csv, column lei, row 3: is no LEI. Correct it."


def test_an_error_without_a_place_is_only_its_text() -> None:
    assert str(InputError("the reference has no rows")) == "the reference has no rows"


# Reading


def test_ids_stay_as_they_are_written(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("record_id,name,cik,note\n007,NA,0000320193,1\n")
    assert read_table(tmp_path / "r.csv").rows() == [("007", "NA", "0000320193", "1")]


def test_numbers_in_parquet_become_text_where_the_contract_says_text(tmp_path: Path) -> None:
    pl.DataFrame({"record_id": [7], "name": ["x"], "postal_code": [10115], "size": [3]}).write_parquet(
        tmp_path / "r.parquet"
    )
    assert read_table(tmp_path / "r.parquet").row(0) == ("7", "x", "10115", 3)


def test_a_byte_order_mark_is_no_part_of_a_column_name(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_bytes(b"\xef\xbb\xbfrecord_id,name\n1,x\n")
    assert read_table(tmp_path / "r.csv").columns == ["record_id", "name"]


def test_an_empty_field_is_missing_and_a_quoted_one_is_empty(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text('record_id,name\n1,\n2,""\n')
    assert read_table(tmp_path / "r.csv")["name"].to_list() == [None, ""]


def test_a_list_where_text_belongs_is_left_for_the_guardrails(tmp_path: Path) -> None:
    pl.DataFrame({"record_id": [["a"]]}).write_parquet(tmp_path / "r.parquet")
    assert read_table(tmp_path / "r.parquet").schema == {"record_id": pl.List(pl.String)}


@pytest.mark.parametrize(
    ("name", "data", "what"),
    [
        ("missing.csv", None, "no such file"),
        ("r.xlsx", b"", "not a .csv or .parquet file"),
        ("r.csv", b"", "cannot be read"),
        ("r.csv", b"record_id,name\n1,\xff\xfe\n", "cannot be read"),
        ("r.csv", b"record_id,name\n1,a,b\n", "cannot be read"),
        ("r.csv", b"record_id,name,name\n1,a,b\n", "column name: the column stands there twice"),
        ("r.parquet", b"PAR1 torn", "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_said_with_the_file(tmp_path: Path, name: str, data: bytes | None, what: str) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=what) as caught:
        read_table(tmp_path / name)
    assert caught.value.file == str(tmp_path / name)


# Writing


@pytest.mark.parametrize("name", ["r.csv", "r.parquet"])
def test_what_is_written_is_read_again(tmp_path: Path, name: str) -> None:
    written = frame().select("record_id", "name")
    write_table(written, tmp_path / name)
    assert_frame_equal(read_table(tmp_path / name), written)


def test_lists_become_json_in_csv(tmp_path: Path) -> None:
    write_table(pl.DataFrame({"record_id": ["a", "b"], "reasons": [[{"code": "X"}], None]}), tmp_path / "r.csv")
    assert read_table(tmp_path / "r.csv")["reasons"].to_list() == ['[{"code": "X"}]', None]


def test_a_table_is_not_written_under_another_suffix(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"not a \.csv or \.parquet file"):
        write_table(frame(), tmp_path / "r.txt")
    assert list(tmp_path.iterdir()) == []


# The content hash


def test_the_hash_does_not_depend_on_the_order_of_rows_and_columns() -> None:
    assert content_hash(frame()) == content_hash(frame().reverse().select("size", "name", "record_id"))


@pytest.mark.parametrize(
    "changed",
    [
        frame().with_columns(name=pl.Series(["Beta", None])),
        frame().with_columns(name=pl.Series(["Alpha", ""])),
        frame().with_columns(pl.col("size").cast(pl.Float32)),
        frame().rename({"size": "weight"}),
        frame().head(1),
        pl.concat([frame(), frame().head(1)]),
    ],
)
def test_the_hash_changes_with_any_value_type_name_or_row(changed: pl.DataFrame) -> None:
    assert content_hash(changed) != content_hash(frame())


def test_the_hash_of_a_frame_is_the_same_on_every_machine() -> None:
    assert content_hash(frame()) == "4906989aa248af2466edf0a7989541143232715b6b4c8a192bda79c0846ca79d"
