import json
from http import HTTPStatus

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matching.guardrails import guard_records
from matching.runtime_input import FIELDS, MOST_RECORDS, Options, RequestError, is_plain, read_request

JSON, LINES, CSV = "application/json", "application/jsonlines", "text/csv"


def read(body: object, kind: str = JSON, options: Options | None = None, **headers: str):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_request(raw, {"content-type": kind, **headers}, options or Options())


def refusal(body: object, kind: str = JSON, **headers: str) -> RequestError:
    with pytest.raises(RequestError) as caught:
        read(body, kind, **headers)
    assert caught.value.remedy.endswith((".", "]"))
    return caught.value


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'[{"record_id": "a", "name": "Alpha"}, {"record_id": "b", "name": "Beta, Inc", "country": "US"}]', JSON),
        (b'{"records": [{"record_id":"a","name":"Alpha"},{"record_id":"b","name":"Beta, Inc","country":"US"}]}', JSON),
        (b'{"record_id":"a","name":"Alpha"}\r\n\n{"record_id":"b","name":"Beta, Inc","country":"US"}', LINES),
        (b'record_id,name,country\r\na,Alpha,\r\n\r\nb,"Beta, Inc",US\r\n', CSV),
        (b'\xef\xbb\xbfrecord_id,name,country\na,Alpha,\nb,"Beta, Inc",US', f"{CSV}; charset=UTF-8; header=present"),
    ],
)
def test_the_same_records_are_read_from_every_form(body, kind):
    records = read(body, kind).records
    assert records.columns == list(FIELDS)
    assert records.select("record_id", "name", "country").rows() == [("a", "Alpha", None), ("b", "Beta, Inc", "US")]


def test_one_json_object_is_one_record():
    assert read({"name": "Alpha"}).records["name"].to_list() == ["Alpha"]


def test_a_record_without_an_id_is_called_by_its_number():
    records = read(
        [{"name": "Alpha"}, {"name": "Beta", "record_id": "b"}, {"name": "Gamma", "record_id": None}]
    ).records
    assert records["record_id"].to_list() == ["row-1", "b", "row-3"]


def test_a_field_that_is_not_known_is_ignored():
    assert read({"name": "Alpha", "colour": {"r": [1]}}).records.width == len(FIELDS)


def test_options_stand_beside_a_record_or_beside_the_records():
    for body in ({"name": "Alpha"}, {"records": [{"name": "Alpha"}]}):
        assert read({**body, "top_k": 3, "reasons": False}).options == Options(top_k=3, reasons=False)


def test_an_option_in_the_body_wins_over_the_query():
    query = Options(top_k=9, reasons=False)
    assert read({"name": "Alpha", "top_k": 3}, options=query).options == Options(top_k=3, reasons=False)


@pytest.mark.parametrize(
    "option",
    [
        {"top_k": 0},
        {"top_k": 201},
        {"top_k": "5"},
        {"top_k": True},
        {"top_k": 1.5},
        {"reasons": "no"},
        {"reasons": None},
    ],
)
def test_an_option_of_another_type_or_range_is_refused(option):
    assert refusal({"name": "Alpha", **option}).field == next(iter(option))


@pytest.mark.parametrize(
    ("body", "kind", "error"),
    [
        (b"", JSON, "not JSON"),
        (b"{", JSON, "line 1 column 2"),
        (b'{"name": NaN}', JSON, "NaN"),
        (b'{"name": "Alpha", "size": -Infinity}', JSON, "-Infinity"),
        (b'{"name": "Alpha", "name": "Beta"}', JSON, "twice"),
        (b"[" * 200_000, JSON, "nested too deeply"),
        (b'{"name":' * 20_000, JSON, "nested too deeply"),
        (b'{"name": ' + b"1" * 9000 + b"}", JSON, "not JSON"),
        (b'{"name": "\xff"}', JSON, "byte 10"),
        ("[]".encode("utf-16"), JSON, "not UTF-8"),
        (b"[]", JSON, "no record"),
        (b'{"records": {}}', JSON, "not a list"),
        (b"", LINES, "no record"),
        (b"", CSV, "no header"),
        (b"name\n", CSV, "no record"),
        (b"a,Alpha\nb,Beta\n", CSV, "no header"),
        (b"name,name\na,b\n", CSV, "no header"),
        (b'name\n"Alpha\n', CSV, "not CSV"),
        (b"name\n" + b"x" * 140_000, CSV, "not CSV"),
    ],
)
def test_what_cannot_be_read_is_refused(body, kind, error):
    problem = refusal(body, kind)
    assert problem.status == HTTPStatus.BAD_REQUEST
    assert error in problem.error


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"name": "Alpha"}\n{"name": "Beta"', LINES),
        (b'{"name": "Alpha"}\n["Beta"]', LINES),
        (b'[{"name": "Alpha"}, null]', JSON),
        (b"record_id,name\na,Alpha\nb,Beta,Inc\n", CSV),
    ],
)
def test_a_record_that_cannot_be_read_is_named_by_its_number(body, kind):
    assert refusal(body, kind).record == 2


