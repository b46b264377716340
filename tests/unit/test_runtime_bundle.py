"""The endpoint on a real bundle, in this process and in one of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import polars as pl
import pytest
from fastapi.testclient import TestClient

import matching_assets.sample
from matching.ranker import RankerConfig
from matching.records import read_table
from matching.retrieval.encoder import EncoderConfig
from matching.runtime import create_app
from matching.runtime_output import Answer
from matching.scoring import Scorer
from matching.training import FitConfig, fit

pytestmark = pytest.mark.slow
SAMPLE = Path(matching_assets.sample.__file__).parent
RECORDS = read_table(SAMPLE / "records.parquet").head(150)
ASKED = RECORDS.select("record_id", "name", "country", "city").head(12)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Path:
    labels = read_table(SAMPLE / "labels.parquet").join(RECORDS.select("record_id"), on="record_id", how="semi")
    reference = read_table(SAMPLE / "reference.parquet")
    right = reference.join(labels.drop_nulls("reference_id"), on="reference_id", how="semi", maintain_order="left")
    near = pl.concat([right, reference.head(100)]).unique("reference_id", maintain_order=True)
    folder = tmp_path_factory.mktemp("bundles") / "bundle"
    config = FitConfig(folds=2, encoder=EncoderConfig(dim=16, steps=5), ranker=RankerConfig(trees=20))
    fit(near, RECORDS, labels, config=config, bundle=folder)
    return folder


@pytest.fixture(scope="module")
def client(bundle):
    with TestClient(create_app(bundle)) as running:
        yield running


def test_the_endpoint_decides_as_the_scorer_does(client, bundle):
    scorer = Scorer.load(bundle)
    answer = client.post("/invocations?top_k=20", json=ASKED.to_dicts()).json()
    assert answer["bundle_version"] == scorer.bundle_version
    assert answer["decisions"] == json.loads(scorer.score(ASKED, top_k=20).decisions.write_json())


def test_the_answer_is_what_openapi_says(client):
    answer = Answer.model_validate_json(client.post("/invocations", json=ASKED.to_dicts()).content, strict=True)
    assert any(decision.reasons for decision in answer.decisions)
    assert set(Answer.model_fields) == set(client.post("/invocations", json=ASKED.to_dicts()).json())


def test_a_record_is_decided_alone_as_in_a_batch(client):
    batch = client.post("/invocations", json=ASKED.to_dicts()).json()["decisions"]
    alone = client.post("/invocations", json=ASKED.row(3, named=True)).json()["decisions"]
    assert alone == [batch[3]]


def test_every_line_gets_its_line_in_order(client):
    headers = {"content-type": "application/jsonlines", "accept": "application/jsonlines"}
    answer = client.post("/invocations", content=ASKED.write_ndjson().encode(), headers=headers)
    assert [json.loads(line)["record_id"] for line in answer.text.splitlines()] == ASKED["record_id"].to_list()


def test_csv_in_gives_csv_out(client):
    headers = {"content-type": "text/csv", "accept": "text/csv"}
    answer = client.post("/invocations", content=ASKED.write_csv().encode(), headers=headers)
    assert pl.read_csv(answer.content)["record_id"].to_list() == ASKED["record_id"].to_list()


@pytest.mark.parametrize("name", ["Fund III 株式会社", "\u202eplc ahplA", "3", "x" * 512, "Ω" * 40, "a " * 256])
def test_an_odd_name_gets_a_decision(client, name):
    answer = client.post("/invocations", json={"name": name})
    assert answer.json()["decisions"][0]["decision"] in ("match", "review", "no_match")


def serving(bundle: Path, log: Path, **environment: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "matching.runtime", "serve"]
    given = {**os.environ, "SM_MODEL_DIR": str(bundle), **environment}
    with log.open("wb") as errors:
        return subprocess.Popen(command, env=given, stderr=errors)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answered(url: str, process: subprocess.Popen) -> httpx.Response:
    """The first answer of a process that is starting."""
    end = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < end:
        try:
            return httpx.get(url, timeout=5)
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError("the process never answered")


def test_the_process_serves_as_sagemaker_starts_it_and_stops_when_told_and_logs_no_name(bundle, tmp_path):
    port, log = free_port(), tmp_path / "log"
    url = f"http://127.0.0.1:{port}"
    process = serving(bundle, log, SAGEMAKER_BIND_TO_PORT=str(port))
    try:
        ping = answered(f"{url}/ping", process)
        decided = httpx.post(f"{url}/invocations", json=ASKED.to_dicts(), timeout=30)
        process.send_signal(signal.SIGTERM)
        ended = process.wait(timeout=60)
    finally:
        process.kill()
    assert (ping.status_code, decided.status_code) == (200, 200)
    assert ended in (0, -signal.SIGTERM)
    written = log.read_text()
    assert f"answered records={ASKED.height}" in written
    assert not [name for name in ASKED["name"] if name in written]


def test_a_bundle_that_was_altered_is_not_served(bundle, tmp_path):
    torn = tmp_path / "bundle"
    subprocess.run(["cp", "-r", str(bundle), str(torn)], check=True)
    (torn / "calibration.json").write_text("{}")
    log = tmp_path / "log"
    assert serving(torn, log, SAGEMAKER_BIND_TO_PORT=str(free_port())).wait(timeout=120) == 3
    assert "calibration.json" in log.read_text()
