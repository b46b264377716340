"""The app on a real bundle, in this process; test_runtime_process.py has it in processes of its own."""

import io
import json

import polars as pl
import pytest
from fastapi.testclient import TestClient

from matching.runtime_app import Service, create_app
from matching.runtime_output import Answer
from matching_assets.sample import sample_files

ASKED = pl.read_parquet(sample_files()["records"]).select("record_id", "name", "country", "city").head(12)
ARROW = "application/vnd.apache.arrow.stream"


@pytest.fixture(scope="module")
def client(small_scorer):
    with TestClient(create_app(Service(small_scorer))) as running:
        yield running


def test_the_endpoint_decides_as_the_scorer_does(client, small_scorer):
    answer = client.post("/invocations?top_k=20", json=ASKED.to_dicts()).json()
    assert answer["bundle_version"] == small_scorer.bundle_version
    without_id = [{k: v for k, v in one.items() if k != "decision_id"} for one in answer["decisions"]]
    assert without_id == json.loads(small_scorer.score(ASKED, top_k=20).decisions.write_json())


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


def test_arrow_in_gives_arrow_out(client):
    body = io.BytesIO()
    ASKED.write_ipc_stream(body)
    answer = client.post("/invocations", content=body.getvalue(), headers={"content-type": ARROW, "accept": ARROW})
    as_json = client.post("/invocations", json=ASKED.to_dicts()).json()["decisions"]
    assert json.loads(pl.read_ipc_stream(answer.content).write_json()) == as_json


def test_a_batch_of_many_slices_is_decided_as_its_parts_are(client):
    many = pl.concat([ASKED.with_columns(pl.col("record_id") + f"-{n}") for n in range(12)])
    batch = client.post("/invocations?reasons=false", json=many.to_dicts()).json()["decisions"]
    part = client.post("/invocations?reasons=false", json=many[95:105].to_dicts()).json()["decisions"]
    assert batch[95:105] == part


def test_bands_are_counted_in_a_header(client):
    answer = client.post("/invocations", json=ASKED.to_dicts())
    told = dict(pair.split("=") for pair in answer.headers["x-bands"].split(","))
    decisions = [one["decision"] for one in answer.json()["decisions"]]
    assert told == {band: str(decisions.count(band)) for band in ("match", "review", "no_match")}
    assert answer.headers["x-degraded"] == "0"


@pytest.mark.parametrize("name", ["Fund III 株式会社", "\u202eplc ahplA", "3", "x" * 512, "Ω" * 40, "a " * 256])
def test_an_odd_name_gets_a_decision(client, name):
    answer = client.post("/invocations", json={"name": name})
    assert answer.json()["decisions"][0]["decision"] in ("match", "review", "no_match")
