"""`channel …`: the ways out."""

from __future__ import annotations

from typing import Annotated

import typer

from tocsin.cli.command import Options, command, group
from tocsin.cli.output import Cell, print_json, print_table, say
from tocsin.cli.times import span

SENDING_S = 40.0


def add_to(app: typer.Typer) -> None:
    noun = group(app, "channel", "The ways in which people are told.")
    command(noun, "list", list_channels)
    command(noun, "test", test, acts=True)


def list_channels(options: Options) -> int:
    """List the channels and whether they work."""
    found = options.client().call("channel_list")
    if options.json:
        print_json(found)
        return 0
    rows = [
        (
            channel["channel"],
            channel["kind"],
            Cell("yes", "green") if channel["is_connected"] else Cell("no", "bold red"),
            str(channel["pending"]),
            span(channel["oldest_s"]) if channel["pending"] else "",
        )
        for channel in found
    ]
    print_table(("CHANNEL", "KIND", "CONNECTED", "WAITING", "LONGEST"), rows, empty="No channels.")
    return 0


def test(
    options: Options,
    channel: Annotated[str, typer.Argument(metavar="CHANNEL", help="A channel of 'channel list'.")],
) -> int:
    """Send a test message now and say whether it arrived."""
    found = options.client(SENDING_S).call("channel_test", {"channel": channel}, actor=options.actor)
    if options.json:
        print_json(found)
    else:
        say(f"{channel}: delivered." if found["ok"] else f"{channel}: not delivered: {found['error']}")
    return 0 if found["ok"] else 1
