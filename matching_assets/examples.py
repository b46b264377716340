"""Five decisions that show what the platform does: one of each band, and two hard ones."""

from dataclasses import dataclass
from typing import Any

import polars as pl


@dataclass(frozen=True)
class Example:
    """A record's name, why it was chosen, its decision as a row of `match_decisions`, and its references' names."""

    name: str
    why: str
    decision: dict[str, Any]
    reference_names: dict[str, str]


RIGHT = pl.col("reference_id") == pl.col("label")
NONE = pl.col("label").is_null()
KINDS: tuple[tuple[str, pl.Expr, str, bool], ...] = (
    ("matched, although it is written otherwise", (pl.col("decision") == "match") & RIGHT, "lexical_similarity", False),
    ("to be reviewed: right, but not sure enough", (pl.col("decision") == "review") & RIGHT, "probability", True),
    ("no match, rightly: it is not in the reference", (pl.col("decision") == "no_match") & NONE, "probability", False),
    (
        "hard: nearly the same name, and not the same company",
        (pl.col("decision") == "review") & NONE,
        "probability",
        True,
    ),
    ("hard: two candidates close to one another", (pl.col("decision") == "review") & RIGHT, "lead", False),
)
"""Why, which decisions, by what they are ordered, and whether the highest comes first."""


def choose_examples(
    decisions: pl.DataFrame, telemetry: pl.DataFrame, records: pl.DataFrame, labels: pl.DataFrame, master: pl.DataFrame
) -> list[Example]:
    """An example of each kind that there is, each of another record; ties go by record_id, so the choice is stable."""
    names = dict(master.select("reference_id", "name").iter_rows())
    known = (
        decisions.join(labels.select("record_id", label="reference_id"), on="record_id")
        .join(records.select("record_id", "name"), on="record_id")
        .join(telemetry.select("record_id", "lexical_similarity"), on="record_id")
        .with_columns(lead=pl.col("probability") - pl.col("runner_up_probability").fill_null(0.0))
    )
    chosen: list[Example] = []
    taken: set[str] = set()
    for why, wanted, order, highest in KINDS:
        of_kind = known.filter(wanted & ~pl.col("record_id").is_in(list(taken)))
        for row in of_kind.sort(order, "record_id", descending=[highest, False]).head(1).to_dicts():
            taken.add(row["record_id"])
            mentioned = {row["reference_id"], row["runner_up_id"]} & names.keys()
            decision = {column: row[column] for column in decisions.columns}
            chosen.append(Example(row["name"], why, decision, {i: names[i] for i in sorted(mentioned)}))
    return chosen
