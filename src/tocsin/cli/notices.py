"""`notices …`: what people must be told, and whether they were."""

from __future__ import annotations

from typing import Annotated

import typer

from tocsin.cli.command import Options, command, group
from tocsin.cli.output import print_json, print_table, say, word
from tocsin.cli.times import local

HEADERS = ("ID", "STATE", "CHANNEL", "MESSAGE", "INCIDENT", "PROMISED", "TRIES", "LAST ERROR")


def add_to(app: typer.Typer) -> None:
    noun = group(app, "notices", "Messages that someone must get.")
    command(noun, "list", list_notices)
    command(noun, "retry", retry, acts=True)


def list_notices(
    options: Options,
    state: Annotated[str | None, typer.Option("--state", metavar="STATE", help="Only those in this state.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most so many.")] = 200,
) -> int:
    """List notices that wait, failed or were delivered, newest first."""
    found = options.client().call("notices_list", {"state": state, "limit": limit})
    if options.json:
        print_json(found)
        return 0
    rows = [
        (
            str(notice["id"]),
            word(notice["state"]),
            notice["channel"],
            f"{notice['kind']} {notice['event']}",
            f"#{notice['incident']}" if notice["incident"] else "",
            local(notice["promised_at"]),
            str(notice["attempts"]),
            notice["error"] or "",
        )
        for notice in found
    ]
    print_table(HEADERS, rows, empty="No notices.")
    return 0


def retry(
    options: Options,
    notice: Annotated[int | None, typer.Argument(metavar="ID", help="One notice; all that failed without it.")] = None,
) -> int:
    """Send again what was given up."""
    found = options.client().call("notices_retry", {"id": notice}, actor=options.actor)
    if options.json:
        print_json(found)
    else:
        say(f"{found['retried']} to be sent again.")
    return 0
