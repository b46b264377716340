"""A day's file lands: `daily_matching` for that day. The rule is `sensors.rules.records`."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from matching_assets.jobs import INTAKE, daily_matching
from matching_assets.landing import Landing
from matching_assets.partitions import BUSINESS_DAYS, deadline
from matching_assets.tags import DAY_TAG, REASON_TAG, WHY_TAG
from resources.alerts import Alerts
from sensors import cursor, history
from sensors.landing import look
from sensors.reporting import tell_of_a_missing_day, tell_of_files
from sensors.rules.records import USUAL_DAYS, Day, Request, day_of, decide, mark, missing


def _known(instance: dg.DagsterInstance, days: set[str]) -> dict[str, Day]:
    """What the catalogue knows of each of `days`: the file it was read from, and whether it was matched since."""
    known = {}
    for day in sorted(days):
        if read := history.newest(instance, "raw_records", day):
            matched = history.newest(instance, "match_decisions", day)
            digest = history.value(read, "source_sha256")
            known[day] = Day(digest, read.run_id, matched is not None and matched.timestamp >= read.timestamp)
    return known


def _missing(instance: dg.DagsterInstance, files: Iterable[str]) -> str:
    """What is to be said of a day whose file should be there by now."""
    days = BUSINESS_DAYS.get_partition_keys()[-USUAL_DAYS - 2 :]
    read = {day for day in days if history.newest(instance, "raw_records", day)}
    landed = {day for name in files if (day := day_of(name))}
    return missing(days, read, landed, datetime.fromtimestamp(time.time(), UTC), deadline())


def _run_request(request: Request) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=request.run_key,
        partition_key=request.day,
        asset_selection=None if request.matching else [dg.AssetKey(name) for name in INTAKE],
        tags={REASON_TAG: "records", WHY_TAG: request.why, DAY_TAG: request.day},
    )


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
    serving = history.newest(context.instance, "deployed_endpoint") is not None
    unasked = {name for name, digest in found.digests.items() if asked.get(name) != mark(digest, serving)}
    known = _known(context.instance, {day for name in unasked if (day := day_of(name))})
    decision = decide(found.digests, asked, known, set(BUSINESS_DAYS.get_partition_keys()), serving)
    tell_of_files(alerts, "records", {**found.problems, **decision.problems})
    tell_of_a_missing_day(alerts, _missing(context.instance, found.seen))
    return dg.SensorResult(
        run_requests=[_run_request(request) for request in decision.requests],
        skip_reason=None if decision.requests else f"{len(found.digests)} complete files, all asked for or done.",
        cursor=cursor.dump({"files": found.to_json(), "asked": decision.asked}),
    )
