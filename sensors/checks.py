"""An asset check fails: an alert with its severity. The rules are `sensors.rules.checks` and `troubles`."""

from __future__ import annotations

import dagster as dg

from resources.alerts import Alerts
from sensors import cursor
from sensors.ended_runs import Ended, ended_since
from sensors.reporting import tell_of_troubles
from sensors.rules.checks import Evaluation, finding_of


def _evaluations(instance: dg.DagsterInstance, ended: Ended) -> list[Evaluation]:
    """The checks that a run evaluated."""
    kind = dg.DagsterEventType.ASSET_CHECK_EVALUATION
    evaluations = []
    for record in instance.get_records_for_run(ended.run.run_id, of_type=kind).records:
        event = record.event_log_entry.dagster_event
        found = event.event_specific_data if event is not None else None
        if isinstance(found, dg.AssetCheckEvaluation):
            evaluations.append(
                Evaluation(
                    asset=found.asset_key.to_user_string(),
                    check=found.check_name,
                    passed=found.passed,
                    severity="WARN" if found.severity == dg.AssetCheckSeverity.WARN else "ERROR",
                    at=record.timestamp,
                    description=found.description,
                    partition=ended.run.tags.get("dagster/partition"),
                    number=_number(found),
                )
            )
    return evaluations


def _number(found: dg.AssetCheckEvaluation) -> float | None:
    """The number that a check judged (matching_assets/checks/verdicts.py); None where it had none."""
    judged = found.metadata.get("number")
    return float(judged.value) if judged is not None and isinstance(judged.value, int | float) else None


@dg.sensor(
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=30,
    description="Alerts on a failed check when its run has ended, once while it lasts. ERROR blocks, WARN does not.",
)
def check_failures(context: dg.SensorEvaluationContext, alerts: Alerts) -> dg.SensorResult:
    """Read the checks of the runs that ended and alert on the causes that are new."""
    state = cursor.load(context.cursor)
    ended, position = ended_since(context.instance, state.get("position", {}))
    findings = [finding_of(evaluation) for run in ended for evaluation in _evaluations(context.instance, run)]
    told = tell_of_troubles(alerts, "check:", findings, state.get("told", {}))
    return dg.SensorResult(
        skip_reason=f"{len(findings)} checks ran, {len(told)} causes are open.",
        cursor=cursor.dump({"position": position, "told": told}),
    )
