"""The client against a server that answers as it is told."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from matching.client import Client, RefusedError, UnreachableError

ANSWER = {"bundle_version": "v1", "decisions": []}


class Told(BaseHTTPRequestHandler):
    """Answers with the next of `statuses`; 0 closes the connection."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.server.seen.append((dict(self.headers), self.rfile.read(int(self.headers["content-length"]))))
        status = self.server.statuses.pop(0) if self.server.statuses else 200
        if status == 0:
            self.close_connection = True
            return
        body = json.dumps(ANSWER if status == 200 else {"error": "no", "field": "name"}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if status == 429:
            self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Told) as running:
        running.statuses, running.seen = [], []
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def client(server: ThreadingHTTPServer, **more: object) -> Client:
    return Client(f"http://127.0.0.1:{server.server_port}", seconds=5, **more)


@pytest.mark.parametrize("first", [0, 429, 503, 502])
def test_what_says_not_now_is_sent_again_with_the_same_id_and_body(server, first):
    server.statuses = [first, first]
    assert client(server, api_key="k").decide([{"name": "Alpha"}], top_k=7) == ANSWER
    assert len(server.seen) == 3
    assert len({(headers["X-Request-Id"], body) for headers, body in server.seen}) == 1
    assert server.seen[0][0]["X-Api-Key"] == "k"
    assert json.loads(server.seen[0][1]) == {"records": [{"name": "Alpha"}], "top_k": 7, "reasons": True}


@pytest.mark.parametrize("status", [400, 401, 413, 422, 500])
def test_what_is_refused_is_not_sent_again_and_says_why(server, status):
    server.statuses = [status]
    with pytest.raises(RefusedError, match="no") as caught:
        client(server).decide([{"name": ""}], request_id="mine")
    assert (caught.value.status, caught.value.fault["field"], caught.value.request_id) == (status, "name", "mine")
    assert len(server.seen) == 1


def test_a_server_that_never_answers_is_given_up(server):
    server.statuses = [503] * 9
    with pytest.raises(UnreachableError, match="after 2 tries"):
        client(server, tries=2).decide([{"name": "Alpha"}])
    assert len(server.seen) == 2
