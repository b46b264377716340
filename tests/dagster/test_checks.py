"""Each check closes on bad input. Days are taken in on a platform of their own; other checks are asked as functions."""

import dagster as dg
import polars as pl
import pytest

from matching.review import ReviewPlan, is_audited, review_queue
from matching.verdicts import VERDICTS
from matching_assets.checks.features import candidate_recall
from matching_assets.checks.monitoring import matches_turn_out_right, no_drift
from matching_assets.checks.records import nothing_lost
from matching_assets.checks.reference import identifiers_valid, label_consistency, reference_unique
from matching_assets.checks.review import audit_is_random, review_fits_capacity, reviewers_agree
from matching_assets.checks.serving import few_without_candidate
from matching_assets.jobs import INTAKE
from matching_assets.settings import Review


@pytest.fixture
def intake(new_platform):
    """A platform of its own on which one day has landed."""
    platform = new_platform()
    platform.land(
        "records/2026-01-05", pl.DataFrame({"record_id": ["1", "2", "3"], "name": ["IBM", "Apple Inc", "SAP"]})
    )
    return platform


def failed_checks(result):
    return {found.check_name: found for found in result.get_asset_check_evaluations() if not found.passed}


def test_a_file_that_is_mostly_broken_is_not_matched(intake):
    intake.land("records/2026-01-05", pl.DataFrame({"record_id": ["1", "2", "3"], "name": ["IBM", "", "-"]}))
    result = intake.run("daily_matching", "2026-01-05", INTAKE)
    failed = failed_checks(result)
    assert not result.success
    assert failed["guardrails_share"].blocking
    assert "33.3%" in failed["guardrails_share"].description


def test_a_file_with_a_few_bad_rows_warns_and_goes_on(intake):
    names = [f"Company {n}" for n in range(9)] + [""]
    intake.land("records/2026-01-05", pl.DataFrame({"record_id": list("0123456789"), "name": names}))
    result = intake.run("daily_matching", "2026-01-05", INTAKE)
    assert result.success
    assert failed_checks(result)["quarantine_share"].severity is dg.AssetCheckSeverity.WARN


def test_a_file_of_another_size_than_usual_warns(intake):
    for day in ("2026-01-06", "2026-01-07"):
        rows = [str(n) for n in range(100)]
        intake.land(f"records/{day}", pl.DataFrame({"record_id": rows, "name": [f"Company {n}" for n in rows]}))
        assert intake.run("daily_matching", day, INTAKE).success
    result = intake.run("daily_matching", "2026-01-05", INTAKE)
    assert result.success
    assert "0.03 times the median of 2 other days" in failed_checks(result)["usual_volume"].description


def test_a_quarantined_row_is_kept_with_its_rule_and_its_row(intake):
    intake.land("records/2026-01-05", pl.DataFrame({"record_id": ["1", "2", "3"], "name": ["IBM", "", "SAP"]}))
    assert intake.run("daily_matching", "2026-01-05", INTAKE).success
    rows = intake.tables.read("quarantined_records", "2026-01-05").select("record_id", "row", "rule").rows()
    assert rows == [("2", 2, "name_present")]


def test_a_day_without_a_file_fails_with_what_to_deliver(intake):
    result = intake.run("daily_matching", "2026-01-06", INTAKE)
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "Deliver records/2026-01-06.csv" in str(failure.event_specific_data.error)


def test_rows_that_vanish_are_found():
    found = nothing_lost(delivered=2, clean=1, quarantined=0)
    assert (found.passed, found.metadata["lost"].value) == (False, 1)


def test_a_reference_whose_identifiers_are_wrong_is_refused():
    reference = pl.DataFrame({"reference_id": ["a", "b"], "name": ["IBM", "SAP"], "lei": ["5493001KJTIIGC8Y1R12", "X"]})
    found = identifiers_valid(reference)
    assert not found.passed
    assert "1 for an identifier" in found.description


def test_a_reference_id_that_stands_for_two_entities_is_found():
    master = pl.DataFrame({"reference_id": ["a", "b"], "merged_ids": [["b"], []]})
    assert not reference_unique(master).passed


