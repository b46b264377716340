"""Traffic of a day that is over was not all collected: `collect_traffic`. The rule is `sensors.rules.traffic`."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import dagster as dg

from matching_assets.jobs import collect_traffic
from matching_assets.partitions import calendar_days
from matching_assets.tags import REASON_TAG, WHY_TAG
from resources.traffic import Traffic
from sensors import history
from sensors.rules.traffic import Day, decide

REACH = timedelta(days=7)
"""How late traffic may come and still be collected without being asked for."""
WHY = "The day is over, and its traffic was not all there when it was collected."


def days_before(today: date) -> list[date]:
    """The business days of the last week."""
    days = (today - timedelta(days=number) for number in range(REACH.days, 0, -1))
    return [day for day in days if day.isoweekday() <= 5]


@dg.sensor(
    job=collect_traffic,
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=600,
    description="Collects what the endpoint was asked on a day once it is over, and again when more of it arrives.",
)
def late_traffic(context: dg.SensorEvaluationContext, traffic: dg.ResourceParam[Traffic]) -> dg.SensorResult:
    """Compare what there is of the last days with what was collected."""
    if history.newest(context.instance, "deployed_endpoint") is None:
        return dg.SensorResult(skip_reason="Nothing serves yet.")
    today, days = datetime.now(UTC).date(), []
    for day in days_before(today):
        made = history.newest(context.instance, "endpoint_telemetry", day.isoformat())
        collected = history.value(made, "fingerprint") if made else None
        days.append(Day(day.isoformat(), traffic.fingerprint(*calendar_days(day)), collected))
    due = decide(days, today.isoformat())
    if not due:
        return dg.SensorResult(skip_reason=f"All traffic of {len(days)} days is collected.")
    tags = {REASON_TAG: "traffic", WHY_TAG: WHY}
    return dg.SensorResult([dg.RunRequest(run_key=key, partition_key=day, tags=tags) for day, key in due.items()])
