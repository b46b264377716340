"""How a frame becomes an Iceberg table and back: types, partitions, one atomic commit, and writers that meet.

Used by `resources.tables` only. Everything here was found by trying dagster-iceberg 0.3.14 with pyiceberg 0.11.1:

* A table is created with its partition spec, and a changed schema is committed with the rows it belongs to, so that a
  process killed at any point leaves the last good version. (dagster-iceberg commits schema, spec and rows one by one.)
* Unsigned integers are written as they are under a signed column, and cannot be read any more: they are widened first.
* A null in a list of structs comes back as an empty list: such a frame is refused.
* A row of another partition would be added again with every run: such a frame is refused.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import dagster as dg
import polars as pl
from dagster_iceberg.handler import IcebergBaseTypeHandler
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import CommitFailedException, NoSuchTableError, TableAlreadyExistsError, ValidationError
from pyiceberg.expressions import AlwaysTrue, And, BooleanExpression, GreaterThanOrEqual, In, LessThanOrEqual
from pyiceberg.table import Table, Transaction
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.transforms import IdentityTransform
from tenacity import retry, retry_if_exception, stop_after_delay, wait_random_exponential

from matching.records import InputError, content_hash
from resources.lineage import record_data_version

WIDENED = {
    pl.Int8: pl.Int32,
    pl.Int16: pl.Int32,
    pl.UInt8: pl.Int32,
    pl.UInt16: pl.Int32,
    pl.UInt32: pl.Int64,
    pl.UInt64: pl.Int64,
    pl.Categorical: pl.String,
    pl.Enum: pl.String,
}
"""Types that Iceberg lacks, and the one that holds all their values."""

KEPT = {"write.metadata.delete-after-commit.enabled": "true", "write.metadata.previous-versions-max": "20"}
"""Each commit writes the table's metadata as a new file; of the earlier files some are kept, and all would add up."""


def lost_the_race(problem: BaseException) -> bool:
    """Whether another writer came first, or (on SQLite) is writing now: then the whole write is tried again."""
    from sqlalchemy.exc import IntegrityError, OperationalError

    if isinstance(problem, OperationalError):
        return "locked" in str(problem) or "already exists" in str(problem)
    return isinstance(problem, CommitFailedException | TableAlreadyExistsError | IntegrityError)


when_writers_meet = retry(
    retry=retry_if_exception(lost_the_race),
    wait=wait_random_exponential(multiplier=0.1, max=2),
    stop=stop_after_delay(120),
    reraise=True,
)
"""Iceberg's commits are optimistic: who comes second reads the table anew and writes again."""


@dataclass(frozen=True)
class Part:
    """What is written or read: a range of days (inclusive) of a Date column, or keys of a String column."""

    column: str
    days: tuple[date, date] | None = None
    keys: tuple[str, ...] = ()

    @staticmethod
    def of(column: str, partitions: dg.TimeWindow | Sequence[str]) -> Part:
        """The part that Dagster means with a time window (end exclusive) or with partition keys."""
        if isinstance(partitions, dg.TimeWindow):
            return Part(column, days=(partitions.start.date(), partitions.end.date() - timedelta(days=1)))
        return Part(column, keys=tuple(partitions))

    def rows(self) -> pl.Expr:
        """True for the rows of this part."""
        column = pl.col(self.column)
        return column.is_between(*self.days) if self.days else column.is_in(self.keys)

    def filter(self) -> BooleanExpression:
        """The same for Iceberg."""
        if not self.days:
            return In(self.column, self.keys)
        first, last = (day.isoformat() for day in self.days)
        return And(GreaterThanOrEqual(self.column, first), LessThanOrEqual(self.column, last))


