"""A process killed (SIGKILL) after any of its file operations leaves the last good version readable."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import polars as pl

from matching.files import folder_digest
from resources.alerts import Alert, LocalAlerts
from resources.registry import LocalRegistry
from resources.store import LocalStore
from resources.telemetry import LocalTelemetry

Killed = Callable[[Callable[[], object], Callable[[], object]], int]


def test_storing_a_folder_and_moving_its_pointer_survives_a_kill_at_any_point(
    tmp_path: Path, folder: Path, killed_at_every_step: Killed
) -> None:
    store = LocalStore(root=str(tmp_path / "store"))
    old = store.put_folder(folder)
    store.put_json("assets/bundle", {"digest": old})
    (folder / "manifest.json").write_text('{"version": 2}')
    new = folder_digest(folder)
    seen = set()

    def deploy() -> None:
        store.put_json("assets/bundle", {"digest": store.put_folder(folder)})

    def last_good_version_is_readable() -> None:
        pointer = store.get_json("assets/bundle")
        assert pointer is not None
        seen.add(pointer["digest"])
        assert pointer["digest"] in store.folders()
        for digest in store.folders():
            assert folder_digest(store.get_folder(digest)) == digest

    assert killed_at_every_step(deploy, last_good_version_is_readable) > 10
    assert seen == {old, new}


def test_a_kill_leaves_no_lock_behind(tmp_path: Path, killed_at_every_step: Killed) -> None:
    store = LocalStore(root=str(tmp_path / "store"))
    store.put_json("champion", {"version": 1})
    written = iter(range(2, 1000))

    def write_again() -> None:
        current = store.get_json("champion")
        store.put_json("champion", {"version": next(written)}, expected=current)

    assert killed_at_every_step(write_again, write_again) > 1


def test_a_registration_that_was_killed_is_not_there_or_complete(tmp_path: Path, killed_at_every_step: Killed) -> None:
    registry = LocalRegistry(store=LocalStore(root=str(tmp_path / "registry")))

    def register() -> int:
        return registry.register("0" * 64, {"top_1": 0.9}, {}, {}, {})

    def at_most_one_version() -> None:
        assert [(package.version, package.metrics) for package in registry.list()] in ([], [(1, {"top_1": 0.9})])

    assert killed_at_every_step(register, at_most_one_version) > 1
    assert register() == 1


def test_an_alert_that_was_torn_by_a_kill_was_not_sent(tmp_path: Path) -> None:
    alerts = LocalAlerts(path=str(tmp_path / "alerts.jsonl"))
    first = Alert("run:daily", "ERROR", "team:matching", "docs/RUNBOOK.md", 1.0, "A run failed.")
    second = Alert("check:recall", "WARN", "team:matching", "docs/RUNBOOK.md", 0.5, "Recall is low.")
    alerts.send(first)
    whole = (tmp_path / "alerts.jsonl").read_bytes()
    alerts.send(second)
    torn = (tmp_path / "alerts.jsonl").read_bytes()[: len(whole) + 20]
    (tmp_path / "alerts.jsonl").write_bytes(torn)

    assert alerts.open_alerts() == [first]
    assert alerts.send(second)
    assert alerts.open_alerts() == [second, first]


def test_a_telemetry_batch_that_was_killed_is_not_there_or_whole(tmp_path: Path, killed_at_every_step: Killed) -> None:
    telemetry = LocalTelemetry(root=str(tmp_path / "telemetry"))
    data = pl.DataFrame({"record_id": ["r1"], "probability": [0.9]})
    out = tmp_path / "batch"
    data.write_parquet(out)

    def write() -> None:
        telemetry._write("day=2024-01-31/b.parquet", out.read_bytes())

    def nothing_or_everything() -> None:
        assert telemetry.read(date(2024, 1, 31)).height in (0, 1)

    assert killed_at_every_step(write, nothing_or_everything) > 1
    assert telemetry.read(date(2024, 1, 31)).equals(data)
