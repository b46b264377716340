"""Serving as it runs: a supervisor, a generation and two workers, with telemetry and metrics switched on.

The processes are started once; tests swap bundles and kill workers, and each leaves a serving process behind.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import polars as pl
import psutil
import pytest

from matching.bundle import read_manifest
from matching.files import write_json
from matching.runtime_control import ControlError, rollback, status, swap
from matching_assets.sample import sample_files

pytestmark = pytest.mark.slow
ASKED = pl.read_parquet(sample_files()["records"]).select("record_id", "name", "country", "city").head(12)
CANARY = "Zyxwvut Kanarienvogel"


@dataclass(frozen=True)
class Serving:
    """A running server: where it answers, what it was started with, and where it writes."""

    url: str
    root: Path
    process: subprocess.Popen[bytes]

    @property
    def control(self) -> Path:
        return self.root / "control"

    def ask(self, body: object = None, **headers: str) -> httpx.Response:
        body = ASKED.to_dicts() if body is None else body
        return httpx.post(f"{self.url}/invocations", json=body, headers=headers, timeout=30)

    def workers(self) -> list[psutil.Process]:
        return psutil.Process(status(self.control)["serving"]["pid"]).children()

    def written(self) -> str:
        """Everything that it wrote: logs, metrics, telemetry, control files."""
        files = [path for path in self.root.rglob("*") if path.is_file() and "bundle" not in str(path)]
        return "".join(
            pl.read_parquet(path).write_csv() if path.suffix == ".parquet" else path.read_text() for path in files
        )


def until(true, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/ping", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(root: Path, bundle: Path, *more: str) -> Serving:
    port = free_port()
    command = [sys.executable, "-m", "matching.runtime", "serve", "--port", str(port), "--control", root / "control"]
    given = {
        "SM_MODEL_DIR": str(bundle), "MATCHING_TELEMETRY_DIR": str(root / "telemetry"),
        "MATCHING_TOKEN_KEY": "2026a:secret", "MATCHING_METRICS": "emf",
    }  # fmt: skip
    with (root / "log").open("wb") as log, (root / "out").open("wb") as out:
        process = subprocess.Popen(list(map(str, [*command, *more])), env=os.environ | given, stdout=out, stderr=log)
    return Serving(f"http://127.0.0.1:{port}", root, process)


@pytest.fixture(scope="module")
def serving(small_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    running = start(tmp_path_factory.mktemp("serving"), small_bundle, "--workers", "2")
    try:
        until(partial(answers, running.url))
        until((running.control / "status.json").exists, 10)
        yield running
    finally:
        running.process.send_signal(signal.SIGTERM)
        running.process.wait(timeout=40)


@pytest.fixture(scope="module")
def other(small_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of the same parts and another version."""
    folder = Path(shutil.copytree(small_bundle, tmp_path_factory.mktemp("other") / "bundle"))
    content = json.loads((folder / "manifest.json").read_text())
    content["facts"]["note"] = "another"
    write_json(folder / "manifest.json", content)
    return folder


def test_a_second_worker_costs_less_than_a_fifth_of_the_first(serving):
    serving.ask()
    generation = psutil.Process(status(serving.control)["serving"]["pid"])
    of_all = sum(one.memory_full_info().pss for one in [generation, *serving.workers()])
    second = min(one.memory_full_info().uss for one in serving.workers())
    assert second < 0.2 * (of_all - second)


def test_a_repeated_question_has_the_same_decision_ids_on_any_worker(serving):
    given = [tuple(one["decision_id"] for one in serving.ask().json()["decisions"]) for _ in range(6)]
    assert len(set(given)) == 1
    assert len(set(given[0])) == ASKED.height


def test_no_request_fails_while_a_bundle_is_swapped_and_rolled_back_and_each_answer_names_its_bundle(
    serving, small_bundle, other
):
    """On a kept connection, which the retiring workers ask to close."""
    first, second = read_manifest(small_bundle).version, read_manifest(other).version

    def swap_and_roll_back() -> str:
        swap(serving.control, other)
        between = serving.ask().headers["x-bundle-version"]
        rollback(serving.control)
        return between

    with ThreadPoolExecutor(1) as operator, httpx.Client(base_url=serving.url, timeout=30) as client:
        between, answers = operator.submit(swap_and_roll_back), []
        while not between.done():
            answers.append(client.post("/invocations?reasons=false", json={"name": "Alpha Holdings"}))
            time.sleep(0.02)
    assert {one.status_code for one in answers} == {200}
    assert between.result() == second
    assert serving.ask().headers["x-bundle-version"] == first
    told = {(one.headers["x-bundle-version"], one.json()["bundle_version"]) for one in answers}
    assert told == {(first, first), (second, second)}
    assert len({(one.json()["decisions"][0]["decision_id"], one.json()["bundle_version"]) for one in answers}) == 2


