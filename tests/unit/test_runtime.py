import json
import logging
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import polars as pl
import pytest
from fastapi.testclient import TestClient

from matching.runtime_app import NamelessFormatter, Service, create_app
from matching.runtime_gate import Gate
from matching.runtime_input import LARGEST_BODY


class EchoScorer:
    """Scores nothing: it says what it was asked."""

    bundle_version = "v1"

    def __init__(self) -> None:
        self.asked: list[tuple[int, int, bool]] = []

    def score(self, records: pl.DataFrame, top_k: int = 50, reasons: bool = True) -> SimpleNamespace:
        self.asked.append((records.height, top_k, reasons))
        same = {"probability": 0.5, "decision": "review", "degraded": False, "bundle_version": "v1"}
        decisions = records.select("record_id", **{name: pl.lit(value) for name, value in same.items()})
        return SimpleNamespace(decisions=decisions)


@pytest.fixture
def scorer() -> EchoScorer:
    return EchoScorer()


@pytest.fixture
def client(scorer):
    with TestClient(create_app(Service(scorer)), raise_server_exceptions=False) as running:
        yield running


def test_ping_says_which_bundle_is_ready(client):
    answer = client.get("/ping")
    assert (answer.status_code, answer.json()["bundle_version"]) == (200, "v1")


def test_every_record_gets_its_decision_in_order(client):
    answer = client.post("/invocations", json=[{"name": "Alpha"}, {"record_id": "b", "name": "Beta"}])
    assert [d["record_id"] for d in answer.json()["decisions"]] == ["row-1", "b"]
    assert answer.json()["bundle_version"] == "v1"


def test_the_answer_comes_as_it_was_asked_for(client):
    answer = client.post("/invocations", json={"name": "Alpha"}, headers={"accept": "text/csv"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    header, line = answer.text.splitlines()
    assert header == "record_id,decision_id,probability,decision,degraded,bundle_version"
    assert line.startswith("row-1,")


def test_options_of_the_query_reach_the_scorer(client, scorer):
    client.post("/invocations?top_k=7&reasons=false", json={"name": "Alpha"})
    assert scorer.asked[-1] == (1, 7, False)


def test_one_bad_record_keeps_the_whole_batch_from_being_scored(client, scorer):
    answer = client.post("/invocations", json=[{"name": "Alpha"}, {"name": ""}])
    assert answer.status_code == 422
    assert answer.json() == {
        "error": "The name has no letter and no digit",
        "record": 2,
        "record_id": "row-2",
        "field": "name",
        "remedy": "Fill it in at the source.",
        "bundle_version": "v1",
    }
    assert scorer.asked == []


@pytest.mark.parametrize(
    ("method", "path", "sent", "status"),
    [
        ("POST", "/invocations", {"content": b"x" * (LARGEST_BODY + 1)}, 413),
        ("POST", "/invocations", {"content": (b"x" * 1024 for _ in range(300))}, 413),
        ("POST", "/invocations", {"content": b"Alpha", "headers": {"content-type": "text/plain"}}, 415),
        ("POST", "/invocations", {"json": {"name": "Alpha"}, "headers": {"accept": "image/png"}}, 406),
        ("POST", "/invocations?top_k=many", {"json": {"name": "Alpha"}}, 400),
        ("POST", "/invocations", {"json": {"name": "Alpha", "top_k": 0}}, 400),
        ("GET", "/invocations", {}, 405),
        ("GET", "/models", {}, 404),
    ],
)
def test_every_refusal_says_what_is_wrong_and_what_to_do(client, method, path, sent, status):
    answer = client.request(method, path, **sent)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    assert set(answer.json()) == {"error", "record", "record_id", "field", "remedy", "bundle_version"}
    assert answer.json()["error"]
    assert answer.json()["remedy"]


class SlowScorer(EchoScorer):
    """Scores when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.go, self.busy = threading.Event(), threading.Semaphore(0)

    def score(self, records: pl.DataFrame, top_k: int = 50, reasons: bool = True) -> SimpleNamespace:
        self.busy.release()
        self.go.wait(timeout=30)
        return super().score(records, top_k, reasons)


def test_what_comes_when_enough_are_waiting_is_told_to_come_again_and_the_rest_is_answered():
    scorer = SlowScorer()
    app = create_app(Service(scorer, Gate(places=1)))
    with TestClient(app) as client, ThreadPoolExecutor(1) as caller:
        first = caller.submit(client.post, "/invocations", json={"name": "Alpha"})
        assert scorer.busy.acquire(timeout=30)
        refused = client.post("/invocations", json={"name": "Beta"})
        ping = client.get("/ping")
        scorer.go.set()
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert ping.status_code == 200
        assert first.result().status_code == 200


class BrokenScorer(EchoScorer):
    def score(self, records: pl.DataFrame, top_k: int = 50, reasons: bool = True) -> SimpleNamespace:
        raise RuntimeError(f"cannot score {records['name'][0]}")


def test_a_failure_to_score_is_a_500_that_holds_no_name():
    with TestClient(create_app(Service(BrokenScorer())), raise_server_exceptions=False) as client:
        answer = client.post("/invocations", json={"name": "Secret Holdings"})
    assert answer.status_code == 500
    assert "Secret" not in answer.text
    assert answer.json()["bundle_version"] == "v1"


def test_a_logged_failure_says_where_it_was_and_holds_no_name():
    secret = "Holdings".join(["Secret ", " plc"])
    try:
        BrokenScorer().score(pl.DataFrame({"record_id": ["a"], "name": [secret]}))
    except RuntimeError:
        record = logging.LogRecord("uvicorn.error", logging.ERROR, __file__, 1, "failed", None, sys.exc_info())
    text = NamelessFormatter().format(record)
    assert "RuntimeError" in text
    assert "in score" in text
    assert secret not in text


def test_requests_are_logged_without_names(client, caplog):
    caplog.set_level(logging.DEBUG)
    client.post("/invocations", json={"record_id": "a", "name": "Secret Holdings"})
    client.post("/invocations", json={"record_id": "a", "name": "Secret\x00 Holdings"})
    assert "records=1 ms=" in caplog.text
    assert "status=422 field=name" in caplog.text
    assert "Secret" not in caplog.text


def test_openapi_describes_what_is_sent_and_what_comes_back(client):
    api = client.get("/openapi.json").json()
    operation = api["paths"]["/invocations"]["post"]
    kinds = ["application/json", "application/jsonlines", "text/csv", "application/vnd.apache.arrow.stream"]
    assert list(operation["requestBody"]["content"]) == list(operation["responses"]["200"]["content"]) == kinds
    assert {"400", "406", "413", "415", "422", "500", "503"} < set(operation["responses"])
    for status, answer in operation["responses"].items():
        expected = "Answer" if status == "200" else "Fault"
        assert answer["content"]["application/json"]["schema"]["$ref"].endswith(expected)
    json.dumps(api)
