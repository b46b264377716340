"""Scoring telemetry: numbers about decisions, by business day, for monitoring. Never a name, an address or free text.

Columns are denied by default: a frame with any other column than those below, or with text where a number belongs, is
refused as a whole. A batch is one Parquet file, `day=<day>/<batch>.parquet`; recording it again replaces it.
"""

import io
import re
from abc import ABC, abstractmethod
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
        frames = [pl.read_parquet(data) for data in self._read(f"day={day.isoformat()}/")]
        return pl.concat(frames, how="diagonal_relaxed") if frames else pl.DataFrame()

    @abstractmethod
    def _write(self, name: str, data: bytes) -> None:
        """Write a file whole."""

    @abstractmethod
    def _read(self, prefix: str) -> list[bytes]:
        """The files below `prefix`, by name."""


class LocalTelemetry(Telemetry):
    """Below a folder of this machine."""

    root: str

    def _write(self, name: str, data: bytes) -> None:
        atomic_write(Path(self.root) / name, data)

    def _read(self, prefix: str) -> list[bytes]:
        return [path.read_bytes() for path in sorted((Path(self.root) / prefix).glob("[!.]*.parquet"))]


class S3Telemetry(Telemetry):
    """In the bucket of the object store, below `telemetry/`."""

    store: dg.ResourceDependency[S3Store]

    def _write(self, name: str, data: bytes) -> None:
        self.store.client.put_object(Bucket=self.store.bucket, Key=f"{self._root}{name}", Body=data)

    def _read(self, prefix: str) -> list[bytes]:
        pages = self.store.client.get_paginator("list_objects_v2")
        found = pages.paginate(Bucket=self.store.bucket, Prefix=f"{self._root}{prefix}")
        keys = sorted(item["Key"] for page in found for item in page.get("Contents", []))
        return [self.store.client.get_object(Bucket=self.store.bucket, Key=key)["Body"].read() for key in keys]

    @property
    def _root(self) -> str:
        return f"{self.store.prefix}/telemetry/"


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
