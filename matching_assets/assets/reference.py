"""Stage 2, reference: the master that records are matched to, and what people have said about earlier records."""

import dagster as dg
import polars as pl

from matching.files import file_digest
from matching.guardrails import guard_aliases, guard_labels, guard_reference
from matching.master import all_ids, build_reference_master, with_surviving_ids
from matching_assets.landing import Landing, as_delivered
from matching_assets.owners import REFERENCE_DATA
from matching_assets.partitions import newest_of_each
from matching_assets.reporting import report

NO_ALIASES = pl.DataFrame(schema={"reference_id": pl.String, "alias": pl.String})

NO_LABELS = pl.DataFrame(schema={"record_id": pl.String, "reference_id": pl.String})


@dg.asset(group_name="reference", owners=[REFERENCE_DATA], kinds={"polars", "iceberg"}, code_version="1")
def raw_reference(landing: Landing) -> dg.MaterializeResult[pl.DataFrame]:
    """The reference of companies, issuers or listings, exactly as it was delivered."""
    file = landing.reference()
    frame = as_delivered(file)
    return report(frame, numbers={"columns": frame.width}, facts={"source_sha256": file_digest(file)})


@dg.asset(group_name="reference", owners=[REFERENCE_DATA], kinds={"polars", "iceberg"}, code_version="1")
def raw_aliases(landing: Landing) -> dg.MaterializeResult[pl.DataFrame]:
    """Other and earlier names of references as they were delivered; no rows where none are delivered."""
    file = landing.aliases()
    frame = as_delivered(file) if file else NO_ALIASES
    return report(frame, facts={"source_sha256": file_digest(file) if file else "none delivered"})


@dg.asset(group_name="reference", owners=[REFERENCE_DATA], kinds={"polars", "iceberg"}, code_version="1")
def reference_master(raw_reference: pl.DataFrame, raw_aliases: pl.DataFrame) -> dg.MaterializeResult[pl.DataFrame]:
    """The master that records are matched to: one row an entity, with parsed names, aliases and checked identifiers."""
    reference = guard_reference(raw_reference, file="reference")
    aliases = guard_aliases(raw_aliases, reference.accepted["reference_id"], file="aliases")
    master = build_reference_master(reference.accepted, aliases.accepted)
    counts = {"reference": reference.quarantined.height, "aliases": aliases.quarantined.height}
    return report(
        master,
        numbers={
            "quarantined_references": counts["reference"],
            "quarantined_aliases": counts["aliases"],
            "merged_references": reference.accepted.height - master.height,
            "namesakes": master.filter(pl.col("namesakes") > 0).height,
        },
        tables={"quarantined": pl.concat([reference.quarantined, aliases.quarantined], how="diagonal").head(20)},
    )


@dg.asset(group_name="reference", owners=[REFERENCE_DATA], kinds={"polars", "iceberg"}, code_version="1")
def labels(
    clean_records: pl.LazyFrame, reference_master: pl.DataFrame, landing: Landing
) -> dg.MaterializeResult[pl.DataFrame]:
    """What people have decided: the reference that a record is, or that it has none. The later file wins."""
    record_ids = newest_of_each(clean_records)["record_id"]
    reference_ids = all_ids(reference_master)
    files = landing.labels()
    digests = {name: file_digest(path) for name, path in files.items()}  # before reading: a correction stays new
    delivered = {name: as_delivered(path) for name, path in files.items()}
    guarded = {name: guard_labels(rows, record_ids, reference_ids, file=name) for name, rows in delivered.items()}
    frame = with_surviving_ids(later_wins([part.accepted for part in guarded.values()]), reference_master)
    refused = [part.quarantined.with_columns(file=pl.lit(name)) for name, part in guarded.items()]
    return report(
        frame,
        numbers={
            "no_match_labels": frame["reference_id"].null_count(),
            "labelled_share": frame.height / max(record_ids.len(), 1),
            "quarantined_labels": sum(part.height for part in refused),
        },
        tables={"quarantined": pl.concat(refused, how="diagonal").head(20)},
        facts={"files": digests, "rows_by_file": {name: rows.height for name, rows in delivered.items()}},
    )


def later_wins(files: list[pl.DataFrame]) -> pl.DataFrame:
    """All labels, one a record: that of the last file which has one."""
    return pl.concat([NO_LABELS, *files], how="diagonal").unique("record_id", keep="last", maintain_order=True)
