"""The serving app on the SageMaker container contract: `GET /ping`, `POST /invocations`, and `GET /metrics`.

It is given a scorer that is loaded, verified and warm; see docs/SERVING.md for what it promises. Nothing of a record
reaches a log, a metric or a span: there is no access log, a refusal is logged by its status and field, and the
traceback of an unexpected error is written without its message, which could hold a name.

SageMaker's developer guide has the contract under "Custom inference code with hosting services".
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
import traceback
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, Protocol

import polars as pl
from fastapi import FastAPI, Request, Response
from opentelemetry import trace
from starlette.exceptions import HTTPException

from matching import runtime_input
from matching.runtime_gate import Gate
from matching.runtime_ids import decision_ids, request_id
from matching.runtime_input import (
    LARGEST_BODY,
    RequestError,
    options_schema,
    read_options,
    read_request,
    request_schema,
)
from matching.runtime_keys import Keys
from matching.runtime_metrics import DECISIONS, Meter, merged
from matching.runtime_output import Fault, answer_body, answer_schema, answer_type
from matching.runtime_spool import Spool
from matching.runtime_turns import TOGETHER, Turns
from matching.scoring import Scored

RETRY_SECONDS = 1
LOOPBACK = ("127.0.0.1", "::1", "testclient")
Answers = Callable[[Request], Awaitable[Response]]
Refuses = Callable[[Request, RequestError], Awaitable[Response]]
log = logging.getLogger("matching.runtime")
tracer = trace.get_tracer("matching.runtime")


class Scores(Protocol):
    """What the app asks of a scorer."""

    bundle_version: str

    def score(self, records: pl.DataFrame, top_k: int = 50, reasons: bool = True) -> Scored:
        """Decide records."""


@dataclass
class Service:
    """What the app works with. `status`: the file in which the supervisor says what was refused.

    `overdue`: whether scoring is to be tried again on another thread; see `matching.runtime_turns`.
    """

    scorer: Scores
    gate: Gate = field(default_factory=Gate)
    keys: Keys = field(default_factory=lambda: Keys({}))
    meter: Meter | None = None
    metrics: Path | None = None
    spool: Spool | None = None
    status: Path | None = None
    faults: dict[str, int] = field(default_factory=dict)  # of the scorer, by kind
    leaving: bool = False  # answers then ask to close the connection
    overdue: Callable[[], bool] = lambda: False
    turns: Turns = field(init=False)

    def __post_init__(self) -> None:
        self.turns = Turns(self.scorer.score, self.overdue, self.spool.add if self.spool else None)

    def refused(self) -> dict[str, Any]:
        """The bundle that was refused last, if what serves was not swapped since."""
        if self.status is None or not self.status.is_file():
            return {}
        refused = json.loads(self.status.read_bytes()).get("refused")
        return {"refused": refused} if refused else {}

    def count(self) -> None:
        """Write the metrics down."""
        if self.meter is not None:
            self.meter.totals(self.faults, self.spool.dropped if self.spool else 0)
            self.meter.flush()


def create_app(service: Service) -> FastAPI:
    """The app that answers with `service`."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        counting = asyncio.create_task(_every_second(service.count))
        yield
        counting.cancel()
        service.turns.close()
        if service.spool:
            service.spool.close()
        service.count()

    app = FastAPI(title="Record matching", lifespan=lifespan, docs_url=None, redoc_url=None)
    faults: dict[int | str, dict[str, Any]] = {
        status: {"model": Fault} for status in (400, 401, 406, 413, 415, 422, 429, 500, 503)
    }
    version = service.scorer.bundle_version

    @app.get("/ping")
    async def ping() -> dict[str, Any]:
        """200 when the bundle is loaded, verified and warmed."""
        return {"status": "ready", "bundle_version": version} | service.refused()

    @app.get("/metrics", response_class=Response)
    async def metrics(request: Request) -> Response:
        """What was counted, as Prometheus text. With API keys: open to this machine, by key to others."""
        if service.keys and _address(request) not in LOOPBACK:
            service.keys.client(request.headers.get("x-api-key"), "")
        service.count()
        text = merged(service.metrics, version) if service.metrics else b""
        return Response(text, media_type="text/plain; version=0.0.4")

    @app.post(
        "/invocations",
        responses={200: answer_schema(), **faults},
        response_class=Response,
        openapi_extra={"requestBody": request_schema(), "parameters": options_schema()},
    )
    async def invocations(request: Request) -> Response:
        """Decide for each record of the request which reference it is."""
        with tracer.start_as_current_span("invocations", record_exception=False, set_status_on_exception=False) as span:
            client = service.keys.client(request.headers.get("x-api-key"), _address(request))
            async with service.gate.place(client):
                body = await _body(request)
                kind = answer_type(request.headers.get("accept", ""))
                asked = read_request(body, request.headers, read_options(request.query_params))
                decisions = await _decide(service, asked)
            content = answer_body(decisions, version, kind)
            bands = dict.fromkeys(DECISIONS, 0) | Counter(decisions["decision"].to_list())
            degraded = int(decisions["degraded"].sum())
            seconds = time.perf_counter() - request.state.started
            if service.meter:
                service.meter.answered(seconds, decisions, bands, degraded)
            span.set_attributes({"matching.records": decisions.height, "matching.bundle_version": version})
        log.info("answered id=%s records=%d ms=%.1f", request.state.id, decisions.height, 1000 * seconds)
        told = {"X-Bands": ",".join(f"{band}={count}" for band, count in bands.items()), "X-Degraded": str(degraded)}
        return Response(content, media_type=kind, headers=told)

    def fault(request: Request, problem: RequestError, kind: str) -> Response:
        log.info("refused id=%s status=%d field=%s", request.state.id, problem.status, problem.field)
        if service.meter:
            service.meter.refused(time.perf_counter() - request.state.started, problem.status, kind)
        return _fault(problem, version)

    @app.exception_handler(RequestError)
    async def refuse(request: Request, problem: RequestError) -> Response:
        return fault(request, problem, problem.status.name.lower())

    @app.exception_handler(HTTPException)
    async def refuse_route(request: Request, problem: HTTPException) -> Response:
        told = RequestError(problem.detail, "See /openapi.json.", HTTPStatus(problem.status_code))
        return fault(request, told, "route")

    @app.exception_handler(Exception)
    async def fail(request: Request, __: Exception) -> Response:
        remedy = "Try again; if it stays, see the log of the endpoint."
        told = RequestError("the request could not be scored", remedy, HTTPStatus.INTERNAL_SERVER_ERROR)
        answer = fault(request, told, "defect")
        # This one is made outside of Envelope.
        answer.headers.update({"X-Request-Id": request.state.id, "X-Bundle-Version": version})
        return answer

    app.add_middleware(Envelope, service=service, invocations=invocations, refuse=refuse)
    return app


