"""uvicorn inside the daemon: the daemon owns the signals, the logs and the end."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator

from uvicorn import Config, Server
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tocsin.errors import UsageError
from tocsin.web.app import WebApp
from tocsin.web.listen import bind

MOST_CONNECTIONS = 256
KEEP_ALIVE_S = 15
HEADERS_LIMIT_S = 10.0
GRACE_S = 1
START_LIMIT_S = 10.0
CUT_OFF_S = 0.3


class WebServer:
    """Serves one application on one address. `setting` is the setting that names the address, for error texts."""

    def __init__(self, app: WebApp, host: str, port: int, *, setting: str = "listen") -> None:
        self._app = app
        self._host = host
        self._port = port
        self._setting = setting
        self._server: _Embedded | None = None
        self._serving: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port that is served; another than asked for when that was 0."""
        return self._port

    async def start(self) -> None:
        """Take the port (UsageError when it cannot be had) and answer from then on."""
        listener = bind(self._setting, self._host, self._port)
        self._port = listener.getsockname()[1]
        self._server = _Embedded(_configuration(self._app))
        self._serving = asyncio.create_task(self._server.serve(sockets=[listener]), name=f"web {self._setting}")
        answering = asyncio.create_task(self._server.answering.wait())
        try:
            await asyncio.wait({answering, self._serving}, timeout=START_LIMIT_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            answering.cancel()
        if self._serving.done():
            self._serving.result()
        if not self._server.answering.is_set():
            self._serving.cancel()
            raise UsageError(f"{self._setting}: the server did not start within {START_LIMIT_S:.0f} s (start it again)")

    async def stop(self, within_s: float = GRACE_S + 0.4) -> None:
        """Take no more connections, end the event streams, let the rest finish; what does not is cut off."""
        if self._server is None or self._serving is None:
            return
        self._app.close_streams()
        self._server.should_exit = True
        _, late = await asyncio.wait({self._serving}, timeout=within_s)
        if late:
            self._serving.cancel()
            await asyncio.wait({self._serving}, timeout=CUT_OFF_S)
        await self._server.cut_off()


def _configuration(app: WebApp) -> Config:
    return Config(
        app,
        http=_Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
    )


class _Embedded(Server):
    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.answering = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.answering.set()

    async def cut_off(self) -> None:
        """End what outlived the grace: a reader that stopped reading must not keep the daemon."""
        tasks = set(self.server_state.tasks)
        for task in tasks:
            task.cancel()
        for connection in list(self.server_state.connections):
            if connection.transport is not None:
                connection.transport.abort()
        if tasks:
            await asyncio.wait(tasks, timeout=CUT_OFF_S)


class _Protocol(HttpToolsProtocol):
    """uvicorn waits for ever for the rest of a request's head; this one does not."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_deadline()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._expect_head()

    def on_headers_complete(self) -> None:
        self._forget_deadline()
        super().on_headers_complete()

    def _expect_head(self) -> None:
        self._forget_deadline()
        self._deadline = self.loop.call_later(HEADERS_LIMIT_S, self.transport.abort)

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
