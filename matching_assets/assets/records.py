"""Stage 1, records: what arrives each business day, and what of it can be used."""

from collections.abc import Iterator

import dagster as dg
import polars as pl

from matching.files import file_digest
from matching.guardrails import guard_records
from matching_assets.landing import DAY, Landing, as_delivered, of_day
from matching_assets.owners import REFERENCE_DATA
from matching_assets.partitions import BUSINESS_DAYS
from matching_assets.reporting import report


@dg.asset(
    group_name="records",
    owners=[REFERENCE_DATA],
    kinds={"polars", "iceberg"},
    code_version="1",
    partitions_def=BUSINESS_DAYS,
    metadata={"partition_expr": DAY},
)
def raw_records(context: dg.AssetExecutionContext, landing: Landing) -> dg.MaterializeResult[pl.DataFrame]:
    """The records of companies, issuers and listings that arrived on a business day, exactly as they were delivered."""
    day = context.partition_time_window.start.date()
    file = landing.records_of(day)
    # Before the file is read: a correction in between has another digest, and the sensor asks for the day again.
    digest = file_digest(file)
    frame = of_day(as_delivered(file), day)
    return report(frame, numbers={"columns": frame.width - 1}, facts={"source_sha256": digest})


@dg.multi_asset(
    group_name="records",
    partitions_def=BUSINESS_DAYS,
    outs={
        name: dg.AssetOut(
            dagster_type=pl.DataFrame,
            description=description,
            owners=[REFERENCE_DATA],
            kinds={"polars", "iceberg"},
            code_version="1",
            metadata={"partition_expr": DAY},
        )
        for name, description in {
            "clean_records": "The records that passed every guardrail: matched, and learnt from once labelled.",
            "quarantined_records": "The records that were refused, each with the rule it breaks and what to do.",
        }.items()
    },
)
def guarded_records(context: dg.AssetExecutionContext, raw_records: pl.DataFrame) -> Iterator[dg.MaterializeResult]:
    """Every record of the day is either clean or in quarantine."""
    day = context.partition_time_window.start.date()
    guarded = guard_records(raw_records.drop(DAY), file=f"records/{day}")
    share = guarded.quarantined.height / max(raw_records.height, 1)
    yield report(of_day(guarded.accepted, day), asset="clean_records", numbers={"accepted_share": 1 - share})
    rules = pl.DataFrame({"rule": list(guarded.counts), "rows": list(guarded.counts.values())})
    quarantined = of_day(guarded.quarantined, day)
    yield report(
        quarantined, asset="quarantined_records", numbers={"quarantined_share": share}, tables={"by_rule": rules}
    )
