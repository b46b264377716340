"""What tables keep: every version of the last days, and of what is older only the one that is current.

Iceberg keeps every row that was ever written until somebody expires it. A day that is matched again replaces its rows,
but the replaced ones stay readable (`Table.scan(snapshot_id=...)`) and take space. Nothing current is ever removed.
In AWS the files themselves are deleted by Glue's table optimizers; here, by `sweep`. `forget_before` and `erase` are
for what may not be kept: old days, and the rows of some records. What is erased is gone from all versions at once.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from pyiceberg.catalog import Catalog
from pyiceberg.expressions import In, LessThan
from pyiceberg.table import Table

from resources.iceberg import when_writers_meet

GRACE = timedelta(days=1)
"""A file that is younger may be of a write that has not committed yet."""


@when_writers_meet
def expire(catalog: Catalog, name: str, keep: timedelta) -> int:
    """Forget the versions of a table that are older than `keep`, but for the current one; return how many they were."""
    table = catalog.load_table(name)
    before = len(table.snapshots())
    table.maintenance.expire_snapshots().older_than(datetime.now(UTC) - keep).commit()
    return before - len(catalog.load_table(name).snapshots())


def sweep(table: Table) -> int:
    """Delete the local files of a table that none of its versions refers to; return how many they were."""
    folder, needed = Path(table.location().removeprefix("file://")), referenced(table)
    oldest = time.time() - GRACE.total_seconds()
    gone = [
        path
        for path in folder.rglob("*")
        if path.is_file() and f"file://{path}" not in needed and path.stat().st_mtime < oldest
    ]
    for path in gone:
        path.unlink(missing_ok=True)
    return len(gone)


def referenced(table: Table) -> set[str]:
    """The files of all versions of a table: metadata, lists of manifests, manifests and data."""
    files = {table.metadata_location, *(entry.metadata_file for entry in table.metadata.metadata_log)}
    for snapshot in table.snapshots():
        files.add(snapshot.manifest_list)
        for manifest in snapshot.manifests(table.io):
            files.add(manifest.manifest_path)
            files |= {entry.data_file.file_path for entry in manifest.fetch_manifest_entry(table.io)}
    return files


@when_writers_meet
def forget_before(catalog: Catalog, name: str, column: str, first: date) -> None:
    """Delete the rows of a table that are of a day before `first`. Replaced versions have them until they expire."""
    table = catalog.load_table(name)
    if table.current_snapshot() is not None:
        table.delete(LessThan(column, first.isoformat()))


@when_writers_meet
def erase(catalog: Catalog, name: str, column: str, ids: Sequence[str]) -> int:
    """Delete the rows of a table whose `column` is one of `ids`, from all of its versions; return how many they were.

    All other versions of the table are forgotten with them, and the files that only those had are deleted at once.
    """
    table = catalog.load_table(name)
    found = table.scan(row_filter=In(column, ids), selected_fields=(column,)).to_arrow().num_rows
    if found:
        table.delete(In(column, ids))
        # A version says of the files that it deleted between which values they were: of the next one that is gone too.
        table.append(table.schema().as_arrow().empty_table())
    held = referenced(catalog.load_table(name))
    expire(catalog, name, timedelta(0))
    for gone in held - referenced(catalog.load_table(name)):
        with suppress(FileNotFoundError):
            table.io.delete(gone)
    return found
