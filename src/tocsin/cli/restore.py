"""`restore`: a backup in the place of the database."""

from __future__ import annotations

import os
import pwd
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from tocsin.cli.command import Options, command
from tocsin.cli.output import print_json, say
from tocsin.cli.progress import ProgressLine


def add_to(app: typer.Typer) -> None:
    command(app, "restore", restore)


def restore(
    options: Options,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A backup.")],
) -> int:
    """Verify a backup and put it in the place of the database, which is kept beside it. Stop the daemon first."""
    from tocsin.cli.configuration import settings_of
    from tocsin.store.engine import located, shown
    from tocsin.store.restore import restore as put_back

    settings = settings_of(options)
    url, path = located(settings.database, settings.base)
    progress = ProgressLine()
    try:
        found = put_back(url, path, file, datetime.now(UTC), account(), progress)
    finally:
        progress.end()
    if options.json:
        print_json(found.as_dict())
        return 0
    taken = f", taken {found.backup.taken_at}" if found.backup.taken_at else ""
    say(f"{shown(url)}: restored from {file}{taken}, {found.backup.tables['journal']:,} journal entries")
    if found.kept is not None:
        say(f"what was there before is {found.kept}")
    return 0


def account() -> str:
    """The actor as whom this process acts on files."""
    try:
        return f"user:{pwd.getpwuid(os.geteuid()).pw_name}"
    except KeyError:
        return f"user:{os.geteuid()}"
