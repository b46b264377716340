"""The frames of the contract: their columns, reading and writing, content hash, and the error that a user can cause.

Reference, records, labels, aliases, candidates and decisions are Parquet or CSV, on a local path or `s3://`.
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import polars as pl

from matching.files import atomic_write

ATTRIBUTES = ("country", "state", "city", "postal_code", "website", "sector", "industry", "exchange", "currency")
IDENTIFIERS = ("lei", "isin", "cik")
TEXT = ("record_id", "reference_id", "name", "alias", "asof", *ATTRIBUTES, *IDENTIFIERS)


class InputError(ValueError):
    """Input that cannot be used.

    Its text names the file, the column, the row (1 = first data row), what is wrong and what to do.
    """

    def __init__(
        self,
        what: str,
        *,
        file: str | None = None,
        column: str | None = None,
        row: int | None = None,
        remedy: str | None = None,
    ) -> None:
        self.what, self.file, self.column, self.row, self.remedy = what, file, column, row, remedy
        place = ", ".join(
            f"{label} {value}"
            for label, value in (("file", file), ("column", column), ("row", row))
            if value is not None
        )
        super().__init__(f"{place + ': ' if place else ''}{what}{'. ' + remedy if remedy else ''}")


def read_table(path: str | Path) -> pl.DataFrame:
    """Read a CSV or Parquet file. Ids, names and attributes are always text, so that `007` stays `007`.

    What cannot be text (lists, structs, bytes) stays as it is, for the guardrails to refuse. Raises InputError when the
    file is missing, of another kind, cannot be parsed, or has a column twice.
    """
    name = str(path)
    remote = "://" in name
    if not remote and not Path(name).is_file():
        raise InputError("no such file", file=name, remedy="Check the path.")
    try:
        if name.endswith(".parquet"):
            frame = pl.read_parquet(name)
        elif name.endswith(".csv"):
            frame = pl.read_csv(name, infer_schema=False, encoding="utf8")
        else:
            raise InputError("not a .csv or .parquet file", file=name, remedy="Convert it to one of the two.")
    except (pl.exceptions.PolarsError, OSError) as problem:
        raise InputError(f"cannot be read: {problem}", file=name, remedy="Is it UTF-8 and complete?") from problem
    for column in frame.columns:  # polars renames the second `name` of a CSV file to `name_duplicated_0`
        if "_duplicated_" in column and (own := column.rpartition("_duplicated_")[0]) in frame.columns:
            raise InputError("the column stands there twice", file=name, column=own, remedy="Rename or remove one.")
    return frame.with_columns(
        pl.col(c).cast(pl.String)
        for c, kind in frame.schema.items()
        if c in TEXT and not kind.is_nested() and kind not in (pl.Binary, pl.Object)
    )


def read_own(path: Path) -> pl.DataFrame:
    """A Parquet file that we wrote, as `pl.read_parquet` gives it, but without starting the threads of polars.

    They do not outlive a fork, and a serving process forks its workers when its bundle is loaded.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.ParquetFile(path).read(use_threads=False)
    columns = ((c, table[c].combine_chunks()) for c in table.column_names)
    return pl.DataFrame([pl.Series(c, a.chunks if isinstance(a, pa.ChunkedArray) else a) for c, a in columns])


def write_table(frame: pl.DataFrame, path: str | Path) -> None:
    """Write a frame as CSV or Parquet by its suffix: atomically on a local path, in one request on `s3://`.

    List and struct columns become JSON text in CSV, which has no other way to hold them.
    """
    name = str(path)
    out = io.BytesIO()
    if name.endswith(".parquet"):
        frame.write_parquet(out)
    elif name.endswith(".csv"):
        flat_csv(frame).write_csv(out)
    else:
        raise InputError("not a .csv or .parquet file", file=name, remedy="Name the output .csv or .parquet.")
    if "://" in name:
        import fsspec  # type: ignore[import-untyped]

        with fsspec.open(name, "wb") as target:
            target.write(out.getvalue())
    else:
        atomic_write(Path(name), out.getvalue())


def flat_csv(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with list and struct columns as JSON text."""
    nested = [c for c, kind in frame.schema.items() if kind.is_nested()]
    as_json = [
        pl.Series(c, [None if v is None else _json(v) for v in frame[c].to_list()], dtype=pl.String) for c in nested
    ]
    return frame.with_columns(as_json)


def _json(value: object) -> str:
    import json

    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def content_hash(frame: pl.DataFrame) -> str:
    """sha256 (hex) of a frame's columns, types and values, independent of the order of rows and columns.

    Rows are hashed as sorted JSON text, so two frames with the same rows have the same hash on every machine.
    """
    columns = sorted(frame.columns)
    digest = hashlib.sha256(repr([(c, str(frame.schema[c])) for c in columns]).encode())
    lines = frame.select(columns).write_ndjson().encode().split(b"\n")
    for line in sorted(lines):
        digest.update(line)
        digest.update(b"\n")
    return digest.hexdigest()
