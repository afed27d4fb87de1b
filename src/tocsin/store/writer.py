"""The one writer: a thread that takes what is queued and commits it as a group, one fsync for all of it.

Each unit of work runs in a savepoint of its own, so that one that fails takes nobody with it. Bulk work (roll-ups, retention) waits
until no promise is queued.

A commit whose answer was lost (PostgreSQL) is neither repeated nor given up: the database itself is asked what became of it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from tenacity import RetryError, Retrying, retry_if_exception, stop_after_delay, wait_random_exponential

from tocsin.errors import StoreError, TocsinError
from tocsin.log import get_log
from tocsin.store import postgresql

log = get_log(__name__)

GROUP = 64
QUEUE_LIMIT = 10_000
RETRY_FOR_S = 2.0
DOUBT_FOR_S = 15.0

Work = Callable[[Connection], Any]
Outcomes = list[tuple[Any, Exception | None]]


@dataclass(slots=True)
class _Job:
    work: Work
    future: Future[Any]


class _GroupError(StoreError):
    """A whole group was not committed. `is_passing`: a lock, or a connection that was lost."""

    def __init__(self, text: str, *, is_passing: bool) -> None:
        super().__init__(text)
        self.is_passing = is_passing


class _LostAnswerError(Exception):
    """COMMIT was sent and no answer came: the group's mark tells whether it was committed."""

    def __init__(self, mark: str, outcomes: Outcomes) -> None:
        super().__init__(mark)
        self.mark = mark
        self.outcomes = outcomes


class Writer:
    """Owns the write connection. `submit` from any thread; results come through futures."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._leaves_marks = engine.dialect.name == "postgresql"
        self._urgent: deque[_Job] = deque()
        self._bulk: deque[_Job] = deque()
        self._changed = threading.Condition()
        self._is_closed = False
        self.errors = 0
        self._thread = threading.Thread(target=self._run, name="tocsin-writer", daemon=True)
        self._thread.start()

    def submit(self, work: Work, *, bulk: bool = False) -> Future[Any]:
        future: Future[Any] = Future()
        with self._changed:
            why = self._why_full()
            if why is None:
                (self._bulk if bulk else self._urgent).append(_Job(work, future))
                self._changed.notify()
        if why is not None:
            future.set_exception(StoreError(f"the store takes nothing more: {why}"))
        return future

    def _why_full(self) -> str | None:
        if self._is_closed:
            return "it is closed"
        is_full = len(self._urgent) + len(self._bulk) >= QUEUE_LIMIT
        return f"{QUEUE_LIMIT} writes are waiting already" if is_full else None

    def close(self, timeout_s: float = 10.0) -> None:
        """Finish what is queued, then stop."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while group := self._next_group():
            # From here on a job can no longer be cancelled: its result is set whatever becomes of the one who asked.
            wanted = [job for job in group if job.future.set_running_or_notify_cancel()]
            if wanted:
                self._commit(wanted)

    def _next_group(self) -> list[_Job]:
        """What is urgent; a single bulk job only when nothing urgent waits. Empty when all is done and the writer closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._urgent or self._bulk or self._is_closed)
            if self._urgent:
                return [self._urgent.popleft() for _ in range(min(GROUP, len(self._urgent)))]
            return [self._bulk.popleft()] if self._bulk else []

    def _commit(self, group: list[_Job]) -> None:
        try:
            outcomes = self._attempt(group)
        except _GroupError as error:
            if len(group) > 1 and not error.is_passing:
                # One of them may be what the database cannot stomach: alone, it takes nobody with it.
                for job in group:
                    self._commit([job])
                return
            self.errors += 1
            for job in group:
                job.future.set_exception(StoreError(str(error)))
            return
        for job, (result, failure) in zip(group, outcomes, strict=True):
            if failure is None:
                job.future.set_result(result)
            else:
                job.future.set_exception(failure)

    def _attempt(self, group: list[_Job]) -> Outcomes:
        """Commit the group; a lock or a lost connection is tried again for a short while, since nothing was committed then."""
        try:
            return _retrying(RETRY_FOR_S)(self._once, group)
        except _LostAnswerError as lost:
            return self._outcomes_of(lost, group)
        except RetryError as error:
            cause = error.last_attempt.exception()
            raise _GroupError(f"the store did not commit: {_short(cause)}", is_passing=True) from cause
        except SQLAlchemyError as error:
            raise _GroupError(f"the store did not commit: {_short(error)}", is_passing=False) from error
        except StoreError as error:
            raise _GroupError(f"the store did not commit: {error}", is_passing=True) from error

    def _once(self, group: list[_Job]) -> Outcomes:
        mark = None
        try:
            with self._engine.connect() as connection, connection.begin():
                outcomes = [_run_in_savepoint(connection, job.work) for job in group]
                mark = postgresql.leave_mark(connection) if self._leaves_marks else None
        except DBAPIError as error:
            if mark is not None and _is_passing(error):
                raise _LostAnswerError(mark, outcomes) from error
            raise
        return outcomes

    def _outcomes_of(self, lost: _LostAnswerError, group: list[_Job]) -> Outcomes:
        """What became of a commit whose answer was lost: it counts if it is there, and is made again if it is not."""
        try:
            is_committed = _retrying(DOUBT_FOR_S)(postgresql.is_committed, self._engine, lost.mark)
        except (RetryError, SQLAlchemyError, StoreError) as error:
            cause = error.last_attempt.exception() if isinstance(error, RetryError) else error
            text = f"the store did not say whether it committed, and does not answer since: {_short(cause)}"
            raise _GroupError(text, is_passing=True) from error
        log.warning("The answer to a commit was lost", action="commit_answer_lost", was_committed=is_committed)
        return lost.outcomes if is_committed else self._attempt(group)


def _retrying(for_s: float) -> Retrying:
    return Retrying(
        retry=retry_if_exception(_is_passing),
        stop=stop_after_delay(for_s),
        wait=wait_random_exponential(multiplier=0.02, max=0.5),
    )


def _run_in_savepoint(connection: Connection, work: Work) -> tuple[Any, Exception | None]:
    try:
        with connection.begin_nested():
            return work(connection), None
    except TocsinError as error:
        return None, error
    except DBAPIError as error:
        if _is_passing(error) or isinstance(error, OperationalError):
            raise  # the whole transaction is in doubt, not this unit alone
        return None, StoreError(f"the store refused a unit of work: {_short(error)}", permanent=True)
    except Exception as error:
        # A fault in one unit of work must not end the only writer.
        log.exception("A unit of work failed", action="work_failed")
        return None, StoreError(f"a unit of work failed: {error!r}", permanent=True)


def _is_passing(error: BaseException) -> bool:
    if not isinstance(error, DBAPIError):
        return False
    if _is_postgresql(error):
        return postgresql.is_passing(error)
    text = str(error.orig).lower()
    return isinstance(error, OperationalError) and ("locked" in text or "busy" in text or error.connection_invalidated)


def _is_postgresql(error: DBAPIError) -> bool:
    return hasattr(error.orig, "sqlstate")


def _short(error: BaseException | None) -> str:
    origin = getattr(error, "orig", None) or error
    return str(origin).strip().splitlines()[0] if origin else "unknown"
