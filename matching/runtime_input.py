"""What a request to the endpoint may hold, and its way into a frame of records: all of it is good, or none is scored.

JSON (one record, a list of them, or `{"records": [...]}`), JSON Lines or CSV with a header, always UTF-8, or an Arrow
IPC stream (`matching.runtime_arrow`). A record is what `matching.guardrails` accepts in a file: `name` and any
attribute or identifier, all text. Fields that the contract does not know are ignored; a known field of another type is
an error. A record without `record_id` gets `row-<n>`, its number in the request (1 = first). `RequestError` says which
record and which field is wrong and what to do. Control characters in a name are refused; zero-width and bidirectional
ones are read through, since they come with real names (`matching.guardrails`).
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import Annotated, Any, NoReturn

import polars as pl
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, create_model

from matching.guardrails import guard_records
from matching.kinds import KINDS
from matching.names import LONGEST_NAME
from matching.records import ATTRIBUTES, IDENTIFIERS
from matching.schemas import REASONS

LARGEST_BODY = 256 * 1024
MOST_RECORDS = 1000
MOST_CANDIDATES = 200
FIELDS = ("record_id", "name", *ATTRIBUTES, *IDENTIFIERS, *KINDS)
JSON_TYPE, LINES_TYPE, CSV_TYPE = "application/json", "application/jsonlines", "text/csv"
ARROW_TYPE = "application/vnd.apache.arrow.stream"
TYPES = (JSON_TYPE, LINES_TYPE, CSV_TYPE, ARROW_TYPE)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]")


class RequestError(Exception):
    """A request that cannot be answered. `record` is its number in the request, 1 = first."""

    def __init__(
        self,
        error: str,
        remedy: str,
        status: HTTPStatus = HTTPStatus.BAD_REQUEST,
        *,
        record: int | None = None,
        record_id: str | None = None,
        field: str | None = None,
    ) -> None:
        super().__init__(error)
        self.error, self.remedy, self.status = error, remedy, status
        self.record, self.record_id, self.field = record, record_id, field


def _encodable(text: str) -> str:
    """JSON can write half of a surrogate pair, which is no text."""
    try:
        text.encode()
    except UnicodeEncodeError as half:
        raise ValueError("holds half of a surrogate pair") from half
    return text


Text = Annotated[str, AfterValidator(_encodable)]
_fields: dict[str, Any] = dict.fromkeys(FIELDS, (Text | None, None)) | {
    "name": (
        Annotated[
            Text,
            Field(
                description=f"At most {LONGEST_NAME} characters, with a letter or a digit, without control characters.",
                json_schema_extra={"minLength": 1, "pattern": r"^[^\x00-\x1f\x7f-\x9f]*$"},
            ),
        ],
        ...,
    )
}
Record = create_model("Record", __config__=ConfigDict(strict=True, extra="ignore"), **_fields)


class Options(BaseModel):
    """How to score. In the query, or in a JSON object beside the record or the records; the latter wins."""

    top_k: int = Field(50, ge=1, le=MOST_CANDIDATES, description="How many candidates to consider for each record.")
    reasons: bool = Field(True, description="Whether to give reasons for each decision.")


DEFAULTS = Options.model_validate({})


@dataclass(frozen=True)
class Request:
    """`records`: the columns FIELDS as text, in the order of the request, with ids that are there and unique."""

    records: pl.DataFrame
    options: Options


def read_request(body: bytes, headers: Mapping[str, str], options: Options) -> Request:
    """Read a request of one of TYPES. Raises RequestError, and then nothing of it may be scored.

    `headers` has lower-case names; `options` are those of the query.
    """
    if headers.get("content-encoding", "identity") != "identity":
        raise RequestError("the request is compressed", "Send it as it is.", HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    rows, options = _rows(body, _media_type(headers.get("content-type", "")), options)
    if not rows:
        raise RequestError("the request holds no record", "Send at least one record.")
    if len(rows) > MOST_RECORDS:
        raise too_many(len(rows))
    return Request(_guarded([_checked(row, n) for n, row in enumerate(rows, start=1)]), options)


def read_options(query: Mapping[str, str]) -> Options:
    """The options of a query; a FastAPI parameter would be worked out anew with every request. Raises RequestError."""
    return _valid(dict(query), strict=False) if query else DEFAULTS


def too_many(records: int) -> RequestError:
    """The refusal of a request with more records than MOST_RECORDS."""
    remedy = f"Send at most {MOST_RECORDS} at a time."
    return RequestError(f"the request holds {records} records", remedy, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)


def request_schema() -> dict[str, Any]:
    """The request body in the words of OpenAPI."""
    record, options = Record.model_json_schema(), Options.model_json_schema()["properties"]
    records = {"type": "array", "items": record, "minItems": 1, "maxItems": MOST_RECORDS}
    batch = {"type": "object", "properties": {"records": records, **options}, "required": ["records"]}
    text, binary = {"schema": {"type": "string"}}, {"schema": {"type": "string", "format": "binary"}}
    return {
        "required": True,
        "content": {
            JSON_TYPE: {"schema": {"anyOf": [record, records, batch]}},
            LINES_TYPE: text,
            CSV_TYPE: text,
            ARROW_TYPE: binary,
        },
    }


def options_schema() -> list[dict[str, Any]]:
    """The options of the query in the words of OpenAPI."""
    known = Options.model_json_schema()["properties"]
    return [{"name": name, "in": "query", "required": False, "schema": schema} for name, schema in known.items()]


def _media_type(content_type: str) -> str:
    kind, *parameters = (part.strip().lower() for part in content_type.split(";"))
    charset = next((p.removeprefix("charset=").strip('"') for p in parameters if p.startswith("charset=")), "utf-8")
    if kind not in TYPES or charset not in ("utf-8", "utf8", "us-ascii"):
        raise RequestError(
            f"the content type {content_type!r} is not read here" if content_type else "the content type is missing",
            f"Send UTF-8 as {JSON_TYPE}, {LINES_TYPE} or {CSV_TYPE}, or {ARROW_TYPE}.",
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        )
    return kind


def _rows(body: bytes, kind: str, options: Options) -> tuple[list[Any], Options]:
    if kind == ARROW_TYPE:
        from matching.runtime_arrow import arrow_rows

        return arrow_rows(body), options
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise RequestError(
            f"byte {problem.start} of the request is not UTF-8", "Send the request as UTF-8."
        ) from problem
    if kind == CSV_TYPE:
        return _csv_rows(text), options
    if kind == LINES_TYPE:
        lines = [line for line in text.split("\n") if line.strip()]
        return [_json(line, record) for record, line in enumerate(lines, start=1)], options
    content = _json(text)
    if not isinstance(content, dict):
        return content if isinstance(content, list) else [content], options
    options = _options(content, options)
    rows = content.get("records", [content])
    if not isinstance(rows, list):
        raise RequestError("records is not a list", "Send the records as a list of objects.", field="records")
    return rows, options


def _json(text: str, record: int | None = None) -> Any:
    try:
        return json.loads(text, parse_constant=_no_number, object_pairs_hook=_object)
    except RecursionError as problem:
        raise RequestError("the JSON is nested too deeply", "Send flat records.", record=record) from problem
    except ValueError as problem:
        raise RequestError(f"not JSON: {problem}", "Send well-formed JSON.", record=record) from problem


def _no_number(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON value")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object, in which no field may stand twice: the first value would be lost without a word."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("a field stands twice in one object")
    return fields


def _options(content: dict[str, Any], options: Options) -> Options:
    given = {name: content[name] for name in Options.model_fields if name in content}
    return _valid(options.model_dump() | given, strict=True) if given else options


def _valid(given: Mapping[str, Any], strict: bool) -> Options:
    try:
        return Options.model_validate(given, strict=strict)
    except ValidationError as problem:
        fault = problem.errors()[0]
    field = str(fault["loc"][-1])
    remedy = f"Send top_k from 1 to {MOST_CANDIDATES}, and reasons as true or false."
    raise RequestError(f"{field}: {fault['msg']}", remedy, field=field)


def _csv_rows(text: str) -> list[dict[str, str | None]]:
    """The rows of a CSV text with a header; an empty cell is a field that is not there."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[dict[str, str | None]] = []
    try:
        header = next(reader, [])
        if len(set(header)) < len(header) or "name" not in header:
            raise RequestError(
                "the first line of the CSV is no header with a name", f"Name columns once: {', '.join(FIELDS)}."
            )
        for cells in filter(None, reader):
            if len(cells) != len(header):
                raise RequestError(
                    f"{len(cells)} cells where the header has {len(header)}",
                    "Quote cells that hold commas.",
                    record=len(rows) + 1,
                )
            rows.append({name: cell or None for name, cell in zip(header, cells, strict=True)})
    except csv.Error as problem:
        raise RequestError(f"not CSV: {problem}", "Send well-formed CSV.", record=len(rows) + 1) from problem
    return rows


