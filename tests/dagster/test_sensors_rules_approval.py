"""Which version is promoted."""

from sensors.rules.approval import decide


def test_without_an_approval_nothing_is_promoted() -> None:
    assert decide([], []).version is None


def test_an_approved_version_that_was_never_in_production_is_promoted() -> None:
    assert decide([1, 2], [1]).version == 2


def test_a_version_that_was_rolled_back_does_not_come_back() -> None:
    assert decide([1, 2], [1, 2]).version is None


def test_an_older_version_that_was_passed_over_is_not_promoted() -> None:
    assert decide([1, 2], [2]).version is None


def test_the_tenth_version_is_newer_than_the_ninth() -> None:
    assert decide([9, 10], [9]).version == 10


def test_a_version_is_asked_for_under_one_run_key() -> None:
    assert decide([1], []).run_key == decide([1], [0]).run_key == "promote:1"
