"""What the instance remembers: the newest materialisation of an asset, and the runs of `retrain`.

This is the sensors' memory.
"""

from __future__ import annotations

from typing import Any

import dagster as dg

REASON_TAG = "matching/reason"
WHY_TAG = "matching/why"
RETRAIN = "retrain"
UNDER_WAY = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
IN_VAIN = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


def materialisations(
    instance: dg.DagsterInstance, asset: str, days: list[str] | None = None, limit: int = 1
) -> list[dg.EventLogRecord]:
    """The newest materialisations of an asset, or of some of its days, newest first."""
    wanted = dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), asset_partitions=days)
    return list(instance.fetch_materializations(wanted, limit=limit).records)


def value(record: dg.EventLogRecord, key: str) -> Any:
    """One metadata value of a materialisation, None when it has none under `key`."""
    materialisation = record.asset_materialization
    found = materialisation.metadata.get(key) if materialisation is not None else None
    return found.value if found is not None else None


def is_retraining(instance: dg.DagsterInstance) -> bool:
    """True while a `retrain` run is queued or running."""
    return bool(instance.get_run_records(dg.RunsFilter(job_name=RETRAIN, statuses=UNDER_WAY), limit=1))


def last_retrain(instance: dg.DagsterInstance, reason: str) -> float | None:
    """When the newest `retrain` run for `reason` that did not fail was started, in epoch seconds."""
    wanted = dg.RunsFilter(
        job_name=RETRAIN,
        tags={REASON_TAG: reason},
        statuses=[status for status in dg.DagsterRunStatus if status not in IN_VAIN],
    )
    records = instance.get_run_records(wanted, limit=1)
    return records[0].create_timestamp.timestamp() if records else None
