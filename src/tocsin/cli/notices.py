"""`notices …`: what people must be told, and whether they were."""

from __future__ import annotations

from typing import Annotated

import typer

from tocsin.cli.command import Options, command, group
from tocsin.cli.output import print_json, print_table, say, word
from tocsin.cli.times import local


def add_to(app: typer.Typer) -> None:
    noun = group(app, "notices", "Messages that someone must get.")
    command(noun, "list")(list_notices)
    command(noun, "retry", acts=True)(retry)


def list_notices(
    options: Options,
    state: Annotated[str | None, typer.Option("--state", metavar="STATE", help="Only those in this state.")] = None,
) -> int:
    """List notices that wait, failed or were delivered."""
    found = options.client().call("notices_list", {"state": state})
    if options.json:
        print_json(found)
        return 0
    rows = [
        (
            str(notice["id"]),
            word(notice["state"]),
            notice["channel"],
            notice["event"],
            f"#{notice['incident']}" if notice.get("incident") else "",
            local(notice["at"]),
            str(notice.get("attempts", "")),
            notice.get("error") or "",
        )
        for notice in found
    ]
    headers = ("ID", "STATE", "CHANNEL", "EVENT", "INCIDENT", "AT", "TRIES", "LAST ERROR")
    print_table(headers, rows, empty="No notices.")
    return 0


def retry(
    options: Options,
    notice: Annotated[
        int | None, typer.Argument(metavar="[ID]", help="One notice; all that failed without it.")
    ] = None,
) -> int:
    """Send again what was given up."""
    found = options.client().call("notices_retry", {"id": notice}, actor=options.actor)
    if options.json:
        print_json(found)
    else:
        say(f"{found['retried']} to be sent again.")
    return 0
