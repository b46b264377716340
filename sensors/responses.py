"""The monitors have reported: `retrain`, `close_matching`, or a ticket. The rule is `sensors.rules.responses`.

There is no cursor: the asset catalogue and the run history are all the memory it needs.
"""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg

from matching_assets.jobs import close_matching, retrain
from matching_assets.owners import MODELS, ON_CALL
from matching_assets.tags import DAY_TAG, REASON_TAG, SHADOW_TAG, WHY_TAG
from resources.alerts import Alert, Alerts
from sensors import history
from sensors.rules.responses import ALARMS, Decision, Memory, Report, Request, decide

REACH = 10
"""Days of each monitor that are looked at: a few have nothing to judge."""
TICKET, CLOSED = "response:drift", "response:closed"
TICKET_RUNBOOK, CLOSED_RUNBOOK = "docs/runbooks/drift.md", "docs/runbooks/precision.md"


def _reports(instance: dg.DagsterInstance, monitor: str) -> Iterator[Report]:
    """The newest report of each of the last days that a monitor has reported on."""
    days = sorted(instance.get_materialized_partitions(dg.AssetKey(monitor)))[-REACH:]
    for day, record in sorted(history.newest_by_day(instance, monitor, days).items()):
        yield Report(
            monitor=monitor,
            day=day,
            status=history.value(record, "status") or "UNKNOWN",
            sentence=history.value(record, "sentence") or "",
            number=float(history.value(record, "number") or 0.0),
            bundle_version=history.value(record, "bundle_version") or "",
            certificate=history.value(record, "certificate") or "",
        )


def _memory(instance: dg.DagsterInstance) -> Memory:
    serves = history.newest(instance, "deployed_endpoint")
    known = [history.value(serves, key) for key in ("bundle_version", "parent_version")] if serves else []
    return Memory(
        trainings=history.runs_of(instance, retrain.name),
        closings=history.runs_of(instance, close_matching.name),
        versions=[version for version in known if version],
        closed=bool(serves and history.value(serves, "closed")),
        training=history.is_under_way(instance, retrain.name),
        closing=history.is_under_way(instance, close_matching.name),
    )


def _run_request(request: Request, job: str) -> dg.RunRequest:
    tags = {REASON_TAG: request.reason, WHY_TAG: request.sentence, DAY_TAG: request.day}
    shadow = {SHADOW_TAG: "true"} if request.shadow else {}
    return dg.RunRequest(run_key=request.run_key, job_name=job, tags={**tags, **shadow})


def _tell(alerts: Alerts, decision: Decision, closed: bool) -> None:
    """A ticket while only features drift; an alarm from the moment that matching is closed until it is open again."""
    if ticket := decision.ticket:
        alerts.send(Alert(TICKET, "WARN", MODELS, TICKET_RUNBOOK, ticket.number, ticket.sentence))
    else:
        alerts.clear(TICKET)
    if found := decision.close:
        sentence = f"Automatic matching is being closed: {found.sentence}"
        alerts.send(Alert(CLOSED, "ERROR", ON_CALL, CLOSED_RUNBOOK, found.number, sentence))
    elif not closed:
        alerts.clear(CLOSED)


@dg.sensor(
    jobs=[retrain, close_matching],
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=60,
    description="Retrains when a monitor alarms, once in 7 business days at most; closes automatic matching when the "
    "certificate is broken. Feature drift alone retrains in the shadow.",
)
def responses(context: dg.SensorEvaluationContext, alerts: Alerts) -> dg.SensorResult:
    """Read the last reports of the monitors and ask for what they call for."""
    instance = context.instance
    memory = _memory(instance)
    decision = decide([report for monitor in ALARMS for report in _reports(instance, monitor)], memory)
    _tell(alerts, decision, memory.closed or memory.closing)
    asked = [(decision.close, close_matching.name), (decision.retrain, retrain.name)]
    requests = [_run_request(request, job) for request, job in asked if request is not None]
    return dg.SensorResult(run_requests=requests, skip_reason=None if requests else decision.sentence)
