"""Engines: the one that writes, and read-only ones beside it; and the lock that keeps a second daemon off an SQLite file.

What keeps it off a PostgreSQL database is the writing connection itself (`postgresql.py`).
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool, StaticPool

from tocsin.errors import StoreError
from tocsin.store import postgresql

BUSY_TIMEOUT_MS = 5_000


def parse_url(database: str) -> URL:
    try:
        url = make_url(database)
    except ArgumentError:
        raise StoreError(
            f"database: {database!r} is not an address (use sqlite:///var/tocsin.db or postgresql://user@host/name)",
            permanent=True,
        ) from None
    backend = url.get_backend_name()
    if backend == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise StoreError(f"database: {backend} is not supported (use sqlite or postgresql)", permanent=True)
    return url


def shown(url: URL) -> str:
    """The address as people wrote it, without its password."""
    return postgresql.shown(url)


def file_of(url: URL) -> Path | None:
    """The file of an SQLite database; None for one in memory and for PostgreSQL."""
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return None
    return Path(url.database)


def located(database: str, base: Path | None) -> tuple[URL, Path | None]:
    """The address with its file made absolute (relative ones start at `base`), and that file where it is one."""
    url = parse_url(database)
    path = file_of(url)
    if path is None or base is None or path.is_absolute():
        return url, path
    return url.set(database=str(base / path)), base / path


def write_engine(url: URL) -> Engine:
    """The engine of the one writer thread. A transaction begins with its write lock, so a read in it is never out of date."""
    if url.get_backend_name() == "sqlite":
        pool: dict[str, Any] = {"poolclass": StaticPool}
        engine = create_engine(
            url, connect_args={"check_same_thread": False, "timeout": BUSY_TIMEOUT_MS / 1000}, **pool
        )
        event.listen(engine, "connect", _prepare_sqlite_writer)
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
        return engine
    return postgresql.write_engine(url)


def read_engine(url: URL) -> Engine:
    """Read-only connections for pages, commands and figures; each thread its own."""
    if url.get_backend_name() == "sqlite":
        path = file_of(url)
        if path is None:
            raise StoreError("a database in memory has no second connection", permanent=True)
        engine = create_engine(url, poolclass=NullPool, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000})
        event.listen(engine, "connect", _prepare_sqlite_reader)
        return engine
    return postgresql.read_engine(url)


def _prepare_sqlite_writer(connection: Any, _record: object) -> None:
    # The driver must not begin transactions by itself: its deferred ones lose updates silently.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        "journal_size_limit=67108864",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _prepare_sqlite_reader(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA query_only=ON")
    cursor.close()


class DaemonLock:
    """Exactly one daemon on an SQLite file: an flock beside it, let go by the system whenever the process ends."""

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(database.name + ".lock")
        self._fd: int | None = None

    def acquire(self) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
            _give_to_owner_of_folder(fd, self._path.parent)
        except OSError as error:
            raise StoreError(
                f"{self._path}: {error.strerror} (give Tocsin's account the folder)", permanent=True
            ) from None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(fd, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(fd)
            raise StoreError(
                f"{self._path}: another Tocsin (process {holder}) works on this database (stop it, or give this one its own)",
                permanent=True,
            ) from None
        os.ftruncate(fd, 0)
        os.pwrite(fd, str(os.getpid()).encode(), 0)
        self._fd = fd

    def release(self) -> None:
        if self._fd is not None:
            with suppress(OSError):
                os.close(self._fd)
            self._fd = None


def _give_to_owner_of_folder(fd: int, folder: Path) -> None:
    """What root makes here must not keep the daemon's own account out."""
    if os.geteuid() == 0:
        owner = folder.stat()
        os.fchown(fd, owner.st_uid, owner.st_gid)
