"""Webhooks against a real HTTP server on this machine, which can be told to refuse, to redirect, or to be gone."""

import json
import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from resources import webhooks
from resources.alerts import Alert, LocalAlerts
from resources.environment import for_environment
from resources.store import LocalStore
from resources.webhooks import ADDRESSES, PAGES, AlertsWithWebhooks

ALERT = Alert("check:labels/label_consistency:ERROR", "ERROR", "team:models", "docs/runbooks/labels.md", 0.25, "A < B.")
SECRET = "T0-B0-verysecret"


class Receiver:
    """A channel: what it was told, and how it answers."""

    def __init__(self) -> None:
        self.told: list[dict[str, object]] = []
        self.answer = 200
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if receiver.answer == 200:
                    receiver.told.append(json.loads(body))
                self.send_response(receiver.answer)
                self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/services/{SECRET}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def words(self) -> list[str]:
        return [str(message["text"]).split("*")[1] for message in self.told]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    receiver = Receiver()
    monkeypatch.setenv(ADDRESSES, receiver.url)
    yield receiver
    receiver.close()


@pytest.fixture
def alerts(tmp_path: Path) -> AlertsWithWebhooks:
    record = LocalAlerts(path=str(tmp_path / "alerts.jsonl"))
    return AlertsWithWebhooks(record=record, store=LocalStore(root=str(tmp_path / "store")))


def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a minute had passed."""
    now = time.time()
    monkeypatch.setattr(webhooks.time, "time", lambda: now + 60)


def test_a_channel_reads_severity_sentence_number_owner_and_page(alerts, receiver, monkeypatch):
    monkeypatch.setenv(PAGES, "https://git.example/matching/blob/main/")
    assert alerts.send(ALERT)

    (told,) = receiver.told
    assert told["text"] == "*ERROR* `check:labels/label_consistency:ERROR`: A &lt; B."
    fields = {field["title"]: field["value"] for field in told["attachments"][0]["fields"]}
    page = "<https://git.example/matching/blob/main/docs/runbooks/labels.md|docs/runbooks/labels.md>"
    assert fields == {"Number": "0.25", "Owner": "team:models", "Runbook": page}


def test_a_cause_is_told_once_and_that_it_is_well_again(alerts, receiver):
    assert [alerts.send(ALERT), alerts.send(ALERT), alerts.send(ALERT, again=True)] == [True, False, True]
    assert [alerts.clear(ALERT.cause), alerts.clear(ALERT.cause)] == [True, False]
    assert receiver.words() == ["ERROR", "ERROR", "cleared"]


@pytest.mark.parametrize("answer", [302, 404, 429, 500])
def test_what_a_channel_refuses_is_on_record_and_told_in_order_when_it_is_back(alerts, receiver, answer, monkeypatch):
    receiver.answer = answer
    assert alerts.send(ALERT)
    assert alerts.send(replace(ALERT, cause="run:x", severity="WARN"))
    assert [alert.cause for alert in alerts.open_alerts()] == [ALERT.cause, "run:x"]

    later(monkeypatch)
    waiting = alerts.deliver()
    assert waiting.messages == 2
    receiver.answer = 200
    assert alerts.deliver().messages == 0
    assert receiver.words() == ["ERROR", "WARN"]


def test_a_channel_that_is_gone_costs_one_attempt_and_fails_nobody(alerts, receiver, monkeypatch):
    receiver.close()
    tried = []
    monkeypatch.setattr(webhooks, "post", lambda *a, real=webhooks.post: tried.append(a) or real(*a))
    assert [alerts.send(replace(ALERT, cause=f"run:{n}")) for n in range(5)] == [True] * 5
    assert len(tried) == 1
    assert len(alerts.open_alerts()) == 5


def test_one_channel_that_is_down_does_not_keep_another_from_hearing(alerts, receiver, monkeypatch):
    monkeypatch.setenv(ADDRESSES, f"http://127.0.0.1:1/{SECRET} {receiver.url}")
    assert alerts.send(ALERT)
    assert receiver.words() == ["ERROR"]
    later(monkeypatch)
    assert alerts.deliver().messages == 1
    assert receiver.words() == ["ERROR"]


def test_a_message_that_another_thread_may_be_posting_is_left_to_it(alerts, receiver):
    receiver.answer = 500
    alerts.send(ALERT)
    receiver.answer = 200
    assert alerts.deliver().messages == 1
    assert receiver.told == []


@pytest.mark.parametrize("address", ["http://127.0.0.1:1/", "https://[::bad/", "file:///etc/passwd?", "nonsense "])
def test_the_address_is_neither_logged_nor_stored(alerts, monkeypatch, caplog, tmp_path, address):
    monkeypatch.setenv(ADDRESSES, address.strip() + SECRET)
    with caplog.at_level(logging.DEBUG):
        assert alerts.send(ALERT)
    assert "the alert waits" in caplog.text
    assert SECRET not in caplog.text
    assert [p for p in tmp_path.rglob("*") if p.is_file() and SECRET in p.read_text()] == []


def test_webhooks_stand_beside_the_record_where_addresses_are_set(monkeypatch, tmp_path):
    monkeypatch.delenv(ADDRESSES, raising=False)
    assert isinstance(for_environment("local", tmp_path)["alerts"], LocalAlerts)
    monkeypatch.setenv(ADDRESSES, f"https://hooks.example/{SECRET}")
    found = for_environment("local", tmp_path)["alerts"]
    assert isinstance(found, AlertsWithWebhooks)
    assert SECRET not in repr(found)
