"""Stand-in business systems for the demo: tiny HTTP servers on loopback with some life in their numbers.

`GET /health` answers like a real system's health page. `PUT /state` with `ok`, `broken` or `slow` plays with it.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from types import TracebackType
from typing import Self

HOST = "127.0.0.1"
MAX_HEAD = 16 * 1024
MAX_BODY = 64
IDLE_S = 75.0
SLOW_S = 1.2
REASONS: Mapping[int, str] = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    503: "Service Unavailable",
}


class State(StrEnum):
    OK = "ok"
    BROKEN = "broken"
    SLOW = "slow"


@dataclass(frozen=True, slots=True)
class Blueprint:
    """What a stand-in is like: its usual port, and how many people are usually at work in it."""

    name: str
    port: int
    sessions: int
    build: str


SYSTEMS = (
    Blueprint("erp", 8701, 180, "2026.11.3"),
    Blueprint("crm", 8702, 95, "7.4.1"),
    Blueprint("oa", 8703, 320, "R12-118"),
)


@dataclass(slots=True)
class StandIn:
    """One system. `async with` serves it; its usual port when that is free, any other when not."""

    blueprint: Blueprint
    slow_s: float = SLOW_S
    state: State = State.OK
    port: int = 0
    _numbers: random.Random = field(init=False, repr=False)
    _server: asyncio.Server | None = field(default=None, init=False, repr=False)
    _open: set[asyncio.StreamWriter] = field(default_factory=set, init=False, repr=False)

    def __post_init__(self) -> None:
        self._numbers = random.Random(self.blueprint.name)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    async def __aenter__(self) -> Self:
        try:
            self._server = await asyncio.start_server(self._talk, HOST, self.blueprint.port, limit=MAX_HEAD)
        except OSError:
            self._server = await asyncio.start_server(self._talk, HOST, 0, limit=MAX_HEAD)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
            for writer in list(self._open):
                writer.close()
            await self._server.wait_closed()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            with suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                while await self._answer_one(reader, writer):
                    pass
        finally:
            self._open.discard(writer)
            writer.close()

    async def _answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; returns whether the connection stays open."""
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), IDLE_S)
        first, headers = _parsed(head)
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > MAX_BODY or len(first) != 3:
            writer.write(_response(400, {"error": "bad request"}))
            return False
        body = await asyncio.wait_for(reader.readexactly(int(length)), IDLE_S) if int(length) else b""
        status, document = await self._answer(first[0], first[1].partition("?")[0], body)
        writer.write(_response(status, document))
        await asyncio.wait_for(writer.drain(), IDLE_S)
        return headers.get("connection", "").lower() != "close"

    async def _answer(self, method: str, path: str, body: bytes) -> tuple[int, Mapping[str, object]]:
        match method, path:
            case "GET", "/health":
                return await self._health()
            case "GET", "/state":
                return 200, {"system": self.blueprint.name, "state": self.state}
            case "PUT", "/state":
                return self._play(body.decode(errors="replace").strip())
            case _, "/health" | "/state":
                return 405, {"error": "method not allowed"}
            case _:
                return 404, {"error": "not found"}

    async def _health(self) -> tuple[int, Mapping[str, object]]:
        if self.state is State.SLOW:
            await asyncio.sleep(self.slow_s)
        if self.state is State.BROKEN:
            return 503, {"status": "DOWN", "sessions": 0, "error_rate": 1.0, "build": self.blueprint.build}
        return 200, self._life()

    def _life(self) -> Mapping[str, object]:
        """Sessions that swell and ebb in some minutes, and now and then an error."""
        swell = 1 + 0.25 * math.sin(time.monotonic() / 60 + self.blueprint.port)
        sessions = round(self.blueprint.sessions * swell + self._numbers.uniform(-5, 5))
        trouble = 8 if self.state is State.SLOW else 1
        error_rate = round(abs(self._numbers.gauss(0.002, 0.001)) * trouble, 5)
        return {"status": "UP", "sessions": sessions, "error_rate": error_rate, "build": self.blueprint.build}

    def _play(self, wanted: str) -> tuple[int, Mapping[str, object]]:
        try:
            self.state = State(wanted)
        except ValueError:
            return 400, {"error": f"unknown state {wanted!r} (use ok, broken or slow)"}
        return 200, {"system": self.blueprint.name, "state": self.state}


class StandIns:
    """All stand-in systems: `async with StandIns() as systems: systems["erp"].url`."""

    def __init__(self, blueprints: tuple[Blueprint, ...] = SYSTEMS, *, slow_s: float = SLOW_S) -> None:
        self._systems = {blueprint.name: StandIn(blueprint, slow_s) for blueprint in blueprints}
        self._stack = AsyncExitStack()

    def __getitem__(self, name: str) -> StandIn:
        return self._systems[name]

    @property
    def urls(self) -> dict[str, str]:
        return {name: system.url for name, system in self._systems.items()}

    async def __aenter__(self) -> Self:
        for system in self._systems.values():
            await self._stack.enter_async_context(system)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)


def _parsed(head: bytes) -> tuple[list[str], dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines if ":" in line)
    return first.split(" "), {name.strip().lower(): value.strip() for name, _, value in pairs}


def _response(status: int, document: Mapping[str, object]) -> bytes:
    body = json.dumps(document).encode()
    head = (
        f"HTTP/1.1 {status} {REASONS[status]}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
