"""A backup is one SQLite file, whatever the database is: written while the daemon runs, verified before it counts, restored into either."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, make_url
from sqlalchemy.exc import SQLAlchemyError

from tocsin import __version__
from tocsin.errors import StoreError, UsageError
from tocsin.store import engine as engines
from tocsin.store import journal
from tocsin.store.copying import Progress, copy_all, count_rows
from tocsin.store.transaction import SqlTransaction
from tocsin.store.upgrade import REVISION, is_newer, stored_revision

PAGES = 2000
FACT = "backup"


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found in a backup that is whole."""

    file: Path
    schema: str
    taken_at: str | None
    tables: dict[str, int]
    head: journal.Head
    size: int

    def as_dict(self) -> dict[str, Any]:
        return {
            "file": str(self.file),
            "size_bytes": self.size,
            "schema": self.schema,
            "taken_at": self.taken_at,
            "entries": self.tables["journal"],
            "head": {"sequence": self.head.sequence, "hash": self.head.hash},
            "tables": self.tables,
        }


def write(url: URL, path: Path | None, file: Path, now: datetime, *, force: bool, progress: Progress) -> Checked:
    """Write a backup and verify it; only then does it get its name."""
    if file.exists() and not force:
        raise UsageError(f"{file}: exists already (name another file, or say --force)")
    partial = file.with_name(f"{file.name}.partial")
    try:
        _make_private(partial)
        if path is not None:
            _copy_file(path, partial, progress)
        else:
            _copy_tables(url, partial, progress)
        _sign_off(partial, engines.shown(url), now)
        check(partial)
        sync(partial)
        partial.replace(file)
        sync(file.parent)
    except (OSError, sqlite3.Error, SQLAlchemyError) as error:
        partial.unlink(missing_ok=True)
        raise StoreError(f"{file}: {_short(error)} (the backup was not written)", permanent=True) from error
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    return check(file)


def _make_private(partial: Path) -> None:
    partial.unlink(missing_ok=True)
    os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))


def _copy_file(path: Path, partial: Path, progress: Progress) -> None:
    """SQLite's own online copy, as of one instant, however much is written meanwhile."""
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as source:
        # Within one transaction the copy is of one snapshot; otherwise each write would start it anew.
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        with closing(sqlite3.connect(partial)) as target:
            source.backup(
                target, pages=PAGES, progress=lambda _, left, total: progress("pages", total - left, total), sleep=0.0
            )


def _copy_tables(url: URL, partial: Path, progress: Progress) -> None:
    """PostgreSQL: all tables, as of one instant."""
    source, target = engines.read_engine(url), engines.write_engine(make_url(f"sqlite:///{partial}"))
    try:
        with source.connect() as reading, target.begin() as writing:
            reading = reading.execution_options(isolation_level="REPEATABLE READ")
            copy_all(reading, writing, progress)
    finally:
        source.dispose()
        target.dispose()


def _sign_off(partial: Path, source: str, now: datetime) -> None:
    about = {"taken_at": journal.instant(now), "version": __version__, "source": source}
    with closing(sqlite3.connect(partial)) as connection:
        # One file: a write-ahead log would be a second one.
        connection.execute("PRAGMA journal_mode=DELETE")
        with connection:
            connection.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (FACT, json.dumps(about)))


def check(file: Path) -> Checked:
    """Verify a backup whole: the file's structure, its schema, the journal's chain. Raises `StoreError` with what is wrong."""
    if not file.is_file():
        raise UsageError(f"{file}: no such file (name a backup)")
    with _reading(file) as connection:
        faults = [row[0] for row in connection.exec_driver_sql("PRAGMA integrity_check(5)") if row[0] != "ok"]
        if faults:
            raise StoreError(f"{file}: the file is damaged: {faults[0]} (take another backup)", permanent=True)
        schema = stored_revision(connection)
        if schema is None:
            raise StoreError(f"{file}: is not a backup of Tocsin's", permanent=True)
        if is_newer(schema):
            raise StoreError(
                f"{file}: was written by a newer Tocsin (schema {schema}, this one knows {REVISION}; use that version)",
                permanent=True,
            )
        found = journal.verify(connection)
        if found.broken is not None:
            raise StoreError(f"{file}: its journal is broken: {found.broken[1]} (take another backup)", permanent=True)
        about = json.loads(SqlTransaction(connection).get_fact(FACT) or "{}")
        tables = count_rows(connection)
        return Checked(file, schema, about.get("taken_at"), tables, journal.head_of(connection), file.stat().st_size)


@contextmanager
def _reading(file: Path) -> Iterator[Connection]:
    engine = engines.read_engine(make_url(f"sqlite:///{file}"))
    try:
        with engine.connect() as connection:
            yield connection
    except SQLAlchemyError as error:
        raise StoreError(f"{file}: {_short(error)} (it is no whole backup of Tocsin's)", permanent=True) from error
    finally:
        engine.dispose()


def sync(file: Path) -> None:
    """Wait until a file is on the disk, or a folder: a new name is there only when its folder is."""
    fd = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _short(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(getattr(error, "orig", None) or error).strip().splitlines()[0]
