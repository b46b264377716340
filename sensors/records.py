"""A day's file lands: `daily_matching` for that day. The rule is `sensors.rules.records`."""

from __future__ import annotations

import time
from pathlib import Path

import dagster as dg

from matching_assets.jobs import daily_matching
from matching_assets.landing import Landing
from matching_assets.partitions import BUSINESS_DAYS
from resources.alerts import Alerts
from sensors import cursor, history
from sensors.landing import look
from sensors.reporting import tell_of_files
from sensors.rules.records import TakenIn, day_of, decide


def _taken_in(instance: dg.DagsterInstance, days: set[str]) -> dict[str, TakenIn]:
    """What each of `days` was last read from, as `raw_records` recorded it."""
    newest = {day: history.materialisations(instance, "raw_records", [day]) for day in sorted(days)}
    return {
        day: TakenIn(history.value(records[0], "source_sha256"), records[0].run_id)
        for day, records in newest.items()
        if records
    }


@dg.sensor(
    job=daily_matching,
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=30,
    description="Matches a day when its file lands, and again when the file is corrected. An unfinished file waits.",
)
def records_arrival(context: dg.SensorEvaluationContext, alerts: Alerts, landing: Landing) -> dg.SensorResult:
    """Look at `landing/records` and ask for a run for each day with new content."""
    state = cursor.load(context.cursor)
    asked = state.get("asked", {})
    found = look(Path(landing.root) / "records", state.get("files", {}), time.time())
    open_days = {day for name, digest in found.digests.items() if asked.get(name) != digest and (day := day_of(name))}
    known_days = set(BUSINESS_DAYS.get_partition_keys())
    decision = decide(found.digests, asked, _taken_in(context.instance, open_days), known_days)
    problems = {**found.problems, **decision.problems}
    tell_of_files(alerts, "records", problems)
    requests = [
        dg.RunRequest(
            run_key=request.run_key,
            partition_key=request.day,
            tags={history.REASON_TAG: "records", history.WHY_TAG: request.why},
        )
        for request in decision.requests
    ]
    return dg.SensorResult(
        run_requests=requests,
        skip_reason=None if requests else f"{len(found.digests)} complete files, none with content that is new.",
        cursor=cursor.dump({"files": found.to_json(), "asked": decision.asked}),
    )
