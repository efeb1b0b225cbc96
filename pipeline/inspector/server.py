"""The inspector's web server: read-only on the run, bound to loopback; a token for any other address.

A page of another origin can make a browser send requests to loopback. So the Host header must name this server (no DNS rebinding), a
label needs a JSON body (no form can send one without a preflight, which is not answered), and a content security policy keeps whatever a
document holds from being anything but text. On all addresses of a machine (`0.0.0.0`, `::`) it cannot know its names: there the token
alone decides, which a page that was rebound to this server does not have, as cookies belong to a name.
"""

import hmac
import ipaddress
import secrets
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from configs.errors import ConfigError, CorpusError
from pipeline.explain import story
from pipeline.inspector.labels import Labels
from pipeline.inspector.queries import Documents, number, search_of
from pipeline.inspector.story import document

HERE = Path(__file__).parent
LOOPBACK = ("127.0.0.1", "localhost", "::1")
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'"
)
_KINDS = {".css": "text/css", ".js": "text/javascript"}


class _Guard(BaseHTTPMiddleware):
    """Who may ask, and what an answer may do in a browser."""

    def __init__(self, app: Any, hosts: tuple[str, ...] | None, token: str | None) -> None:
        super().__init__(app)
        self.hosts, self.token = hosts, token

    async def dispatch(self, request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        """Refuse strangers, else answer with headers that let nothing in."""
        if self.hosts is not None and request.url.hostname not in self.hosts:
            return PlainTextResponse("this server answers to its own name only", 421)
        given = request.query_params.get("token") or request.cookies.get("token") or ""
        if self.token is not None and not hmac.compare_digest(given.encode(), self.token.encode()):
            return PlainTextResponse("the address needs ?token=, which was printed when the inspector was started", 403)
        response = await call_next(request)
        response.headers["Content-Security-Policy"] = _POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cache-Control"] = "no-store"
        if self.token is not None and "token" in request.query_params:
            response.set_cookie("token", self.token, httponly=True, samesite="strict")
        return response


def application(run_folder: str, labels_folder: str, hosts: tuple[str, ...] | None = LOOPBACK, token: str | None = None) -> Starlette:
    """The inspector of one run, which answers to `hosts` in small letters, with None to any name, which needs a token.

    Raises `InputError` if the run is not finished.
    """
    assert hosts is not None or token, "without a token the Host header is all that keeps strangers out"
    documents, labels = Documents(run_folder), Labels(labels_folder)

    async def home(_: Request) -> Response:
        return HTMLResponse((HERE / "page.html").read_text(encoding="utf-8"))

    async def file(request: Request) -> Response:
        kind = _KINDS[request.path_params["suffix"]]
        return Response((HERE / f"page{request.path_params['suffix']}").read_bytes(), media_type=kind)

    async def facets(_: Request) -> Response:
        return JSONResponse(await run_in_threadpool(documents.facets) | {"labels": labels.given(), "labels_folder": labels_folder})

    async def search(request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(documents.search, search_of(request.query_params)))

    async def show(request: Request) -> Response:
        asked = request.query_params
        return JSONResponse(await run_in_threadpool(document, run_folder, asked["id"], asked.get("mask") != "false"))

    async def histogram(request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(documents.histogram, request.query_params["signal"]))

    async def threshold(request: Request) -> Response:
        asked = request.query_params
        given = (asked["signal"], asked["side"], number("value", asked["value"]), asked.get("lang", ""), asked.get("domain", ""))
        return JSONResponse(await run_in_threadpool(documents.threshold, *given))

    async def label(request: Request) -> Response:
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return PlainTextResponse("a label is sent as application/json", 415)
        asked = await request.json()
        if not isinstance(asked, dict) or not isinstance(asked["id"], str):
            raise ConfigError(f"a label: got {str(asked)[:80]}, wanted an object with `id`, a text, and `label`")
        row = await run_in_threadpool(story, run_folder, asked["id"])
        if row["text"] is None:
            raise ConfigError(f"{asked['id']}: its text was not kept, so it cannot teach a model")
        wanted = {name: row[name] for name in ("id", "text", "lang", "domain")}
        await run_in_threadpool(labels.give, asked["label"], wanted)
        return JSONResponse(labels.given())

    async def refused(_: Request, error: Exception) -> Response:
        text = f"missing: {error}" if isinstance(error, KeyError) else f"{error}"
        return PlainTextResponse(text, 400)

    routes = [
        Route("/", home),
        Route("/page{suffix:str}", file),
        Route("/facets", facets),
        Route("/search", search),
        Route("/document", show),
        Route("/histogram", histogram),
        Route("/threshold", threshold),
        Route("/label", label, methods=["POST"]),
    ]
    guard = Middleware(_Guard, hosts=hosts, token=token)
    return Starlette(routes=routes, middleware=[guard], exception_handlers={CorpusError: refused, KeyError: refused, ValueError: refused})


def inspect(run_folder: str, labels_folder: str, host: str, port: int) -> None:
    """Serve until interrupted; prints the address to open."""
    token = None if host.lower() in LOOPBACK else secrets.token_urlsafe(24)
    app = application(run_folder, labels_folder, hosts_of(host), token)
    print(f"inspector of {run_folder}: {address(host, port, token)}   (Ctrl-C ends it)", flush=True)
    print(f"labels go to {labels_folder}/keep.jsonl and drop.jsonl", flush=True)
    uvicorn.run(app, host=host, port=port, log_level="warning")


def hosts_of(host: str) -> tuple[str, ...] | None:
    """Names that a server at `host` answers to, as browsers send them; None, for any, if it listens on all addresses."""
    return None if _is_every_address(host) else (*LOOPBACK, host.lower())


def address(host: str, port: int, token: str | None) -> str:
    """What to open in a browser; by the machine's name if the server listens on all addresses."""
    name = socket.gethostname() if _is_every_address(host) else host
    return f"http://{f'[{name}]' if ':' in name else name}:{port}/" + (f"?token={token}" if token else "")


def _is_every_address(host: str) -> bool:
    try:
        return ipaddress.ip_address(host or "::").is_unspecified
    except ValueError:  # a name
        return False
