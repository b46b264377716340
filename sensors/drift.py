"""Drift reports beyond their bounds: `retrain`. The rule is `sensors.rules.drift`.

There is no cursor: the asset catalogue and the run history are all the memory it needs.
"""

from __future__ import annotations

import time

import dagster as dg

from matching_assets.jobs import retrain
from sensors import history
from sensors.rules.drift import REACH, Window, decide

WINDOWS_TAG = "matching/drift_windows"


def _windows(instance: dg.DagsterInstance) -> list[Window]:
    """The newest drift report of each of the newest `REACH` days that have one."""
    days = sorted(instance.get_materialized_partitions(dg.AssetKey("drift_report")))[-REACH:]
    newest = [(day, record) for day in days if (record := history.newest(instance, "drift_report", day))]
    return [
        Window(
            day=day,
            status=history.value(record, "status") or "UNKNOWN",
            sentence=history.value(record, "sentence") or "",
            reported_at=record.timestamp,
        )
        for day, record in newest
    ]


@dg.sensor(
    job=retrain,
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=60,
    description="Retrains when drift is beyond its bounds in 2 of the last 3 judged windows, once in 7 days at most.",
)
def drift_alarm(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Read the last drift reports and ask for a retraining when they call for one."""
    decision = decide(
        _windows(context.instance),
        last_retrain=history.last_retrain(context.instance, "drift"),
        retraining=history.is_under_way(context.instance, retrain.name),
        now=time.time(),
    )
    if decision.run_key is None:
        return dg.SkipReason(decision.sentence)
    tags = {
        history.REASON_TAG: "drift",
        history.WHY_TAG: decision.sentence,
        WINDOWS_TAG: ",".join(decision.alarms),
    }
    return dg.RunRequest(run_key=decision.run_key, tags=tags)
