"""Bringing a database to this version's schema: made when new, upgraded after a copy (SQLite), refused when newer.

Alembic is imported only when the stored revision differs.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from tocsin.errors import StoreError
from tocsin.store.schema import metadata

REVISION = "0001"
"""The newest revision in `migrations/versions`; a test holds the two together."""


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
    if stored > REVISION:
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
    """Run the migrations; SQLite after a copy beside the file. Returns the copy."""
    copy = copy_beside(path, stored) if path is not None else None
    from alembic import command

    with engine.begin() as connection:
        command.upgrade(alembic_config(connection), "head")
    return copy


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
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
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
    origin = getattr(error, "orig", None) or error
    advice = "check that it runs and that the address is right"
    if engine.dialect.name == "sqlite":
        advice = "check its permissions and the disk; if the file is damaged, restore a backup: it is never replaced by an empty one"
    return StoreError(f"{_name(engine)}: {str(origin).strip().splitlines()[0]} ({advice})", permanent=True)


def _name(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=True)
