"""A client of the endpoint: with an API key, or with a function that signs (`resources.signing` does for SageMaker).

    Client("http://127.0.0.1:8080", api_key="...").decide([{"record_id": "1", "name": "IBM"}])

A request may be sent again without harm: the same records to the same bundle have the same decision ids, so an answer
that comes twice is one. It is sent again when the connection broke or timed out, and on 429 and 503, a few times, with
full jitter (Brooker, "Exponential Backoff and Jitter"), and never sooner than Retry-After asks. What is wrong with a
request stays wrong, so other refusals are not repeated. All attempts carry one request id.
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

AGAIN = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, 424)
"""Statuses that say "not now". 424 is SageMaker's for a container that did not answer."""
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 5.0  # seconds
Sign = Callable[[str, bytes, dict[str, str]], Mapping[str, str]]


class RefusedError(RuntimeError):
    """The endpoint refused. `status`, `request_id`, and `fault`: its answer, with the record, the field, the remedy."""

    def __init__(self, status: int, fault: dict[str, Any], request_id: str) -> None:
        super().__init__(f"{status}: {fault.get('error', 'no reason given')} ({request_id})")
        self.status, self.fault, self.request_id = status, fault, request_id


class UnreachableError(RuntimeError):
    """No answer within the tries; whether it was decided is not known, and asking again does no harm."""


@dataclass
class Client:
    """Asks one endpoint. `seconds`: how long one try may take; `tries`: how often a request is sent at most.

    Not to be shared by threads: it keeps a connection.
    """

    url: str
    api_key: str | None = None
    seconds: float = 10.0
    tries: int = 4
    path: str = "/invocations"
    sign: Sign | None = None
    _session: Any = field(default=None, repr=False)

    def decide(
        self, records: Sequence[Mapping[str, str | None]], top_k: int = 50, reasons: bool = True,
        request_id: str | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """The answer: bundle_version and a decision for each record, in order.

        Raises RefusedError, and UnreachableError when there was no answer.
        """
        import orjson
        import requests

        if self._session is None:
            self._session = requests.Session()
            self._session.trust_env = self.sign is not None  # an address of this machine needs no proxy
        body = orjson.dumps({"records": [dict(one) for one in records], "top_k": top_k, "reasons": reasons})
        request_id = request_id or uuid.uuid4().hex
        pause, problem = FIRST_PAUSE, "it was not tried"
        for tried in range(self.tries):
            if tried:
                time.sleep(pause)
            backoff = random.uniform(0, min(FIRST_PAUSE * 2 ** (tried + 1), LONGEST_PAUSE))  # noqa: S311 - no secret
            try:
                answer = self._session.post(
                    self.url + self.path, data=body, headers=self._headers(body, request_id), timeout=self.seconds
                )
            except (requests.ConnectionError, requests.Timeout) as lost:
                pause, problem = backoff, type(lost).__name__
                continue
            if answer.status_code == HTTPStatus.OK:
                said: dict[str, Any] = orjson.loads(answer.content)
                return said
            if answer.status_code not in AGAIN:
                raise RefusedError(answer.status_code, _fault(answer), request_id)
            pause = max(backoff, min(_seconds(answer.headers.get("Retry-After")), LONGEST_PAUSE))
            problem = str(answer.status_code)
        raise UnreachableError(f"{self.url}: no answer after {self.tries} tries, the last: {problem} ({request_id})")

    def _headers(self, body: bytes, request_id: str) -> Mapping[str, str]:
        headers = {"Content-Type": "application/json", "Accept": "application/json", "X-Request-Id": request_id}
        if self.api_key:
            headers["X-Api-Key"] = self.api_key
        return self.sign(self.url + self.path, body, headers) if self.sign else headers


def _fault(answer: Any) -> dict[str, Any]:
    try:
        said = answer.json()
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _seconds(retry_after: str | None) -> float:
    return float(retry_after) if retry_after and retry_after.isdigit() else 0.0
