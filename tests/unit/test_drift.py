import json
from datetime import date

import numpy as np
import polars as pl
import pytest

from matching import drift
from matching.drift import calibrate, take_window
from matching.records import InputError


def telemetry(rows: int, seed: int, shift: float = 0.0) -> pl.DataFrame:
    """What scoring leaves behind, drawn from one source; `shift` in standard deviations of f_name."""
    g = np.random.default_rng(seed)
    common = g.normal(size=rows)
    return pl.DataFrame(
        {
            "record_id": [f"r{i}" for i in range(rows)],
            "probability": g.beta(5, 1, rows),
            "decision": g.choice(["match", "review", "no_match"], rows, p=[0.7, 0.25, 0.05]),
            "lexical_similarity": 1 / (1 + np.exp(-common)),
            "candidate_count": np.full(rows, 50),
            "f_name": common + shift,
            "f_country": np.where(g.random(rows) < 0.3, np.nan, g.integers(0, 2, rows)),
            "f_length": g.exponential(size=rows) + 0.5 * common,
            "bundle_version": [f"v{seed}"] * rows,
        }
    )


REFERENCE = telemetry(1000, seed=0)


def compare(current: pl.DataFrame, reference: pl.DataFrame, bounds, monitor: str = "drift"):
    return drift.compare(current, reference, bounds, monitor)


@pytest.fixture(scope="module")
def bounds():
    return calibrate(REFERENCE, window=200, seed=7)


def row_of(report, column: str) -> dict:
    return report.columns.row(by_predicate=pl.col("column") == column, named=True)


@pytest.mark.slow
def test_at_most_one_quiet_window_in_a_hundred_alarms(bounds):
    quiet = [telemetry(rows, seed) for rows in (200, 500, 1000) for seed in range(1, 101)]
    alarms = [compare(current, REFERENCE, bounds).status for current in quiet].count("ALARM")
    assert alarms <= len(quiet) / 100


@pytest.mark.slow
def test_the_effect_sizes_of_quiet_windows_keep_to_their_bounds_without_the_test(bounds):
    judged = [compare(telemetry(200, seed), REFERENCE, bounds).columns for seed in range(1, 101)]
    beyond = sum((columns["effect"] > columns["bound"]).any() for columns in judged)
    assert beyond <= 3


@pytest.mark.slow
def test_one_unadjusted_test_a_column_would_cry_wolf(bounds):
    judged = [compare(telemetry(1000, seed), REFERENCE, bounds).columns for seed in range(1, 101)]
    tests = judged[0].height
    assert sum((columns["adjusted_p"] < 0.05 * tests).any() for columns in judged) > 10


def test_a_shift_of_three_tenths_of_a_standard_deviation_is_seen_in_a_thousand_rows(bounds):
    reports = [compare(telemetry(1000, seed, shift=0.3), REFERENCE, bounds) for seed in range(1, 21)]
    assert {report.status for report in reports} == {"ALARM"}
    assert {report.columns["column"][0] for report in reports} == {"f_name"}


def test_a_change_of_the_decisions_is_seen(bounds):
    current = telemetry(1000, 1).with_columns(decision=pl.lit("review"))
    report = compare(current, REFERENCE, bounds, "predictions")
    assert report.status == "ALARM"
    assert "decision (predictions)" in report.sentence
    assert "0.0% match now" in report.sentence or "100.0% review now" in report.sentence


def test_a_tiny_difference_is_no_alarm_however_certain(bounds):
    reference, current = telemetry(40_000, 0), telemetry(40_000, 1, shift=0.05)
    report = compare(current, reference, bounds)
    assert row_of(report, "f_name")["adjusted_p"] < 1e-3
    assert report.status == "OK"


def test_an_alarm_names_the_worst_column_and_its_number(bounds):
    report = compare(telemetry(1000, 1, shift=1.0), REFERENCE, bounds)
    worst = report.columns.row(0, named=True)
    assert worst["column"] == "f_name"
    assert (
        f"f_name (features) is {worst['effect']:.2f} from the reference (bound {worst['bound']:.2f}" in report.sentence
    )
    assert report.rows == 1000


def test_the_worst_columns_come_first(bounds):
    columns = compare(telemetry(1000, 1, shift=1.0), REFERENCE, bounds).columns
    assert columns["status"].to_list() == sorted(columns["status"], key=["ALARM", "UNKNOWN", "OK"].index)
    ratio = (columns["effect"] / columns["bound"]).filter(columns["status"] == "OK")
    assert ratio.is_sorted(descending=True)


