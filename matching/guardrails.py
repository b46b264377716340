"""Guardrails: what enters is accepted or quarantined with a reason; nothing is lost, changed or repaired on the way.

For each table, `in = accepted + quarantined`. Accepted rows keep their order and all their columns; the columns of the
contract are text, and columns that the contract does not know pass through. A quarantined row comes with its number in
the file (1 = first data row), the first rule that it breaks, a sentence for each rule that it breaks (what is wrong and
what to do), and its own columns as text, so that it can be mended and sent again. A column that is missing altogether
is no matter of rows: it raises InputError. The rules are in `matching.schemas`.

What was decided:
- Rows that are the same in every column are one fact said twice: the first is kept. Rows that share an id and differ
  are all quarantined, because nobody here can say which one is right.
- Zero-width and bidirectional characters are no reason to refuse a name: they come with real names, and the parser of
  `matching.names` reads through them. Control characters are: they show a torn file or a wrong encoding.
- A reference with a wrong LEI, ISIN or CIK is quarantined as a whole, because the identifier is what people will take
  from it. A record with one is accepted: its name can still be matched, and a wrong identifier is never compared.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import dataframely as dy
import polars as pl

from matching.records import IDENTIFIERS, TEXT, InputError
from matching.schemas import REASONS, AliasSchema, LabelSchema, RecordSchema, ReferenceSchema, sentence

ALTERNATIVES = "same_name_alternatives"
FACTS = ("row", "rule", "reason")


@dataclass(frozen=True)
class Guarded:
    """What became of a table's rows. `counts`: quarantined rows by the first rule that each breaks."""

    accepted: pl.DataFrame
    quarantined: pl.DataFrame
    counts: dict[str, int]


def guard_records(frame: pl.DataFrame, file: str = "records") -> Guarded:
    """Sort records into accepted and quarantined. Raises InputError without `record_id` or `name`."""
    table = _as_text(frame, file, required=("record_id", "name"))
    return _sort(frame, table, RecordSchema, table.select("record_id", "name"), alike=table.columns)


def guard_reference(frame: pl.DataFrame, file: str = "reference") -> Guarded:
    """Sort references into accepted and quarantined. Raises InputError without `reference_id` or `name`."""
    table = _as_text(frame, file, required=("reference_id", "name"))
    identifiers = [c if c in table.columns else pl.lit(None, pl.String).alias(c) for c in IDENTIFIERS]
    return _sort(frame, table, ReferenceSchema, table.select("reference_id", "name", *identifiers), alike=table.columns)


def guard_aliases(frame: pl.DataFrame, reference_ids: pl.Series, file: str = "aliases") -> Guarded:
    """Sort aliases into accepted and quarantined; `reference_ids` are those of the accepted references.

    Raises InputError without `reference_id` or `alias`.
    """
    table = _as_text(frame, file, required=("reference_id", "alias"))
    facts = table.select(
        pl.col("alias").alias("name"),
        pl.col("reference_id").is_in(reference_ids.implode()).fill_null(False).alias("reference_exists"),
    )
    return _sort(frame, table, AliasSchema, facts, alike=table.columns)


def guard_labels(frame: pl.DataFrame, record_ids: pl.Series, reference_ids: pl.Series, file: str = "labels") -> Guarded:
    """Sort labels into accepted and quarantined; the ids are those of the accepted records and references.

    A `reference_id` of null says that the record is known to have no match. `same_name_alternatives` may be a list or
    the JSON text of one (CSV has no lists) and is a list afterwards; an alternative need not exist, since it only
    widens what counts as right.
    Raises InputError without `record_id` or `reference_id`.
    """
    table = _as_text(frame, file, required=("record_id", "reference_id"))
    facts = table.select(
        "record_id",
        "reference_id",
        pl.col("record_id").is_in(record_ids.implode()).fill_null(False).alias("record_exists"),
        pl.col("reference_id").is_in(reference_ids.implode()).fill_null(False).alias("reference_exists"),
        pl.lit(True).alias("alternatives_read"),
    )
    if ALTERNATIVES in table.columns:
        texts = table[ALTERNATIVES].replace("", None)
        lists = pl.Series(ALTERNATIVES, [_id_list(text) for text in texts], dtype=pl.List(pl.String))
        frame = frame.with_columns(lists)
        facts = facts.with_columns((lists.is_not_null() | texts.is_null()).alias("alternatives_read"))
    return _sort(frame, table, LabelSchema, facts, alike=["record_id", "reference_id"])


