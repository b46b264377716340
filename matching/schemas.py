"""The rules of the guardrails as `dataframely` schemas, and the sentence that a person reads when a row breaks one.

A schema holds only the columns that its rules need: `matching.guardrails` lays those out, with facts that only other
tables can tell. A rule is true for a good row and is named after what then holds.
"""

from __future__ import annotations

import dataframely as dy
import polars as pl

from matching.identifiers import cik_is_valid, isin_is_valid, lei_is_valid
from matching.names import LONGEST_NAME

# What is wrong, and what to do.
REASONS = {
    "record_id_present": ("The record has no record_id", "Give it one."),
    "record_id_unambiguous": ("Other rows with this record_id differ from this one", "Give each its own id."),
    "reference_id_present": ("The row has no reference_id", "Give it one."),
    "reference_id_unambiguous": ("Other rows with this reference_id differ from this one", "Keep the right one."),
    "said_once": ("The row repeats an earlier row", "Send each row once."),
    "name_present": ("The name has no letter and no digit", "Fill it in at the source."),
    "name_short_enough": (f"The name is longer than {LONGEST_NAME} characters", "Look whether its column is shifted."),
    "name_free_of_control_characters": ("The name holds control characters", "Send the file whole and as UTF-8."),
    "lei_valid": ("The LEI has wrong check digits or another form (ISO 17442)", "Correct it or leave it empty."),
    "isin_valid": ("The ISIN has a wrong check digit or another form (ISO 6166)", "Correct it or leave it empty."),
    "cik_valid": ("The CIK is not a number of one to ten digits", "Correct it or leave it empty."),
    "record_known": ("No accepted record has this record_id", "Send the record, or mend it if it is quarantined."),
    "reference_known": ("No accepted reference has this reference_id", "Correct the id, or add the reference."),
    "labels_agree": ("Other labels of this record say otherwise", "Keep the right one."),
    "alternatives_readable": ("same_name_alternatives is not a JSON list of ids", 'Write it like ["R1", "R2"].'),
}


def sentence(rule: str) -> str:
    """What a rule's failure means and what to do."""
    what, remedy = REASONS[rule]
    return f"{what}. {remedy}"


def _has_text(column: str) -> pl.Expr:
    return pl.col(column).is_not_null() & (pl.col(column).str.strip_chars() != "")


class Rows(dy.Schema):
    """Facts about a row's place: its number, and the number of the first row that says the same."""

    row = dy.UInt32()
    first_alike = dy.UInt32()

    @dy.rule()
    def said_once(cls) -> pl.Expr:
        return pl.col("first_alike") == pl.col("row")


class Named(dy.Schema):
    """Rules for what is matched by name."""

    name = dy.String(nullable=True)

    @dy.rule()
    def name_present(cls) -> pl.Expr:
        return pl.col("name").is_not_null() & pl.col("name").str.contains(r"[\p{L}\p{N}]")

    @dy.rule()
    def name_short_enough(cls) -> pl.Expr:
        return pl.col("name").str.strip_chars().str.len_chars() <= LONGEST_NAME

    @dy.rule()
    def name_free_of_control_characters(cls) -> pl.Expr:
        return ~pl.col("name").str.contains(r"[\p{Cc}--\s]")


class RecordSchema(Rows, Named):
    record_id = dy.String(nullable=True)

    @dy.rule()
    def record_id_present(cls) -> pl.Expr:
        return _has_text("record_id")

    @dy.rule()
    def record_id_unambiguous(cls) -> pl.Expr:
        return ~_has_text("record_id") | (pl.col("first_alike").n_unique().over("record_id") == 1)


class ReferenceSchema(Rows, Named):
    reference_id = dy.String(nullable=True)
    lei = dy.String(nullable=True)
    isin = dy.String(nullable=True)
    cik = dy.String(nullable=True)

    @dy.rule()
    def reference_id_present(cls) -> pl.Expr:
        return _has_text("reference_id")

    @dy.rule()
    def reference_id_unambiguous(cls) -> pl.Expr:
        return ~_has_text("reference_id") | (pl.col("first_alike").n_unique().over("reference_id") == 1)

    @dy.rule()
    def lei_valid(cls) -> pl.Expr:
        return ~_has_text("lei") | pl.col("lei").map_elements(lei_is_valid, return_dtype=pl.Boolean)

    @dy.rule()
    def isin_valid(cls) -> pl.Expr:
        return ~_has_text("isin") | pl.col("isin").map_elements(isin_is_valid, return_dtype=pl.Boolean)

    @dy.rule()
    def cik_valid(cls) -> pl.Expr:
        return ~_has_text("cik") | pl.col("cik").map_elements(cik_is_valid, return_dtype=pl.Boolean)


class AliasSchema(Rows, Named):
    """`name` is the alias."""

    reference_exists = dy.Bool()

    @dy.rule()
    def reference_known(cls) -> pl.Expr:
        return pl.col("reference_exists")


class LabelSchema(Rows):
    """One label a record. `alternatives_read`: whether same_name_alternatives is a list."""

    record_id = dy.String(nullable=True)
    reference_id = dy.String(nullable=True)
    record_exists = dy.Bool()
    reference_exists = dy.Bool()
    alternatives_read = dy.Bool()

    @dy.rule()
    def record_id_present(cls) -> pl.Expr:
        return _has_text("record_id")

    @dy.rule()
    def record_known(cls) -> pl.Expr:
        return ~_has_text("record_id") | pl.col("record_exists")

    @dy.rule()
    def reference_known(cls) -> pl.Expr:
        return pl.col("reference_id").is_null() | pl.col("reference_exists")

    @dy.rule()
    def labels_agree(cls) -> pl.Expr:
        return ~_has_text("record_id") | (pl.col("first_alike").n_unique().over("record_id") == 1)

    @dy.rule()
    def alternatives_readable(cls) -> pl.Expr:
        return pl.col("alternatives_read")
