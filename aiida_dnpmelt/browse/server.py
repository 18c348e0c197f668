"""The server of the pages: what it answers, whom it answers, and what it lets a browser do with the answers."""

from __future__ import annotations

import socket
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

import uvicorn
from aiida.manage import get_manager
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aiida_dnpmelt.browse import experiment, lineage, node, page, point, points, policies, pressure
from aiida_dnpmelt.browse.html import PLOTLY_URL, error_page, plotly_script
from aiida_dnpmelt.browse.shelf import Shelf
from aiida_dnpmelt.interrupts import handled_by
from aiida_dnpmelt.report import html as report_html

HOST = "127.0.0.1"
METHODS = ("GET", "HEAD")
_STATIC = Path(__file__).parent / "static"
_FILES = {
    "/static/style.css": Path(report_html.__file__).parent / report_html.TEMPLATES / "style.css",
    "/static/browse.css": _STATIC / "browse.css",
    "/static/charts.js": _STATIC / "charts.js",
}
_HEADERS = {
    "Content-Security-Policy": policies.PLAIN,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
_VIEWS: dict[str, Callable[[Request], Response]] = {
    "/": points.view,
    "/pressure": pressure.view,
    "/experiment": experiment.view,
    "/point/{identifier}": point.view,
    "/report/{identifier}": page.view,
    "/lineage/{identifier}": lineage.view,
    "/lineage/{identifier}/{stage}": lineage.view_stage,
    "/node/{identifier}": node.view,
}


def make_app(profile: str, shelf: Shelf) -> ASGIApp:
    """Return the application.

    :param profile: name of the profile that is loaded, for the pages to say.
    :param shelf: of its melting points.
    """
    routes = [Route(path, _endpoint(view)) for path, view in _VIEWS.items()]
    routes += [Route(path, _file(file)) for path, file in _FILES.items()]
    app = Starlette(
        routes=[*routes, Route(PLOTLY_URL, _plotly)],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"], www_redirect=False)],
        exception_handlers={HTTPException: _refuse, Exception: _fail},
    )
    app.state.profile = profile
    app.state.shelf = shelf
    return _Guard(app)


def listen(port: int) -> socket.socket:
    """Return a socket that listens on this machine alone.

    :param port: 0 for any that is free.
    :raises OSError: if the port is taken.
    """
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((HOST, port))
        found.listen()
    except OSError:
        found.close()
        raise
    return found


def serve(app: ASGIApp, listening: socket.socket) -> None:
    """Answer until a signal ends it: Ctrl-C, also where a shell has it ignored, `kill`, or the end of the terminal."""
    config = uvicorn.Config(
        app,
        http="h11",
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_level="error",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    with handled_by(server.handle_exit):
        server.run(sockets=[listening])  # it handles the first two itself, and sends them again when it has ended


class _Guard:
    """Let only questions through, and add the headers to each answer that has not its own, errors included."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        if scope["type"] == "http" and scope["method"] not in METHODS:
            refusal = Response("only GET and HEAD are answered\n", 405, {"Allow": ", ".join(METHODS)}, "text/plain")
            await refusal(scope, receive, send_guarded)
            return
        await self._app(scope, receive, send_guarded)


def _endpoint(view: Callable[[Request], Response]) -> Callable[[Request], object]:
    """Return a view as an endpoint in the thread of the event loop, the one that uses the storage.

    Each answer has a transaction of its own: it sees what others have stored since the last one, and holds nothing.
    """

    async def endpoint(request: Request) -> Response:
        with get_manager().get_profile_storage().transaction():
            return view(request)

    return endpoint


def _file(path: Path) -> Callable[[Request], object]:
    async def endpoint(_: Request) -> Response:
        return FileResponse(path)

    return endpoint


async def _plotly(_: Request) -> Response:
    """Answer with the library for charts, which the address names by its version."""
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(plotly_script(), 200, headers, "text/javascript")


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    reason = error.detail
    if reason == HTTPStatus(error.status_code).phrase:
        reason = f"there is no page {request.url.path}"
    return error_page(request, error.status_code, reason)


async def _fail(request: Request, _: Exception) -> Response:
    return error_page(request, 500, "this page could not be made; the terminal of aiida-dnpmelt browse says why")
