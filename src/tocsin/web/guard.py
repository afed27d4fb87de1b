"""Who may ask for what until logins exist: the page and the API are for people at this machine.

A request that carries forwarding headers came through a proxy, one whose Host is not loopback may be a stranger's page that
points its own name here (DNS rebinding): both get only what carries its own proof.
"""

from __future__ import annotations

import asyncio
from ipaddress import ip_address

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PROVEN = ("/slack/events", "/healthz")
PROVEN_BELOW = ("/heartbeat/", "/act/", "/hook/")
FORWARDING = frozenset(
    {"forwarded", "via", "x-real-ip", "x-client-ip", "x-cluster-client-ip", "true-client-ip", "cf-connecting-ip"}
)
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
MAX_BODY = 1024 * 1024
REQUEST_LIMIT_S = 30.0
ENDLESS = ("/events",)

OUTSIDE = (
    "This request came through a proxy or under a name that is not loopback, and Tocsin has no logins yet: open the page "
    "on the machine itself (http://127.0.0.1:8600/, or through ssh -L 8600:127.0.0.1:8600)."
)
FOREIGN = "This act was sent from another site's page: open Tocsin's own page and act there."
TOO_SLOW = f"The request was not done within {REQUEST_LIMIT_S:.0f} s: try again."


class Guard:
    """Answers 403 to what may not ask; everything else goes on."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = refusal_of(scope) if scope["type"] == "http" else None
        if refusal is None:
            await self._app(scope, receive, send)
        else:
            await plain_answer(scope, 403, refusal)(scope, receive, send)


def refusal_of(scope: Scope) -> str | None:
    """Why this request may not be served, or None."""
    path: str = scope["path"]
    if path in PROVEN or path.startswith(PROVEN_BELOW):
        return None
    headers = Headers(scope=scope)
    if is_from_outside(scope, headers):
        return OUTSIDE
    if scope["method"] not in SAFE and not is_same_origin(scope, headers):
        return FOREIGN
    return None


def is_from_outside(scope: Scope, headers: Headers) -> bool:
    if any(name in FORWARDING or name.startswith("x-forwarded-") for name in headers):
        return True
    hosts = headers.getlist("host")
    peer = scope.get("client")
    return len(hosts) != 1 or not is_loopback(without_port(hosts[0])) or not peer or not is_loopback(peer[0])


def without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def is_same_origin(scope: Scope, headers: Headers) -> bool:
    """Browsers say where an act comes from; what says nothing of it (curl, scripts) is no browser."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = headers.get("origin")
    return origin is None or origin == f"{scope['scheme']}://{headers.get('host')}"


class TimeLimit:
    """Ends a request that is not done in time, however slowly it is sent or read; the event stream has its own end.

    An answer that had begun stays unfinished: the server then closes the connection.
    """

    def __init__(self, app: ASGIApp, limit_s: float = REQUEST_LIMIT_S) -> None:
        self._app = app
        self._limit_s = limit_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in ENDLESS:
            await self._app(scope, receive, send)
            return
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            async with asyncio.timeout(self._limit_s):
                await self._app(scope, receive, watched)
        except TimeoutError:
            if not started:
                await plain_answer(scope, 503, TOO_SLOW)(scope, receive, send)


def plain_answer(scope: Scope, status: int, text: str) -> Response:
    """An answer from before the pages: JSON for the API, text for the rest."""
    if scope["path"].startswith("/api/"):
        return JSONResponse({"ok": False, "errors": [{"message": text}]}, status)
    return PlainTextResponse(f"{text}\n", status)
