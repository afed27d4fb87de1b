"""From one database to another by one verified step: both are kept from every daemon while it lasts."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

from sqlalchemy import URL, Engine
from sqlalchemy.exc import SQLAlchemyError

from tocsin.core.model import Entry
from tocsin.errors import Refused, StoreError
from tocsin.store import engine as engines
from tocsin.store import journal
from tocsin.store.copying import Progress, copy_all
from tocsin.store.upgrade import REVISION, stored_revision


def move(
    source: URL,
    source_path: Path | None,
    target: URL,
    target_path: Path | None,
    now: datetime,
    actor: str,
    progress: Progress,
) -> dict[str, int]:
    """Copy everything into an empty database, verify it there, and commit it as a whole; returns the rows by table."""
    if source == target:
        raise Refused(f"{engines.shown(target)}: is the database that is in use (name another one)")
    with ExitStack() as stack:
        reading_engine = _kept_from_daemons(source, source_path, stack)
        writing_engine = _kept_from_daemons(target, target_path, stack)
        try:
            with reading_engine.connect() as reading, writing_engine.begin() as writing:
                if (stored := stored_revision(reading)) != REVISION:
                    raise StoreError(
                        f"{engines.shown(source)}: has schema {stored}, this version needs {REVISION}"
                        " (run `tocsin db upgrade` first)",
                        permanent=True,
                    )
                counts = copy_all(reading, writing, progress)
                data = {"from": source.get_backend_name(), "to": target.get_backend_name()}
                journal.append(writing, [Entry(now, actor, "database_copied", "database", data)])
                return counts
        except SQLAlchemyError as error:
            text = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
            raise StoreError(f"{engines.shown(target)}: {text} (nothing was kept)", permanent=True) from error


def _kept_from_daemons(url: URL, path: Path | None, stack: ExitStack) -> Engine:
    """An engine whose database no daemon works on: by the lock of its file, or by that of its connection."""
    if path is not None:
        lock = engines.DaemonLock(path)
        lock.acquire()
        stack.callback(lock.release)
    engine = engines.write_engine(url)
    stack.callback(engine.dispose)
    return engine