async def _decide(service: Service, asked: runtime_input.Request) -> pl.DataFrame:
    """The decisions on all records, with their ids."""
    records, options = asked.records, asked.options
    parts = [
        await service.turns.score(records.slice(first, TOGETHER), options.top_k, options.reasons)
        for first in range(0, records.height, TOGETHER)
    ]
    decisions = parts[0] if len(parts) == 1 else pl.concat(parts)
    ids = decision_ids(records, decisions["degraded"].to_list(), service.scorer.bundle_version, options.top_k)
    return decisions.clone().insert_column(1, pl.Series("decision_id", ids, dtype=pl.String))


class Envelope:
    """What every answer carries: the request's id, the bundle, and whether the connection is to be closed (ASGI).

    The one route that is called all the time is called from here, past the framework's router and its dependencies:
    they would cost a request a fifth of what deciding a record does. Its declaration is what /openapi.json says.
    """

    def __init__(self, app: Any, service: Service, invocations: Answers, refuse: Refuses) -> None:
        self.app, self.service, self.invocations, self.refuse = app, service, invocations, refuse
        self.version = service.scorer.bundle_version.encode()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"x-request-id"), None)
        state = scope.setdefault("state", {})
        state["id"], state["started"] = request_id(given), time.perf_counter()

        async def with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                more = [(b"x-request-id", state["id"].encode()), (b"x-bundle-version", self.version)]
                if self.service.leaving:
                    more.append((b"connection", b"close"))
                message["headers"] = [*message.get("headers", []), *more]
            await send(message)

        if (scope["method"], scope["path"]) != ("POST", "/invocations"):
            await self.app(scope, receive, with_headers)
            return
        request = Request(scope, receive)
        try:
            answer = await self.invocations(request)
        except RequestError as problem:
            answer = await self.refuse(request, problem)
        await answer(scope, receive, with_headers)


async def _every_second(work: Any) -> None:
    while True:
        await asyncio.sleep(1)
        work()


async def _body(request: Request) -> bytes:
    """The body of a request, read no further than the limit."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            raise RequestError(
                f"the request is larger than {LARGEST_BODY // 1024} KB",
                "Send fewer records at a time.",
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            )
    return bytes(body)


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _fault(problem: RequestError, version: str) -> Response:
    fault = Fault(
        error=problem.error,
        record=problem.record,
        record_id=problem.record_id,
        field=problem.field,
        remedy=problem.remedy,
        bundle_version=version,
    )
    again = problem.status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS)
    retry = {"Retry-After": str(RETRY_SECONDS)} if again else None
    return Response(fault.model_dump_json(), problem.status, retry, media_type="application/json")


class NamelessFormatter(logging.Formatter):
    """Writes an exception's type and where it came from, not its message: that may hold what was being scored."""

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the name is logging's
        """The traceback and the type."""
        kind, _, trace_of = ei
        return "".join(traceback.format_tb(trace_of)) + getattr(kind, "__name__", "")


LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"nameless": {"()": NamelessFormatter, "format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "nameless"}},
    "root": {"level": "INFO", "handlers": ["stderr"]},
}
