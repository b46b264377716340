"""What the endpoint answers: decisions as JSON, JSON Lines, CSV or Arrow, by the request's Accept; faults as JSON.

The models describe the answers in `/openapi.json`; the bytes are written by polars from the decisions frame.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any, Literal

import polars as pl
from pydantic import BaseModel, Field

from matching.records import flat_csv
from matching.runtime_input import ARROW_TYPE, CSV_TYPE, JSON_TYPE, LINES_TYPE, TYPES, RequestError


class Reason(BaseModel):
    """One reason code; contributions are in log-odds."""

    code: str
    direction: str
    contribution: float
    evidence: str | None


class Difference(BaseModel):
    """What the best candidate has more of than the runner-up, in log-odds."""

    code: str
    difference: float


class Decision(BaseModel):
    """What was decided about one record. `degraded`: decided without a component that was down."""

    record_id: str
    decision_id: str = Field(description="The same for the same question to the same bundle, however often it is put.")
    reference_id: str | None = Field(description="The best candidate; null when there is none.")
    probability: float = Field(description="Calibrated probability that the best candidate is the right one.")
    decision: Literal["match", "review", "no_match"]
    runner_up_id: str | None
    runner_up_probability: float | None
    reasons: list[Reason] = Field(description="Empty when they were not asked for.")
    contrast: list[Difference] = Field(description="Against the runner-up; empty when there is none.")
    margin: float | None = Field(description="The ranker's score in log-odds, before calibration.")
    degraded: bool
    bundle_version: str


class Answer(BaseModel):
    """The decisions, in the order of the records."""

    bundle_version: str
    decisions: list[Decision]


class Fault(BaseModel):
    """Why a request was not answered. Nothing of it was scored."""

    error: str
    record: int | None = Field(None, description="The record's number in the request, 1 = first.")
    record_id: str | None = None
    field: str | None = None
    remedy: str
    bundle_version: str | None = None


def answer_type(accept: str) -> str:
    """The content type of the answer (RFC 9110, 12.5.1): of what is acceptable the weightiest; JSON when any will do.

    Raises RequestError (406) when none is acceptable.
    """
    ranges = [_weighted(part) for part in accept.split(",") if part.strip()] or [("*/*", 1.0)]
    for wanted, weight in sorted(ranges, key=lambda pair: -pair[1]):
        for kind in TYPES:
            if weight > 0 and wanted in (kind, kind.split("/")[0] + "/*", "*/*"):
                return kind
    raise RequestError(
        f"no answer can be given as {accept!r}",
        f"Accept {', '.join(TYPES)}.",
        HTTPStatus.NOT_ACCEPTABLE,
    )


def answer_schema() -> dict[str, Any]:
    """The answer in the words of OpenAPI."""
    text, binary = {"schema": {"type": "string"}}, {"schema": {"type": "string", "format": "binary"}}
    return {
        "description": "The decisions, in the order of the records.",
        "model": Answer,
        "content": {JSON_TYPE: {}, LINES_TYPE: text, CSV_TYPE: text, ARROW_TYPE: binary},
    }


def _weighted(media_range: str) -> tuple[str, float]:
    kind, *parameters = (part.strip().lower() for part in media_range.split(";"))
    weight = next((p.removeprefix("q=") for p in parameters if p.startswith("q=")), "1")
    try:
        return kind, float(weight)
    except ValueError:
        return kind, 0.0


def answer_body(decisions: pl.DataFrame, bundle_version: str, kind: str) -> bytes:
    """The decisions in one of the content types. CSV has a header and its reasons are JSON text."""
    if kind == CSV_TYPE:
        return flat_csv(decisions).write_csv().encode()
    if kind == ARROW_TYPE:
        from matching.runtime_arrow import arrow_body

        return arrow_body(decisions)
    if kind == LINES_TYPE:
        return decisions.write_ndjson().encode()
    return f'{{"bundle_version":{json.dumps(bundle_version)},"decisions":{decisions.write_json()}}}'.encode()
