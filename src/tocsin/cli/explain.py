"""`explain` and `what-if`: why this severity, these notices, this deadline."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from tocsin.cli.check import find
from tocsin.cli.command import Options, command
from tocsin.cli.output import Cell, print_facts, print_json, print_table, say, word
from tocsin.cli.times import local, span
from tocsin.errors import UsageError


def add_to(app: typer.Typer) -> None:
    command(app, "explain", explain)
    command(app, "what-if", what_if)


def explain(
    options: Options,
    subject: Annotated[str, typer.Argument(metavar="ID|SYSTEM/CHECK", help="An incident or a check.")],
) -> int:
    """Say why: the rule with its file and line, the deadlines, the notices."""
    found = options.client().call("explain", {"subject": subject})
    if options.json:
        print_json(found)
    elif "incident" in found:
        _print_incident(found)
    else:
        _print_check(found)
    return 0


def _print_incident(found: Mapping[str, Any]) -> None:
    incident = found["incident"]
    say(f"#{incident['id']} {incident['severity']} {incident['state']}: {incident['title']}")
    for line in found["why"]:
        say(f"  {line}")
    say()
    rows = [
        (local(n["promised_at"]), n["channel"], f"{n['kind']} {n['event']}", word(n["state"]), n["error"] or "")
        for n in found["notices"]
    ]
    print_table(("PROMISED", "CHANNEL", "MESSAGE", "STATE", "LAST ERROR"), rows, empty="Nobody was told.")


def _print_check(found: Mapping[str, Any]) -> None:
    say(f"{found['system']}/{found['check']}: {found['why']}")
    print_facts([("status", word(found["status"])), ("since", local(found["since"])), ("text", found["text"])])
    if found["rules"]:
        say()
        print_table(("RULE", "WHEN", "IS", "ANSWER", "WHERE"), _rules(found["rules"]))


def _rules(rules: Sequence[Mapping[str, Any]]) -> list[Sequence[str | Cell]]:
    answers = {True: Cell("yes", "green"), False: Cell("no")}
    return [
        (
            rule["rule"],
            rule["when"],
            word(rule["is"]),
            answers[rule["answer"]] if isinstance(rule["answer"], bool) else Cell(str(rule["answer"]), "yellow"),
            f"{rule['file']}:{rule['line']}",
        )
        for rule in rules
    ]


def what_if(
    options: Options,
    system: Annotated[str, typer.Option("--system", metavar="SYSTEM", help="Which system would fail.")],
    status: Annotated[str, typer.Option("--status", metavar="down|degraded", help="How.")] = "down",
    check: Annotated[
        str | None, typer.Option("--check", metavar="CHECK", help="Which check; the first by default.")
    ] = None,
    at: Annotated[str | None, typer.Option("--at", metavar="TIME", help="When; now by default.")] = None,
) -> int:
    """Say what an imagined failure would do: severity, deadlines, notices. Reads the rules on disk."""
    found = _imagine(options, system, status, check, at)
    if options.json:
        print_json(found)
    else:
        _print_imagined(system, status, found)
    return 0


def _imagine(options: Options, system: str, status: str, check: str | None, at: str | None) -> dict[str, Any]:
    from tocsin.cli.configuration import config_of, load, zone_of
    from tocsin.cli.times import read_moment
    from tocsin.core.case import FailingCheck
    from tocsin.core.model import Reason, Status
    from tocsin.daemon.answers import what_if as imagine

    if status not in (Status.DOWN.value, Status.DEGRADED.value):
        raise UsageError(f"--status {status}: only a failure can be imagined (down or degraded)")
    settings, rulebook = load(config_of(options), os.environ)
    moment = datetime.now(UTC) if at is None else read_moment(at, zone_of(settings))
    one = find(rulebook, f"{system}/{check}" if check is not None else system)[0]
    failing = FailingCheck(one.name, one.kind, Status(status), Reason.STATUS.value, "imagined", moment)
    return imagine(rulebook, rulebook.systems[system], failing, moment)


def _print_imagined(system: str, status: str, found: Mapping[str, Any]) -> None:
    if found["severity"] is None:
        say(f"{system} {status}: no rule matches, so no incident would open.")
        return
    rule = found["rule"]
    say(
        f"{system} {status}: {found['severity']}, by rule '{rule['name']}' ({rule['file']}:{rule['line']}): {rule['text']}"
    )
    say()
    clocks = [(clock["clock"], local(clock["due_at"]), clock["calendar"]) for clock in found["clocks"]]
    print_table(
        ("CLOCK", "DUE", "CALENDAR"), clocks, empty=f"No clock would run: no response policy for {found['severity']}."
    )
    if found.get("update_s"):
        say(f"From the acknowledgement on people must hear something new every {span(found['update_s'])}.")
    say()
    notices = [
        (
            local(notice["at"]),
            "" if notice["to"] == notice["channel"] else notice["to"],
            notice["channel"] or "-",
            notice["why"],
        )
        for notice in found["notices"]
    ]
    print_table(("AT", "WHO", "CHANNEL", "WHY"), notices, empty="Nobody would be told: the system has no channel.")
