"""The one writer: a thread that takes what is queued and commits it as a group, one fsync for all of it.

Each unit of work runs in a savepoint of its own, so that one that fails takes nobody with it. Bulk work (roll-ups, retention) waits
until no promise is queued.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from tenacity import RetryError, Retrying, retry_if_exception, stop_after_delay, wait_random_exponential

from tocsin.errors import StoreError, TocsinError

log = structlog.get_logger(__name__)

GROUP = 64
QUEUE_LIMIT = 10_000
RETRY_FOR_S = 2.0

Work = Callable[[Connection], Any]


@dataclass(slots=True)
class _Job:
    work: Work
    future: Future[Any]


class Writer:
    """Owns the write connection. `submit` from any thread; results come through futures."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._urgent: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._bulk: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="tocsin-writer", daemon=True)
        self._is_closed = False
        self.errors = 0
        self._thread.start()

    def submit(self, work: Work, *, bulk: bool = False) -> Future[Any]:
        future: Future[Any] = Future()
        if self._is_closed or self._urgent.qsize() + self._bulk.qsize() >= QUEUE_LIMIT:
            why = "it is closed" if self._is_closed else f"{QUEUE_LIMIT} writes are waiting already"
            future.set_exception(StoreError(f"the store takes nothing more: {why}"))
            return future
        job = _Job(work, future)
        if bulk:
            self._bulk.put(job)
            self._urgent.put(None)
        else:
            self._urgent.put(job)
        return future

    def close(self, timeout_s: float = 10.0) -> None:
        """Finish what is queued, then stop."""
        self._is_closed = True
        self._urgent.put(None)
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while True:
            group = self._next_group()
            if group:
                self._commit(group)
            elif self._is_closed:
                return

    def _next_group(self) -> list[_Job]:
        """What is urgent, all that is there; a single bulk job only when nothing urgent waits."""
        group = [job for job in [self._urgent.get()] if job is not None]
        while len(group) < GROUP:
            try:
                job = self._urgent.get_nowait()
            except queue.Empty:
                break
            if job is not None:
                group.append(job)
        if not group:
            try:
                group.append(self._bulk.get_nowait())
            except queue.Empty:
                return group
        elif not self._bulk.empty():
            self._urgent.put(None)
        return group

    def _commit(self, group: list[_Job]) -> None:
        try:
            outcomes = self._attempt(group)
        except StoreError as error:
            self.errors += 1
            for job in group:
                job.future.set_exception(error)
            return
        for job, (result, failure) in zip(group, outcomes, strict=True):
            if failure is None:
                job.future.set_result(result)
            else:
                job.future.set_exception(failure)

    def _attempt(self, group: list[_Job]) -> list[tuple[Any, Exception | None]]:
        """Commit the group; a lock or a lost connection is tried again for a short while, since nothing was committed then."""
        retrying = Retrying(
            retry=retry_if_exception(_is_passing),
            stop=stop_after_delay(RETRY_FOR_S),
            wait=wait_random_exponential(multiplier=0.02, max=0.5),
        )
        try:
            return retrying(self._once, group)
        except RetryError as error:
            cause = error.last_attempt.exception()
            raise StoreError(f"the store did not commit: {_short(cause)}") from cause
        except SQLAlchemyError as error:
            raise StoreError(f"the store did not commit: {_short(error)}") from error

    def _once(self, group: list[_Job]) -> list[tuple[Any, Exception | None]]:
        with self._engine.connect() as connection, connection.begin():
            return [_run_in_savepoint(connection, job.work) for job in group]


def _run_in_savepoint(connection: Connection, work: Work) -> tuple[Any, Exception | None]:
    try:
        with connection.begin_nested():
            return work(connection), None
    except TocsinError as error:
        return None, error
    except DBAPIError as error:
        if _is_passing(error) or error.connection_invalidated or isinstance(error, OperationalError):
            raise  # the whole transaction is in doubt, not this unit alone
        return None, StoreError(f"the store refused a unit of work: {_short(error)}", permanent=True)
    except Exception as error:
        # A fault in one unit of work must not end the only writer.
        log.exception("A unit of work failed", action="work_failed")
        return None, StoreError(f"a unit of work failed: {error!r}", permanent=True)


def _is_passing(error: BaseException) -> bool:
    if not isinstance(error, OperationalError):
        return False
    text = str(error.orig).lower()
    return "locked" in text or "busy" in text or error.connection_invalidated


def _short(error: BaseException | None) -> str:
    origin = getattr(error, "orig", None) or error
    return str(origin).strip().splitlines()[0] if origin else "unknown"
