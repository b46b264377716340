"""What an asset tells the UI about itself: numbers that become plots over time, small tables, pictures and texts.

Row count, column schema and the content hash as DataVersion are the IO managers' part (`resources`). Previews are
denied by default: only ids, numbers, days and a few enumerations are shown, because names and other content of records
must not enter the event log.
"""

import math
from collections.abc import Mapping
from typing import Any, TypeVar

import dagster as dg
import polars as pl

T = TypeVar("T")

SHOWN = (
    "record_id",
    "reference_id",
    "runner_up_id",
    "rule",
    "decision",
    "degraded",
    "code",
    "direction",
    "feature",
    "gate",
    "file",
    "status",
    "column",
    "group",
    "band",
    "sentence",
    "title",
)
"""Text columns that hold an id or one of a few words. All other text stays in the table."""

PREVIEW_ROWS = 5


def report(
    value: T,
    *,
    asset: str | None = None,
    numbers: Mapping[str, float | None] | None = None,
    tables: Mapping[str, pl.DataFrame] | None = None,
    pictures: Mapping[str, str] | None = None,
    facts: Mapping[str, Any] | None = None,
) -> dg.MaterializeResult[T]:
    """The result of an asset: `value` for the IO manager, the rest as metadata.

    `numbers`: what on-call asks for; None and NaN (nothing to measure) are left out. `tables`: shown whole, without
    private columns. `pictures`: Markdown of `matching_assets.plots`. `facts`: texts and JSON.
    """
    metadata: dict[str, Any] = dict(measured(numbers or {}))
    metadata |= {name: dg.MetadataValue.md(markdown_table(table)) for name, table in (tables or {}).items()}
    metadata |= {name: dg.MetadataValue.md(picture) for name, picture in (pictures or {}).items()}
    metadata |= facts or {}
    if isinstance(value, pl.DataFrame):
        # Without ids of records: what is in the event log cannot be erased.
        rows = value.head(PREVIEW_ROWS).drop("record_id", strict=False)
        metadata["preview"] = dg.MetadataValue.md(markdown_table(rows))
    return dg.MaterializeResult(asset_key=asset, value=value, metadata=metadata)


def measured(numbers: Mapping[str, float | None]) -> dict[str, float]:
    """The numbers that there are: None and NaN would be a point at zero in the plot, and infinity is no JSON."""
    return {name: value for name, value in numbers.items() if value is not None and math.isfinite(value)}


def public_columns(frame: pl.DataFrame) -> list[str]:
    """The columns that may be shown outside of the tables."""
    return [
        c
        for c, kind in frame.schema.items()
        if kind.is_numeric() or kind.is_temporal() or kind == pl.Boolean or c in SHOWN
    ]


def markdown_table(frame: pl.DataFrame) -> str:
    """The public columns of a frame as a Markdown table."""
    columns = public_columns(frame)
    if not columns or frame.is_empty():
        return "*no rows*"
    lines = [columns, ["---"] * len(columns), *frame.select(columns).iter_rows()]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value).replace("|", "\\|").replace("\n", " ")
