"""What commands read and write: guarded inputs with their quarantine beside the output, and tables that appear whole.

Paths are local or `s3://`, files CSV or Parquet.
"""

from __future__ import annotations

import os
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

    from matching.guardrails import Guarded

Append = Callable[["pl.DataFrame"], None]


def quarantine_path(output: str, what: str = "") -> str:
    """Where the quarantined rows of an input go: `out/decisions.csv` gives `out/decisions.quarantine.csv`."""
    stem = output.rstrip("/").removesuffix(".csv").removesuffix(".parquet")
    return f"{stem}.{what + '.' if what else ''}quarantine.csv"


def read_guarded(path: str, what: str, guard: Callable[[pl.DataFrame, str], Guarded], quarantine: str) -> pl.DataFrame:
    """The accepted rows of the file at `path`; the others are written to `quarantine` with their reasons.

    `guard` takes the frame and the file's name. The counts go to stderr. Without quarantined rows no file is written,
    and one of an earlier run is removed. Raises InputError when the file cannot be used, or no row is accepted.
    """
    from matching.records import InputError, read_table, write_table

    frame = read_table(path)
    guarded = guard(frame, path)
    refused = guarded.quarantined.height
    note = f"{what}: {frame.height:,} rows, {guarded.accepted.height:,} accepted, {refused:,} quarantined"
    if refused:
        write_table(guarded.quarantined, quarantine)
        note += f" ({', '.join(f'{rule} {count:,}' for rule, count in guarded.counts.items())}), see {quarantine}"
    elif "://" not in quarantine:
        Path(quarantine).unlink(missing_ok=True)
    print(note, file=sys.stderr)
    if guarded.accepted.is_empty():
        remedy = f"The reasons are in {quarantine}." if refused else "Deliver at least one row."
        raise InputError("no row can be used", file=path, remedy=remedy)
    return guarded.accepted


def read_columns(path: str, kinds: Mapping[str, pl.DataType | type[pl.DataType]]) -> pl.DataFrame:
    """The file at `path` with these columns of these types, and no others.

    Raises InputError that names the column, and the row (1 = first data row), that is missing or of another type.
    """
    from matching.records import InputError, read_table

    frame = read_table(path)
    for column, kind in kinds.items():
        if column not in frame.columns:
            raise InputError(f"the column is missing (found: {', '.join(frame.columns)})", file=path, column=column)
        wrong = frame[column].cast(kind, strict=False).is_null() & frame[column].is_not_null()
        if wrong.any():
            raise InputError(f"cannot be read as {kind}", file=path, column=column, row=int(wrong.arg_max() or 0) + 1)
    return frame.select(list(kinds)).cast(dict(kinds))


@contextmanager
def appending(path: str) -> Iterator[Append]:
    """Yield a function that appends frames of one schema to the table at `path`.

    The table appears when the block ends without an error; until then an earlier one stays. One frame is in memory.
    Raises InputError, at once, when `path` is neither .csv nor .parquet.
    """
    from matching.records import InputError

    if not path.endswith((".csv", ".parquet")):
        raise InputError("not a .csv or .parquet file", file=path, remedy="Name the output .csv or .parquet.")
    remote = "://" in path
    folder = Path(tempfile.gettempdir()) if remote else Path(path).absolute().parent
    folder.mkdir(parents=True, exist_ok=True)
    scratch = folder / f".{path.rpartition('/')[2]}.{uuid.uuid4().hex}.tmp"
    try:
        with scratch.open("wb") as out:
            with (_csv if path.endswith(".csv") else _parquet)(out) as append:
                yield append
            out.flush()
            os.fsync(out.fileno())
        if remote:
            _upload(scratch, path)
        else:
            os.replace(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)


@contextmanager
def _csv(out: IO[bytes]) -> Iterator[Append]:
    from matching.records import flat_csv

    yield lambda frame: flat_csv(frame).write_csv(out, include_header=out.tell() == 0)


@contextmanager
def _parquet(out: IO[bytes]) -> Iterator[Append]:
    from pyarrow.parquet import ParquetWriter

    writers: list[ParquetWriter] = []

    def append(frame: pl.DataFrame) -> None:
        table = frame.to_arrow()
        if not writers:
            writers.append(ParquetWriter(out, table.schema, compression="zstd"))
        writers[0].write_table(table)

    try:
        yield append
    finally:
        for writer in writers:
            writer.close()


def _upload(scratch: Path, path: str) -> None:
    import fsspec

    filesystem, target = fsspec.core.url_to_fs(path)
    filesystem.put_file(str(scratch), target)
