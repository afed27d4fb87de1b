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
from tocsin.cli.times import left, local
from tocsin.errors import DaemonUnreachable

REDRAW_S = 1.0
HEADERS = ("TIME", "CLOCK", "DUE", "ID", "SEVERITY", "STATE", "SYSTEM", "TITLE")
QUIET = "No deadline is running."


def add_to(app: typer.Typer) -> None:
    command(app, "board")(board)


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


def rows_of(found: Any, now: datetime) -> list[Sequence[str | Cell]]:
    """One row a running clock, the most urgent first."""
    return [_row(line, now) for line in sorted(_lines(found), key=lambda line: str(line["due_at"]))]


def _lines(found: Any) -> Sequence[Mapping[str, Any]]:
    lines: Sequence[Mapping[str, Any]] = found.get("clocks", ()) if isinstance(found, Mapping) else found
    return lines


def _row(line: Mapping[str, Any], now: datetime) -> Sequence[str | Cell]:
    text, lateness = left(line["due_at"], now)
    return (
        Cell(text, word(lateness).style),
        line["clock"],
        local(line["due_at"]),
        f"#{line['incident']}",
        word(line["severity"]),
        word(line["state"]),
        line["system"],
        line["title"],
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
