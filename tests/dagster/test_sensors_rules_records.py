"""Which days are matched, and under which run key."""

from collections.abc import Mapping
from datetime import UTC, datetime, time

import pytest

from sensors.rules.records import Day, Decision, day_of, decide, missing

DAYS = {"2026-11-19", "2026-11-20", "2026-11-21"}
A, B = "a" * 64, "b" * 64


def decided(
    digests: dict[str, str],
    asked: Mapping[str, str] | None = None,
    known: dict[str, Day] | None = None,
    serving: bool = True,
) -> Decision:
    return decide(digests, asked or {}, known or {}, DAYS, serving)


def keys(digests: dict[str, str], known: dict[str, Day] | None = None, serving: bool = True) -> list[str]:
    return [request.run_key for request in decided(digests, known=known, serving=serving).requests]


def matched(digest: str | None, run_id: str) -> dict[str, Day]:
    return {"2026-11-20": Day(digest, run_id, matched=True)}


def test_a_first_file_asks_for_its_own_day() -> None:
    (request,) = decided({"2026-11-20.csv": A}).requests
    assert (request.day, request.matching) == ("2026-11-20", True)


def test_two_files_at_once_ask_for_two_days_in_order() -> None:
    requests = decided({"2026-11-21.parquet": B, "2026-11-20.csv": A}).requests
    assert [request.day for request in requests] == ["2026-11-20", "2026-11-21"]


def test_the_same_event_twice_has_the_same_run_key() -> None:
    assert keys({"2026-11-20.csv": A}) == keys({"2026-11-20.csv": A})


def test_a_corrected_file_has_another_run_key() -> None:
    assert keys({"2026-11-20.csv": A}) != keys({"2026-11-20.csv": B})


def test_content_that_the_day_was_last_read_from_is_not_read_again() -> None:
    assert keys({"2026-11-20.csv": A}, matched(A, "run1")) == []


def test_a_correction_that_is_taken_back_runs_under_a_third_key() -> None:
    first = keys({"2026-11-20.csv": A})
    second = keys({"2026-11-20.csv": B}, matched(A, "run1"))
    third = keys({"2026-11-20.csv": A}, matched(B, "run2"))
    assert len({*first, *second, *third}) == 3


def test_a_day_whose_source_was_not_recorded_is_read_again() -> None:
    assert len(keys({"2026-11-20.csv": A}, matched(None, "run1"))) == 1


@pytest.mark.parametrize(
    "name", ["2026-11-20.txt", "20261120.csv", "2026-13-01.csv", "2026-02-30.csv", "records.csv", "2026-11-20.csv.gz"]
)
def test_a_wrong_file_name_is_named_and_starts_nothing(name: str) -> None:
    decision = decided({name: A})
    assert decision.requests == ()
    assert name in decision.problems[name]


def test_a_wrong_name_does_not_keep_a_right_one_from_running() -> None:
    assert len(decided({"records.csv": A, "2026-11-20.csv": A}).requests) == 1


def test_a_day_that_the_graph_does_not_know_is_named_and_starts_nothing() -> None:
    decision = decided({"2031-01-01.csv": A})
    assert decision.requests == ()
    assert "2031-01-01.csv" in decision.problems


def test_two_files_of_one_day_are_both_named_and_neither_is_taken() -> None:
    decision = decided({"2026-11-20.csv": A, "2026-11-20.parquet": B})
    assert decision.requests == ()
    assert set(decision.problems) == {"2026-11-20.csv", "2026-11-20.parquet"}


def test_a_day_is_read_from_its_file_name() -> None:
    assert day_of("2024-02-29.parquet") == "2024-02-29"
    assert day_of("2023-02-29.parquet") is None


def test_content_that_was_asked_for_is_not_asked_for_again() -> None:
    asked = decided({"2026-11-20.csv": A}).asked
    assert decided({"2026-11-20.csv": A}, asked).requests == ()
    assert len(decided({"2026-11-20.csv": B}, asked).requests) == 1


def test_a_correction_taken_back_before_its_run_has_read_it_is_looked_at_again() -> None:
    asked = {"2026-11-20.csv": B}
    waiting = decided({"2026-11-20.csv": A}, asked, matched(A, "run1"))
    assert (waiting.requests, waiting.asked) == ((), asked)
    assert len(decided({"2026-11-20.csv": A}, asked, matched(B, "run2")).requests) == 1


def test_a_file_that_went_away_is_no_longer_remembered() -> None:
    assert decided({}, {"2026-11-20.csv": A}).asked == {}


def test_before_the_first_deployment_a_day_is_taken_in_only() -> None:
    (request,) = decided({"2026-11-20.csv": A}, serving=False).requests
    assert not request.matching


def test_a_day_that_was_taken_in_is_matched_once_a_version_serves() -> None:
    digests = {"2026-11-20.csv": A}
    taken_in = {"2026-11-20": Day(A, "run1", matched=False)}
    first = decided(digests, serving=False)
    waiting = decided(digests, first.asked, taken_in, serving=False)
    (request,) = decided(digests, waiting.asked, taken_in, serving=True).requests
    assert waiting.requests == ()
    assert request.matching
    assert request.run_key != first.requests[0].run_key


def test_a_day_whose_run_failed_is_not_tried_again_by_itself() -> None:
    digests = {"2026-11-20.csv": A}
    failed = {"2026-11-20": Day(A, "run1", matched=False)}
    assert decided(digests, decided(digests).asked, failed).requests == ()


def test_a_day_that_was_matched_by_hand_after_its_intake_is_not_matched_again() -> None:
    digests = {"2026-11-20.csv": A}
    decision = decided(digests, decided(digests, serving=False).asked, matched(A, "run1"))
    assert (decision.requests, decision.asked) == ((), digests)


WEEK = [f"2026-01-{day:02}" for day in (5, 6, 7, 8, 9)]
EIGHT = time(20, 0)


@pytest.mark.parametrize(
    ("hour", "read", "landed", "rings"),
    [
        (20, WEEK[:4], [], True),
        (19, WEEK[:4], [], False),  # before its deadline
        (20, WEEK, [], False),
        (20, WEEK[:4], WEEK[4:], False),  # it is there, and about to be read
        (20, [], [], False),  # a platform that never had a feed
    ],
)
def test_a_day_whose_file_has_not_come_by_its_deadline_is_told(hour, read, landed, rings):
    said = missing(WEEK, read, landed, datetime(2026, 1, 9, hour, tzinfo=UTC), EIGHT)
    assert bool(said) == rings


def test_only_the_newest_day_that_is_due_is_asked_for():
    assert missing(WEEK, [WEEK[3], WEEK[4]], [], datetime(2026, 1, 9, 21, tzinfo=UTC), EIGHT) == ""
    assert WEEK[3] in missing(WEEK, WEEK[:3], [], datetime(2026, 1, 9, 19, tzinfo=UTC), EIGHT)
