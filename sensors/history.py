"""What the instance remembers: the newest materialisation of an asset, and the runs of `retrain`.

This is the sensors' memory.
"""

from __future__ import annotations

from typing import Any

import dagster as dg

from matching_assets.jobs import retrain

REASON_TAG = "matching/reason"
WHY_TAG = "matching/why"
UNDER_WAY = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def newest(instance: dg.DagsterInstance, asset: str, day: str | None = None) -> dg.EventLogRecord | None:
    """The newest materialisation of an asset, or of one of its days; None when there is none."""
    wanted = dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), asset_partitions=[day] if day else None)
    records = instance.fetch_materializations(wanted, limit=1).records
    return records[0] if records else None


def value(record: dg.EventLogRecord, key: str) -> Any:
    """One metadata value of a materialisation, None when it has none under `key`."""
    materialisation = record.asset_materialization
    found = materialisation.metadata.get(key) if materialisation is not None else None
    return found.value if found is not None else None


def is_under_way(instance: dg.DagsterInstance, job: str) -> bool:
    """True while a run of a job is queued or running."""
    return bool(instance.get_run_records(dg.RunsFilter(job_name=job, statuses=UNDER_WAY), limit=1))


def last_retrain(instance: dg.DagsterInstance, reason: str) -> float | None:
    """When the newest `retrain` run for `reason` was asked for, in epoch seconds, however it ended."""
    wanted = dg.RunsFilter(job_name=retrain.name, tags={REASON_TAG: reason})
    records = instance.get_run_records(wanted, limit=1)
    return records[0].create_timestamp.timestamp() if records else None
