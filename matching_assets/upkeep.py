"""Upkeep: what is kept, for how long, and what is erased when somebody asks. It makes no asset, so these are ops.

| class of data | tables | files | kept for |
|---|---|---|---|
| telemetry | scoring_telemetry, endpoint_telemetry | telemetry, the endpoint's spool or capture | `telemetry` days |
| decisions | match_decisions, decision_reasons, review_queue, and those of re-scoring | | `decisions` days |
| records, with names | raw_, clean_, quarantined_records | landing/records | `records` days |
| verdicts | | reviews, and the labels made of them | `verdicts` days |

What monitors report is numbers about days and is kept. Folders in the object store stay: a reviewer asks for a bundle
years later, and equal content is stored once.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
from pydantic import Field

from matching_assets import erasure
from matching_assets.landing import Landing
from matching_assets.review.verdicts import Verdicts
from resources.tables import Tables
from resources.telemetry import Telemetry
from resources.traffic import Traffic

TABLES: Mapping[str, tuple[str, ...]] = {
    "telemetry": ("scoring_telemetry", "endpoint_telemetry"),
    "decisions": ("match_decisions", "decision_reasons", "review_queue", "rescored_decisions", "decision_diff"),
    "records": ("raw_records", "clean_records", "quarantined_records"),
}


class UpkeepConfig(dg.Config):
    """`days`: for how long a replaced version of a table stays readable."""

    days: int = 30


class RetentionConfig(dg.Config):
    """Days that each class of data is kept for. `today`: the day that is counted from, by default today (UTC)."""

    telemetry: int = Field(400, ge=1)
    decisions: int = Field(2557, ge=1, description="Seven years, as regulators ask for records of decisions.")
    records: int = Field(730, ge=1)
    verdicts: int = Field(2557, ge=1)
    today: str = ""


@dg.op
def forget_replaced_versions(
    context: dg.OpExecutionContext, config: UpkeepConfig, tables: dg.ResourceParam[Tables]
) -> None:
    """Forget the versions of all tables that are older than `days` and not current."""
    context.add_output_metadata({"versions": tables.expire(timedelta(days=config.days))})


@dg.op
def forget_old_days(
    context: dg.OpExecutionContext,
    config: RetentionConfig,
    tables: dg.ResourceParam[Tables],
    telemetry: dg.ResourceParam[Telemetry],
    traffic: dg.ResourceParam[Traffic],
    landing: Landing,
    verdicts: dg.ResourceParam[Verdicts],
) -> None:
    """Delete what is older than its class may be. Versions that had it expire with other replaced versions."""
    today = date.fromisoformat(config.today) if config.today else datetime.now(UTC).date()
    kept = {name: today - timedelta(days=getattr(config, name)) for name in (*TABLES, "verdicts")}
    for name, tables_of in TABLES.items():
        for table in tables_of:
            tables.forget_before(table, kept[name])
    deleted = {
        "telemetry_files": telemetry.forget_before(kept["telemetry"]) + traffic.forget_before(kept["telemetry"]),
        "landed_files": erasure.forget_before(Path(landing.root) / "records", kept["records"]),
        "verdict_days": erasure.forget_before(Path(verdicts.root), kept["verdicts"]),
    }
    verdicts.publish()
    context.add_output_metadata(deleted)


@dg.op
def erase_records(
    context: dg.OpExecutionContext,
    tables: dg.ResourceParam[Tables],
    telemetry: dg.ResourceParam[Telemetry],
    traffic: dg.ResourceParam[Traffic],
    landing: Landing,
    verdicts: dg.ResourceParam[Verdicts],
) -> None:
    """Erase the records that are named in `landing/erasures`, and then the request itself."""
    context.add_output_metadata(
        erasure.erase_requested(context.instance, tables, telemetry, traffic, landing, verdicts)
    )


@dg.job(description="Delete what is older than its class of data may be, and forget what was replaced 30 days ago.")
def expire() -> None:
    """Two steps."""
    forget_old_days()
    forget_replaced_versions()


@dg.job(description="Erase the records whose ids lie in landing/erasures: from tables, files and telemetry.")
def erase() -> None:
    """One step."""
    erase_records()
