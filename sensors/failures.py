"""A run fails: an alert. The rules are `sensors.rules.failures` and `troubles`."""

from __future__ import annotations

import dagster as dg

from resources.alerts import Alerts
from sensors import cursor
from sensors.ended_runs import Ended, ended_since
from sensors.reporting import tell_of_troubles
from sensors.rules.failures import EndedRun, finding_of

WILL_RETRY_TAG = "dagster/will_retry"


def _described(instance: dg.DagsterInstance, ended: Ended) -> EndedRun:
    """What a finding is made of: the first step that failed, and the class of the error underneath."""
    run = ended.run
    failed = instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE, limit=1).records
    event = failed[0].event_log_entry.dagster_event if failed else None
    error = event.step_failure_data.error if event is not None else None
    while error is not None and error.cause is not None:
        error = error.cause
    return EndedRun(
        run_id=run.run_id,
        job=run.job_name,
        succeeded=run.status == dg.DagsterRunStatus.SUCCESS,
        at=ended.at,
        partition=run.tags.get("dagster/partition"),
        step=event.step_key if event is not None else None,
        error=error.cls_name if error is not None else None,
        will_retry=run.tags.get(WILL_RETRY_TAG) == "true",
    )


@dg.sensor(
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=30,
    description="Alerts on a failed run, once for each cause while it lasts. Failed checks have an alert of their own.",
)
def run_failures(context: dg.SensorEvaluationContext, alerts: Alerts) -> dg.SensorResult:
    """Read the runs that ended and alert on the causes that are new."""
    state = cursor.load(context.cursor)
    ended, position = ended_since(context.instance, state.get("position", {}))
    findings = [found for run in ended if (found := finding_of(_described(context.instance, run)))]
    told = tell_of_troubles(alerts, "run:", findings, state.get("told", {}))
    return dg.SensorResult(
        skip_reason=f"{len(ended)} runs ended, {len(told)} causes are open.",
        cursor=cursor.dump({"position": position, "told": told}),
    )
