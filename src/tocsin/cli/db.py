"""`db …`: the database's schema."""

from __future__ import annotations

import typer

from tocsin.cli.command import Options, command, group
from tocsin.cli.output import print_facts, print_json, say


def add_to(app: typer.Typer) -> None:
    noun = group(app, "db", "The database of Tocsin's own data.")
    command(noun, "status", status)
    command(noun, "upgrade", upgrade)


def status(options: Options) -> int:
    """Show which schema the database has and which this version needs. Exit code 1 when they differ."""
    from tocsin.cli.configuration import reading_database
    from tocsin.store.upgrade import REVISION, stored_revision

    with reading_database(options) as connection:
        stored = stored_revision(connection)
        name = connection.engine.url.render_as_string(hide_password=True)
    found = {"ok": stored == REVISION, "database": name, "schema": stored, "needed": REVISION}
    if options.json:
        print_json(found)
    else:
        print_facts([("database", name), ("schema", stored or "none"), ("needed", REVISION)])
    return 0 if found["ok"] else 1


def upgrade(options: Options) -> int:
    """Bring the database to this version's schema (SQLite after a copy beside it). Stop the daemon first."""
    from tocsin.cli.configuration import database_of, settings_of
    from tocsin.store import engine as engines
    from tocsin.store.upgrade import REVISION, prepare

    url, path = database_of(settings_of(options))
    lock = engines.DaemonLock(path) if path is not None else None
    if lock is not None:
        lock.acquire()
    engine = engines.write_engine(url)
    try:
        prepare(engine, path, may_upgrade=True)
    finally:
        engine.dispose()
        if lock is not None:
            lock.release()
    name = url.render_as_string(hide_password=True)
    print_json({"ok": True, "database": name, "schema": REVISION}) if options.json else say(
        f"{name}: schema {REVISION}"
    )
    return 0
