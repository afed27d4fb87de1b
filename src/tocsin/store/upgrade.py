"""Bringing a database to this version's schema: made when new, upgraded after a copy (SQLite), refused when newer.

Alembic is imported only when the stored revision differs.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from tocsin.errors import StoreError
from tocsin.log import get_log
from tocsin.store.engine import shown
from tocsin.store.schema import metadata

log = get_log(__name__)

REVISIONS = ("0001", "0002", "golive")
"""The revisions in `migrations/versions`, oldest first; a test holds the two together."""
REVISION = REVISIONS[-1]


def is_newer(stored: str) -> bool:
    """Whether a schema is of a version that this one does not know."""
    return stored not in REVISIONS


def prepare(engine: Engine, path: Path | None, *, may_upgrade: bool | None = None) -> bool:
    """Make or upgrade the schema; returns whether the database was new. PostgreSQL is upgraded by `db upgrade` only."""
    if path is not None:
        _make_folder(path)
    try:
        with engine.begin() as connection:
            stored = stored_revision(connection)
            tables = inspect(connection).get_table_names()
            if stored is None and not tables:
                metadata.create_all(connection)
                _stamp(connection)
                return True
    except SQLAlchemyError as error:
        raise _unusable(engine, error) from error
    if stored is None or "journal" not in tables:
        raise StoreError(
            f"{_name(engine)}: holds tables that are not Tocsin's (give Tocsin a database of its own)", permanent=True
        )
    if stored == REVISION:
        return False
    if is_newer(stored):
        raise StoreError(
            f"{_name(engine)}: was written by a newer Tocsin (schema {stored}, this one knows {REVISION}; "
            "install that version, or restore a backup)",
            permanent=True,
        )
    if not (engine.dialect.name == "sqlite" if may_upgrade is None else may_upgrade):
        raise StoreError(
            f"{_name(engine)}: has schema {stored}, this version needs {REVISION} (run `tocsin db upgrade`)",
            permanent=True,
        )
    upgrade(engine, path, stored)
    return False


def upgrade(engine: Engine, path: Path | None, stored: str) -> Path | None:
    """Run the migrations; SQLite after a copy beside the file. Returns the copy.

    Each migration is committed by itself: what was cut short goes on with the next one.
    """
    copy = copy_beside(path, stored) if path is not None else None
    log.info("Upgrading the database", action="schema_upgrading", schema=stored, needed=REVISION, copy=str(copy or ""))
    try:
        with engine.connect() as connection:
            _without_time_limit(connection)
            _migrate(connection, "head")
    except SQLAlchemyError as error:
        raise StoreError(
            f"{_name(engine)}: could not be upgraded: {_first_line(error)} (make right what it says and run it again:"
            f" it goes on where it stopped{f'; a copy from before is {copy.name}' if copy else ''})",
            permanent=True,
        ) from error
    return copy


def make_schema(connection: Connection, revision: str) -> None:
    """Make the tables of a revision in an empty database, in the caller's transaction."""
    if revision == REVISION:
        metadata.create_all(connection)
        _stamp(connection)
    else:
        _migrate(connection, revision)


def _migrate(connection: Connection, revision: str) -> None:
    from alembic import command

    config = alembic_config(connection)
    config.attributes["applied"] = _applied
    command.upgrade(config, revision)


def _applied(*, step: Any, **_more: object) -> None:
    log.info("Schema upgraded", action="schema_upgraded", schema=step.up_revision_id)


def _without_time_limit(connection: Connection) -> None:
    """A migration may take its time, unlike a unit of work."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET statement_timeout = 0"))
        connection.commit()


def alembic_config(connection: Connection):  # type: ignore[no-untyped-def]  # alembic is imported late
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


def copy_beside(path: Path, stored: str) -> Path:
    """An online copy of an SQLite file beside it, named by its schema and the instant."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    copy = path.with_name(f"{path.name}.{stored}.{stamp}.bak")
    try:
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
    except sqlite3.Error as error:
        copy.unlink(missing_ok=True)
        raise StoreError(
            f"{path}: cannot be copied to {copy.name} before the upgrade: {error} (make room beside it; nothing was changed)",
            permanent=True,
        ) from error
    return copy


def stored_revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _stamp(connection: Connection) -> None:
    connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
    connection.execute(text("INSERT INTO alembic_version (version_num) VALUES (:revision)"), {"revision": REVISION})


def _make_folder(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"{path.parent}: {error.strerror} (give Tocsin's account the folder)", permanent=True
        ) from None


def _unusable(engine: Engine, error: SQLAlchemyError) -> StoreError:
    advice = "check that it runs and that the address is right"
    if engine.dialect.name == "sqlite":
        advice = "check its permissions and the disk; if the file is damaged, restore a backup: it is never replaced by an empty one"
    return StoreError(f"{_name(engine)}: {_first_line(error)} ({advice})", permanent=True)


def _first_line(error: SQLAlchemyError) -> str:
    return str(getattr(error, "orig", None) or error).strip().splitlines()[0]


def _name(engine: Engine) -> str:
    return shown(engine.url)
