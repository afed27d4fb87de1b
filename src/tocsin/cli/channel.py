"""`channel …`: the ways out."""

from __future__ import annotations

from typing import Annotated

import typer

from tocsin.cli.command import Options, command, group
from tocsin.cli.output import print_json, print_table, say, word

SENDING_S = 40.0


def add_to(app: typer.Typer) -> None:
    noun = group(app, "channel", "The ways in which people are told.")
    command(noun, "list")(list_channels)
    command(noun, "test", acts=True)(test)


def list_channels(options: Options) -> int:
    """List the channels and whether they work."""
    found = options.client().call("channel_list")
    if options.json:
        print_json(found)
        return 0
    rows = [
        (c["channel"], c["kind"], word(c.get("state") or "-"), str(c.get("pending", "")), c.get("error") or "")
        for c in found
    ]
    print_table(("CHANNEL", "KIND", "STATE", "PENDING", "LAST ERROR"), rows, empty="No channels.")
    return 0


def test(
    options: Options,
    channel: Annotated[str, typer.Argument(metavar="CHANNEL", help="A channel of 'channel list'.")],
) -> int:
    """Send a test message now and say whether it arrived."""
    found = options.client(SENDING_S).call("channel_test", {"channel": channel}, actor=options.actor)
    print_json(found) if options.json else say(f"{channel}: delivered.")
    return 0