def labels_of(answers: list[str | None]) -> tuple[pl.DataFrame, pl.LazyFrame, pl.DataFrame]:
    """Labels of as many records, records with two names in turn, and a master of two references."""
    ids = [str(n) for n in range(len(answers))]
    labels = pl.DataFrame(
        {"record_id": ids, "reference_id": answers}, schema={"record_id": pl.String, "reference_id": pl.String}
    )
    records = pl.LazyFrame({"record_id": ids, "name": ["IBM" if n % 2 else "SAP" for n in range(len(ids))]})
    return labels, records, pl.DataFrame({"reference_id": ["a", "b"], "merged_ids": [["c"], []]})


@pytest.mark.parametrize(
    ("answers", "passed"),
    [
        (["a", "b"] * 60, True),
        (["c", "b"] * 60, True),
        (["a", "b"] * 40, False),
        (["a", "stranger"] * 60, False),
        (["a", "b"] * 59 + ["b", None], False),
    ],
    ids=["good", "merged id", "too few", "unknown reference", "one name, two answers"],
)
def test_labels_that_contradict_themselves_are_not_learnt_from(answers, passed):
    assert label_consistency(*labels_of(answers)).passed is passed


def test_a_retrieval_that_loses_right_references_stops_the_training():
    labels = pl.DataFrame({"record_id": ["1", "2"], "reference_id": ["a", "b"]})
    pairs = pl.DataFrame({"record_id": ["1"], "reference_id": ["a"], "rank": [1]})
    assert candidate_recall(pairs, labels).metadata["recall"].value == 0.5
    assert not candidate_recall(pairs, labels).passed


def test_a_day_full_of_records_without_candidates_warns():
    decisions = pl.DataFrame({"reference_id": [None, "a", "a"]})
    assert not few_without_candidate(decisions).passed


def test_a_column_that_drifted_warns():
    rows = [("name_length", "ALARM", 0.4, "mean 12"), ("f_core", "OK", 0.1, "mean 0.5")]
    report = pl.DataFrame(rows, schema=["column", "status", "effect", "current"], orient="row")
    found = no_drift(report)
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "name_length" in found.description


def test_matches_that_turn_out_wrong_warn():
    quality = pl.DataFrame({"band": ["match"], "records": [100], "errors": [3]})
    assert not matches_turn_out_right(quality).passed


def decided_matches(ids):
    return pl.DataFrame({"record_id": ids}).with_columns(
        reference_id=pl.lit("A"), probability=0.99, decision=pl.lit("match"), runner_up_id=pl.lit("B"),
        runner_up_probability=0.0, bundle_version=pl.lit("v"),
    )  # fmt: skip


def queued(decisions):
    return review_queue(decisions, ReviewPlan()).with_columns(day=pl.date(2026, 1, 7))


NO_LABELS = pl.DataFrame(schema={"record_id": pl.String, "reference_id": pl.String})


def test_an_audit_that_lost_a_record_warns():
    decisions = decided_matches([f"r{n}" for n in range(2000)])
    queue = queued(decisions)
    assert audit_is_random(queue, decisions, NO_LABELS, Review()).passed
    failed = audit_is_random(queue.tail(-1), decisions, NO_LABELS, Review())
    assert not failed.passed
    assert "1 are not in the queue" in failed.description


def test_record_ids_that_were_chosen_to_avoid_the_audit_are_seen():
    decisions = decided_matches([f"r{n}" for n in range(2000)])
    chosen = decisions.filter(~pl.Series(is_audited(decisions, ReviewPlan())))
    assert not audit_is_random(queued(chosen), chosen, NO_LABELS, Review()).passed


def test_a_queue_that_people_cannot_finish_warns():
    queue = queued(decided_matches([f"r{n}" for n in range(2000)]))
    assert review_fits_capacity(queue, Review()).passed
    assert not review_fits_capacity(queue, Review(capacity=10)).passed


@pytest.mark.parametrize(("apart", "passed"), [(2, True), (20, False)])
def test_people_who_do_not_agree_with_one_another_warn(apart, passed):
    def verdict(n, who):
        yes = n % 2 ^ (who == "b" and n < apart)
        shown = {"record_id": f"r{n}", "reviewer": who, "reviewers": 2, "shown_reference_id": "A"}
        return shown | ({"verdict": "yes", "reference_id": "A"} if yes else {"verdict": "none"})

    given = pl.DataFrame([verdict(n, who) for n in range(40) for who in "ab"], schema=VERDICTS)
    assert reviewers_agree(given).passed == passed
