"""Tables: Iceberg, one table an asset, through dagster-iceberg's IO manager; and reading them outside of a run.

An asset takes frames and returns a frame. A partitioned asset says `metadata={"partition_expr": "day"}`, and its frame
has that column: a Date for daily partitions, a String for keys. Writing a partition again replaces it. A parameter
annotated `pl.LazyFrame` or `pl.DataFrame` gets the partitions its asset depends on, all of them if it has none itself.
Writers that meet try again; a commit is one step, so a process killed at any point leaves the last good version.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
from dagster_iceberg.config import IcebergCatalogConfig
from dagster_iceberg.handler import IcebergBaseTypeHandler
from dagster_iceberg.io_manager.base import IcebergIOManager
from pyiceberg.catalog import Catalog, load_catalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.types import DateType

from resources.iceberg import Part, TableHandler, overwrite, scan, when_writers_meet
from resources.retention import erase, expire, forget_before, sweep
from resources.store import MissingError

CATALOG = "matching"
RECORD_ID = "record_id"
LOCAL = "file://"


class Tables(dg.ConfigurableResource, ABC):  # type: ignore[type-arg]
    """The interface. `name` is an asset's name."""

    namespace: str = CATALOG

    @abstractmethod
    def properties(self) -> dict[str, str]:
        """The pyiceberg properties of the catalog."""

    def io_manager(self) -> TableIOManager:
        """The IO manager for Dagster's `io_manager` key."""
        # dagster-iceberg is a preview and says so in every process; it is pinned, and our contract suite runs on it.
        warnings.filterwarnings("ignore", message="Class `.*Iceberg", category=dg.PreviewWarning)
        config = IcebergCatalogConfig(properties=self.properties())
        return TableIOManager(name=CATALOG, config=config, namespace=self.namespace)

    def read(self, name: str, partition: str | None = None) -> pl.DataFrame:
        """All rows of a table, or of one partition (none, if it was never written). MissingError: no such table."""
        with self._catalog() as catalog:
            try:
                table = catalog.load_table(f"{self.namespace}.{name}")
            except NoSuchTableError:
                raise MissingError(f"there is no table {name}: materialise that asset first") from None
            if partition is None:
                return scan(table).collect()
            if not table.spec().fields:
                raise ValueError(f"table {name} has no partitions")
            field = table.schema().find_field(table.spec().fields[0].source_id)
            if isinstance(field.field_type, DateType):
                part = Part(field.name, days=(date.fromisoformat(partition),) * 2)
            else:
                part = Part(field.name, keys=(partition,))
            return scan(table, part).collect()

    def write(self, name: str, frame: pl.DataFrame, part: Part | None = None) -> None:
        """Replace a table, or a part of it, outside of a run."""
        with self._catalog() as catalog:
            overwrite(catalog, f"{self.namespace}.{name}", frame, part)

    def exists(self, name: str) -> bool:
        """Whether there is such a table."""
        with self._catalog() as catalog:
            return bool(catalog.table_exists(f"{self.namespace}.{name}"))

    def names(self) -> list[str]:
        """The names of all tables, sorted."""
        with self._catalog() as catalog:
            return sorted(name for _, name in catalog.list_tables(self.namespace))

    def expire(self, keep: timedelta) -> int:
        """Forget what was replaced longer ago than `keep`, in all tables; return how many versions that were."""
        with self._catalog() as catalog:
            return sum(expire(catalog, f"{self.namespace}.{name}", keep) for name in self.names())

    def forget_before(self, name: str, first: date, column: str = "day") -> None:
        """Delete the rows of a table that are of a day before `first`; nothing where there is no such table."""
        if self.exists(name):
            with self._catalog() as catalog:
                forget_before(catalog, f"{self.namespace}.{name}", column, first)

    def erase(self, ids: Sequence[str]) -> dict[str, int]:
        """Delete all rows with one of these `record_id`s from all versions of all tables: how many, by table."""
        found = {}
        with self._catalog() as catalog:
            for name in self.names():
                if RECORD_ID in catalog.load_table(f"{self.namespace}.{name}").schema().column_names:
                    found[name] = erase(catalog, f"{self.namespace}.{name}", RECORD_ID, ids)
        return {name: rows for name, rows in found.items() if rows}

    @contextmanager
    def _catalog(self) -> Iterator[Catalog]:
        catalog = opened_catalog(self.properties(), self.namespace)
        try:
            yield catalog
        finally:
            catalog.close()


class LocalTables(Tables):
    """A SQLite catalog, `catalog.db`, and files beside it. They hold absolute paths: the folder cannot be moved."""

    warehouse: str

    def expire(self, keep: timedelta) -> int:
        """See Tables. Files that no version refers to any more are deleted when they are a day old."""
        expired = super().expire(keep)
        with self._catalog() as catalog:
            for name in self.names():
                sweep(catalog.load_table(f"{self.namespace}.{name}"))
        return expired

    def properties(self) -> dict[str, str]:
        """See Tables."""
        folder = Path(self.warehouse).resolve()
        # The timeout is how many seconds a writer waits for another one's commit, which takes milliseconds.
        # The warehouse is not quoted as URIs are: pyiceberg would take `%20` for a name.
        return {
            "type": "sql",
            "uri": f"sqlite:///{folder}/catalog.db?timeout=60",
            "warehouse": f"{LOCAL}{folder}",
            "init_catalog_tables": "false",  # opened_catalog sees to them, so that not every read and write has to
        }


class GlueTables(Tables):
    """A Glue database, with the files in S3. Credentials come from the usual AWS settings."""

    bucket: str
    prefix: str = "matching"
    region_name: str | None = None
    endpoint_url: str | None = None

    def properties(self) -> dict[str, str]:
        """See Tables."""
        given = {
            "type": "glue",
            "warehouse": f"s3://{self.bucket}/{self.prefix}/warehouse",
            "client.region": self.region_name,
            "s3.region": self.region_name,
            "glue.endpoint": self.endpoint_url,
            "s3.endpoint": self.endpoint_url,
        }
        return {key: value for key, value in given.items() if value is not None}


class TableIOManager(IcebergIOManager):
    """dagster-iceberg's IO manager with our handler."""

    @staticmethod
    def type_handlers() -> Sequence[IcebergBaseTypeHandler[Any]]:
        """How frames are written and read."""
        return [TableHandler()]

    def create_io_manager(self, context: Any) -> Any:
        """Make sure that catalog and namespace are there before the first step needs them."""
        if self.config and self.schema_:
            opened_catalog(self.config.properties, self.schema_).close()
        return super().create_io_manager(context)


@when_writers_meet
def opened_catalog(properties: dict[str, str], namespace: str) -> Catalog:
    """The catalog, with its namespace."""
    if (warehouse := properties["warehouse"]).startswith(LOCAL):
        Path(warehouse.removeprefix(LOCAL)).mkdir(parents=True, exist_ok=True)
    catalog = load_catalog(CATALOG, **properties | {"init_catalog_tables": "true"})
    catalog.create_namespace_if_not_exists(namespace)
    return catalog
