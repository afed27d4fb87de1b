"""Putting a backup in the place of the database: verified first, swapped in at one instant, what was there kept beside it."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, make_url
from sqlalchemy.exc import SQLAlchemyError

from tocsin.core.model import Entry
from tocsin.errors import Refused, StoreError
from tocsin.store import backup, journal
from tocsin.store import engine as engines
from tocsin.store.backup import Checked
from tocsin.store.copying import Progress, copy_all

BESIDE = ("-wal", "-shm")


@dataclass(frozen=True, slots=True)
class Restored:
    """What is in place now; `kept` is the file that was replaced."""

    backup: Checked
    kept: Path | None

    def as_dict(self) -> dict[str, Any]:
        return {"ok": True, "kept": str(self.kept) if self.kept else None, **self.backup.as_dict()}


def restore(url: URL, path: Path | None, file: Path, now: datetime, actor: str, progress: Progress) -> Restored:
    """Verify a backup and put it in the place of the database. Refused while a daemon works on that."""
    found = backup.check(file)
    if path is None:
        _into_server(url, found, now, actor, progress)
        return Restored(found, None)
    if file.resolve() == path.resolve():
        raise Refused(f"{file}: is the database itself (name a backup)")
    lock = engines.DaemonLock(path)
    lock.acquire()
    try:
        return Restored(found, _into_file(path, found, now, actor))
    finally:
        lock.release()


def _into_file(path: Path, found: Checked, now: datetime, actor: str) -> Path | None:
    incoming = path.with_name(f"{path.name}.incoming")
    kept = path.with_name(f"{path.name}.replaced.{now:%Y%m%dT%H%M%SZ}") if path.exists() else None
    try:
        shutil.copyfile(found.file, incoming)
        _record(make_url(f"sqlite:///{incoming}"), found, now, actor)
        with closing(sqlite3.connect(incoming)) as connection:
            connection.execute("PRAGMA journal_mode=DELETE")
        _like(incoming, path if kept else path.parent, is_file=kept is not None)
        if kept is not None:
            _keep(path, kept)
        backup.sync(incoming)
        incoming.replace(path)
        backup.sync(path.parent)
    except (OSError, sqlite3.Error, SQLAlchemyError) as error:
        raise StoreError(
            f"{path}: {getattr(error, 'strerror', None) or error} (nothing was replaced)", permanent=True
        ) from error
    finally:
        for suffix in ("", *BESIDE):
            incoming.with_name(incoming.name + suffix).unlink(missing_ok=True)
    return kept


def _keep(path: Path, kept: Path) -> None:
    """Give what is there a second name, whole in one file if it still can be; its log must not stay beside another database."""
    if _is_readable(path):
        with suppress(sqlite3.Error), closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode=DELETE")
    os.link(path, kept)
    for suffix in BESIDE:
        beside = path.with_name(path.name + suffix)
        if beside.exists():
            beside.rename(kept.with_name(kept.name + suffix))


def _is_readable(path: Path) -> bool:
    """A damaged file is not opened for writing: SQLite would throw away its log."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except sqlite3.Error:
        return False
    return True


def _like(incoming: Path, other: Path, *, is_file: bool) -> None:
    """The same owner and rights as the file that is replaced: root may restore, the daemon's account must read."""
    found = other.stat()
    incoming.chmod(found.st_mode & 0o777 if is_file else 0o640)
    if os.geteuid() == 0:
        os.chown(incoming, found.st_uid, found.st_gid)


def _into_server(url: URL, found: Checked, now: datetime, actor: str, progress: Progress) -> None:
    """PostgreSQL: only into an empty database, all in one transaction."""
    source, target = engines.read_engine(make_url(f"sqlite:///{found.file}")), engines.write_engine(url)
    try:
        with source.connect() as reading, target.begin() as writing:
            copy_all(reading, writing, progress)
            journal.append(writing, [_entry(found, now, actor)])
    except SQLAlchemyError as error:
        text = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        raise StoreError(f"{engines.shown(url)}: {text} (nothing was kept)", permanent=True) from error
    finally:
        _dispose(source, target)


def _record(url: URL, found: Checked, now: datetime, actor: str) -> None:
    engine = engines.write_engine(url)
    try:
        with engine.begin() as connection:
            journal.append(connection, [_entry(found, now, actor)])
    finally:
        engine.dispose()


def _entry(found: Checked, now: datetime, actor: str) -> Entry:
    data = {"taken_at": found.taken_at, "sequence": found.head.sequence, "hash": found.head.hash}
    return Entry(now, actor, "database_restored", "database", data)


def _dispose(*engines_: Engine) -> None:
    for engine in engines_:
        engine.dispose()