def test_every_column_has_its_group(bounds):
    judged = [compare(telemetry(1000, 1), REFERENCE, bounds, monitor).columns for monitor in drift.MONITORS]
    columns = pl.concat(judged)
    assert dict(zip(columns["column"], columns["group"], strict=True)) == {
        "probability": "predictions",
        "decision": "predictions",
        "lexical_similarity": "retrieval similarity",
        "candidate_count": "retrieval similarity",
        "f_name": "features",
        "f_country": "features",
        "f_country is missing": "features",
        "f_length": "features",
    }


def test_too_few_rows_are_unknown_and_never_ok(bounds):
    report = compare(telemetry(199, 1), REFERENCE, bounds)
    assert report.status == "UNKNOWN"
    assert "199 rows" in report.sentence
    assert "200" in report.sentence


def test_too_small_a_reference_is_unknown(bounds):
    assert compare(telemetry(1000, 1), REFERENCE.head(50), bounds).status == "UNKNOWN"


def test_a_missing_column_is_unknown_and_named(bounds):
    report = compare(telemetry(1000, 1).drop("f_length"), REFERENCE, bounds)
    assert report.status == "UNKNOWN"
    assert "f_length" in report.sentence
    assert row_of(report, "f_length")["status"] == "UNKNOWN"


def test_a_missing_column_does_not_hide_an_alarm(bounds):
    report = compare(telemetry(1000, 1, shift=1.0).drop("f_length"), REFERENCE, bounds)
    assert (report.status, report.columns["column"][0]) == ("ALARM", "f_name")


def test_a_column_of_another_kind_is_unknown(bounds):
    current = telemetry(1000, 1).with_columns(pl.col("f_length").cast(pl.String))
    assert row_of(compare(current, REFERENCE, bounds), "f_length")["status"] == "UNKNOWN"


def test_a_column_that_the_reference_does_not_have_is_not_judged(bounds):
    current = telemetry(1000, 1).with_columns(f_new=pl.lit(1.0))
    assert compare(current, REFERENCE, bounds).status == "OK"


def test_a_column_that_loses_its_values_alarms(bounds):
    current = telemetry(1000, 1).with_columns(probability=pl.lit(None, pl.Float64))
    report = compare(current, REFERENCE, bounds, "predictions")
    assert (report.status, report.columns["column"][0]) == ("ALARM", "probability is missing")
    assert row_of(report, "probability")["status"] == "UNKNOWN"


def test_a_constant_column_that_stays_is_quiet(bounds):
    row = row_of(compare(telemetry(1000, 1), REFERENCE, bounds, "predictions"), "candidate_count")
    assert (row["status"], row["effect"]) == ("OK", 0.0)


def test_a_constant_column_that_changes_alarms(bounds):
    current = telemetry(1000, 1).with_columns(candidate_count=pl.lit(49))
    assert row_of(compare(current, REFERENCE, bounds, "predictions"), "candidate_count")["status"] == "ALARM"


def test_infinite_values_count_as_missing(bounds):
    current = telemetry(1000, 1).with_columns(f_length=pl.lit(float("inf")))
    assert row_of(compare(current, REFERENCE, bounds), "f_length is missing")["status"] == "ALARM"


def test_bounds_are_the_same_for_the_same_seed_and_can_be_written_as_json(bounds):
    again = json.loads(json.dumps(calibrate(REFERENCE, window=200, seed=7)))
    assert again == bounds


def test_bounds_of_smaller_windows_are_wider(bounds):
    small = calibrate(REFERENCE, window=50, seed=7)["columns"]
    assert small["f_name"] > 1.3 * bounds["columns"]["f_name"]


def test_a_reference_without_rows_cannot_be_calibrated():
    with pytest.raises(InputError, match="no rows"):
        calibrate(REFERENCE.clear(), window=200, seed=7)


DAYS = pl.DataFrame({"day": [date(2026, 3, d) for d in (2, 3, 3, 4, 5, 5, 5)], "probability": np.linspace(0, 1, 7)})


def test_a_window_is_the_day_itself_when_it_has_enough_rows():
    assert take_window(DAYS, date(2026, 3, 5), rows=3)["day"].unique().to_list() == [date(2026, 3, 5)]


def test_a_window_reaches_back_until_it_has_enough_rows():
    assert take_window(DAYS, date(2026, 3, 5), rows=5)["day"].min() == date(2026, 3, 3)
    assert take_window(DAYS, date(2026, 3, 5), rows=5).height == 6


def test_a_window_reaches_back_no_further_than_its_days():
    assert take_window(DAYS, date(2026, 3, 5), rows=100, most_days=2).height == 4


def test_a_window_holds_no_day_after_its_own():
    assert take_window(DAYS, date(2026, 3, 3), rows=100)["day"].max() == date(2026, 3, 3)


def test_a_day_without_telemetry_has_an_empty_window():
    assert take_window(DAYS, date(2026, 3, 6), rows=1).is_empty()
