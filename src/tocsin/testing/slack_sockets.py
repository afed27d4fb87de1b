"""The double's side of Socket Mode: connections, envelopes that wait for their acknowledgement, and the ways in which it goes wrong."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from itertools import count
from typing import Any

from aiohttp import WSMsgType, web

from tocsin.testing.slack_workspace import APP

UNUSED_KEPT = 100


class Sockets:
    """Envelopes go to the connections in turn. A ghost is a connection that Slack believes in and nobody listens on."""

    def __init__(self) -> None:
        self.ghosts = 0
        self.is_greeting = True
        self.is_answering_pings = True
        self.opened = 0
        self._tickets: list[str] = []
        self._connections: list[web.WebSocketResponse] = []
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self._numbers = count(1)
        self._turn = 0
        self._changed = asyncio.Event()

    @property
    def connected(self) -> int:
        return len(self._connections)

    async def until_connected(self, number: int = 1, within_s: float = 5.0) -> None:
        """Wait until so many connections listen."""
        async with asyncio.timeout(within_s):
            while len(self._connections) < number:
                self._changed.clear()
                await self._changed.wait()

    def ticket(self) -> str:
        """A name for one connection, good for one use."""
        ticket = f"ticket-{next(self._numbers)}"
        self._tickets = [*self._tickets[-UNUSED_KEPT:], ticket]
        return ticket

    async def serve(self, request: web.Request) -> web.StreamResponse:
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets:
            return web.Response(status=403, text="used or unknown ticket\n")
        self._tickets.remove(ticket)
        connection = web.WebSocketResponse(autoping=self.is_answering_pings)
        await connection.prepare(request)
        self._connections.append(connection)
        self.opened += 1
        try:
            await self._talk(connection)
        finally:
            self._leave(connection)
        return connection

    async def _talk(self, connection: web.WebSocketResponse) -> None:
        if self.is_greeting:
            await connection.send_json(
                {
                    "type": "hello",
                    "num_connections": len(self._connections) + self.ghosts,
                    "connection_info": {"app_id": APP},
                    "debug_info": {"host": "applink-1", "approximate_connection_time": 18060},
                }
            )
        self._changed.set()
        async for frame in connection:
            if frame.type is not WSMsgType.TEXT:
                continue
            with suppress(ValueError):
                identity = json.loads(frame.data).get("envelope_id")
                future = self._waiting.get(identity)
                if future is not None and not future.done():
                    future.set_result(None)

    def _leave(self, connection: web.WebSocketResponse) -> None:
        if connection in self._connections:
            self._connections.remove(connection)
        self._changed.set()

    # --- what arrives ---

    async def deliver(self, kind: str, payload: dict[str, Any], *, copies: int = 1, within_s: float = 3.0) -> float:
        """Deliver an envelope (or the same one several times) and return how many seconds its acknowledgement took.

        Raises TimeoutError when nobody acknowledges it: Slack then shows the user that it failed.
        """
        loop = asyncio.get_running_loop()
        identity = f"envelope-{next(self._numbers)}"
        envelope = {"type": kind, "envelope_id": identity, "payload": payload, "accepts_response_payload": False}
        acknowledged = self._waiting.setdefault(identity, loop.create_future())
        started = loop.time()
        try:
            for _ in range(copies):
                connection = self._next()
                if connection is not None:
                    await connection.send_json(envelope)
            async with asyncio.timeout(within_s):
                await acknowledged
        finally:
            del self._waiting[identity]
        return loop.time() - started

    def _next(self) -> web.WebSocketResponse | None:
        """Whose turn it is; None for a ghost."""
        everyone: list[web.WebSocketResponse | None] = [*self._connections, *[None] * self.ghosts]
        if not everyone:
            raise ConnectionError("no Socket Mode connection")
        self._turn += 1
        return everyone[self._turn % len(everyone)]

    # --- trouble ---

    async def disconnect(self, reason: str = "refresh_requested") -> None:
        """Ask every connection to leave, as Slack does before it moves them."""
        for connection in list(self._connections):
            await connection.send_json({"type": "disconnect", "reason": reason, "debug_info": {"host": "applink-1"}})

    def drop(self) -> None:
        """Reset every connection without a word."""
        for connection in list(self._connections):
            if connection._req is not None and connection._req.transport is not None:
                connection._req.transport.abort()

    async def close(self) -> None:
        for connection in list(self._connections):
            await connection.close()
