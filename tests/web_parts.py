"""What the tests of the page, the API and the figures share: an application over a fake desk, and a way to ask it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

import httpx

from tocsin.testing.company import busy_desk
from tocsin.testing.desk import FakeDesk
from tocsin.testing.live import FakeLive
from tocsin.web.app import WebApp, build_app
from tocsin.web.figures import OwnFigures, StoredFigures
from tocsin.web.metrics import Metrics

T = TypeVar("T")

NOW = datetime(2026, 11, 27, 6, 30, tzinfo=UTC)
OWN = OwnFigures(
    severities=("P1", "P2"),
    channels=("slack", "hook"),
    alarms={"storage": False, "late": True},
    storage_errors=2,
    is_configuration_good=True,
    lag=((0.001, 0.01), (7, 2, 1), 0.0625),
)


def run(work: Coroutine[Any, Any, T], within_s: float = 20) -> T:
    return asyncio.run(asyncio.wait_for(work, within_s))


def fixed_now() -> datetime:
    return NOW


def a_desk() -> FakeDesk:
    return busy_desk(fixed_now)


async def nothing_stored() -> StoredFigures:
    return StoredFigures()


def some_metrics(live: FakeLive | None = None) -> Metrics:
    return Metrics(live or FakeLive(), nothing_stored, lambda: OWN, "0.1.0")


def an_app(desk: FakeDesk | None = None, *, now: Callable[[], datetime] = fixed_now, **changed: Any) -> WebApp:
    wanted: dict[str, Any] = {
        "metrics": some_metrics(),
        "health": lambda: {"status": "ok"},
        "ready": list,
        "slack_events": None,
        "language": "en",
        "timezone": "Asia/Shanghai",
        "version": "0.1.0",
        "now": now,
        **changed,
    }
    return build_app(desk or a_desk(), **wanted)


def asking(app: WebApp, peer: str = "127.0.0.1") -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=app, client=(peer, 40001), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8600")


def ask(app: WebApp, method: str, path: str, **more: Any) -> httpx.Response:
    """One request, one answer."""

    async def once() -> httpx.Response:
        async with asking(app, more.pop("peer", "127.0.0.1")) as client:
            return await client.request(method, path, **more)

    return run(once())


@asynccontextmanager
async def served(app: WebApp, **more: Any):
    """The application on a port of its own."""
    from tocsin.web.server import WebServer

    server = WebServer(app, "127.0.0.1", 0, **more)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