@pytest.mark.parametrize(
    ("record", "field"),
    [
        ({}, "name"),
        ({"name": None}, "name"),
        ({"name": 3}, "name"),
        ({"name": ["Beta"]}, "name"),
        ({"name": ""}, "name"),
        ({"name": "\u200b \t"}, "name"),
        ({"name": "x" * 513}, "name"),
        ({"name": "Be\x00ta"}, "name"),
        ({"name": "Beta \ud800"}, "name"),
        ({"name": "Beta", "record_id": 7}, "record_id"),
        ({"name": "Beta", "record_id": " "}, "record_id"),
        ({"name": "Beta", "record_id": "row-1"}, "record_id"),
        ({"name": "Beta", "country": 840}, "country"),
        ({"name": "Beta", "lei": {"value": "x"}}, "lei"),
    ],
)
def test_a_bad_field_is_named_with_its_record(record, field):
    problem = refusal([{"name": "Alpha"}, record, {"name": "Gamma"}])
    assert problem.status == HTTPStatus.UNPROCESSABLE_ENTITY
    assert problem.field == field
    assert problem.record == (1 if record.get("record_id") == "row-1" else 2)
    assert problem.record_id is not None


def test_a_record_sent_twice_is_refused():
    assert refusal([{"record_id": "a", "name": "Alpha"}] * 2).record == 2


def test_a_name_of_512_characters_with_space_around_it_is_read():
    assert read({"name": f"  {'x' * 512}\n"}).records.height == 1


def test_one_record_more_than_the_limit_is_too_many():
    batch = [{"name": f"Company {n}"} for n in range(MOST_RECORDS)]
    assert read(batch).records.height == MOST_RECORDS
    assert refusal([*batch, {"name": "One more"}]).status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE


@pytest.mark.parametrize("kind", ["", "text/plain", "application/xml", "application/json; charset=latin-1", "json"])
def test_another_content_type_is_refused(kind):
    assert refusal({"name": "Alpha"}, kind).status == HTTPStatus.UNSUPPORTED_MEDIA_TYPE


def test_a_compressed_request_is_refused():
    headers = {"content-encoding": "gzip"}
    assert refusal({"name": "Alpha"}, **headers).status == HTTPStatus.UNSUPPORTED_MEDIA_TYPE


def outcome(body: object, kind: str = JSON) -> str:
    try:
        request = read(body, kind)
    except RequestError as problem:
        return f"refused as {problem.status // 100}xx"
    ids = request.records["record_id"]
    return "read" if len(ids) == ids.drop_nulls().n_unique() > 0 else "read in part"


@given(st.binary(max_size=60), st.sampled_from([JSON, LINES, CSV]))
def test_any_bytes_are_read_or_refused(body, kind):
    assert outcome(body, kind) in ("read", "refused as 4xx")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from([*FIELDS, "records", "top_k"]), inner),
    max_leaves=6,
)


@given(VALUES)
def test_any_json_value_is_read_or_refused(value):
    assert outcome(value) in ("read", "refused as 4xx")


ODD = ["Alpha", "", " ", "3", "\u200b", "\u0085", "x" * 512, "x" * 513]
NAMES = st.text(st.characters(codec="utf-8"), max_size=8) | st.sampled_from(ODD)


@given(st.lists(st.tuples(NAMES, st.sampled_from(["a", "b", " ", "row-1"])), min_size=1, max_size=3))
def test_what_is_plain_is_what_the_guardrails_accept_as_it_is(given_rows):
    rows = [dict.fromkeys(FIELDS) | {"name": name, "record_id": record_id} for name, record_id in given_rows]
    if is_plain(rows):
        frame = pl.DataFrame(rows, schema=dict.fromkeys(FIELDS, pl.String))
        assert guard_records(frame).accepted.equals(frame)


def test_most_requests_are_plain():
    assert is_plain([dict.fromkeys(FIELDS) | {"name": "Alpha Holdings plc", "record_id": "a"}])
    assert not is_plain([dict.fromkeys(FIELDS) | {"name": "Alpha", "record_id": "a"}] * 2)
    assert not is_plain([dict.fromkeys(FIELDS) | {"name": "Al\x1fpha", "record_id": "a"}])
