"""The store as the daemon sees it: `write` through the writer thread, `read` on read-only connections in threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from tocsin.errors import StoreError
from tocsin.ports import Queries, Transaction
from tocsin.store import engine as engines
from tocsin.store import postgresql
from tocsin.store.patience import ANSWERS_WITHIN_S, Patience
from tocsin.store.queries import SqlQueries
from tocsin.store.transaction import SqlTransaction
from tocsin.store.upgrade import prepare
from tocsin.store.writer import Writer

T = TypeVar("T")
READERS = 4


class SqlStore:
    """A database that this process may write to. `open_store` makes one."""

    def __init__(self, database: str, *, base: Path | None = None, answers_within_s: float = ANSWERS_WITHIN_S) -> None:
        url, path = engines.located(database, base)
        self._lock = engines.DaemonLock(path) if path is not None else None
        if self._lock is not None:
            self._lock.acquire()
        self._engine = engines.write_engine(url)
        try:
            self.was_new = prepare(self._engine, path)
            if path is None:
                postgresql.prepare_mark(self._engine)
        except BaseException:
            self._engine.dispose()
            if self._lock is not None:
                self._lock.release()
            raise
        self._reader = engines.read_engine(url)
        self._patience = Patience(answers_within_s) if path is None else None
        if self._patience is not None:
            self._patience.watch(self._engine)
            self._patience.watch(self._reader)
        self._writer = Writer(self._engine)
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="tocsin-reader")

    @property
    def errors(self) -> int:
        """How many groups could not be committed since the start."""
        return self._writer.errors

    async def write(self, work: Callable[[Transaction], T], *, bulk: bool = False) -> T:
        def unit(connection: Connection) -> T:
            return work(SqlTransaction(connection))

        # Shielded: a caller that is cancelled does not undo what is on its way to the disk.
        return await asyncio.shield(asyncio.wrap_future(self._writer.submit(unit, bulk=bulk)))

    async def read(self, work: Callable[[Queries], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, work)

    def _read(self, work: Callable[[Queries], T]) -> T:
        try:
            return self._read_once(work)
        except SQLAlchemyError as error:
            if not getattr(error, "connection_invalidated", False):
                raise _unreadable(error) from error
        # The connection from before a restart of the server is gone; the next one is new.
        try:
            return self._read_once(work)
        except SQLAlchemyError as error:
            raise _unreadable(error) from error

    def _read_once(self, work: Callable[[Queries], T]) -> T:
        with self._reader.connect() as connection:
            return work(SqlQueries(connection))

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(None, self._close)

    def _close(self) -> None:
        self._writer.close()
        self._readers.shutdown(wait=False, cancel_futures=True)
        self._engine.dispose()
        self._reader.dispose()
        if self._patience is not None:
            self._patience.close()
        if self._lock is not None:
            self._lock.release()


def _unreadable(error: SQLAlchemyError) -> StoreError:
    text = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
    return StoreError(f"the store cannot be read: {text}")
