"""Which version is promoted."""

from sensors.rules.approval import decide


def test_without_an_approval_nothing_is_promoted() -> None:
    assert decide([], []).version is None


def test_an_approved_version_that_was_never_deployed_is_promoted() -> None:
    assert decide(["v1", "v2"], ["v1"]).version == "v2"


def test_a_version_that_was_rolled_back_does_not_come_back() -> None:
    assert decide(["v1", "v2"], ["v1", "v2", "v1"]).version is None


def test_an_older_approved_version_is_not_taken_for_the_newest() -> None:
    assert decide(["v1", "v2"], ["v2"]).version is None


def test_a_version_is_asked_for_under_one_run_key() -> None:
    assert decide(["v1"], []).run_key == decide(["v1"], ["v0"]).run_key == "promote:v1"
