"""Scoring telemetry on its way out: Parquet batches by day in a bounded local folder, written beside the answers.

A row is what `Scored.telemetry` measures, and `degraded`: numbers, and no text but the decision and the bundle. The
record's id may be personal data, so it leaves as an HMAC token when MATCHING_TOKEN_KEY (`epoch:secret`) is set, and not
at all otherwise; a token begins with its epoch, so tokens of one key can be told from those of the next. Columns that
are not known here stay behind. Whatever goes wrong, no request fails: rows that cannot be kept are counted in
`dropped`.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import threading
import time
from collections import deque
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from matching.files import atomic_write
from matching.scoring import Scored

MOST_BYTES = 256 << 20
MOST_WAITING = 5_000  # records
EVERY_SECONDS = 2.0
ALLOWED = re.compile(
    "probability|decision|bundle_version|lexical_similarity|embedding_similarity|unknown_token_share|name_length"
    "|candidate_count|degraded|f_[a-z0-9_]+"
)


class Spool:
    """Takes what was scored, and writes it every few seconds in a thread of its own."""

    def __init__(self, folder: Path, token_key: str | None = None, most_bytes: int = MOST_BYTES) -> None:
        self.dropped = 0
        self._folder, self._most = folder, most_bytes
        self._epoch, _, self._secret = (token_key or "").partition(":")
        if token_key is not None and not (re.fullmatch(r"[A-Za-z0-9]+", self._epoch) and self._secret):
            raise ValueError("MATCHING_TOKEN_KEY is not epoch:secret, as in 2026a:s3cr3t")
        self._waiting: deque[Scored] = deque()
        self._count = self._number = 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._write_on, name="telemetry", daemon=True)
        self._thread.start()

    def add(self, scored: Scored) -> None:
        """Take one. It is dropped and counted when too much is waiting."""
        if self._count + scored.decisions.height > MOST_WAITING:
            self.dropped += scored.decisions.height
            return
        self._count += scored.decisions.height
        self._waiting.append(scored)

    def close(self) -> None:
        """Write what is waiting and end the thread."""
        self._end.set()
        self._thread.join(EVERY_SECONDS)

    def token(self, record_id: str) -> str:
        """HMAC-SHA256 of an id under the key, behind the key's epoch (RFC 2104; 128 bits are kept)."""
        digest = hmac.new(self._secret.encode(), record_id.encode(), hashlib.sha256).hexdigest()
        return f"{self._epoch}.{digest[:32]}"

    def _write_on(self) -> None:
        while not self._end.wait(EVERY_SECONDS):
            self._write()
        self._write()

    def _write(self) -> None:
        taken = [self._waiting.popleft() for _ in range(len(self._waiting))]
        rows = sum(scored.decisions.height for scored in taken)
        self._count -= rows
        if not taken:
            return
        try:
            frame = pl.concat([self._rows(scored) for scored in taken])
            self._number += 1
            name = f"{int(time.time() * 1000)}-{os.getpid()}-{self._number}.parquet"
            self._store(frame, self._folder / f"day={datetime.now(UTC).date().isoformat()}" / name)
        except (OSError, pl.exceptions.PolarsError):
            self.dropped += rows

    def _rows(self, scored: Scored) -> pl.DataFrame:
        measured = scored.telemetry.hstack([scored.decisions["degraded"]])
        kept = measured.select(column for column in measured.columns if ALLOWED.fullmatch(column))
        if not self._secret:
            return kept
        tokens = pl.Series("record_id", [self.token(one) for one in measured["record_id"].to_list()], dtype=pl.String)
        return kept.insert_column(0, tokens)

    def _store(self, frame: pl.DataFrame, path: Path) -> None:
        """Write a batch; raises OSError when it would make the folder larger than it may be."""
        import io

        out = io.BytesIO()
        frame.write_parquet(out)
        there = sum(one.stat().st_size for one in self._folder.glob("day=*/*.parquet"))
        if there + out.tell() > self._most:
            raise OSError(f"{self._folder} is full")
        atomic_write(path, out.getvalue())


def spool_from_environment() -> Spool | None:
    """The spool that MATCHING_TELEMETRY_DIR asks for. Raises ValueError for a malformed MATCHING_TOKEN_KEY."""
    folder = os.environ.get("MATCHING_TELEMETRY_DIR")
    return Spool(Path(folder), os.environ.get("MATCHING_TOKEN_KEY")) if folder else None
