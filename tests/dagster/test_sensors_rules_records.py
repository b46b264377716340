"""Which days are matched, and under which run key."""

import pytest

from sensors.rules.records import TakenIn, day_of, decide

DAYS = {"2026-11-19", "2026-11-20", "2026-11-21"}
A, B = "a" * 64, "b" * 64


def keys(digests: dict[str, str], taken_in: dict[str, TakenIn]) -> list[str]:
    return [request.run_key for request in decide(digests, {}, taken_in, DAYS).requests]


def test_a_first_file_asks_for_its_own_day() -> None:
    (request,) = decide({"2026-11-20.csv": A}, {}, {}, DAYS).requests
    assert (request.day, request.digest) == ("2026-11-20", A)


def test_two_files_at_once_ask_for_two_days_in_order() -> None:
    requests = decide({"2026-11-21.parquet": B, "2026-11-20.csv": A}, {}, {}, DAYS).requests
    assert [request.day for request in requests] == ["2026-11-20", "2026-11-21"]


def test_the_same_event_twice_has_the_same_run_key() -> None:
    assert keys({"2026-11-20.csv": A}, {}) == keys({"2026-11-20.csv": A}, {})


def test_a_corrected_file_has_another_run_key() -> None:
    assert keys({"2026-11-20.csv": A}, {}) != keys({"2026-11-20.csv": B}, {})


def test_content_that_the_day_was_last_read_from_is_not_read_again() -> None:
    assert keys({"2026-11-20.csv": A}, {"2026-11-20": TakenIn(A, "run1")}) == []


def test_a_correction_that_is_taken_back_runs_under_a_third_key() -> None:
    first = keys({"2026-11-20.csv": A}, {})
    second = keys({"2026-11-20.csv": B}, {"2026-11-20": TakenIn(A, "run1")})
    third = keys({"2026-11-20.csv": A}, {"2026-11-20": TakenIn(B, "run2")})
    assert len({*first, *second, *third}) == 3


def test_a_day_whose_source_was_not_recorded_is_read_again() -> None:
    assert len(keys({"2026-11-20.csv": A}, {"2026-11-20": TakenIn(None, "run1")})) == 1


@pytest.mark.parametrize(
    "name", ["2026-11-20.txt", "20261120.csv", "2026-13-01.csv", "2026-02-30.csv", "records.csv", "2026-11-20.csv.gz"]
)
def test_a_wrong_file_name_is_named_and_starts_nothing(name: str) -> None:
    decision = decide({name: A}, {}, {}, DAYS)
    assert decision.requests == ()
    assert name in decision.problems[name]


def test_a_wrong_name_does_not_keep_a_right_one_from_running() -> None:
    assert len(decide({"records.csv": A, "2026-11-20.csv": A}, {}, {}, DAYS).requests) == 1


def test_a_day_that_the_graph_does_not_know_is_named_and_starts_nothing() -> None:
    decision = decide({"2031-01-01.csv": A}, {}, {}, DAYS)
    assert decision.requests == ()
    assert "2031-01-01.csv" in decision.problems


def test_two_files_of_one_day_are_both_named_and_neither_is_taken() -> None:
    decision = decide({"2026-11-20.csv": A, "2026-11-20.parquet": B}, {}, {}, DAYS)
    assert decision.requests == ()
    assert set(decision.problems) == {"2026-11-20.csv", "2026-11-20.parquet"}


def test_a_day_is_read_from_its_file_name() -> None:
    assert day_of("2024-02-29.parquet") == "2024-02-29"
    assert day_of("2023-02-29.parquet") is None


def test_content_that_was_asked_for_is_not_asked_for_again() -> None:
    asked = decide({"2026-11-20.csv": A}, {}, {}, DAYS).asked
    assert decide({"2026-11-20.csv": A}, asked, {}, DAYS).requests == ()
    assert len(decide({"2026-11-20.csv": B}, asked, {}, DAYS).requests) == 1


def test_a_correction_taken_back_before_its_run_has_read_it_is_looked_at_again() -> None:
    asked = {"2026-11-20.csv": B}
    waiting = decide({"2026-11-20.csv": A}, asked, {"2026-11-20": TakenIn(A, "run1")}, DAYS)
    assert (waiting.requests, waiting.asked) == ((), asked)
    assert len(decide({"2026-11-20.csv": A}, asked, {"2026-11-20": TakenIn(B, "run2")}, DAYS).requests) == 1


def test_a_file_that_went_away_is_no_longer_remembered() -> None:
    assert decide({}, {"2026-11-20.csv": A}, {}, DAYS).asked == {}
