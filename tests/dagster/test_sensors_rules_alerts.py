"""What is alerted on, how loudly, and how often."""

from dataclasses import replace

from sensors.rules import checks, failures
from sensors.rules.checks import Evaluation
from sensors.rules.failures import EndedRun
from sensors.rules.troubles import REMIND_SECONDS, Clear, Decision, Finding, Tell, decide

RUN = EndedRun(
    "0123456789ab",
    "daily_matching",
    succeeded=False,
    at=10,
    partition="2026-11-20",
    step="match_decisions",
    error="OSError",
)
CHECK = Evaluation("ranker", "precision_gate", passed=False, severity="ERROR", at=10, description="Precision is 0.97.")


def failed(run: EndedRun) -> Finding:
    finding = failures.finding_of(run)
    assert finding is not None
    return finding


def told(decision: Decision) -> list[Tell]:
    return [action for action in decision.actions if isinstance(action, Tell)]


def causes(decision: Decision) -> list[str]:
    return [tell.finding.cause for tell in told(decision)]


def test_a_failed_run_is_told_with_its_job_day_step_and_class_of_error() -> None:
    sentence = failed(RUN).sentence
    assert all(word in sentence for word in ("daily_matching", "2026-11-20", "match_decisions", "OSError", "01234567"))


def test_a_run_that_failed_before_any_step_is_told_too() -> None:
    assert "before its first step" in failed(replace(RUN, step=None, error=None)).sentence


def test_a_run_that_will_be_retried_is_not_told() -> None:
    assert failures.finding_of(replace(RUN, will_retry=True)) is None


def test_a_run_that_a_blocking_check_stopped_is_left_to_the_alert_of_that_check() -> None:
    assert failures.finding_of(replace(RUN, error=failures.CHECK_FAILED)) is None


def test_thirty_failures_of_one_cause_ring_once_and_are_counted() -> None:
    decision = decide([failed(replace(RUN, partition=f"day {i}", at=i)) for i in range(30)], {})
    assert [tell.count for tell in told(decision)] == [30]


def test_another_step_or_error_is_another_cause() -> None:
    runs = [RUN, replace(RUN, step="drift_report"), replace(RUN, error="KeyError")]
    assert len(causes(decide([failed(run) for run in runs], {}))) == 3


def test_an_open_cause_does_not_ring_again_until_the_reminder_is_due() -> None:
    opened = decide([failed(RUN)], {}).open
    assert told(decide([failed(replace(RUN, at=RUN.at + REMIND_SECONDS - 1))], opened)) == []
    (reminder,) = told(decide([failed(replace(RUN, at=RUN.at + REMIND_SECONDS))], opened))
    assert reminder.again


def test_a_success_clears_the_causes_of_its_own_job_only() -> None:
    opened = decide([failed(RUN), failed(replace(RUN, job="retrain"))], {}).open
    decision = decide([Finding("run:daily_matching:", at=20)], opened)
    assert decision.actions == (Clear("run:daily_matching:match_decisions:OSError"),)
    assert list(decision.open) == ["run:retrain:match_decisions:OSError"]


def test_a_failure_that_is_well_again_by_the_next_look_is_told_and_then_cleared() -> None:
    actions = decide([Finding("run:daily_matching:", at=20), failed(RUN)], {}).actions
    assert [type(action) for action in actions] == [Tell, Clear]


def test_a_failure_after_a_success_rings_again() -> None:
    opened = decide([failed(RUN)], {}).open
    again = [failed(replace(RUN, at=30)), Finding("run:daily_matching:", at=20)]
    assert len(causes(decide(again, opened))) == 1


def test_a_backfill_of_an_earlier_day_does_not_close_the_trouble_of_a_later_one() -> None:
    opened = decide([failed(replace(RUN, partition=day)) for day in ("2026-11-18", "2026-11-20")], {}).open
    assert decide([Finding("run:daily_matching:", at=20, day="2026-11-19")], opened).actions == ()
    assert len(decide([Finding("run:daily_matching:", at=20, day="2026-11-20")], opened).actions) == 1


def test_a_failed_check_is_told_with_its_severity_owner_and_own_sentence() -> None:
    finding = checks.finding_of(CHECK)
    assert (finding.severity, finding.owner) == ("ERROR", "team:model-risk")
    assert all(words in finding.sentence for words in ("Precision is 0.97.", "it blocks what follows"))


def test_a_warning_says_that_nothing_is_blocked() -> None:
    finding = checks.finding_of(replace(CHECK, severity="WARN"))
    assert (finding.severity, "nothing is blocked" in finding.sentence) == ("WARN", True)


def test_a_check_that_fails_for_many_days_rings_once() -> None:
    findings = [checks.finding_of(replace(CHECK, partition=f"2026-11-{day}", at=day)) for day in range(10, 20)]
    assert causes(decide(findings, {})) == ["check:ranker/precision_gate:ERROR"]


def test_a_warning_that_turns_into_an_error_rings_again() -> None:
    opened = decide([checks.finding_of(replace(CHECK, severity="WARN"))], {}).open
    assert causes(decide([checks.finding_of(replace(CHECK, at=20))], opened)) == ["check:ranker/precision_gate:ERROR"]


def test_a_check_that_passes_again_closes_its_cause_and_no_other() -> None:
    opened = decide([checks.finding_of(CHECK), checks.finding_of(replace(CHECK, check="precision_gate_2"))], {}).open
    closed = decide([checks.finding_of(replace(CHECK, passed=True, at=20))], opened).open
    assert list(closed) == ["check:ranker/precision_gate_2:ERROR"]
