"""SageMaker's data capture as traffic.

An event holds the question and the answer, and none of what was measured on the way; but scoring is a pure function of
(bundle, records), so the question is scored again by the bundle that the answer names, and the answer says what was
decided. Names are read here and go no further. The latency is not in an event: CloudWatch has it (`ModelLatency`).

The format is that of "Capture data from real-time endpoint" in SageMaker's developer guide: JSON Lines, an event a
line, by `<endpoint>/<variant>/yyyy/mm/dd/hh/`. Delivery is "at least once", so events are told apart by their id.
"""

import io
import json
import secrets
from base64 import b64decode
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import dagster as dg
import polars as pl

from matching.records import InputError
from matching.runtime_input import ARROW_TYPE, CSV_TYPE, LINES_TYPE, RequestError, read_options, read_request
from matching.tokens import TokenKey, current_key
from resources.answers import token_of
from resources.store import ConflictError, S3Store
from resources.traffic import EVENT, MINIMISED, Measure, Traffic

ANSWERED = ("record_id", "probability", "decision", "bundle_version", "degraded")
DECIDED = (*ANSWERED, "reference_id")
TARGETED = "targeted"
"""The inference id of a request that somebody sent to one variant by name."""
ANSWERS_KEY = "endpoint/answers-key"
CAPTURE = "capture"


@dataclass(frozen=True)
class Event:
    """A request that was answered: its records, and as many decisions with the fields DECIDED.

    at: seconds since 1970. inference_id: what the caller gave with it.
    """

    event: str
    records: pl.DataFrame
    decisions: pl.DataFrame
    at: float
    inference_id: str | None


class CaptureTraffic(Traffic):
    """In the bucket of the object store, below `capture/`, where `SageMakerEndpoint` has it captured to."""

    store: dg.ResourceDependency[S3Store]
    endpoint: str = "matching"

    def erase(self, ids: Sequence[str]) -> int:
        """See Traffic. An event goes as a whole: what else was asked in one request with the record goes with it."""
        erased = 0
        for key, _ in self._keys(self._root):
            lines = self._content(key).splitlines(keepends=True)
            left = [line for line in lines if not _asks_about(line, ids)]
            if len(left) < len(lines):
                erased += len(lines) - len(left)
                self.store.client.put_object(Bucket=self.store.bucket, Key=key, Body=b"".join(left))
        return erased

    def forget_before(self, first: date) -> int:
        """See Traffic. The bucket's lifecycle rule deletes captured files after 30 days in any case."""
        old = [key for key, _ in self._keys(self._root) if _day_of(key) < first]
        for key in old:
            self.store.client.delete_object(Bucket=self.store.bucket, Key=key)
        return len(old)

    def answers(self, record_ids: Iterable[str], since: float) -> list[dict[str, Any]]:
        """The first answer about each of these records after `since`, oldest first; see resources.answers.

        Left out is what was asked of one variant by name, because chance did not choose it. Only what was captured can
        be told: with a share of the requests, a share of the answers.
        """
        key = self._answers_key()
        wanted = {record_id: token_of(key, record_id) for record_id in record_ids}
        first, found = datetime.fromtimestamp(since, UTC).date(), dict[str, dict[str, Any]]()
        events = [
            (event.at, variant, event)
            for name, _ in self._keys(self._root)
            if _day_of(name) >= first
            for variant in [name.removeprefix(self._root).split("/")[0]]
            for line in self._content(name).splitlines()
            if line.strip() and (event := read_event(line)) and event.at > since and event.inference_id != TARGETED
        ]
        for at, variant, event in sorted(events, key=lambda known: known[0]):
            for decision in event.decisions.iter_rows(named=True):
                record_id = decision["record_id"]
                if record_id in wanted and record_id not in found:
                    told = {name: decision[name] for name in ("record_id", "decision", "reference_id")}
                    about = {"token": wanted[record_id], "variant": variant, "version": decision["bundle_version"]}
                    found[record_id] = {"at": at, **about, **told}
        return list(found.values())

    def _answers_key(self) -> bytes:
        """The key of the answers' tokens; the first who asks for it makes it."""
        if self.store.get_json(ANSWERS_KEY) is None:
            with suppress(ConflictError):
                self.store.put_json(ANSWERS_KEY, {"key": secrets.token_hex(32)}, expected=None)
        known = self.store.get_json(ANSWERS_KEY)
        return bytes.fromhex(str((known or {})["key"]))

    def _files(self, day: date) -> Iterator[tuple[str, bytes]]:
        for key, _ in self._listed(day):
            yield key, self._content(key)

    def _listed(self, day: date) -> list[tuple[str, int]]:
        pages = self.store.client.get_paginator("list_objects_v2")
        variants = [
            found["Prefix"]
            for page in pages.paginate(Bucket=self.store.bucket, Prefix=self._root, Delimiter="/")
            for found in page.get("CommonPrefixes", [])
        ]
        return [found for variant in sorted(variants) for found in self._keys(f"{variant}{day:%Y/%m/%d}/")]

    @property
    def _root(self) -> str:
        return f"{self.store.prefix}/{CAPTURE}/{self.endpoint}/"

    def _keys(self, prefix: str) -> list[tuple[str, int]]:
        pages = self.store.client.get_paginator("list_objects_v2")
        listed = pages.paginate(Bucket=self.store.bucket, Prefix=prefix)
        return sorted((item["Key"], item["Size"]) for page in listed for item in page.get("Contents", []))

    def _content(self, key: str) -> bytes:
        content: bytes = self.store.client.get_object(Bucket=self.store.bucket, Key=key)["Body"].read()
        return content

    def _rows(self, data: bytes, measure: Measure) -> pl.DataFrame:
        events = [found for line in data.splitlines() if line.strip() and (found := read_event(line))]
        frames = [_measured(events, version, measure) for version in sorted(_versions(events))]
        rows = pl.concat([pl.DataFrame(schema={**MINIMISED, EVENT: pl.String}), *frames], how="diagonal_relaxed")
        return rows.with_columns(record_id=_tokens(rows["record_id"], current_key()))


