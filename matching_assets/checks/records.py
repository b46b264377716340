"""Checks on what arrives by day."""

import statistics
from collections.abc import Iterator

import dagster as dg
import polars as pl

from matching_assets.checks.verdicts import WARN, verdict
from matching_assets.partitions import BUSINESS_DAYS
from matching_assets.runbooks import explained

LEAST_ACCEPTED = 0.5
"""Below it the file as a whole is suspect (a shifted column, a wrong encoding), and so are the rows that happened
to pass.
"""

MOST_QUARANTINED = 0.05
USUAL_FACTOR = 4.0
DAYS_REMEMBERED = 20
CLEAN, QUARANTINED = dg.AssetKey("clean_records"), dg.AssetKey("quarantined_records")


@dg.asset_check(
    asset="raw_records",
    partitions_def=BUSINESS_DAYS,
    description=explained(
        "usual_volume",
        "Guards against a half delivered or a doubled file: the day's rows against the median of other days. "
        "If it fails, ask the feed's owner; a corrected file of the same name is matched by itself.",
    ),
)
def usual_volume(context: dg.AssetCheckExecutionContext, raw_records: pl.DataFrame) -> dg.AssetCheckResult:
    """Rows are within a factor of the median day."""
    before = _rows_of_other_days(context.instance, context.partition_key)
    if not before:
        return verdict(True, f"{raw_records.height} rows; there is no other day to compare with.", "", WARN)
    median = statistics.median(before)
    factor = max(raw_records.height, 1) / max(median, 1)
    saw = f"{raw_records.height} rows, {factor:.2f} times the median of {len(before)} other days ({median:.0f})."
    remedy = "Ask the feed's owner whether the file is whole; a corrected file of the same name is matched by itself."
    return verdict(
        1 / USUAL_FACTOR <= factor <= USUAL_FACTOR,
        saw,
        remedy,
        WARN,
        factor=factor,
        rows=raw_records.height,
        median=median,
    )


@dg.multi_asset_check(
    specs=[
        dg.AssetCheckSpec(
            "nothing_lost",
            asset="clean_records",
            partitions_def=BUSINESS_DAYS,
            blocking=True,
            additional_deps=["raw_records"],
            description=explained(
                "nothing_lost",
                "Guards that nothing is lost: each row of the day is either clean or in quarantine. "
                "If it fails, the platform is at fault, not the file: report it, and do not use the day's decisions.",
            ),
        ),
        dg.AssetCheckSpec(
            "guardrails_share",
            asset="clean_records",
            partitions_def=BUSINESS_DAYS,
            blocking=True,
            description=explained(
                "guardrails_share",
                "Guards against matching a broken file: most rows of the day must pass the guardrails. "
                "If it fails, look at quarantined_records by rule, and have the file delivered again.",
            ),
        ),
        dg.AssetCheckSpec(
            "quarantine_share",
            asset="quarantined_records",
            partitions_def=BUSINESS_DAYS,
            description=explained(
                "quarantine_share",
                "Guards the quality of the feed: few rows should end in quarantine. "
                "If it fails, the rest of the day is matched all the same; tell the feed's owner which rule is broken.",
            ),
        ),
    ]
)
def guarded_day(
    raw_records: pl.DataFrame, clean_records: pl.DataFrame, quarantined_records: pl.DataFrame
) -> Iterator[dg.AssetCheckResult]:
    """What became of the day's rows. One step, because all three checks count the same tables."""
    clean, quarantined = clean_records.height, quarantined_records.height
    yield nothing_lost(raw_records.height, clean, quarantined)._replace(check_name="nothing_lost", asset_key=CLEAN)
    yield guardrails_share(clean, quarantined)._replace(check_name="guardrails_share", asset_key=CLEAN)
    yield quarantine_share(clean, quarantined)._replace(check_name="quarantine_share", asset_key=QUARANTINED)


def nothing_lost(delivered: int, clean: int, quarantined: int) -> dg.AssetCheckResult:
    """In = accepted + quarantined."""
    lost = delivered - clean - quarantined
    saw = f"{delivered} rows came in: {clean} clean, {quarantined} quarantined."
    remedy = "Report it as a fault of the platform; do not use the day's decisions."
    return verdict(lost == 0, saw, remedy, lost=lost)


def guardrails_share(clean: int, quarantined: int) -> dg.AssetCheckResult:
    """Enough of the day was accepted. An empty day has nothing to refuse: `integrity_report` says that it is empty."""
    rows = clean + quarantined
    share = clean / max(rows, 1)
    saw = f"{clean} of {rows} rows ({share:.1%}) passed; at least {LEAST_ACCEPTED:.0%} are needed."
    remedy = "Look at quarantined_records, by rule, and have the file delivered again."
    return verdict(rows == 0 or share >= LEAST_ACCEPTED, saw, remedy, accepted_share=share)


def quarantine_share(clean: int, quarantined: int) -> dg.AssetCheckResult:
    """Not too much of the day is in quarantine."""
    rows = clean + quarantined
    share = quarantined / max(rows, 1)
    saw = f"{quarantined} of {rows} ({share:.1%}) are quarantined; the limit is {MOST_QUARANTINED:.0%}."
    remedy = "Tell the feed's owner; each row says which rule it breaks and what to do."
    return verdict(share <= MOST_QUARANTINED, saw, remedy, WARN, quarantined_share=share)


def _rows_of_other_days(instance: dg.DagsterInstance, day: str) -> list[int]:
    """The rows of the newest materialisation of each of the last days."""
    wanted = dg.AssetRecordsFilter(asset_key=dg.AssetKey("raw_records"))
    rows: dict[str, int] = {}
    for record in instance.fetch_materializations(wanted, limit=2 * DAYS_REMEMBERED).records:
        count = record.asset_materialization.metadata.get("dagster/row_count") if record.asset_materialization else None
        if count is not None and record.partition_key not in (None, day):
            rows.setdefault(str(record.partition_key), int(count.value))
    return list(rows.values())[:DAYS_REMEMBERED]


CHECKS = [usual_volume, guarded_day]
