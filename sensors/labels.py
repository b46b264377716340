"""Enough new labels land: `retrain`. The rule is `sensors.rules.labels`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg

from matching.records import InputError, read_table
from matching_assets.jobs import daily_matching, retrain
from matching_assets.landing import Landing
from matching_assets.settings import Training
from matching_assets.tags import REASON_TAG, WHY_TAG
from resources.alerts import Alerts
from sensors import cursor, history
from sensors.landing import look
from sensors.reporting import tell_of_files
from sensors.rules.labels import LabelFile, decide
from sensors.rules.responses import counts


def _count(
    folder: Path, digests: Mapping[str, str], before: Mapping[str, Any]
) -> tuple[dict[str, LabelFile], dict[str, str]]:
    """The rows of each complete label file, read once for each content; and a sentence for each that cannot be read."""
    files, problems = {}, {}
    for name, digest in digests.items():
        known, rows = before.get(name, (None, 0))
        try:
            files[name] = LabelFile(digest, rows if known == digest else read_table(folder / name).height)
        except InputError as problem:
            problems[name] = str(problem)
    return files, problems


def _busy(instance: dg.DagsterInstance) -> str | None:
    """What a retraining has to wait for: labels of records that are not taken in yet would be lost on it."""
    if history.newest(instance, "clean_records") is None:
        return "the first records"
    under_way = [job.name for job in (retrain, daily_matching) if history.is_under_way(instance, job.name)]
    if under_way:
        return f"{under_way[0]}, which is under way"
    today = history.reached(instance, "clean_records")
    full = counts(history.runs_of(instance, retrain.name), today) if today else None
    return f"the next business day: {full}" if full else None


@dg.sensor(
    job=retrain,
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=60,
    description="Retrains when enough labels have landed that the last training did not read.",
)
def new_labels(
    context: dg.SensorEvaluationContext, alerts: Alerts, landing: Landing, training: Training
) -> dg.SensorResult:
    """Look at `landing/labels` and ask for a retraining when enough of it is new."""
    state = cursor.load(context.cursor)
    folder = Path(landing.root) / "labels"
    found = look(folder, state.get("files", {}), time.time())
    files, unreadable = _count(folder, found.digests, state.get("rows", {}))
    trained = history.newest(context.instance, "labels")
    decision = decide(
        files,
        known=(history.value(trained, "files") or {}) if trained else {},
        trained_by=trained.run_id if trained else None,
        wait_for=_busy(context.instance),
        minimum=training.least_new_labels,
        known_rows=(history.value(trained, "rows_by_file") or {}) if trained else {},
    )
    problems = {**found.problems, **unreadable}
    tell_of_files(alerts, "labels", problems)
    tags = {REASON_TAG: "labels", WHY_TAG: decision.sentence, **history.day_tag(context.instance)}
    return dg.SensorResult(
        run_requests=[dg.RunRequest(run_key=decision.run_key, tags=tags)] if decision.run_key else [],
        skip_reason=None if decision.run_key else decision.sentence,
        cursor=cursor.dump(
            {
                "files": found.to_json(),
                "rows": {name: [file.digest, file.rows] for name, file in files.items()},
            }
        ),
    )
