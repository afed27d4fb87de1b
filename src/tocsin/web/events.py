"""Server-sent events: a number after each change worth showing, to a bounded number of readers, until the server stops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from weakref import WeakSet

from tocsin.errors import TocsinError
from tocsin.ports import Desk

MOST_READERS = 100
QUIET_S = 15.0
RETRY_MS = 2000


class Streams:
    """The open event streams of one server."""

    def __init__(self, desk: Desk, most: int = MOST_READERS, quiet_s: float = QUIET_S) -> None:
        self._desk = desk
        self._most = most
        self._quiet_s = quiet_s
        self._open: WeakSet[AsyncGenerator[bytes]] = WeakSet()
        self._closing = asyncio.Event()

    def open(self) -> AsyncIterator[bytes] | None:
        """One reader's stream, or None when there are too many or the server stops. It counts for as long as somebody holds it."""
        if len(self._open) >= self._most or self._closing.is_set():
            return None
        stream = self._read()
        self._open.add(stream)
        return stream

    def close(self) -> None:
        """End all streams, and let no new one begin."""
        self._closing.set()

    async def _read(self) -> AsyncGenerator[bytes]:
        """A comment after each quiet while keeps the connection, and shows who is gone."""
        changes = self._desk.changes()
        closing = asyncio.ensure_future(self._closing.wait())
        change = asyncio.ensure_future(_next(changes))
        try:
            yield f"retry: {RETRY_MS}\n\n".encode()
            while not closing.done():
                await asyncio.wait({closing, change}, timeout=self._quiet_s, return_when=asyncio.FIRST_COMPLETED)
                if closing.done():
                    return
                if not change.done():
                    yield b": still here\n\n"
                elif (number := change.result()) is None:
                    return
                else:
                    yield f"event: change\ndata: {number}\n\n".encode()
                    change = asyncio.ensure_future(_next(changes))
        finally:
            closing.cancel()
            change.cancel()


async def _next(changes: AsyncIterator[int]) -> int | None:
    """The next change; None when the daemon drains or can tell no more."""
    try:
        return await anext(changes, None)
    except TocsinError:
        return None
