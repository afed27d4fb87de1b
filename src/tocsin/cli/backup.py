"""`backup`: everything that Tocsin keeps, in one verified file, while the daemon runs."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from tocsin.cli.command import Options, command
from tocsin.cli.output import print_json, say
from tocsin.cli.progress import ProgressLine


def add_to(app: typer.Typer) -> None:
    command(app, "backup", backup)


def backup(
    options: Options,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to.")],
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file if it exists.")] = False,
) -> int:
    """Write a backup and verify it: history, incidents, outbox, journal, the applied configuration. The daemon may run."""
    from tocsin.cli.configuration import database_of, settings_of
    from tocsin.store.backup import write

    url, path = database_of(settings_of(options))
    progress = ProgressLine()
    try:
        found = write(url, path, file, datetime.now(UTC), force=force, progress=progress)
    finally:
        progress.end()
    if options.json:
        print_json({"ok": True, **found.as_dict()})
    else:
        say(
            f"wrote {file}: {found.size / 1e6:,.1f} MB, {found.tables['journal']:,} journal entries"
            f" (head {found.head.hash[:16]}…), verified"
        )
    return 0
