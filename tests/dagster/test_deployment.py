"""The commands `promote`, `ab` and `rollback`, on a platform where one version serves."""

import pytest

from matching_assets.cli import main

pytestmark = pytest.mark.slow


@pytest.fixture
def here(platform, monkeypatch):
    """The commands find the platform's state folder."""
    for name in ("MATCHING_HOME", "DAGSTER_HOME"):
        monkeypatch.setenv(name, str(platform.home))
    return platform


def test_promoting_what_serves_changes_nothing_and_says_what_serves(here, capsys):
    before = here.registry.moves()
    assert main(["promote", "--by", "ann"]) == 0
    assert "version 1 serves at http://127.0.0.1" in capsys.readouterr().out
    assert here.registry.moves() == before


def test_a_rollback_that_is_not_possible_says_why(here, capsys):
    assert main(["rollback"]) == 1
    assert capsys.readouterr().err.strip() == "matching: there is no earlier approved champion to go back to"


def test_a_share_that_no_canary_can_have_is_refused(here, capsys):
    assert main(["promote", "--canary", "0.7"]) == 1
    assert "a share of 0.7 does not fit canary" in capsys.readouterr().err
    assert here.endpoint.describe("matching").status == "InService"


def test_without_another_approved_version_there_is_no_ab(here, capsys):
    assert [main(["ab", action]) for action in ("start", "stop", "status")] == [1, 1, 0]
    said = capsys.readouterr()
    assert "no approved version beside the champion" in said.err
    assert "no A/B is under way" in said.err
    assert said.out.strip() == "no A/B is under way"
