"""`status`: systems, open incidents, alarms."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import typer

from tocsin.cli.command import Options, command
from tocsin.cli.incident_view import print_incidents
from tocsin.cli.output import Cell, print_json, print_table, say, say_styled, word
from tocsin.cli.times import local, read_instant, span


def add_to(app: typer.Typer) -> None:
    command(app, "status", status)


def status(options: Options) -> int:
    """Show the systems, the open incidents and Tocsin's own alarms."""
    found = options.client().call("status")
    if options.json:
        print_json(found)
        return 0
    _print_alarms(found)
    _print_systems(found)
    say()
    if found["incidents"]:
        print_incidents(found["incidents"])
    else:
        say("No open incidents.")
    return 0


def _print_alarms(found: Mapping[str, Any]) -> None:
    for alarm in found["alarms"]:
        say_styled(f"ALARM {alarm['alarm']} since {local(alarm['since'])}: {alarm['text']}", "bold red")
    if found["alarms"]:
        say()


def _print_systems(found: Mapping[str, Any]) -> None:
    now = datetime.now(UTC)
    rows: list[tuple[str | Cell, ...]] = []
    for system in found["systems"]:
        muted = f"muted by {system['muted_by']}" if system.get("muted_by") else ""
        rows.append((system["system"], word(system["status"]), "", muted))
        rows += [
            (f"  {check['check']}", word(check["status"]), _for(check.get("since"), now), "")
            for check in system["checks"]
        ]
    print_table(("SYSTEM", "STATUS", "FOR", ""), rows, empty="No systems (see 'tocsin init').")


def _for(since: str | None, now: datetime) -> str:
    return "" if since is None else span((now - read_instant(since)).total_seconds())
