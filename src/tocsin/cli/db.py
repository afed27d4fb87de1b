"""`db …`: the database's schema, and the way from one database to another."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tocsin.cli.command import Options, command, group
from tocsin.cli.output import hint, print_facts, print_json, say
from tocsin.cli.progress import ProgressLine

if TYPE_CHECKING:
    from sqlalchemy import URL


def add_to(app: typer.Typer) -> None:
    noun = group(app, "db", "The database of Tocsin's own data.")
    command(noun, "status", status)
    command(noun, "upgrade", upgrade)
    command(noun, "copy", copy)


def status(options: Options) -> int:
    """Show which schema the database has and which this version needs. Exit code 1 when they differ."""
    from tocsin.cli.configuration import reading_database
    from tocsin.store.engine import shown
    from tocsin.store.upgrade import REVISION, stored_revision

    with reading_database(options) as connection:
        stored = stored_revision(connection)
        name = shown(connection.engine.url)
    found = {"ok": stored == REVISION, "database": name, "schema": stored, "needed": REVISION}
    if options.json:
        print_json(found)
    else:
        print_facts([("database", name), ("schema", stored or "none"), ("needed", REVISION)])
    return 0 if found["ok"] else 1


def upgrade(options: Options) -> int:
    """Bring the database to this version's schema, after a copy of it. Stop the daemon first."""
    from tocsin.cli.configuration import database_of, settings_of
    from tocsin.store import engine as engines
    from tocsin.store.upgrade import REVISION, prepare

    settings = settings_of(options)
    url, path = database_of(settings)
    lock = engines.DaemonLock(path) if path is not None else None
    if lock is not None:
        lock.acquire()
    engine = engines.write_engine(url)
    try:
        if path is None:
            _back_up_older(url, settings.data_dir)
        prepare(engine, path, may_upgrade=True)
    finally:
        engine.dispose()
        if lock is not None:
            lock.release()
    name = engines.shown(url)
    print_json({"ok": True, "database": name, "schema": REVISION}) if options.json else say(
        f"{name}: schema {REVISION}"
    )
    return 0


def _back_up_older(url: URL, folder: Path) -> None:
    """PostgreSQL has no file to copy: a backup is taken when there is something to upgrade."""
    from tocsin.store import backup
    from tocsin.store import engine as engines
    from tocsin.store.upgrade import REVISION, is_newer, stored_revision

    reader = engines.read_engine(url)
    try:
        with reader.connect() as connection:
            stored = stored_revision(connection)
    finally:
        reader.dispose()
    if stored is None or stored == REVISION or is_newer(stored):
        return
    now = datetime.now(UTC)
    file = folder / f"before-{REVISION}.{now:%Y%m%dT%H%M%SZ}.backup"
    progress = ProgressLine()
    try:
        backup.write(url, None, file, now, force=False, progress=progress)
    finally:
        progress.end()
    hint(f"as it was before: {file}")


def copy(
    options: Options,
    to: Annotated[str, typer.Option("--to", metavar="DATABASE", help="A new, empty one: postgresql://user@host/db.")],
) -> int:
    """Copy everything into another database and verify it there, row counts and journal. Stop the daemon first."""
    from tocsin.cli.configuration import database_of, settings_of
    from tocsin.cli.restore import account
    from tocsin.store import engine as engines
    from tocsin.store.move import move

    url, path = database_of(settings_of(options))
    progress = ProgressLine()
    try:
        counts = move(url, path, *engines.located(to, Path.cwd()), datetime.now(UTC), account(), progress)
    finally:
        progress.end()
    target = engines.shown(engines.parse_url(to))
    if options.json:
        print_json({"ok": True, "from": engines.shown(url), "to": target, "tables": counts})
    else:
        say(f"{target}: {sum(counts.values()):,} rows, {counts['journal']:,} journal entries, verified")
        say(f"Now set `database: {target}` and start the daemon; {engines.shown(url)} is as it was.")
    return 0
