"""`history`: response time and failure rate of a system or a check over a period."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from tocsin.cli.command import Options, command
from tocsin.cli.output import Cell, print_json, print_table
from tocsin.cli.times import milliseconds, read_span
from tocsin.errors import UsageError

HEADERS = ("CHECK", "PROBES", "DOWN", "FAILURE RATE", "DEGRADED", "MEAN", "P50", "P95", "P99", "MAX")


def add_to(app: typer.Typer) -> None:
    command(app, "history", history)


def history(
    options: Options,
    subject: Annotated[str, typer.Argument(metavar="SYSTEM[/CHECK]", help="A system, or one of its checks.")],
    since: Annotated[str, typer.Option("--since", metavar="SPAN", help="How far back, such as 24h or 7d.")] = "24h",
) -> int:
    """Show response time and failure rate over a period."""
    until = datetime.now(UTC)
    start = _back(until, read_span(since))
    arguments = {"subject": subject, "from": start.isoformat(), "to": until.isoformat()}
    found = options.client().call("history", arguments)
    if options.json:
        print_json(found)
        return 0
    _print_history(found)
    return 0


def _back(until: datetime, span: timedelta) -> datetime:
    try:
        return until - span
    except OverflowError as error:
        raise UsageError("--since reaches back further than the calendar") from error


def _print_history(found: Sequence[Mapping[str, Any]]) -> None:
    rows: list[Sequence[str | Cell]] = [
        (
            line["system"] if line["check"] is None else f"{line['system']}/{line['check']}",
            str(line["probes"]),
            str(line["down"]),
            Cell(_share(line["failure_rate"]), "bold red" if line["down"] else ""),
            str(line["degraded"]),
            *(milliseconds(line["latency_s"][key]) for key in ("mean", "p50", "p95", "p99", "max")),
        )
        for line in found
    ]
    print_table(HEADERS, rows, empty="Nothing was measured in this period.")


def _share(share: float | None) -> str:
    return "-" if share is None else f"{share * 100:.2f} %"