def _id_list(text: str | None) -> list[str] | None:
    """The ids of a JSON list; None when the text is not one."""
    try:
        ids = json.loads(text or "null")
    except (ValueError, RecursionError):
        return None
    return ids if isinstance(ids, list) and all(isinstance(x, str) for x in ids) else None


def _as_text(frame: pl.DataFrame, file: str, required: Sequence[str]) -> pl.DataFrame:
    """The frame with every column as text. Raises InputError for a column that is missing or cannot be text."""
    for column in required:
        if column not in frame.columns:
            found = ", ".join(frame.columns) or "no columns"
            raise InputError(
                f"the column is missing (found: {found})",
                file=file,
                column=column,
                remedy="Add it, or rename the column that holds it.",
            )
    for column, kind in frame.schema.items():
        if column in TEXT and (kind.is_nested() or kind in (pl.Binary, pl.Object)):
            raise InputError(f"holds {kind} where text belongs", file=file, column=column, remedy="Write it as text.")
    return pl.DataFrame([_text(series) for series in frame])


def _text(series: pl.Series) -> pl.Series:
    if series.dtype.is_nested() or series.dtype == pl.Object:
        rows = [None if x is None else json.dumps(x, ensure_ascii=False, default=str) for x in series.to_list()]
        return pl.Series(series.name, rows, dtype=pl.String)
    if series.dtype == pl.Binary:
        return series.bin.encode("base64")
    return series.cast(pl.String)


def _sort(
    frame: pl.DataFrame, table: pl.DataFrame, schema: type[dy.Schema], facts: pl.DataFrame, alike: Sequence[str]
) -> Guarded:
    """Run `schema` over `facts` and sort the rows of `frame` by it.

    `table` is the frame as text, row by row with `facts`; rows that are equal in the columns `alike` say the same.
    """
    own = {c: _free(c, table.columns) for c in table.columns}
    numbered = table.rename(own).with_row_index("row", offset=1)
    first_alike = numbered.select(pl.col("row").min().over([own[c] for c in alike]).alias("first_alike"))
    good, failure = schema.filter(pl.concat([numbered.select("row"), first_alike, facts], how="horizontal"))
    verdicts = failure.details()
    rules = [rule for rule in REASONS if rule in verdicts.columns]
    broken = {rule: pl.when(pl.col(rule) != "valid") for rule in rules}
    told = verdicts.select(
        "row",
        pl.coalesce(then.then(pl.lit(rule)) for rule, then in broken.items()).alias("rule"),
        pl.concat_str(
            (then.then(pl.lit(sentence(rule))) for rule, then in broken.items()), separator=" ", ignore_nulls=True
        ).alias("reason"),
    )
    quarantined = told.join(numbered, on="row", how="left", maintain_order="left")
    counts = dict(quarantined.group_by("rule", maintain_order=True).len().iter_rows())
    known = [pl.col(c).cast(pl.String) for c in frame.columns if c in TEXT]
    accepted = frame.with_columns(known)[good["row"].to_numpy() - 1]
    return Guarded(accepted, quarantined, {rule: counts[rule] for rule in rules if rule in counts})


def _free(column: str, taken: Sequence[str]) -> str:
    """A name for a column of the file in the quarantine frame, whose first columns are FACTS."""
    if column not in FACTS:
        return column
    while column in FACTS or column in taken:
        column = f"own_{column}"
    return column