def _checked(row: object, number: int) -> dict[str, str | None]:
    """One record with all FIELDS, each text or None."""
    if not isinstance(row, dict):
        raise RequestError("the record is not an object", "Send an object with a name.", record=number)
    given = row.get("record_id")
    record_id = given if isinstance(given, str) else f"row-{number}"
    try:
        fields: dict[str, str | None] = Record.model_validate(row).model_dump()
    except ValidationError as problem:
        fault = problem.errors()[0]
        field = str(fault["loc"][0])
        raise RequestError(
            f"{field}: {fault['msg']}",
            "Send the name as text." if field == "name" else f"Send {field} as text, or leave it out.",
            HTTPStatus.UNPROCESSABLE_ENTITY,
            record=number,
            record_id=record_id,
            field=field,
        ) from problem
    return {**fields, "record_id": record_id}


def _guarded(rows: list[dict[str, str | None]]) -> pl.DataFrame:
    """The records as a frame, when the guardrails accept every one of them."""
    frame = pl.DataFrame([_column(field, [row[field] for row in rows]) for field in FIELDS])
    if is_plain(rows):
        return frame
    guarded = guard_records(frame, file="request")
    for first in guarded.quarantined.head(1).iter_rows(named=True):
        what, remedy = REASONS[first["rule"]]
        raise RequestError(
            what,
            remedy,
            HTTPStatus.UNPROCESSABLE_ENTITY,
            record=first["row"],
            record_id=first["record_id"],
            field="name" if first["rule"].startswith("name") else "record_id",
        )
    return guarded.accepted


def _column(field: str, values: list[str | None]) -> pl.Series:
    """A column of text. Most of a request's are empty, and making those costs more than reading the others."""
    if all(value is None for value in values):
        return _empty_column(field, len(values))
    return pl.Series(field, values, dtype=pl.String)


@lru_cache(maxsize=4 * len(FIELDS))
def _empty_column(field: str, count: int) -> pl.Series:
    return pl.Series(field, [None], dtype=pl.String).new_from_index(0, count)


def is_plain(rows: list[dict[str, str | None]]) -> bool:
    """Whether the guardrails would accept all rows as they are; when in doubt, no.

    The guardrails take 7 ms for any number of records, which a file does not notice and a request does.
    """
    ids = {row["record_id"] for row in rows}
    return len(ids) == len(rows) and all(
        (row["record_id"] or "").strip()
        and len(name := row["name"] or "") <= LONGEST_NAME
        and _CONTROL.search(name) is None
        and any(map(str.isalnum, name))
        for row in rows
    )
