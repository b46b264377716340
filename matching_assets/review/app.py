"""The review page: server-rendered, on this machine only, for one reviewer.

`create_app(desk, token)` answers below the path `/<token>/`, which nobody knows but who started it: the token is made
anew at each start, is in no argument list and in no log, and is what keeps other users of the machine and other sites
in the browser from reading or posting. (A cookie would not: browsers send one to every port of a host.) Requests for
another host (DNS rebinding) and posts that come from another site are refused as well.

Everything works by forms. `keys.js` adds keys to the buttons, and is the only script that the policy lets in. Texts are
escaped by Jinja2; names are never logged.
"""

import hmac
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import parse_qs

import jinja2
from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, PlainTextResponse, RedirectResponse

from matching.comparison import LEFT_OVER
from matching.records import InputError
from matching_assets.review.desk import Desk, answered, described
from resources.store import MissingError

PAGE = Path(__file__).with_name("page")
FILES = {"keys.js": "text/javascript", "review.css": "text/css"}
MOST_BYTES = 8192
KINDS = {
    "exact": "the same word",
    "abbreviation": "short for it",
    "spelling": "spelt otherwise",
    "joined": "written together",
    "initials": "initials",
    LEFT_OVER: "no counterpart",
}
"""How words pair, as the legend says it."""
HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; script-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}


def new_token() -> str:
    """A token that nobody guesses."""
    return secrets.token_urlsafe(24)


def create_app(desk: Desk, token: str, port: int) -> FastAPI:
    """The page of one desk, below `/<token>/` of `127.0.0.1:<port>` or `localhost:<port>`."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    pages = jinja2.Environment(
        loader=jinja2.FileSystemLoader(PAGE), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    pages.globals.update(described=described, answered=answered, kinds=KINDS, left_over=LEFT_OVER)
    pages.filters["css"] = lambda kind: kind.replace(" ", "-")
    home, hosts = f"/{token}/", {f"127.0.0.1:{port}", f"localhost:{port}"}

    def page(name: str, status: int = 200, **values: object) -> HTMLResponse:
        shared = {"home": home, "reviewer": desk.reviewer, "progress": desk.progress(), "unshown": desk.unshown}
        return HTMLResponse(pages.get_template(name).render(**shared, **values), status)

    @app.middleware("http")
    async def guard(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
        """Let in who knows the token; the answer to all others is the same."""
        given = request.url.path.removeprefix("/").partition("/")[0]
        origin = request.headers.get("origin")
        known = hmac.compare_digest(given.encode(), token.encode()) and request.headers.get("host") in hosts
        foreign = request.method != "GET" and origin is not None and origin.removeprefix("http://") not in hosts
        answered = PlainTextResponse("Not found.", 404) if not known or foreign else await answer(request)
        answered.headers.update(HEADERS)
        return answered

    @app.exception_handler(InputError)
    @app.exception_handler(MissingError)
    def refused(request: Request, problem: Exception) -> HTMLResponse:  # noqa: ARG001 (FastAPI's signature)
        return page("problem.html", 409, problem=str(problem))

    @app.get(home)
    def show() -> HTMLResponse:
        case = desk.next()
        given = desk.given_today().tail(1).to_dicts()
        return page("case.html" if case else "done.html", case=case, last=given[0] if given else None)

    @app.get(f"{home}history")
    def history() -> HTMLResponse:
        return page("history.html", verdicts=desk.history().to_dicts())

    @app.get(home + "{name}")
    def file(name: str) -> Response:
        if name not in FILES:
            return PlainTextResponse("Not found.", 404)
        return FileResponse(PAGE / name, media_type=FILES[name])

    @app.post(f"{home}verdict")
    async def verdict(request: Request) -> Response:
        form = await _form(request)
        verdict, _, reference_id = form.get("verdict", "").partition(" ")
        desk.answer(form.get("record_id", ""), verdict, reference_id or None)
        return RedirectResponse(home, 303)

    @app.post(f"{home}undo")
    async def undo(request: Request) -> Response:
        desk.undo((await _form(request)).get("record_id"))
        return RedirectResponse(home, 303)

    return app


async def _form(request: Request) -> dict[str, str]:
    """The fields of a posted form, each once. InputError: it is too large, or not UTF-8."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            raise InputError("the form is too large", remedy="Go back and send it as the page does.")
    try:
        return {name: values[-1] for name, values in parse_qs(body.decode(), errors="strict").items()}
    except UnicodeDecodeError as problem:
        raise InputError("the form is not UTF-8", remedy="Go back and send it as the page does.") from problem


def serve(desk: Desk, port: int, tell: Callable[[str], None]) -> None:
    """Serve the page on the loopback interface until stopped; `tell` is given its address before it listens."""
    import uvicorn

    token = new_token()
    tell(f"http://127.0.0.1:{port}/{token}/")
    uvicorn.run(create_app(desk, token, port), host="127.0.0.1", port=port, log_level="warning", access_log=False)
