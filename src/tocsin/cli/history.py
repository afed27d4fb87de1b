"""`history`: response time and failure rate of a system or a check over a period."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from tocsin.cli.command import Options, command
from tocsin.cli.output import Cell, print_json, print_table
from tocsin.cli.times import milliseconds, read_span
from tocsin.errors import UsageError


def add_to(app: typer.Typer) -> None:
    command(app, "history")(history)


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


def _print_history(found: Any) -> None:
    rows = [
        (
            f"{line['system']}/{line['check']}",
            str(line["count"]),
            Cell(_share(line["failure_rate"]), "bold red" if line["failures"] else ""),
            *(milliseconds(line.get(key)) for key in ("p50_s", "p95_s", "p99_s", "max_s")),
        )
        for line in found["checks"]
    ]
    headers = ("CHECK", "PROBES", "FAILED", "P50", "P95", "P99", "MAX")
    print_table(headers, rows, empty="Nothing was measured in this period.")


def _share(share: float | None) -> str:
    return "-" if share is None else f"{share * 100:.2f} %"
