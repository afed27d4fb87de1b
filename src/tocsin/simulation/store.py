"""A store whose disk survives crashes: the real tables, transaction and queries on SQLite in memory, without threads."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar, cast

from sqlalchemy import Connection, func, make_url, select
from sqlalchemy.exc import SQLAlchemyError

from tocsin.errors import StoreError, TocsinError
from tocsin.ports import Queries, Transaction
from tocsin.simulation.power import Power
from tocsin.store.engine import write_engine
from tocsin.store.queries import SqlQueries
from tocsin.store.schema import clocks, notices
from tocsin.store.transaction import SqlTransaction
from tocsin.store.upgrade import prepare

T = TypeVar("T")
_NEXT_WAKE = select(func.min(clocks.c.wake_at))
_NEXT_TRY = select(func.min(notices.c.next_at)).where(notices.c.state == "pending")
_ANY_PENDING = select(func.count()).select_from(notices).where(notices.c.state == "pending")


class Disk:
    """One database in memory with the engine's own begin and pragmas. Made once, wiped for each seed."""

    def __init__(self) -> None:
        self.engine = write_engine(make_url("sqlite://"))
        prepare(self.engine, None)
        self._empty = sqlite3.connect(":memory:", check_same_thread=False)
        self._raw().backup(self._empty)

    def wipe(self) -> None:
        self._empty.backup(self._raw())

    def close(self) -> None:
        self._empty.close()
        self.engine.dispose()

    def _raw(self) -> sqlite3.Connection:
        with self.engine.connect() as connection:
            return cast(sqlite3.Connection, connection.connection.driver_connection)

    def look(self, at: Callable[[Connection], T]) -> T:
        """Look at what is committed, as nobody inside the simulated world can."""
        with self.engine.connect() as connection:
            return at(connection)

    def next_instant(self) -> datetime | None:
        """The next instant at which a clock or a postponed notice is due."""

        def earliest(connection: Connection) -> list[datetime | None]:
            return [connection.execute(query).scalar() for query in (_NEXT_WAKE, _NEXT_TRY)]

        return min((at for at in self.look(earliest) if at is not None), default=None)

    def has_pending(self) -> bool:
        """Whether a promised notice waits."""
        return bool(self.look(lambda connection: connection.execute(_ANY_PENDING).scalar()))


class SimulatedStore:
    """Implements `ports.Store` for one life of the daemon.

    A unit of work is committed the moment it is handed in, as the writer thread keeps the order of its queue; when the caller hears of it
    is another matter. The power can fail before the commit (nothing was written) and after it (nobody hears).
    """

    def __init__(
        self, disk: Disk, power: Power, transaction: Callable[[Connection], Transaction] = SqlTransaction
    ) -> None:
        self._disk = disk
        self._power = power
        self._transaction = transaction
        self.refusals = 0
        self.faults: list[str] = []

    async def write(self, work: Callable[[Transaction], T], *, bulk: bool = False) -> T:  # noqa: ARG002
        self._power.need()
        if self.refusals > 0:
            self.refusals -= 1
            await self._power.let_others()
            raise StoreError("the store did not commit: database is locked")
        outcome = self.commit(work)
        await self._power.let_others()
        return outcome

    def commit(self, work: Callable[[Transaction], T]) -> T:
        name = name_of(work)
        with self._disk.engine.connect() as connection:
            with connection.begin():
                outcome = self._run(work, self._transaction(connection))
                self._power.point(f"before the commit of {name}")
            self._power.point(f"after the commit of {name}")
        return outcome

    def _run(self, work: Callable[[Transaction], T], transaction: Transaction) -> T:
        """A unit that fails for any reason but a refusal is a fault of ours: there is one writer and no disk to fill."""
        try:
            return work(transaction)
        except StoreError as error:
            self.faults.append(f"{name_of(work)}: {error}")
            raise
        except TocsinError:
            raise
        except SQLAlchemyError as error:
            self.faults.append(f"{name_of(work)}: {error}")
            raise StoreError(f"the store refused a unit of work: {error}", permanent=True) from error

    async def read(self, work: Callable[[Queries], T]) -> T:
        self._power.need()
        with self._disk.engine.connect() as connection:
            found = work(SqlQueries(connection))
        await self._power.let_others()
        return found

    async def close(self) -> None:
        """Nothing is open: the disk outlives the daemon."""


def name_of(work: Callable[..., Any]) -> str:
    """The verb that a unit of work belongs to, such as `Applier.commit`."""
    return str(getattr(work, "__qualname__", "work")).split(".<locals>")[0]
