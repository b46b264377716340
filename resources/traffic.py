"""What an endpoint was asked, as minimised rows: from the spool of this machine, or from SageMaker's data capture.

A row is what `resources.telemetry` allows and nothing else. Each file is taken in for the calendar day that it was
written on, whole or not at all: one that cannot be read, or that holds what it may not, is refused and told, never
half counted. The same rows under a second name are not counted again. Files stay where they are, so a day that is
collected again later has what has come since.
"""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path

import dagster as dg
import polars as pl

from matching.records import InputError
from resources.telemetry import LocalTelemetry, check_columns

MINIMISED: dict[str, pl.DataType | type[pl.DataType]] = {
    "record_id": pl.String,
    "probability": pl.Float64,
    "decision": pl.String,
    "bundle_version": pl.String,
    "lexical_similarity": pl.Float64,
    "embedding_similarity": pl.Float64,
    "unknown_token_share": pl.Float64,
    "name_length": pl.Int32,
    "candidate_count": pl.Int32,
    "latency_ms": pl.Float64,
    "degraded": pl.Boolean,
}
"""The columns that rows always have, beside features (`f_*`, Float32). record_id is a token, null without a key."""

EVENT = "event"
"""A column that tells rows of one event apart from those of another, where the source has one. It is not kept."""

Measure = Callable[[pl.DataFrame, str], pl.DataFrame | None]
"""From records and a bundle's version to their `Scored.telemetry`; None where that bundle is not known."""


@dataclass(frozen=True)
class Collected:
    """The rows of some days. files: how many were read; repeated: not counted again; refused: file name to why."""

    rows: pl.DataFrame
    files: int
    repeated: int
    refused: dict[str, str]


class Traffic(dg.ConfigurableResource, ABC):  # type: ignore[type-arg]
    """The interface."""

    def collect(self, first: date, last: date, measure: Measure) -> Collected:
        """The rows that were written from `first` to `last` (UTC, both included), in the order of their files."""
        frames, refused, files = [pl.DataFrame(schema=MINIMISED)], dict[str, str](), 0
        seen, events = set[str](), set[str]()
        for number in range((last - first).days + 1):
            for name, data in self._files(first + timedelta(days=number)):
                files += 1
                digest = sha256(data).hexdigest()
                if digest in seen:
                    continue
                seen.add(digest)
                try:
                    rows = self._rows(data, measure)
                    frames.append(minimised(self._new(rows, events)))
                except InputError as problem:
                    refused[name] = str(problem)
                except (ValueError, pl.exceptions.PolarsError) as problem:
                    refused[name] = f"it cannot be read ({type(problem).__name__})"  # a message may hold what it holds
        return Collected(pl.concat(frames, how="diagonal"), files, files - len(seen), refused)

    @staticmethod
    def _new(rows: pl.DataFrame, events: set[str]) -> pl.DataFrame:
        """The rows of events that were not seen; all where the source has no events."""
        if EVENT not in rows.columns:
            return rows
        new = rows.filter(~pl.col(EVENT).is_in(list(events)))
        events |= set(new[EVENT])
        return new.drop(EVENT)

    def fingerprint(self, first: date, last: date) -> str:
        """What there is of these days, by names and sizes alone: sha256, the same until a file comes; "" for none."""
        days = (first + timedelta(days=number) for number in range((last - first).days + 1))
        found = [f"{day} {name} {size}\n" for day in days for name, size in self._listed(day)]
        return sha256("".join(found).encode()).hexdigest() if found else ""

    @abstractmethod
    def _listed(self, day: date) -> list[tuple[str, int]]:
        """The names and sizes of the files of a day, in order."""

    @abstractmethod
    def erase(self, ids: Sequence[str]) -> int:
        """Remove what there is of records with one of these ids, or tokens; return how many rows or events it was."""

    @abstractmethod
    def forget_before(self, first: date) -> int:
        """Delete the files of days before `first`; return how many they were."""

    @abstractmethod
    def _files(self, day: date) -> Iterator[tuple[str, bytes]]:
        """The files of a day by name, in order."""

    @abstractmethod
    def _rows(self, data: bytes, measure: Measure) -> pl.DataFrame:
        """The rows of a file. Raises InputError, ValueError or PolarsError when it cannot be taken in."""


class SpoolTraffic(Traffic):
    """Below a folder of this machine, as `matching.runtime_spool` writes it: `day=<day>/*.parquet`."""

    root: str

    def erase(self, ids: Sequence[str]) -> int:
        """See Traffic."""
        return LocalTelemetry(root=self.root).erase(ids)

    def forget_before(self, first: date) -> int:
        """See Traffic."""
        return LocalTelemetry(root=self.root).forget_before(first)

    def _listed(self, day: date) -> list[tuple[str, int]]:
        return [(path.name, path.stat().st_size) for path in self._paths(day)]

    def _files(self, day: date) -> Iterator[tuple[str, bytes]]:
        for path in self._paths(day):
            yield path.name, path.read_bytes()

    def _paths(self, day: date) -> list[Path]:
        return sorted((Path(self.root) / f"day={day.isoformat()}").glob("[!.]*.parquet"))

    def _rows(self, data: bytes, measure: Measure) -> pl.DataFrame:  # noqa: ARG002 (it was measured when it was scored)
        return pl.read_parquet(io.BytesIO(data))


def minimised(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with the columns MINIMISED and features, in their types. InputError: it has what it may not have."""
    check_columns(frame)
    absent = [pl.lit(None, kind).alias(column) for column, kind in MINIMISED.items() if column not in frame.columns]
    features = sorted(column for column in frame.columns if column not in MINIMISED)
    typed = {**MINIMISED, **dict.fromkeys(features, pl.Float32)}
    return frame.with_columns(absent).select(pl.col(column).cast(kind) for column, kind in typed.items())