def read_event(line: bytes) -> Event | None:
    """The event of a line; None when the request was not answered with decisions. InputError: it is no such line."""
    try:
        said = json.loads(line)
        captured, about = said["captureData"], said["eventMetadata"]
        event, at = str(about["eventId"]), datetime.fromisoformat(about["inferenceTime"]).timestamp()
        asked, answer = captured["endpointInput"], captured.get("endpointOutput")
        question = _body(asked)
    except (ValueError, KeyError, TypeError) as problem:
        raise InputError("a line is no captured event", file=CAPTURE, remedy="Is it data capture's file?") from problem
    try:
        records = read_request(question, {"content-type": asked["observedContentType"]}, read_options({})).records
    except RequestError:
        return None  # it was refused by the endpoint too
    decisions = _decisions(_body(answer), answer["observedContentType"]) if answer else None
    if decisions is None or decisions.height != records.height:
        return None
    return Event(event, records, decisions, at, about.get("inferenceId"))


def _asks_about(line: bytes, ids: Sequence[str]) -> bool:
    """Whether a captured line is about one of these records. What was not answered is looked through as text."""
    try:
        if event := read_event(line):
            return bool(event.records["record_id"].is_in(list(ids)).any())
        question = _body(json.loads(line)["captureData"]["endpointInput"])
    except InputError:
        question = line
    return any(one.encode() in question for one in ids)


def _day_of(key: str) -> date:
    """The day of a captured file, by its folders `yyyy/mm/dd/hh`."""
    year, month, day = (int(part) for part in key.split("/")[-5:-2])
    return date(year, month, day)


def _body(part: dict[str, Any]) -> bytes:
    text: str = part["data"]
    return b64decode(text) if part["encoding"] == "BASE64" else text.encode()


def _decisions(body: bytes, kind: str) -> pl.DataFrame | None:
    """The fields DECIDED of an answer of any of the endpoint's types; None when it is none."""
    kind = kind.partition(";")[0].strip()
    try:
        if kind == ARROW_TYPE:
            return pl.read_ipc_stream(io.BytesIO(body)).select(DECIDED)
        if kind == CSV_TYPE:
            return pl.read_csv(body, columns=list(DECIDED), schema_overrides=_schema())
        if kind == LINES_TYPE:
            rows = [json.loads(line) for line in body.splitlines() if line.strip()]
        else:
            rows = json.loads(body)["decisions"]
        return pl.DataFrame([{name: row[name] for name in DECIDED} for row in rows], schema=_schema())
    except (ValueError, KeyError, TypeError, pl.exceptions.PolarsError):
        return None


def _schema() -> dict[str, Any]:
    return {**{name: MINIMISED[name] for name in ANSWERED}, "reference_id": pl.String}


def _versions(events: Sequence[Event]) -> set[str]:
    return {version for event in events for version in event.decisions["bundle_version"]}


def _measured(events: Sequence[Event], version: str, measure: Measure) -> pl.DataFrame:
    """The rows of what one bundle answered: what it measures on the same records, and what it decided."""
    own = [event for event in events if (event.decisions["bundle_version"] == version).all()]
    records = pl.concat([event.records for event in own], how="diagonal_relaxed")
    ids = pl.Series(EVENT, [event.event for event in own for _ in range(event.records.height)], dtype=pl.String)
    decided = pl.concat([event.decisions for event in own]).select(ANSWERED)
    measured = measure(records, version)
    if measured is None:
        return decided.with_columns(ids)
    return measured.drop(ANSWERED, strict=False).hstack([*decided.get_columns(), ids])


def _tokens(ids: pl.Series, key: TokenKey | None) -> pl.Series:
    """What may be kept of ids."""
    return pl.Series("record_id", [key.token(one) if key else None for one in ids], dtype=pl.String)