@when_writers_meet
def overwrite(catalog: Catalog, name: str, frame: pl.DataFrame, part: Part | None = None) -> None:
    """Replace the rows of `part` (None: of the whole table) by `frame`, in one commit. `name`: `namespace.table`.

    A table that is not there is created. A part may bring new columns, or lack some (they are null then); a whole table
    takes the frame's columns. InputError: a column that Iceberg cannot hold, or a row that is not of this part.
    """
    frame = storable(frame, name)
    if part is not None:
        _check_part(frame, part, name)
    try:
        table = catalog.load_table(name)
        transaction: Transaction = Replacement(table)
    except NoSuchTableError:
        table = None
        transaction = catalog.create_table_transaction(name, schema=frame.to_arrow().schema, properties=KEPT)
        if part is not None:
            with transaction.update_spec() as spec:
                # Not named like its column, which pyiceberg would take for a conflict.
                spec.add_field(part.column, IdentityTransform(), f"part_{part.column}")
    with transaction, warnings.catch_warnings():
        # The first version of a part deletes nothing, and need not say so.
        warnings.filterwarnings("ignore", message="Delete operation did not match any records")
        if table is not None:
            frame = _fit_schema(transaction, table, frame, part, name)
        transaction.overwrite(frame.to_arrow(), overwrite_filter=part.filter() if part else AlwaysTrue())


class Replacement(Transaction):
    """A transaction that works out its metadata once for each change.

    pyiceberg copies all of it, with every snapshot that there ever was, whenever something looks at it: forty times a
    write, which was two thirds of a write's time.
    """

    _known: tuple[object, TableMetadata] | None = None

    @property
    def table_metadata(self) -> TableMetadata:
        """The table's metadata with the changes so far."""
        if self._known is None or self._known[0] is not self._updates:
            self._known = self._updates, super().table_metadata
        return self._known[1]


def scan(table: Table, part: Part | None = None) -> pl.LazyFrame:
    """The rows of a table, or of a part of it: partition after partition, each in the order it was written in."""
    # The planner that is here; without this polars warns with every scan that another package would plan faster.
    os.environ.setdefault("POLARS_ICEBERG_PLANNER", "pyiceberg")
    # What was set for S3 goes on to polars, which reads the files itself; unset, it finds its own credentials.
    options = {key: str(value) for key, value in table.io.properties.items() if key.startswith("s3.")}
    if options.get("s3.endpoint", "").startswith("http:"):
        options["aws_allow_http"] = "true"
    frame = pl.scan_iceberg(table, storage_options=options or None)
    if part is not None:
        frame = frame.filter(part.rows())
    # Iceberg lists the newest files first; a training needs one order, however often a day was redone.
    columns = [table.schema().find_column_name(field.source_id) for field in table.spec().fields]
    return frame.sort(columns, maintain_order=True) if columns else frame


