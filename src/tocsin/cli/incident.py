"""`ack` and `incident …`: work on incidents. An ID is 142, '#142', or a system with one open incident."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from tocsin.cli.command import Options, command, group
from tocsin.cli.output import Cell, hint, print_facts, print_json, print_table, say, word
from tocsin.cli.times import left, local, read_instant, span
from tocsin.errors import Refused, StoreError, TocsinError

Id = Annotated[str, typer.Argument(metavar="ID", help="142, '#142', or a system with one open incident.")]
Ids = Annotated[list[str], typer.Argument(metavar="ID...", help="142, '#142', or a system with one open incident.")]
Text = Annotated[str, typer.Argument(metavar="TEXT", help="What others should know.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it stands in the timeline.")]


def add_to(app: typer.Typer) -> None:
    command(app, "ack", acts=True)(ack)
    noun = group(app, "incident", "Work on incidents.")
    for name, handler in {"list": list_incidents, "show": show}.items():
        command(noun, name)(handler)
    acting = {
        "ack": ack,
        "unack": unack,
        "note": note,
        "severity": severity,
        "resolve": resolve,
        "reopen": reopen,
        "assign": assign,
    }
    for name, handler in acting.items():
        command(noun, name, acts=True)(handler)


def ack(options: Options, incidents: Ids) -> int:
    """Acknowledge: you are on it. Ends the response clock, its reminders and its escalation."""
    answers = [_ack_one(options, incident) for incident in incidents]
    failures = [answer for answer in answers if isinstance(answer, TocsinError)]
    if len(answers) == 1 and failures:
        raise failures[0]
    if options.json:
        documents = [_refusal(a) if isinstance(a, TocsinError) else a for a in answers]
        print_json(documents if len(documents) > 1 else documents[0])
    else:
        for answer in answers:
            hint(f"tocsin: {answer}") if isinstance(answer, TocsinError) else say(headline(answer))
    return 1 if failures else 0


def _ack_one(options: Options, incident: str) -> Any:
    """The incident, or why not: one refusal does not keep the others from being acknowledged."""
    try:
        return options.client().call("ack", {"incident": incident}, actor=options.actor)
    except (Refused, StoreError) as error:
        return error


def _refusal(error: TocsinError) -> dict[str, Any]:
    return {"ok": False, "errors": [{"file": "", "line": 0, "column": 0, "message": str(error)}]}


def unack(options: Options, incident: Id, reason: Reason) -> int:
    """Take an acknowledgement back: nobody is on it."""
    return _act(options, "unack", incident, reason=reason)


def note(options: Options, incident: Id, text: Text) -> int:
    """Add a line to the timeline."""
    return _act(options, "note", incident, text=text)


def severity(
    options: Options,
    incident: Id,
    to: Annotated[str, typer.Argument(metavar="SEVERITY", help="P1, P2, P3 or P4.")],
    reason: Reason,
) -> int:
    """Set the severity by hand."""
    return _act(options, "severity", incident, severity=to.upper(), reason=reason)


def resolve(
    options: Options,
    incident: Id,
    note: Annotated[str | None, typer.Option("--note", metavar="TEXT", help="What was done.")] = None,
    anyway: Annotated[bool, typer.Option("--anyway", help="Even while a check still fails.")] = False,
) -> int:
    """Resolve by hand. While a check still fails it is refused, unless --anyway."""
    return _act(options, "resolve", incident, note=note, anyway=anyway)


def reopen(options: Options, incident: Id, reason: Reason) -> int:
    """Open a resolved incident again."""
    return _act(options, "reopen", incident, reason=reason)


def assign(
    options: Options,
    incident: Id,
    person: Annotated[str, typer.Argument(metavar="PERSON", help="A person of the rules, such as li.na.")],
) -> int:
    """Say who works on it."""
    return _act(options, "assign", incident, person=person)


def _act(options: Options, verb: str, incident: str, **arguments: Any) -> int:
    answer = options.client().call(verb, {"incident": incident, **arguments}, actor=options.actor)
    print_json(answer) if options.json else say(headline(answer))
    return 0


def list_incidents(
    options: Options,
    everything: Annotated[bool, typer.Option("--all", help="Resolved ones too.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="At most so many.")] = 200,
    before: Annotated[int | None, typer.Option("--before", min=1, metavar="ID", help="Only older ones.")] = None,
) -> int:
    """List incidents, newest first."""
    found = options.client().call("incident_list", {"all": everything, "limit": limit, "before": before})
    print_json(found) if options.json else print_incidents(found)
    return 0


def show(options: Options, incident: Id) -> int:
    """Show one incident with its clocks and its timeline."""
    found = options.client().call("incident_show", {"incident": incident})
    if options.json:
        print_json(found)
        return 0
    _print_incident(found)
    return 0


def headline(incident: Mapping[str, Any]) -> str:
    """`#142 P1 acknowledged  ERP is down  (person:li.na)`: an incident in one line."""
    by = f"  (by {incident['acknowledged_by']})" if incident.get("acknowledged_by") else ""
    return f"#{incident['id']} {incident['severity']} {incident['state']}: {incident['title']}{by}"


def print_incidents(incidents: Sequence[Mapping[str, Any]]) -> None:
    now = datetime.now(UTC)
    headers = ("ID", "SEVERITY", "STATE", "SYSTEM", "OPENED", "DEADLINE", "TITLE")
    rows = [
        (
            f"#{i['id']}",
            word(i["severity"]),
            word(i["state"]),
            i["system"],
            local(i["opened_at"]),
            next_deadline(i, now),
            i["title"],
        )
        for i in incidents
    ]
    print_table(headers, rows, empty="No incidents.")


def next_deadline(incident: Mapping[str, Any], now: datetime) -> Cell:
    """The nearest due time of a clock that still runs."""
    due = sorted((c["due_at"], c["clock"]) for c in incident.get("clocks", ()) if c["outcome"] is None)
    if not due or incident["state"] == "resolved":
        return word(None)
    text, lateness = left(due[0][0], now)
    return Cell(f"{due[0][1]}: {text}", word(lateness).style)


def _print_incident(incident: Mapping[str, Any]) -> None:
    rule = incident.get("rule") or {}
    print_facts(
        [
            (
                f"#{incident['id']}",
                Cell(f"{incident['severity']}  {incident['title']}", word(incident["severity"]).style),
            ),
            ("system", incident["system"]),
            ("state", word(incident["state"])),
            ("what failed", incident.get("text")),
            (
                "why",
                f"{rule.get('name')}: {rule.get('text')}  ({rule.get('file')}:{rule.get('line')})" if rule else None,
            ),
            ("failing since", local(incident.get("failing_since"))),
            ("opened", local(incident.get("opened_at"))),
            ("acknowledged", _by(incident, "acknowledged")),
            ("resolved", _by(incident, "resolved")),
            ("assigned to", incident.get("assignee")),
        ]
    )
    say()
    _print_clocks(incident)
    say()
    rows = [(local(line["at"]), line["actor"], line["action"], _details(line)) for line in incident.get("timeline", ())]
    print_table(("AT", "WHO", "WHAT", "DETAILS"), rows, empty="No timeline.")


def _by(incident: Mapping[str, Any], what: str) -> str | None:
    at, actor = incident.get(f"{what}_at"), incident.get(f"{what}_by")
    return None if at is None else f"{local(at)}{f' by {actor}' if actor else ''}"


def _print_clocks(incident: Mapping[str, Any]) -> None:
    now = datetime.now(UTC)
    rows = []
    for clock in incident.get("clocks", ()):
        took = (
            clock.get("met_at")
            and (read_instant(clock["met_at"]) - read_instant(incident["opened_at"])).total_seconds()
        )
        text, lateness = (
            left(clock["due_at"], now) if clock["outcome"] is None else (f"after {span(took)}" if took else "", "")
        )
        outcome = Cell("running", word(lateness).style) if clock["outcome"] is None else word(clock["outcome"])
        late = "detected late" if clock.get("detected_late") else ""
        rows.append((clock["clock"], local(clock["due_at"]), outcome, text, late))
    print_table(("CLOCK", "DUE", "OUTCOME", "TIME", ""), rows, empty="No clocks.")


def _details(line: Mapping[str, Any]) -> str:
    known = ("at", "actor", "action", "sequence", "subject")
    inner = line.get("data") if isinstance(line.get("data"), Mapping) else {}
    facts = {**{k: v for k, v in line.items() if k not in (*known, "data")}, **(inner or {})}
    return ", ".join(f"{key}: {value}" for key, value in facts.items() if value not in (None, "", [], {}))
