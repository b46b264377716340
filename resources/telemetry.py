"""Scoring telemetry: numbers about decisions, by business day, for monitoring. Never a name, an address or free text.

Columns are denied by default: a frame with any other column than those below, or with text where a number belongs, is
refused as a whole. A batch is one Parquet file, `day=<day>/<batch>.parquet`; recording it again replaces it.
"""

import io
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import dagster as dg
import polars as pl

from matching.files import atomic_write
from matching.records import InputError, content_hash
from resources.store import S3Store

TEXT = ("record_id", "decision", "bundle_version")
NUMBERS = (
    "probability",
    "lexical_similarity",
    "embedding_similarity",
    "unknown_token_share",
    "name_length",
    "candidate_count",
    "latency_ms",
    "degraded",
)
FEATURE = re.compile(r"f_[a-z0-9_]+")
"""A feature of the chosen candidate: a number as well."""

DECISIONS = ("match", "review", "no_match")


class Telemetry(dg.ConfigurableResource, ABC):  # type: ignore[type-arg]
    """The interface, with what both implementations do alike."""

    def record(self, frame: pl.DataFrame, day: date, batch: str | None = None) -> str:
        """Record a batch of a day and return its id: `batch`, or the frame's content hash. InputError: refused."""
        check_columns(frame)
        batch = batch or content_hash(frame)
        if not re.fullmatch(r"[A-Za-z0-9_-]+", batch):
            raise ValueError(f"{batch!r} is no batch id: use letters, digits, _ and -")
        out = io.BytesIO()
        frame.write_parquet(out)
        self._write(f"day={day.isoformat()}/{batch}.parquet", out.getvalue())
        return batch

    def read(self, day: date) -> pl.DataFrame:
        """All batches of a day, in the order of their ids; an empty frame without columns if there are none."""
        frames = [pl.read_parquet(data) for _, data in self._read(f"day={day.isoformat()}/")]
        return pl.concat(frames, how="diagonal_relaxed") if frames else pl.DataFrame()

    def erase(self, ids: Sequence[str]) -> int:
        """Remove the rows with one of these `record_id`s from all batches; return how many they were."""
        erased = 0
        for name, data in self._read(""):
            left = without(data, ids)
            if left is not None:
                erased += left[1]
                self._write(name, left[0])
        return erased

    def forget_before(self, first: date) -> int:
        """Delete the batches of days before `first`; return how many they were."""
        old = [name for name, _ in self._read("") if day_of(name) < first]
        for name in old:
            self._remove(name)
        return len(old)

    @abstractmethod
    def _write(self, name: str, data: bytes) -> None:
        """Write a file whole."""

    @abstractmethod
    def _read(self, prefix: str) -> list[tuple[str, bytes]]:
        """The files of the day-folders that `prefix` names (all, if it is empty): name and content, by name."""

    @abstractmethod
    def _remove(self, name: str) -> None:
        """Delete a file."""


class LocalTelemetry(Telemetry):
    """Below a folder of this machine."""

    root: str

    def _write(self, name: str, data: bytes) -> None:
        atomic_write(Path(self.root) / name, data)

    def _read(self, prefix: str) -> list[tuple[str, bytes]]:
        found = sorted(Path(self.root).glob(f"{prefix or 'day=*/'}[!.]*.parquet"))
        return [(str(path.relative_to(self.root)), path.read_bytes()) for path in found]

    def _remove(self, name: str) -> None:
        (Path(self.root) / name).unlink(missing_ok=True)


class S3Telemetry(Telemetry):
    """In the bucket of the object store, below `telemetry/`."""

    store: dg.ResourceDependency[S3Store]

    def _write(self, name: str, data: bytes) -> None:
        self.store.client.put_object(Bucket=self.store.bucket, Key=f"{self._root}{name}", Body=data)

    def _read(self, prefix: str) -> list[tuple[str, bytes]]:
        pages = self.store.client.get_paginator("list_objects_v2")
        found = pages.paginate(Bucket=self.store.bucket, Prefix=f"{self._root}{prefix}")
        keys = sorted(item["Key"] for page in found for item in page.get("Contents", []))
        return [(key.removeprefix(self._root), self._content(key)) for key in keys]

    def _content(self, key: str) -> bytes:
        content: bytes = self.store.client.get_object(Bucket=self.store.bucket, Key=key)["Body"].read()
        return content

    def _remove(self, name: str) -> None:
        self.store.client.delete_object(Bucket=self.store.bucket, Key=f"{self._root}{name}")

    @property
    def _root(self) -> str:
        return f"{self.store.prefix}/telemetry/"


def without(data: bytes, ids: Sequence[str]) -> tuple[bytes, int] | None:
    """A Parquet file without the rows of these records, and how many they were; None where there are none."""
    frame = pl.read_parquet(io.BytesIO(data))
    if "record_id" not in frame.columns:
        return None
    left = frame.filter(~pl.col("record_id").is_in(list(ids)).fill_null(False))
    if left.height == frame.height:
        return None
    out = io.BytesIO()
    left.write_parquet(out)
    return out.getvalue(), frame.height - left.height


def day_of(name: str) -> date:
    """The day of a file: `day=<day>/<file>`."""
    return date.fromisoformat(name.split("/", 1)[0].removeprefix("day="))


def check_columns(frame: pl.DataFrame) -> None:
    """Refuse what may not leave the scoring process. InputError names the column."""
    for column, kind in frame.schema.items():
        if column in TEXT:
            allowed = kind == pl.String
        else:
            known = column in NUMBERS or FEATURE.fullmatch(column) is not None
            allowed = known and (kind.is_numeric() or kind == pl.Boolean)
        if not allowed:
            raise InputError(
                f"telemetry may not hold it as {kind}",
                file="telemetry",
                column=column,
                remedy="Leave it out; what is allowed is listed in resources/telemetry.py.",
            )
    if "decision" in frame.columns and not frame["decision"].is_in(DECISIONS).all():
        raise InputError("is not one of " + ", ".join(DECISIONS), file="telemetry", column="decision")
