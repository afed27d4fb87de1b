"""A server that does what it is told, also what no server should: for the tests of probes, and for people's own.

    async with ScriptedServer(answering(200, b"fine")) as server:
        ...  # probe server.url("/health")

A script is called for each request, with the connection it came on. Everything lives on the running event loop and on loopback.
"""

from __future__ import annotations

import asyncio
import select
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

HOST = "127.0.0.1"
HEAD_LIMIT = 256 * 1024
RESET_ON_CLOSE = struct.pack("ii", 1, 0)
PIECE = b"x" * 65_536
PLACES = 16

Fields = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it arrived. Names of `headers` are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes = b""


@dataclass(slots=True)
class Visit:
    """One connection at the server. `number` counts connections from 1, `served` the requests on this one."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    number: int
    served: int = 0
    request: Seen = field(default_factory=lambda: Seen("", "", {}))

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, status: int = 200, body: bytes = b"", headers: Fields = ()) -> None:
        """A whole answer, with its length unless `headers` say how it ends."""
        await self.send(head(status, [*headers, *_length(body, headers)]) + body)

    async def hang(self) -> None:
        """Say nothing more until the peer hangs up or the server stops."""
        while await self.reader.read(65_536):
            pass

    def reset(self) -> None:
        """Close with RST instead of FIN."""
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self.writer.transport.abort()

    def close(self) -> None:
        self.writer.close()


Script = Callable[[Visit], Awaitable[None]]


class ScriptedServer:
    """Calls `script` for each request, or `greet` for each connection before any byte of it is read.

    What it saw: `requests`, and `connections`, how many there were.
    """

    def __init__(
        self,
        script: Script | None = None,
        *,
        greet: Script | None = None,
        tls: ssl.SSLContext | None = None,
        host: str = HOST,
    ) -> None:
        self.requests: list[Seen] = []
        self.connections = 0
        self.port = 0
        self._script = script or answering()
        self._greet = greet
        self._tls = tls
        self._host = host
        self._visits: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    def url(self, path: str = "/", host: str | None = None) -> str:
        name = host or (f"[{self._host}]" if ":" in self._host else self._host)
        return f"{'https' if self._tls else 'http'}://{name}:{self.port}{path}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, self._host, 0, ssl=self._tls, limit=HEAD_LIMIT)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for visit in list(self._visits):
            visit.cancel()
        if self._visits:
            await asyncio.wait(self._visits, timeout=5.0)
        # Transports close in the next turns of the loop.
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        visit = asyncio.get_running_loop().create_task(self._serve(Visit(reader, writer, self.connections)))
        self._visits.add(visit)
        visit.add_done_callback(self._visits.discard)

    async def _serve(self, visit: Visit) -> None:
        try:
            if self._greet is not None:
                await self._greet(visit)
                return
            while not visit.writer.is_closing() and await self._read(visit):
                visit.served += 1
                self.requests.append(visit.request)
                await self._script(visit)
        except (OSError, asyncio.IncompleteReadError, ssl.SSLError):
            # The peer has had enough of it.
            pass
        finally:
            with suppress(OSError, ssl.SSLError):
                visit.writer.close()

    async def _read(self, visit: Visit) -> bool:
        try:
            raw = await visit.reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return False
        first, *lines = raw.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ", 2)
        pairs = [line.partition(":") for line in lines if line]
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        body = await visit.reader.readexactly(int(headers.get("content-length", "0")))
        visit.request = Seen(method, path, headers, body)
        return True


def head(status: int, headers: Fields = (), version: str = "1.1") -> bytes:
    """The head of an answer, to its empty line."""
    lines = [f"HTTP/{version} {status} Scripted", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def answering(status: int = 200, body: bytes = b"", headers: Fields = ()) -> Script:
    """Always the same answer."""

    async def script(visit: Visit) -> None:
        await visit.answer(status, body, headers)

    return script


def sending(*pieces: bytes, then_close: bool = True, pause_s: float = 0.0) -> Script:
    """These bytes and nothing else, whatever they are."""

    async def script(visit: Visit) -> None:
        for piece in pieces:
            await visit.send(piece)
            if pause_s:
                await asyncio.sleep(pause_s)
        if then_close:
            visit.close()

    return script


def hanging(*pieces: bytes) -> Script:
    """These bytes, then silence."""

    async def script(visit: Visit) -> None:
        for piece in pieces:
            await visit.send(piece)
        await visit.hang()

    return script


def dripping(start: bytes = b"", drop: bytes = b"x", every_s: float = 0.02) -> Script:
    """A drop at a time, for ever."""

    async def script(visit: Visit) -> None:
        await visit.send(start)
        while True:
            await visit.send(drop)
            await asyncio.sleep(every_s)

    return script


def flooding(start: bytes, piece: bytes = PIECE) -> Script:
    """As fast as the peer takes it, for ever."""

    async def script(visit: Visit) -> None:
        await visit.send(start)
        while True:
            await visit.send(piece)

    return script


def resetting(*pieces: bytes) -> Script:
    async def script(visit: Visit) -> None:
        for piece in pieces:
            await visit.send(piece)
        # So that what was sent arrives before the reset discards it.
        await asyncio.sleep(0.02)
        visit.reset()

    return script


def redirecting(to: Callable[[Seen], str | None], status: int = 302, headers: Fields = ()) -> Script:
    """A redirect to where `to` says; 200 where it says None."""

    async def script(visit: Visit) -> None:
        place = to(visit.request)
        if place is None:
            await visit.answer(200, b"arrived")
        else:
            await visit.answer(status, b"", [("Location", place), *headers])

    return script


class Silent:
    """Listens and never accepts: the kernel makes the connection, nobody answers. `is_full`: not even that."""

    def __init__(self, *, is_full: bool = False) -> None:
        self._listener = socket.socket()
        self._listener.bind((HOST, 0))
        self._listener.listen(0)
        self.port = self._listener.getsockname()[1]
        self._callers: list[socket.socket] = []
        if is_full:
            self._fill()

    def url(self, path: str = "/") -> str:
        return f"http://{HOST}:{self.port}{path}"

    def _fill(self) -> None:
        """Take the places in the queue, so that the next caller's SYN is dropped."""
        is_let_in = True
        while is_let_in and len(self._callers) < PLACES:
            caller = socket.socket()
            caller.setblocking(False)
            caller.connect_ex((HOST, self.port))
            self._callers.append(caller)
            is_let_in = bool(select.select([], [caller], [], 0.05)[1])

    def close(self) -> None:
        for one in (*self._callers, self._listener):
            one.close()


def unused_port() -> int:
    """A port where nobody listens."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _length(body: bytes, headers: Fields) -> Fields:
    said = {name.lower() for name, _ in headers}
    return [] if said & {"content-length", "transfer-encoding"} else [("Content-Length", str(len(body)))]
