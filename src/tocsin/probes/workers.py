"""A few threads of our own for what blocks: a lookup that hangs holds up neither asyncio's pool nor the exit."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")


class Workers:
    """At most `limit` daemon threads, started when there is work. To be used from one event loop."""

    def __init__(self, name: str, limit: int) -> None:
        self._name = name
        self._limit = limit
        self._queue: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._threads = 0
        self._unfinished = 0
        self._is_closed = False

    def submit(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Run `work` in a thread. Whoever waits may give up; the work itself goes on to its end."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def run() -> None:
            try:
                result, error = work(), None
            except Exception as caught:  # noqa: BLE001
                result, error = None, caught
            # The loop may be gone: nobody waits any more.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._settle, future, result, error)

        self._unfinished += 1
        self._queue.put(run)
        if self._unfinished > self._threads and self._threads < self._limit:
            self._threads += 1
            threading.Thread(target=self._work, name=f"{self._name}-{self._threads}", daemon=True).start()
        return future

    def close(self) -> None:
        """Let the threads end when they are done. Waits for none."""
        if not self._is_closed:
            self._is_closed = True
            for _ in range(self._threads):
                self._queue.put(None)

    def _work(self) -> None:
        while (run := self._queue.get()) is not None:
            run()

    def _settle(self, future: asyncio.Future[Any], result: object, error: Exception | None) -> None:
        self._unfinished -= 1
        if future.done():
            return
        if error is None:
            future.set_result(result)
            return
        future.set_exception(error)
        # Whoever gave up waiting shall not make asyncio complain.
        future.exception()
