"""`run` and `reload`: the daemon in the foreground, and its rules read again."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from tocsin.cli.command import Options, command
from tocsin.cli.output import hint, print_json, say
from tocsin.errors import StoreError, UsageError

RELOADING_S = 60.0


def add_to(app: typer.Typer) -> None:
    command(app, "run", run)
    command(app, "reload", reload, acts=True)


def run(
    options: Options,
    strict: Annotated[
        bool, typer.Option("--strict", help="Do not start on the last applied rules when those on disk are invalid.")
    ] = False,
) -> int:
    """Run the daemon in the foreground. SIGHUP reads the rules again, SIGTERM drains and stops."""
    from tocsin.cli.logs import configure_logs
    from tocsin.config.locate import settings_file
    from tocsin.daemon.loop import run as run_loop

    configure_logs()
    environ = dict(os.environ)
    if options.socket is not None:
        environ["TOCSIN_SOCKET"] = str(Path.cwd() / options.socket)
    code = run_loop(serve(settings_file(options.config, os.environ), environ, strict=strict))
    if options.json:
        print_json({"ok": code == 0})
    return code


async def serve(config: Path | None, environ: Mapping[str, str], *, strict: bool = False) -> int:
    """Read the settings and run the daemon on them until it is asked to stop."""
    from tocsin.config import load_settings
    from tocsin.daemon import build

    try:
        return await build.run(load_settings(config, environ), environ, strict=strict)
    except StoreError as error:
        # The store's troubles end only a start; while it runs they are alarms.
        raise UsageError(str(error)) from error


def reload(options: Options) -> int:
    """Read the rules again, as SIGHUP does; those in force stay when the new ones are wrong."""
    found = options.client(RELOADING_S).call("reload", actor=options.actor)
    if options.json:
        print_json(found)
        return 0
    for warning in found["warnings"]:
        hint(f"warning: {warning}")
    what = "applied" if found["changed"] else "unchanged"
    say(f"rules {what}: {found['systems']} systems, {found['checks']} checks")
    if found["gone"]:
        say(f"no longer watched: {', '.join(found['gone'])}")
    return 0
