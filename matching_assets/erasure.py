"""Erasing records: everything that the platform keeps about some record ids, wherever it lies.

A request is a file of ids, one a line, in `landing/erasures`; it is deleted when it is done. So the id itself is in no
run's configuration, and a request survives a run that was killed. An id stands for its tokens too, under every key that
is known (`matching.tokens`); a token by itself may be given as well.

Erased are the rows of all tables, in all of their versions; landed files of records and labels; verdicts and what lies
before reviewers; telemetry, and the endpoint's spool or capture. A day is not matched again for it. What stays:
bundles and the folders of training are immutable and signed, and golden records and evaluations in them hold ids and
names; they go when their version is retired. So do the tokens in the answers of an A/B, which have a key of their own.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import dagster as dg
import polars as pl

from matching.files import file_digest
from matching.records import read_table, write_table
from matching.tokens import known_keys
from matching_assets.landing import SUFFIXES, Landing
from matching_assets.review.verdicts import Verdicts
from resources.tables import RECORD_ID, Tables
from resources.telemetry import Telemetry
from resources.traffic import Traffic

REQUESTS = "erasures"


def request(landing: Path, ids: Sequence[str]) -> Path:
    """Ask for the erasure of ids: the file in the landing folder that the job will read."""
    folder = landing / REQUESTS
    path = folder / f"request-{len(list(folder.glob('*'))):04}.csv"
    write_table(pl.DataFrame({RECORD_ID: ids}), path)
    return path


def erase_requested(
    instance: dg.DagsterInstance,
    tables: Tables,
    telemetry: Telemetry,
    traffic: Traffic,
    landing: Landing,
    verdicts: Verdicts,
) -> dict[str, int]:
    """Erase what is asked for; how many rows that were, by where they lay."""
    requests = sorted((Path(landing.root) / REQUESTS).glob("[!.]*.csv"))
    ids = [one for path in requests for one in read_table(path)[RECORD_ID].drop_nulls()]
    if not ids:
        return {"requests": 0}
    ids += [key.token(one) for key in known_keys() for one in ids]
    erased = {f"table_{name}": rows for name, rows in tables.erase(ids).items()}
    erased["landed_records"] = sum(_records_of(instance, Path(landing.root) / "records", ids))
    erased["verdicts"] = verdicts.erase(ids)
    erased["landed_labels"] = sum(_rewritten(path, ids) for path in landing.labels().values())
    erased |= {"telemetry": telemetry.erase(ids), "traffic": traffic.erase(ids)}
    for path in requests:
        path.unlink()
    return {"requests": len(requests), **erased}


def forget_before(folder: Path, first: date) -> int:
    """Delete what is named by a day before `first` in a folder, files and folders; return how many they were."""
    old = [path for path in folder.glob("????-??-??*") if path.name[:10] < first.isoformat()]
    for path in old:
        for file in path.glob("*") if path.is_dir() else [path]:
            file.unlink()
        if path.is_dir():
            path.rmdir()
    return len(old)


def _records_of(instance: dg.DagsterInstance, folder: Path, ids: Sequence[str]) -> Iterator[int]:
    """Erase from the landed files of days; a day's new digest is noted, so that it is no corrected delivery."""
    for path in sorted(path for path in folder.glob("[!.]*") if path.suffix in SUFFIXES):
        if rows := _rewritten(path, ids):
            digest = {"source_sha256": file_digest(path)}
            noted = dg.AssetMaterialization("raw_records", partition=path.stem, metadata=digest)
            instance.report_runless_asset_event(noted)
            yield rows


def _rewritten(path: Path, ids: Sequence[str]) -> int:
    """Write a file anew without the rows of these ids; return how many they were."""
    frame = read_table(path)
    if RECORD_ID not in frame.columns:
        return 0
    left = frame.filter(~pl.col(RECORD_ID).is_in(list(ids)).fill_null(False))
    if left.height < frame.height:
        write_table(left, path)
    return frame.height - left.height
