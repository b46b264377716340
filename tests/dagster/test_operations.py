"""The operations page: what it says first, that it needs nothing else, and that it tells the truth of a platform."""

import re
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from matching_assets.cli import main
from matching_assets.health import examine
from matching_assets.operations.outlook import Outlook, Traffic, traffic
from matching_assets.operations.page import headline, page
from matching_assets.operations.trends import trend
from resources.alarms import Window
from resources.alerts import Alert
from resources.board import Board
from sensors.operations import operations_board

NOW = datetime(2026, 1, 8, 3, 0, tzinfo=UTC)
QUIET = Outlook(NOW, [], {}, [], [], None, "", None, Traffic(0, None, None, None, {}), beat=NOW.timestamp() - 60)
ALERT = Alert("run:x", "WARN", "team:on-call", "docs/runbooks/run-failed.md", 3, "It failed <twice>.")


@pytest.fixture(scope="module")
def seen(platform, days) -> str:
    """The page as the newest day's asset kept it."""
    folder = platform.folders.read("operations_page", days[-1])
    return (folder / "operations.html").read_text()


def test_each_day_has_its_page_and_the_newest_is_put_up(platform, days, seen):
    assert days[-1] in seen
    assert "Records, " + days[-1] in seen
    assert Path(platform.materialisation("operations_page", days[-1]).metadata["page"].value).is_file()


def test_the_page_has_the_champion_its_certificate_and_the_last_retraining(platform, seen):
    champion = platform.registry.champion()
    assert f"version {champion.version}" in seen
    assert champion.certificate["statement"][:60] in seen
    assert "version 1: Approved" in seen


def test_every_monitor_is_on_the_page_with_its_sentence(platform, days, seen):
    for monitor in ("integrity_report", "drift_report", "prediction_report", "concept_report", "performance_report"):
        said = platform.materialisation(monitor, days[-1]).metadata["sentence"].value
        assert said.split(";")[0].replace("<", "&lt;") in seen


def test_the_page_holds_no_name_of_a_record(platform, days, seen):
    names = platform.tables.read("clean_records", days[-1])["name"].to_list()
    assert [name for name in names if len(name) > 6 and name in seen] == []


def test_the_page_needs_nothing_from_elsewhere(seen):
    assert re.findall(r"<(?:script|link|img|iframe)|(?:src|@import|url)\s*[=(]", seen) == []
    assert len(seen) < 200_000


def test_the_page_follows_the_readers_light_or_dark(seen):
    assert 'content="light dark"' in seen
    assert set(re.findall(r"#[0-9a-f]{3,6}\b", seen.split("</style>")[1])) == set()


def test_what_cannot_wait_comes_first_and_an_error_that_can_wakes_nobody():
    broken = replace(ALERT, cause="run:y", severity="ERROR")
    refused = replace(ALERT, cause="check:z", severity="ERROR", runbook="docs/runbooks/version-refused.md")
    assert headline(replace(QUIET, alerts=[ALERT]))[0] == "warn"
    assert headline(replace(QUIET, alerts=[refused]))[0] == "warn"
    assert headline(replace(QUIET, alerts=[ALERT, refused, broken]))[0] == "bad"
    shown = page(replace(QUIET, alerts=[ALERT, refused, broken]))
    assert shown.index("run:y") < shown.index("check:z") < shown.index("run:x")


def test_a_silent_daemon_is_said_where_all_would_be_well(platform):
    champion = replace(QUIET, champion=platform.registry.champion())
    assert headline(champion)[0] == "good"
    assert "daemon" in headline(replace(champion, beat=NOW.timestamp() - 1200))[1]
    assert headline(replace(champion, beat=None))[0] == "warn"


def test_an_alert_is_told_with_its_number_and_page_and_nothing_in_it_is_markup(monkeypatch):
    monkeypatch.setenv("MATCHING_RUNBOOK_URL", "https://git.example/main")
    shown = page(replace(QUIET, alerts=[ALERT]))
    assert "It failed &lt;twice&gt;." in shown
    assert '<a href="https://git.example/main/docs/runbooks/run-failed.md">' in shown


def test_an_empty_platform_has_a_page_too():
    assert "Nothing is deployed yet." in page(QUIET)


def test_traffic_is_the_last_hours_of_all_variants_that_answer():
    at = NOW.timestamp()
    targets = [("1/production/A", 10), ("1/production/B", 30), ("1/shadow/C", 500)]
    windows = [Window(at - 60, 60.0, target, n, 1, latency=(n,)) for target, n in targets]
    found = traffic(windows, at)
    assert (found.requests, found.error_share) == (40, 0.05)
    assert found.burns["availability"][0] == pytest.approx(50)


def test_a_plot_breaks_where_a_day_has_no_number():
    drawn = trend("t", ["2026-01-05", "2026-01-06", "2026-01-07"], {"a": [1.0, None, 2.0]})
    assert drawn.count("<polyline") == 2
    assert 'cy="148.0"' in trend("t", ["2026-01-05", "2026-01-06"], {"a": [0.2, 1.0]}, floor=None, least=0.9)
    assert "no numbers yet" in trend("t", ["2026-01-05"], {"a": [None]})


def test_health_sees_a_daemon_that_never_ran_and_a_heartbeat_that_is_old(platform, tmp_path):
    board = Board(home=str(tmp_path))

    def dead(now: float, instance=platform.instance) -> str:
        return " ".join(f.line for f in examine(instance, platform.resources, board, now) if f.well is False)

    assert "never heard of" in dead(1000.0)
    board.beat(1000.0, {"sensors": {"a": 1.0}, "troubles": []})
    assert "sensors" not in dead(1060.0)
    assert "last heard of 10 min ago" in dead(1600.0)
    board.beat(1600.0, {"sensors": {"a": 1.0}, "troubles": ["a is dead."]})
    assert "a is dead." in dead(1660.0)
    with dg.instance_for_test(temp_dir=str(tmp_path)) as never_ran:
        assert "no sign of life of" in dead(1660.0, never_ran)


@pytest.mark.parametrize(("minutes", "code"), [(1, 0), (20, 1)])
def test_the_command_health_ends_with_1_when_the_watcher_is_silent(minutes, code, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DAGSTER_HOME", "put back after the test")
    monkeypatch.setenv("MATCHING_HOME", "put back after the test")
    monkeypatch.setattr("matching_assets.health._daemons", lambda *_: [])
    (tmp_path / "dagster").mkdir()
    Board(home=str(tmp_path)).beat(time.time() - 60 * minutes, {"sensors": {"a": 1.0}, "troubles": []})
    assert main(["health", "--home", str(tmp_path)]) == code
    assert ("DEAD sensors: last heard of 20 min ago" in capsys.readouterr().out) == bool(code)


def test_the_sensor_puts_the_page_up_although_the_day_has_failed(platform, tmp_path):
    board = Board(home=str(tmp_path))
    resources = {**{key: platform.resources[key] for key in ("registry", "endpoint", "alerts")}, "board": board}
    with dg.build_sensor_context(platform.instance, resources=resources) as context:
        assert isinstance(operations_board(context), dg.SkipReason)
    assert "Last retrainings" in board.page.read_text()