def test_a_torn_bundle_is_refused_and_the_last_good_one_serves(serving, small_bundle, tmp_path):
    bad = Path(shutil.copytree(small_bundle, tmp_path / "bundle"))
    (bad / "ranker.ubj").write_bytes((bad / "ranker.ubj").read_bytes()[:-100])
    before = httpx.get(f"{serving.url}/ping").json()["bundle_version"]
    with pytest.raises(ControlError, match=r"ranker\.ubj"):
        swap(serving.control, bad)
    ping = httpx.get(f"{serving.url}/ping")
    assert (ping.status_code, ping.json()["bundle_version"]) == (200, before)
    assert ping.json()["refused"]["bundle"] == str(bad)
    assert serving.ask().headers["x-bundle-version"] == before


def test_a_worker_that_is_killed_is_replaced(serving):
    killed = serving.workers()[0]
    killed.kill()
    until(lambda: len({one.pid for one in serving.workers()} - {killed.pid}) == 2)
    assert {serving.ask().status_code for _ in range(4)} == {200}


def test_workers_answer_on_when_their_parent_is_killed_and_are_replaced(serving):
    parent = psutil.Process(status(serving.control)["serving"]["pid"])
    parent.kill()
    assert serving.ask().status_code == 200
    until(lambda: status(serving.control)["serving"]["pid"] != parent.pid)
    assert serving.ask().status_code == 200


def test_metrics_of_all_workers_add_up(serving):
    def counted() -> float:
        lines = httpx.get(f"{serving.url}/metrics").text.splitlines()
        return sum(float(line.split()[1]) for line in lines if line.startswith('matching_requests_total{status="200"}'))

    before = counted()
    for _ in range(8):
        serving.ask()
    until(lambda: counted() >= before + 8, 10)


def test_nothing_of_a_record_is_ever_written(serving):
    fields = {"record_id": CANARY, "name": CANARY, "country": CANARY, "website": CANARY, "lei": CANARY, CANARY: CANARY}
    sent = [
        serving.ask(fields),
        serving.ask({**fields, "name": CANARY + "\x00"}),
        serving.ask({**fields, "city": {CANARY: 1}}),
        serving.ask({**fields, "top_k": CANARY}),
        serving.ask([fields, fields]),
        httpx.post(f"{serving.url}/invocations?top_k={CANARY}", content=CANARY, headers={"content-type": CANARY}),
        httpx.post(f"{serving.url}/{CANARY}", json=fields, headers={"x-request-id": CANARY, "x-api-key": CANARY}),
    ]
    assert [answer.status_code for answer in sent] == [200, 422, 422, 400, 422, 400, 404]
    until(lambda: list((serving.root / "telemetry").rglob("*.parquet")), 10)
    time.sleep(2.5)  # until the spool has written again
    written = serving.written() + httpx.get(f"{serving.url}/metrics").text
    assert "matching_requests_total" in written
    assert "2026a." in written
    assert "CloudWatchMetrics" in written
    for word in CANARY.split():
        assert word.lower() not in written.lower()


def test_telemetry_is_what_the_telemetry_store_takes(serving):
    from resources.telemetry import check_columns

    serving.ask()
    until(lambda: list((serving.root / "telemetry").rglob("*.parquet")), 10)
    frames = [pl.read_parquet(path) for path in (serving.root / "telemetry").glob("day=*/*.parquet")]
    for frame in frames:
        check_columns(frame)
    assert all(one.startswith("2026a.") for frame in frames for one in frame["record_id"])


def test_a_process_stops_when_told_and_refuses_a_torn_bundle_at_the_start(small_bundle, tmp_path):
    torn = Path(shutil.copytree(small_bundle, tmp_path / "bundle"))
    (torn / "calibration.json").write_text("{}")
    refused = start(tmp_path, torn)
    assert refused.process.wait(timeout=60) == 3
    assert "calibration.json" in (tmp_path / "log").read_text()
