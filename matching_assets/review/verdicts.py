"""Verdicts on disk: added to, never changed; and the labels that follow from them, where the asset `labels` reads them.

    <root>/<day>/<reviewer>.parquet             what a person gave on a day (UTC): `matching.verdicts.VERDICTS`
    <root>/claims/<reviewer>.json               what lies before a person now, so that another is shown something else
    <labels>/verdicts-<day>-<reviewer>.parquet  the labels that were settled by these verdicts

Every file is written whole or not at all. The label files follow from the verdicts, so one that was lost, or not yet
written when a process was killed, is made again when somebody opens the folder.
"""

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
from filelock import FileLock

from matching.files import write_json
from matching.records import write_table
from matching.verdicts import VERDICTS, checked_reviewer, labels_of

LABEL_FILE = "verdicts-{day}-{reviewer}.parquet"
CLAIM_SECONDS = 300.0
"""How long a record that was shown to one person is kept from the others."""


@dataclass(frozen=True)
class Claim:
    """A record that lies before a reviewer, since when (epoch seconds)."""

    reviewer: str
    record_id: str
    since: float


class Verdicts(dg.ConfigurableResource):
    """The folder `root` of verdicts, and `labels`, the folder where label files land."""

    root: str
    labels: str

    def read(self) -> pl.DataFrame:
        """All verdicts ever given, in the order of days."""
        files = sorted(Path(self.root).glob("????-??-??/[!.]*.parquet"))
        frames = [_read(path, (stat := path.stat()).st_size, stat.st_mtime_ns) for path in files]
        return pl.concat([pl.DataFrame(schema=VERDICTS), *frames])

    def add(self, *verdicts: dict[str, Any]) -> None:
        """Add verdicts (rows of VERDICTS) and bring the label files up to date. InputError: no reviewer id."""
        rows = pl.DataFrame(verdicts, schema=VERDICTS)
        with self._lock():
            before = self.read()
            by_file = rows.group_by(pl.col("decided_at").dt.date(), "reviewer", maintain_order=True)
            for (day, reviewer), given in by_file:
                path = Path(self.root) / f"{day}" / f"{checked_reviewer(str(reviewer))}.parquet"
                own = pl.read_parquet(path) if path.is_file() else given.head(0)
                write_table(pl.concat([own, given]), path)
            old, new = _placed(labels_of(before)), _placed(labels_of(pl.concat([before, rows])))
            changed = pl.concat([old.join(new, on=new.columns, how="anti", nulls_equal=True),
                                 new.join(old, on=new.columns, how="anti", nulls_equal=True)])  # fmt: skip
            self._write(new, changed["file"].unique())

    def publish(self) -> None:
        """Write every label file that is not what the verdicts say."""
        with self._lock():
            labels = _placed(labels_of(self.read()))
            there = {path.name for path in Path(self.labels).glob(LABEL_FILE.format(day="*", reviewer="*"))}
            self._write(labels, sorted(there | set(labels["file"])))

    def erase(self, record_ids: Sequence[str]) -> int:
        """Remove all verdicts and claims on these records, and their labels; return how many verdicts they were."""
        erased = 0
        with self._lock():
            for path in sorted(Path(self.root).glob("????-??-??/[!.]*.parquet")):
                given = pl.read_parquet(path)
                left = given.filter(~pl.col("record_id").is_in(list(record_ids)))
                if left.height < given.height:
                    erased += given.height - left.height
                    write_table(left, path)
            for path in Path(self.root).glob("claims/[!.]*.json"):
                claim = _claim_in(path)
                if claim and claim.record_id in record_ids:
                    path.unlink()
        self.publish()
        return erased

    def claim(self, reviewer: str, record_id: str) -> Claim:
        """Put a record before a reviewer; the time counts from the first of several claims on it in a row."""
        path = self._claim_file(reviewer)
        known = _claim_in(path)
        if known is None or known.record_id != record_id:
            known = Claim(reviewer, record_id, time.time())
            write_json(path, {"record_id": record_id, "since": known.since})
        return known

    def claims(self) -> list[Claim]:
        """What lies before whom, as far as it is not too old to count."""
        found = (_claim_in(path) for path in sorted(Path(self.root).glob("claims/[!.]*.json")))
        return [claim for claim in found if claim and time.time() - claim.since < CLAIM_SECONDS]

    def claim_of(self, reviewer: str) -> Claim | None:
        """What lies before a reviewer, however long."""
        return _claim_in(self._claim_file(reviewer))

    def _claim_file(self, reviewer: str) -> Path:
        return Path(self.root) / "claims" / f"{checked_reviewer(reviewer)}.json"

    def _lock(self) -> FileLock:
        Path(self.root).mkdir(parents=True, exist_ok=True)
        return FileLock(Path(self.root) / ".lock")

    def _write(self, labels: pl.DataFrame, files: Iterable[str]) -> None:
        """Make files hold their labels; one without any goes away."""
        for name in files:
            path, rows = Path(self.labels) / name, labels.filter(file=name).drop("file")
            if rows.is_empty():
                path.unlink(missing_ok=True)
            elif not path.is_file() or not pl.read_parquet(path).equals(rows):
                write_table(rows, path)


def verdicts_below(home: Path) -> Verdicts:
    """The verdicts of a state folder."""
    return Verdicts(root=str(home / "reviews"), labels=str(home / "landing" / "labels"))


def _placed(labels: pl.DataFrame) -> pl.DataFrame:
    """Labels with the file that each belongs in."""
    day = pl.col("decided_at").dt.date().cast(pl.String)
    return labels.with_columns(file=pl.format(LABEL_FILE.format(day="{}", reviewer="{}"), day, "reviewer"))


def _claim_in(path: Path) -> Claim | None:
    if not path.is_file():
        return None
    found = json.loads(path.read_bytes())
    return Claim(path.stem, found["record_id"], found["since"])


@lru_cache(maxsize=4096)
def _read(path: Path, size: int, modified_ns: int) -> pl.DataFrame:  # noqa: ARG001 (they say which content)
    """The verdicts of a file, read once for each content."""
    return pl.read_parquet(path)
