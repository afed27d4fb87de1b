"""The web application, assembled in one visible place. It gets the daemon's verbs handed in and keeps nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route
from starlette.types import Message, Receive, Scope, Send

from tocsin.errors import StoreError, TocsinError
from tocsin.ports import Desk
from tocsin.web.answers import json_error
from tocsin.web.api import Api
from tocsin.web.assets import Assets
from tocsin.web.events import Streams
from tocsin.web.guard import MAX_BODY, Guard, TimeLimit
from tocsin.web.health import Machines, Scrape
from tocsin.web.pages import Pages
from tocsin.web.templates import Templates

SlackEvents = Callable[[Mapping[str, str], bytes], Awaitable[tuple[int, str, bytes]]]
"""Takes the headers (names in lower case) and the body; answers status, content type, body."""

SLACK_LIMIT_S = 10.0
SECURITY = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


class WebApp(Starlette):
    """A Starlette application whose every answer says how a browser must treat it, and whose streams can be ended."""

    def __init__(self, streams: Streams | None = None, **arguments: Any) -> None:
        super().__init__(max_body_size=MAX_BODY, **arguments)
        self._streams = streams

    def close_streams(self) -> None:
        if self._streams is not None:
            self._streams.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(SECURITY)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        await super().__call__(scope, receive, guarded)


def build_app(
    desk: Desk,
    *,
    metrics: Scrape,
    health: Callable[[], dict[str, Any]],
    ready: Callable[[], list[str]],
    slack_events: SlackEvents | None,
    language: str,
    timezone: str,
    version: str,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> WebApp:
    """Everything under `listen`."""
    assets, streams = Assets(), Streams(desk)
    pages = Pages(desk, Templates(assets.url), now, language, timezone, version)
    routes: list[BaseRoute] = [
        *pages.routes(),
        *Api(desk, version).routes(),
        *Machines(metrics, health, ready).routes(),
        Route("/events", _events_route(streams), methods=["GET"]),
        Route("/static/{name}", assets.serve, methods=["GET"]),
    ]
    if slack_events is not None:
        routes.append(Route("/slack/events", _slack_route(slack_events), methods=["POST"]))

    async def on_error(request: Request, error: Exception) -> Response:
        return json_error(error) if request.url.path.startswith("/api/") else await pages.error(request, error)

    handlers = {HTTPException: on_error, TocsinError: on_error, Exception: on_error}
    guards = [Middleware(Guard), Middleware(TimeLimit)]
    return WebApp(streams, routes=routes, middleware=guards, exception_handlers=handlers)


def build_metrics_app(
    *, metrics: Scrape, health: Callable[[], dict[str, Any]], ready: Callable[[], list[str]]
) -> WebApp:
    """Everything under `metrics_listen`: read-only, and open to whoever reaches it."""
    return WebApp(routes=Machines(metrics, health, ready).routes(), middleware=[Middleware(TimeLimit)])


def _events_route(streams: Streams) -> Callable[[Request], Awaitable[Response]]:
    async def events(request: Request) -> Response:
        if request.method == "HEAD":
            return Response(media_type="text/event-stream")
        stream = streams.open()
        if stream is None:
            raise HTTPException(503, "Too many pages are open at once, or Tocsin stops.", headers={"retry-after": "10"})
        return StreamingResponse(stream, media_type="text/event-stream", headers={"x-accel-buffering": "no"})

    return events


def _slack_route(slack_events: SlackEvents) -> Callable[[Request], Awaitable[Response]]:
    async def slack(request: Request) -> Response:
        body = await request.body()
        try:
            async with asyncio.timeout(SLACK_LIMIT_S):
                status, kind, answer = await slack_events(dict(request.headers), body)
        except TimeoutError as error:
            raise StoreError("the event was not taken in time: Slack sends it again") from error
        return Response(answer, status, media_type=kind)

    return slack
