"""The serving app on the SageMaker container contract: `GET /ping` and `POST /invocations`, from a bundle only.

The bundle is loaded, verified and warmed before the port answers; one that cannot be used ends the process with the
reason. Requests are checked and scored in a few threads beside the event loop; some more may wait, and what comes then
gets 503 with Retry-After, so that a flood costs no memory. Names never reach a log: there is no access log, and the
traceback of an unexpected error is written without its message, which could hold one.

    python -m matching.runtime --bundle DIR [--host H] [--port P]

The contract is in SageMaker's developer guide under "Custom inference code with hosting services": the model lies in
/opt/ml/model, the container is started with the word `serve`, and SAGEMAKER_BIND_TO_PORT may name the port.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import time
import traceback
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import polars as pl
from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from matching.runtime_input import LARGEST_BODY, Options, RequestError, read_request, refused_option, request_schema
from matching.runtime_output import Fault, answer_body, answer_schema, answer_type

if TYPE_CHECKING:
    from matching.scoring import Scorer

T = TypeVar("T")
RETRY_SECONDS = 1
GRACE_SECONDS = 25  # SageMaker sends SIGKILL 30 seconds after SIGTERM
# With a country and a town: the tables they are looked up in take seconds to load, once in a process.
WARM_UP = pl.DataFrame(
    {"record_id": ["warm-up"], "name": ["Warm Up Holdings plc"], "country": ["United Kingdom"], "city": ["London"]}
)
log = logging.getLogger("matching.runtime")


class Gate:
    """Lets a bounded number of requests work in threads and a bounded number wait for one."""

    def __init__(self, at_once: int = 2, most_waiting: int = 16) -> None:
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="scoring")
        self._room = asyncio.BoundedSemaphore(at_once + most_waiting)

    async def run(self, work: Callable[[], T]) -> T:
        """Do `work` in a thread. Raises RequestError (503) at once when too many are waiting."""
        if self._room.locked():
            raise RequestError("too many requests are waiting", "Try again soon.", HTTPStatus.SERVICE_UNAVAILABLE)
        async with self._room:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def close(self) -> None:
        """Wait for the work that is being done and end the threads."""
        self._threads.shutdown()


def create_app(bundle: Path, scorer: Scorer | None = None, gate: Gate | None = None) -> FastAPI:
    """The app that serves `bundle`; a given `scorer` is used instead of loading one.

    Raises BundleError at start-up, not here, when the bundle is missing, torn or altered.
    """
    gate = gate or Gate()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        ready = scorer or _load(bundle)
        ready.score(WARM_UP)
        app.state.scorer = ready
        yield
        app.state.scorer = None
        gate.close()

    app = FastAPI(title="Record matching", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.scorer = None
    faults: dict[int | str, dict[str, Any]] = {
        status: {"model": Fault} for status in (400, 406, 413, 415, 422, 500, 503)
    }

    @app.get("/ping", responses={503: {"model": Fault}})
    async def ping() -> dict[str, str]:
        """200 when the bundle is loaded, verified and warmed."""
        return {"status": "ready", "bundle_version": _ready(app).bundle_version}

    @app.post(
        "/invocations",
        responses={200: answer_schema(), **faults},
        response_class=Response,
        openapi_extra={"requestBody": request_schema()},
    )
    async def invocations(request: Request, options: Annotated[Options, Query()]) -> Response:
        """Decide for each record of the request which reference it is."""
        started = time.perf_counter()
        ready = _ready(app)
        body = await _body(request)
        headers = request.headers

        def answer() -> tuple[int, str, bytes]:
            kind = answer_type(headers.get("accept", ""))
            asked = read_request(body, headers, options)
            scored = ready.score(asked.records, top_k=asked.options.top_k, reasons=asked.options.reasons)
            return asked.records.height, kind, answer_body(scored.decisions, ready.bundle_version, kind)

        records, kind, content = await gate.run(answer)
        log.info("answered records=%d ms=%.1f", records, 1000 * (time.perf_counter() - started))
        return Response(content, media_type=kind)

    @app.exception_handler(RequestError)
    async def refuse(_: Request, problem: RequestError) -> Response:
        log.info("refused status=%d field=%s", problem.status, problem.field)
        return _fault(app, problem)

    @app.exception_handler(RequestValidationError)
    async def refuse_option(_: Request, problem: RequestValidationError) -> Response:
        return _fault(app, refused_option(problem.errors()[0]))

    @app.exception_handler(HTTPException)
    async def refuse_route(_: Request, problem: HTTPException) -> Response:
        return _fault(app, RequestError(problem.detail, "See /openapi.json.", HTTPStatus(problem.status_code)))

    @app.exception_handler(Exception)
    async def fail(_: Request, __: Exception) -> Response:
        remedy = "Try again; if it stays, see the log of the endpoint."
        return _fault(app, RequestError("the request could not be scored", remedy, HTTPStatus.INTERNAL_SERVER_ERROR))

    return app


def _load(bundle: Path) -> Scorer:
    from matching.scoring import Scorer

    return Scorer.load(bundle)


def _ready(app: FastAPI) -> Scorer:
    scorer: Scorer | None = app.state.scorer
    if scorer is None:
        raise RequestError("the bundle is not loaded yet", "Try again soon.", HTTPStatus.SERVICE_UNAVAILABLE)
    return scorer


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


def _fault(app: FastAPI, problem: RequestError) -> Response:
    scorer: Scorer | None = app.state.scorer
    fault = Fault(
        error=problem.error,
        record=problem.record,
        record_id=problem.record_id,
        field=problem.field,
        remedy=problem.remedy,
        bundle_version=scorer.bundle_version if scorer else None,
    )
    retry = {"Retry-After": str(RETRY_SECONDS)} if problem.status == HTTPStatus.SERVICE_UNAVAILABLE else None
    return Response(fault.model_dump_json(), problem.status, retry, media_type="application/json")


class NamelessFormatter(logging.Formatter):
    """Writes an exception's type and where it came from, not its message: that may hold what was being scored."""

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the name is logging's
        """The traceback and the type."""
        kind, _, trace = ei
        return "".join(traceback.format_tb(trace)) + getattr(kind, "__name__", "")


LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"nameless": {"()": NamelessFormatter, "format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "nameless"}},
    "root": {"level": "INFO", "handlers": ["stderr"]},
}


def serve(bundle: Path, host: str = "127.0.0.1", port: int = 8080) -> None:
    """Serve `bundle` until the process is told to stop; requests that are being answered then have GRACE_SECONDS."""
    import uvicorn

    uvicorn.run(
        create_app(bundle),
        host=host,
        port=port,
        access_log=False,
        log_config=LOGGING,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line of the container."""
    parser = argparse.ArgumentParser(prog="python -m matching.runtime", description="Serve a bundle over HTTP.")
    parser.add_argument("command", nargs="?", choices=["serve"], help="what SageMaker says when it starts a container")
    parser.add_argument("--bundle", type=Path, default=Path(os.environ.get("SM_MODEL_DIR", "/opt/ml/model")))
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0 inside a container")
    parser.add_argument("--port", type=int, default=int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080")))
    given = parser.parse_args(arguments)
    serve(given.bundle, given.host, given.port)


if __name__ == "__main__":
    main()
