"""What the instance remembers: the newest materialisation of an asset, the runs of a job, the day that was reached.

This is the sensors' memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import dagster as dg

from matching_assets.tags import DAY_TAG, REASON_TAG, SHADOW_TAG
from sensors.rules.responses import Run

UNDER_WAY = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
PAGE = 50
REMEMBERED = 50
"""Runs of a job that are looked at: more than a rule may start within its cooldown."""


def newest(instance: dg.DagsterInstance, asset: str, day: str | None = None) -> dg.EventLogRecord | None:
    """The newest materialisation of an asset, or of one of its days; None when there is none."""
    wanted = dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), asset_partitions=[day] if day else None)
    records = instance.fetch_materializations(wanted, limit=1).records
    return records[0] if records else None


def newest_by_day(instance: dg.DagsterInstance, asset: str, days: Iterable[str]) -> dict[str, dg.EventLogRecord]:
    """The newest materialisation of each of some days of an asset, as far as there is one."""
    left, found, cursor = set(days), dict[str, dg.EventLogRecord](), None
    while left:
        wanted = dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), asset_partitions=sorted(left))
        page = instance.fetch_materializations(wanted, limit=PAGE, cursor=cursor)
        for record in page.records:
            found.setdefault(str(record.partition_key), record)
        left -= found.keys()
        if not page.has_more:
            break
        cursor = page.cursor
    return found


def value(record: dg.EventLogRecord, key: str) -> Any:
    """One metadata value of a materialisation, None when it has none under `key`."""
    materialisation = record.asset_materialization
    found = materialisation.metadata.get(key) if materialisation is not None else None
    return found.value if found is not None else None


def is_under_way(instance: dg.DagsterInstance, job: str) -> bool:
    """True while a run of a job is queued or running."""
    return bool(instance.get_run_records(dg.RunsFilter(job_name=job, statuses=UNDER_WAY), limit=1))


def reached(instance: dg.DagsterInstance, asset: str) -> str | None:
    """The latest day (ISO) of an asset that was made; None before the first."""
    return max(instance.get_materialized_partitions(dg.AssetKey(asset)), default=None)


def day_tag(instance: dg.DagsterInstance) -> dict[str, str]:
    """The tag that says which business day the platform has reached; none before the first."""
    day = reached(instance, "clean_records")
    return {DAY_TAG: day} if day else {}


def runs_of(instance: dg.DagsterInstance, job: str) -> Sequence[Run]:
    """The newest runs of a job that say for which day they were asked for, however they ended."""
    records = instance.get_run_records(dg.RunsFilter(job_name=job), limit=REMEMBERED)
    return [
        Run(
            day=run.tags[DAY_TAG],
            reason=run.tags.get(REASON_TAG, ""),
            shadow=run.tags.get(SHADOW_TAG) == "true",
            done=run.status == dg.DagsterRunStatus.SUCCESS,
        )
        for run in (record.dagster_run for record in records)
        if DAY_TAG in run.tags
    ]
