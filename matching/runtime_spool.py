"""Scoring telemetry on its way out: Parquet batches by day in a bounded local folder, written beside the answers.

A row is what `Scored.telemetry` measures, `degraded`, and `latency_ms` from a record's arrival in the queue to its
decision: numbers, and no text but the decision and the bundle. The record's id may be personal data, so it leaves as a
token (`matching.tokens`) when MATCHING_TOKEN_KEY is set, and not at all otherwise. Columns that are not known here stay
behind. Whatever goes wrong, no request fails: rows that cannot be kept are counted in
`dropped`.
"""

from __future__ import annotations

import math
import os
import re
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from matching.scoring import Scored, telemetry
from matching.tokens import TokenKey, current_key

MOST_BYTES = 256 << 20
MOST_WAITING = 5_000  # records
EVERY_SECONDS = 5.0
ALLOWED = re.compile(
    "probability|decision|bundle_version|lexical_similarity|embedding_similarity|unknown_token_share|name_length"
    "|candidate_count|latency_ms|degraded|f_[a-z0-9_]+"
)


class Spool:
    """Takes what was scored, and writes it every few seconds in a thread of its own."""

    def __init__(self, folder: Path, key: TokenKey | None = None, most_bytes: int = MOST_BYTES) -> None:
        self.dropped = 0
        self._folder, self._key, self._most = folder, key, most_bytes
        self._waiting: deque[dict[str, Any]] = deque()
        self._count = self._number = 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._write_on, name="telemetry", daemon=True)
        self._thread.start()

    def add(self, scored: Scored, latency_ms: Sequence[float] | None = None) -> None:
        """Take what was scored, with each record's latency if it is known.

        It is dropped and counted when too much is waiting.
        """
        if self._count + scored.decisions.height > MOST_WAITING:
            self.dropped += scored.decisions.height
            return
        self._count += scored.decisions.height
        latency = list(latency_ms or [math.nan] * scored.decisions.height)
        about = {"latency_ms": latency, "degraded": scored.decisions["degraded"].to_list()}
        self._waiting.append({"about": about, "measured": scored.measured()})

    def close(self) -> None:
        """Write what is waiting and end the thread."""
        self._end.set()
        self._thread.join(EVERY_SECONDS)

    def _write_on(self) -> None:
        while not self._end.wait(EVERY_SECONDS):
            self._write()
        self._write()

    def _write(self) -> None:
        taken = [self._waiting.popleft() for _ in range(len(self._waiting))]
        rows = sum(len(one["about"]["latency_ms"]) for one in taken)
        self._count -= rows
        if not taken:
            return
        try:
            frame = self._rows(taken)
            self._number += 1
            name = f"{int(time.time() * 1000)}-{os.getpid()}-{self._number}.parquet"
            self._store(frame, self._folder / f"day={datetime.now(UTC).date().isoformat()}" / name)
        except (OSError, pl.exceptions.PolarsError):
            self.dropped += rows

    def _rows(self, taken: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
        about = {
            name: pl.Series(
                name, [value for one in taken for value in one["about"][name]], dtype=kind, nan_to_null=True
            )
            for name, kind in (("latency_ms", pl.Float64), ("degraded", pl.Boolean))
        }
        measured = telemetry([one["measured"] for one in taken]).hstack(list(about.values()))
        kept = measured.select(column for column in measured.columns if ALLOWED.fullmatch(column))
        if self._key is None:
            return kept
        tokens = pl.Series("record_id", [self._key.token(one) for one in measured["record_id"]], dtype=pl.String)
        return kept.insert_column(0, tokens)

    def _store(self, frame: pl.DataFrame, path: Path) -> None:
        """Write a batch; raises OSError when it would make the folder larger than it may be."""
        import io

        out = io.BytesIO()
        frame.write_parquet(out)
        there = sum(one.stat().st_size for one in self._folder.glob("day=*/*.parquet"))
        if there + out.tell() > self._most:
            raise OSError(f"{self._folder} is full")
        # Whole or not at all, but not synced: while a disk syncs, whoever logs to it waits, and so do requests. What a
        # power cut tears is refused by who collects it, and told.
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}")
        draft.write_bytes(out.getvalue())
        draft.replace(path)


def spool_from_environment() -> Spool | None:
    """The spool that MATCHING_TELEMETRY_DIR asks for. Raises ValueError for a malformed MATCHING_TOKEN_KEY."""
    folder = os.environ.get("MATCHING_TELEMETRY_DIR")
    return Spool(Path(folder), current_key()) if folder else None
