"""`board`: the deadlines that run, sorted by time left; live on a terminal, once in a pipe."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from tocsin.cli.command import Options, command
from tocsin.cli.output import Cell, print_json, print_table, rich_table, word
from tocsin.cli.times import left_of, local
from tocsin.errors import DaemonUnreachable

REDRAW_S = 1.0
HEADERS = ("TIME", "CLOCK", "DUE", "ID", "SEVERITY", "STATE", "SYSTEM", "TITLE", "WHO")
QUIET = "No deadline is running."


def add_to(app: typer.Typer) -> None:
    command(app, "board", board)


def board(
    options: Options,
    once: Annotated[bool, typer.Option("--once", help="Print once, also on a terminal.")] = False,
) -> int:
    """Show the deadline board, sorted by time left; Ctrl-C ends it."""
    client = options.client()
    found = client.call("board")
    if options.json:
        print_json(found)
    elif once or not sys.stdout.isatty():
        print_table(HEADERS, rows_of(found, datetime.now(UTC)), empty=QUIET)
    else:
        _live(found, lambda: client.call("board"))
    return 0


def rows_of(found: Sequence[Mapping[str, Any]], now: datetime) -> list[Sequence[str | Cell]]:
    """One row a running clock, the one with the least time left first."""
    return [_row(clock, clock["incident"], now) for clock in sorted(found, key=lambda clock: str(clock["due_at"]))]


def _row(clock: Mapping[str, Any], incident: Mapping[str, Any], now: datetime) -> Sequence[str | Cell]:
    text, lateness = left_of(clock, now)
    return (
        Cell(text, word(lateness).style),
        clock["clock"],
        local(clock["due_at"]),
        f"#{incident['id']}",
        word(incident["severity"]),
        word(incident["state"]),
        incident["system"],
        incident["title"],
        incident["acknowledged_by"] or incident["owner_name"],
    )


def _live(found: Any, ask: Any) -> None:
    """Redraw each second until Ctrl-C. A daemon that is away for a moment (a restart) does not end it."""
    from rich.console import Console, Group
    from rich.live import Live
    from rich.text import Text

    trouble = ""
    with Live(console=Console(highlight=False), screen=True, auto_refresh=False) as live:
        while True:
            now = datetime.now(UTC)
            rows = rows_of(found, now)
            table = rich_table(HEADERS, rows) if rows else Text(QUIET)
            head = Text(f"Tocsin  {now.astimezone():%Y-%m-%d %H:%M:%S %Z}", style="bold")
            live.update(Group(head, Text(trouble, style="bold red"), table), refresh=True)
            time.sleep(REDRAW_S)
            try:
                found, trouble = ask(), ""
            except DaemonUnreachable as error:
                trouble = f"{str(error).splitlines()[0]} (showing what was known; trying again)"
