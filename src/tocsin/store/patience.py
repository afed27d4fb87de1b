"""The end of patience with a server that neither answers nor closes: its connection is shut, and the one who waits hears of it."""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import suppress
from typing import Any

from sqlalchemy import Engine, event

ANSWERS_WITHIN_S = 45.0


class Patience:
    """Watches the connections of some engines that are in use. One thread; connections are named by their pool's record."""

    def __init__(self, limit_s: float = ANSWERS_WITHIN_S) -> None:
        self._limit_s = limit_s
        self._busy: dict[int, tuple[float, Any]] = {}
        self._changed = threading.Condition()
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="tocsin-patience", daemon=True)
        self._thread.start()

    def watch(self, engine: Engine) -> None:
        event.listen(engine, "checkout", self._taken)
        event.listen(engine, "checkin", self._given_back)
        event.listen(engine, "invalidate", lambda _connection, record, _error: self._given_back(None, record))

    def close(self) -> None:
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._thread.join(1.0)

    def _taken(self, connection: Any, record: object, _proxy: object) -> None:
        with self._changed:
            self._busy[id(record)] = (time.monotonic() + self._limit_s, connection)
            self._changed.notify()

    def _given_back(self, _connection: object, record: object) -> None:
        with self._changed:
            self._busy.pop(id(record), None)

    def _run(self) -> None:
        with self._changed:
            while not self._is_closed:
                now = time.monotonic()
                for key in [key for key, (until, _) in self._busy.items() if until <= now]:
                    _shut(self._busy.pop(key)[1])
                first = min((until for until, _ in self._busy.values()), default=None)
                # A connection taken later is due later: waking for it is the last one's work.
                self._changed.wait(None if first is None else max(0.0, first - now))


def _shut(connection: Any) -> None:
    """End the stream under a connection without touching its state, which belongs to another thread."""
    with suppress(OSError, AttributeError):
        handle = os.dup(connection.fileno())
        with socket.socket(fileno=handle) as stream:
            stream.shutdown(socket.SHUT_RDWR)
