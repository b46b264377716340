"""Ids of requests and decisions.

A request id is the caller's when it is well formed, so that one id can be followed through all that a call passed; an
ill-formed one is replaced, because it is written to logs. A decision id names one decision: sha256 of the bundle's
version, the record as it was sent, and what else changes a decision (top_k, and whether a component was down). So a
request that is sent again gets the same ids, on any worker, and no two different decisions share one.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Iterable

import polars as pl

_WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{1,64}")


def request_id(given: str | None) -> str:
    """The id of a request: `given` when it is 1 to 64 of letters, digits, `.`, `_` and `-`, otherwise a new one."""
    return given if given and _WELL_FORMED.fullmatch(given) else uuid.uuid4().hex


def decision_ids(records: pl.DataFrame, degraded: Iterable[bool], bundle_version: str, top_k: int) -> list[str]:
    """The id of the decision on each record: 32 hex digits. A field that is null counts as one that is not there."""
    ids = []
    for row, without in zip(records.iter_rows(named=True), degraded, strict=True):
        content = {field: value for field, value in row.items() if value is not None}
        question = json.dumps([bundle_version, top_k, without, content], sort_keys=True, ensure_ascii=False)
        ids.append(hashlib.sha256(question.encode()).hexdigest()[:32])
    return ids
