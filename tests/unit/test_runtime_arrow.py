import io

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matching.runtime_input import ARROW_TYPE, LARGEST_BODY, Options, RequestError, read_request

TABLE = pa.table({"name": ["Alpha", "Beta"], "record_id": ["a", None], "size": [1, 2]})


def stream(table: pa.Table, **options: str) -> bytes:
    out = io.BytesIO()
    with pa.ipc.new_stream(out, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table)
    return out.getvalue()


def read(body: bytes) -> pl.DataFrame:
    return read_request(body, {"content-type": ARROW_TYPE}, Options()).records


def refusal(body: bytes) -> RequestError:
    with pytest.raises(RequestError) as caught:
        read(body)
    return caught.value


def test_text_columns_are_read_and_others_ignored():
    assert read(stream(TABLE)).select("record_id", "name").rows() == [("a", "Alpha"), ("row-2", "Beta")]


def test_what_polars_writes_is_read():
    out = io.BytesIO()
    pl.DataFrame({"name": ["Alpha", None]}).head(1).write_ipc_stream(out)
    assert read(out.getvalue())["name"].to_list() == ["Alpha"]


def test_a_compressed_stream_is_refused_before_it_is_unfolded():
    bomb = stream(pa.table({"name": ["x" * 50_000_000]}), compression="zstd")
    assert len(bomb) < LARGEST_BODY
    assert "compressed" in refusal(bomb).error


def test_views_that_name_the_same_text_again_and_again_are_refused():
    text = pa.array(["x" * 200_000], pa.string_view())
    views = pa.Array.from_buffers(pa.string_view(), 1000, [None, pa.py_buffer(text.buffers()[1].to_pybytes() * 1000),
                                                           text.buffers()[2]])  # fmt: skip
    assert "again and again" in refusal(stream(pa.table({"name": views}))).error


@pytest.mark.parametrize(
    "column", [pa.array(["Alpha"]).dictionary_encode(), pa.array([1]), pa.array([["Alpha"]]), pa.array([b"Alpha"])]
)
def test_a_name_that_is_no_text_is_refused_with_its_field(column):
    assert refusal(stream(pa.table({"name": column}))).field == "name"


def test_one_record_more_than_the_limit_is_too_many():
    assert refusal(stream(pa.table({"name": [f"a{n}" for n in range(1001)]}))).status == 413


@given(st.lists(st.tuples(st.integers(0, len(stream(TABLE)) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_a_damaged_stream_is_read_or_refused(damage):
    body = bytearray(stream(TABLE))
    for place, byte in damage:
        body[place] = byte
    try:
        outcome = read(bytes(body)).height
    except RequestError as problem:
        outcome = problem.status
    assert outcome in (1, 2, 400, 413, 422)
