"""`/metrics`, `/healthz`, `/readyz`: what machines ask, on the main address and on `metrics_listen`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any
from weakref import WeakSet

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from tocsin.web.exposition import CONTENT_TYPE

MOST_SCRAPES = 4

Scrape = Callable[[], AsyncIterator[bytes]]


class Machines:
    """The three routes, ready to be mounted anywhere."""

    def __init__(self, metrics: Scrape, health: Callable[[], dict[str, Any]], ready: Callable[[], list[str]]) -> None:
        self._metrics = metrics
        self._health = health
        self._ready = ready
        self._scrapes: WeakSet[AsyncIterator[bytes]] = WeakSet()

    def routes(self) -> list[Route]:
        return [
            Route("/metrics", self._serve_metrics, methods=["GET"]),
            Route("/healthz", self._serve_health, methods=["GET"]),
            Route("/readyz", self._serve_ready, methods=["GET"]),
        ]

    async def _serve_metrics(self, request: Request) -> Response:
        if request.method == "HEAD":
            return Response(media_type=CONTENT_TYPE)
        if len(self._scrapes) >= MOST_SCRAPES:
            text = f"{MOST_SCRAPES} scrapes are already under way: scrape less often.\n"
            return PlainTextResponse(text, 503, headers={"retry-after": "5"})
        scrape = self._metrics()
        self._scrapes.add(scrape)
        return StreamingResponse(scrape, media_type=CONTENT_TYPE)

    async def _serve_health(self, _request: Request) -> Response:
        return JSONResponse(self._health())

    async def _serve_ready(self, _request: Request) -> Response:
        reasons = self._ready()
        return JSONResponse({"ready": not reasons, "reasons": reasons}, 503 if reasons else 200)
