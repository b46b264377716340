"""What the variants of an A/B answered about which record, so that labels can judge it later.

A line for each record: when, a token of it, the variant, its version, band and id. The token is an HMAC of the record's
id under a key that lies beside the file for its owner alone; who asks for answers brings the ids. Kept is only what
chance has shared out: not what a caller named a variant for, and not what another variant had to answer instead.
Answers in CSV or Arrow are not read. The newest two files of MOST_BYTES are kept, about three million answers.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import time
from collections.abc import Iterable
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any

import orjson

from resources.metering import append, read_lines
from resources.wire import Message

MOST_BYTES = 256 << 20
MOST_WAITING = 50_000
"""Answers between two windows; what comes beyond is not kept."""


class Answers:
    """What a router has noted since it last wrote."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lines: list[bytes] = []
        self._key: bytes | None = None

    def note(self, variant: str, version: str, found: Message) -> None:
        """Note the decisions of one answer."""
        if found.status != HTTPStatus.OK or len(self._lines) >= MOST_WAITING:
            return
        self._key = self._key or key_beside(self._file)
        now = time.time()
        for decision in decisions_in(found):
            told = {name: decision[name] for name in ("decision", "reference_id")}
            token = token_of(self._key, decision["record_id"])
            line = {"at": now, "token": token, "variant": variant, "version": version, **told}
            self._lines.append(orjson.dumps(line) + b"\n")

    def write(self) -> None:
        """Append what was noted to the file."""
        lines, self._lines = self._lines, []
        append(self._file, b"".join(lines), MOST_BYTES)


def answers_file(table: Path) -> Path:
    """Where the answers of the router that follows a table are."""
    return table.with_suffix(".answers.jsonl")


def read_answers(file: Path, record_ids: Iterable[str], since: float) -> list[dict[str, Any]]:
    """The first answer about each of these records after `since` (seconds since 1970), oldest first.

    {record_id, at, token, variant, version, decision, reference_id}. A record that was asked about again keeps its
    first answer: its variant may have changed with the shares.
    """
    if not file.exists():
        return []
    key = key_beside(file)
    wanted = {token_of(key, record_id): record_id for record_id in record_ids}
    found: dict[str, dict[str, Any]] = {}
    for line in read_lines(file):
        token = str(line["token"])
        if token in wanted and token not in found and line["at"] > since:  # type: ignore[operator]
            found[token] = {"record_id": wanted[token], **line}
    return list(found.values())


def decisions_in(answered: Message) -> list[dict[str, Any]]:
    """The decisions of an answer in JSON or JSON Lines; none of what cannot be read."""
    try:
        if "jsonlines" in answered.header(b"content-type"):
            found = [orjson.loads(line) for line in answered.body.splitlines() if line.strip()]
        else:
            found = orjson.loads(answered.body).get("decisions", [])
    except (orjson.JSONDecodeError, AttributeError):
        return []
    return [one for one in found if isinstance(one, dict) and {"record_id", "decision", "reference_id"} <= one.keys()]


def token_of(key: bytes, record_id: str) -> str:
    """HMAC-SHA256 of an id (RFC 2104; 64 bits are kept)."""
    return hmac.new(key, record_id.encode(), hashlib.sha256).hexdigest()[:16]


def key_beside(file: Path) -> bytes:
    """The key of a file's tokens; made when there is none, by one of those who want it at once."""
    path = file.with_suffix(".key")
    if not path.exists():
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.write(handle, secrets.token_bytes(32))
        finally:
            os.close(handle)
        with suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    return path.read_bytes()