def storable(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    """The frame in types that Iceberg has, without loss. InputError names the column where there is none."""
    for column, kind in frame.schema.items():
        if _holds(kind, pl.Null):
            raise InputError("has no type, all its values are null", file=name, column=column, remedy="Cast it to one.")
        nulls = frame[column].is_null()
        if isinstance(kind, pl.List) and isinstance(kind.inner, pl.Struct) and nulls.any():
            raise InputError(
                "a list of structs is null; Iceberg's writer would turn it into an empty list",
                file=name,
                column=column,
                row=int(nulls.arg_max() or 0) + 1,
                remedy="Use an empty list.",
            )
    return frame.cast({column: _widened(kind) for column, kind in frame.schema.items()})


class TableHandler(IcebergBaseTypeHandler[pl.DataFrame | pl.LazyFrame]):
    """What dagster-iceberg's IO manager does with a polars frame."""

    @property
    def supported_types(self) -> Sequence[type[object]]:
        """What an asset may take; it may return both as well."""
        return (pl.DataFrame, pl.LazyFrame)

    def handle_output(self, context: dg.OutputContext, table_slice: Any, obj: Any, connection: Catalog) -> None:
        """Write the asset's frame, and report its rows, columns and content hash."""
        frame = obj.collect() if isinstance(obj, pl.LazyFrame) else obj
        overwrite(connection, f"{table_slice.schema}.{table_slice.table}", frame, _part_of(table_slice))
        columns = [dg.TableColumn(name, str(kind)) for name, kind in frame.schema.items()]
        context.add_output_metadata(
            {"dagster/row_count": frame.height, "dagster/column_schema": dg.TableSchema(columns=columns)}
        )
        record_data_version(context, content_hash(frame))

    def load_input(self, context: dg.InputContext, table_slice: Any, connection: Catalog) -> Any:
        """Read the partitions that the step needs, as the type that the asset's parameter says."""
        table = connection.load_table(f"{table_slice.schema}.{table_slice.table}")
        return self.to_data_frame(table, table_slice, context.dagster_type.typing_type)

    def to_data_frame(self, table: Table, table_slice: Any, target_type: type) -> pl.DataFrame | pl.LazyFrame:
        """The slice of a table as a DataFrame or LazyFrame."""
        frame = scan(table, _part_of(table_slice))
        if table_slice.columns:
            frame = frame.select(table_slice.columns)
        return frame if target_type is pl.LazyFrame else frame.collect()

    def to_arrow(self, obj: pl.DataFrame | pl.LazyFrame) -> Any:
        """The frame as an Arrow table."""
        return obj.lazy().collect().to_arrow()


def _part_of(table_slice: Any) -> Part | None:
    dimensions = table_slice.partition_dimensions
    return Part.of(dimensions[0].partition_expr, dimensions[0].partitions) if dimensions else None


def _check_part(frame: pl.DataFrame, part: Part, name: str) -> None:
    kind = pl.Date if part.days else pl.String
    if frame.schema.get(part.column) != kind:
        raise InputError(
            f"the partitions need this column, as {kind}", file=name, column=part.column, remedy="Add it to the frame."
        )
    stray = frame.select(~part.rows().fill_null(value=False)).to_series()
    if stray.any():
        raise InputError(
            f"{stray.sum()} rows are not of the partition that is written",
            file=name,
            column=part.column,
            row=int(stray.arg_max() or 0) + 1,
            remedy="Return the rows of this partition only.",
        )


def _fit_schema(tx: Transaction, table: Table, frame: pl.DataFrame, part: Part | None, name: str) -> pl.DataFrame:
    """Bring the table's schema and the frame together. What other parts hold is kept."""
    known = pl.DataFrame(table.schema().as_arrow().empty_table()).schema
    new = frame.to_arrow().schema
    if part is not None:
        absent = [pl.lit(None, dtype=kind).alias(c) for c, kind in known.items() if c not in frame.schema]
        if all(known.get(column) == kind for column, kind in frame.schema.items()):
            return frame.with_columns(absent)
        try:
            with tx.update_schema() as update:
                update.union_by_name(new)
        except ValidationError as problem:
            remedy = "Return the type that the other partitions have."
            raise InputError(str(problem), file=name, remedy=remedy) from problem
        return frame.with_columns(absent)
    gone = [column for column, kind in known.items() if frame.schema.get(column) != kind]
    if gone or set(frame.columns) != set(known):
        with tx.update_schema(allow_incompatible_changes=True) as update:
            for column in gone:
                update.delete_column(column)
        with tx.update_schema(allow_incompatible_changes=True) as update:
            update.union_by_name(new)
    return frame


def _widened(kind: pl.DataType) -> Any:
    if isinstance(kind, pl.List | pl.Array):
        return pl.List(_widened(kind.inner))  # type: ignore[arg-type]
    if isinstance(kind, pl.Struct):
        return pl.Struct([pl.Field(field.name, _widened(field.dtype)) for field in kind.fields])  # type: ignore[arg-type]
    if isinstance(kind, pl.Datetime):
        return pl.Datetime("us", kind.time_zone)
    return WIDENED.get(kind.base_type(), kind)


def _holds(kind: Any, wanted: Any) -> bool:
    if isinstance(kind, pl.List | pl.Array):
        return _holds(kind.inner, wanted)
    if isinstance(kind, pl.Struct):
        return any(_holds(field.dtype, wanted) for field in kind.fields)
    return bool(kind == wanted)
