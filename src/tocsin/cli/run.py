"""`run` and `reload`: the daemon in the foreground, and its configuration read again."""

from __future__ import annotations

import typer

from tocsin.cli.command import Options, command
from tocsin.cli.output import print_json, say


def add_to(app: typer.Typer) -> None:
    command(app, "run", run)
    command(app, "reload", reload, acts=True)


def run(options: Options) -> int:
    """Run."""
    return 0


def reload(options: Options) -> int:
    """Read the rules again, as SIGHUP does; the last good ones stay when they are wrong."""
    found = options.client(60.0).call("reload", actor=options.actor)
    print_json(found) if options.json else say("The rules were read again and are applied.")
    return 0
