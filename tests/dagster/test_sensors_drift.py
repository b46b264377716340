"""The drift sensor on an ephemeral instance with real drift reports and runs."""

import dagster as dg

from sensors.drift import drift_alarm

DAYS = dg.DailyPartitionsDefinition("2026-01-01")


@dg.asset(partitions_def=DAYS, config_schema={"status": str})
def drift_report(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    status = context.op_execution_context.op_config["status"]
    return dg.MaterializeResult(metadata={"status": status, "sentence": f"{context.partition_key} was {status}"})


@dg.op
def fit(context: dg.OpExecutionContext) -> None:
    if context.run_tags.get("test/fails"):
        raise dg.Failure("the training failed")


@dg.job
def retrain() -> None:
    fit()


def report(instance: dg.DagsterInstance, *statuses: str, first: int = 6) -> None:
    for day, status in enumerate(statuses, start=first):
        config = {"ops": {"drift_report": {"config": {"status": status}}}}
        dg.materialize([drift_report], instance=instance, partition_key=f"2026-01-{day:02}", run_config=config)


def tick(instance: dg.DagsterInstance) -> dg.RunRequest | dg.SkipReason:
    outcome = drift_alarm(dg.build_sensor_context(instance))
    assert isinstance(outcome, dg.RunRequest | dg.SkipReason)
    return outcome


def test_without_a_drift_report_nothing_happens() -> None:
    assert isinstance(tick(dg.DagsterInstance.ephemeral()), dg.SkipReason)


def test_two_alarms_in_three_windows_retrain_and_the_tags_say_why() -> None:
    instance = dg.DagsterInstance.ephemeral()
    report(instance, "ALARM", "OK", "ALARM")
    request = tick(instance)
    assert isinstance(request, dg.RunRequest)
    assert request.tags["matching/reason"] == "drift"
    assert request.tags["matching/drift_windows"] == "2026-01-06,2026-01-08"
    assert "2026-01-08 was ALARM" in request.tags["matching/why"]


def test_one_alarm_and_an_unknown_window_start_nothing() -> None:
    instance = dg.DagsterInstance.ephemeral()
    report(instance, "OK", "UNKNOWN", "ALARM")
    assert isinstance(tick(instance), dg.SkipReason)


def test_a_day_that_was_reported_again_counts_as_it_was_last_seen() -> None:
    instance = dg.DagsterInstance.ephemeral()
    report(instance, "ALARM", "ALARM", "OK")
    report(instance, "OK")
    assert isinstance(tick(instance), dg.SkipReason)


def test_repeated_ticks_ask_under_one_run_key() -> None:
    instance = dg.DagsterInstance.ephemeral()
    report(instance, "ALARM", "ALARM")
    first, second = tick(instance), tick(instance)
    assert isinstance(first, dg.RunRequest)
    assert isinstance(second, dg.RunRequest)
    assert first.run_key == second.run_key


def test_new_alarms_within_the_cooldown_start_nothing() -> None:
    instance = dg.DagsterInstance.ephemeral()
    retrain.execute_in_process(instance=instance, tags={"matching/reason": "drift"})
    report(instance, "ALARM", "ALARM")
    outcome = tick(instance)
    assert isinstance(outcome, dg.SkipReason)
    assert "cooldown" in (outcome.skip_message or "")


def test_a_retraining_for_another_reason_starts_no_cooldown() -> None:
    instance = dg.DagsterInstance.ephemeral()
    retrain.execute_in_process(instance=instance, tags={"matching/reason": "labels"})
    report(instance, "ALARM", "ALARM")
    assert isinstance(tick(instance), dg.RunRequest)


def test_a_retraining_that_failed_is_not_tried_again_within_the_cooldown() -> None:
    instance = dg.DagsterInstance.ephemeral()
    tags = {"matching/reason": "drift", "test/fails": "yes"}
    retrain.execute_in_process(instance=instance, tags=tags, raise_on_error=False)
    report(instance, "ALARM", "ALARM")
    assert isinstance(tick(instance), dg.SkipReason)


def test_drift_waits_while_a_retraining_is_under_way() -> None:
    instance = dg.DagsterInstance.ephemeral()
    report(instance, "ALARM", "ALARM")
    instance.create_run_for_job(retrain, status=dg.DagsterRunStatus.STARTED)
    assert isinstance(tick(instance), dg.SkipReason)
