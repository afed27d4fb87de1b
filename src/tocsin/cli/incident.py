"""`ack` and `incident …`: work on incidents. An ID is 142, '#142', or a system with one open incident."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tocsin.cli.command import Options, command, group
from tocsin.cli.incident_view import headline, print_incident, print_incidents
from tocsin.cli.output import hint, print_json, say
from tocsin.errors import Refused, StoreError, TocsinError

Id = Annotated[str, typer.Argument(metavar="ID", help="142, '#142', or a system with one open incident.")]
Ids = Annotated[list[str], typer.Argument(metavar="ID...", help="142, '#142', or a system with one open incident.")]
Text = Annotated[list[str], typer.Argument(metavar="TEXT...", help="What others should know.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it stands in the timeline.")]
Kind = Annotated[str, typer.Option("--clock", metavar="response|update|resolution", help="Which clock.")]
MaybeKind = Annotated[
    str | None, typer.Option("--clock", metavar="response|update|resolution", help="Only this clock.")
]
MaybeReason = Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why; it stands in the timeline.")]


def add_to(app: typer.Typer) -> None:
    command(app, "ack", ack, acts=True)
    noun = group(app, "incident", "Work on incidents.")
    command(noun, "list", list_incidents)
    command(noun, "show", show)
    command(noun, "ack", ack, acts=True)
    command(noun, "unack", unack, acts=True)
    command(noun, "note", note, acts=True)
    command(noun, "severity", severity, acts=True)
    command(noun, "resolve", resolve, acts=True)
    command(noun, "reopen", reopen, acts=True)
    command(noun, "assign", assign, acts=True)
    command(noun, "escalate", escalate, acts=True)
    command(noun, "pause", pause, acts=True)
    command(noun, "resume", resume, acts=True)
    command(noun, "replan", replan, acts=True)
    command(noun, "exclude", exclude, acts=True)


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


def unack(options: Options, incident: Id, reason: MaybeReason = None) -> int:
    """Take an acknowledgement back: nobody is on it."""
    return _act(options, "unack", incident, reason=reason)


def note(options: Options, incident: Id, text: Text) -> int:
    """Add a line to the timeline."""
    return _act(options, "note", incident, text=" ".join(text))


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


def reopen(options: Options, incident: Id, reason: MaybeReason = None) -> int:
    """Open a resolved incident again."""
    return _act(options, "reopen", incident, reason=reason)


def assign(
    options: Options,
    incident: Id,
    person: Annotated[str, typer.Argument(metavar="PERSON", help="A person of the rules, such as li.na.")],
) -> int:
    """Say who works on it."""
    return _act(options, "assign", incident, person=person)


def escalate(
    options: Options,
    incident: Id,
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="TARGET", help="person:NAME, oncall:NAME, team:NAME or channel:NAME."),
    ] = None,
) -> int:
    """Run the next step of its ladder now, or call somebody who is not on it."""
    return _act(options, "escalate", incident, to=to)


def pause(options: Options, incident: Id, reason: Reason, clock: MaybeKind = None) -> int:
    """Stop its clocks: resolution and update, or the one that is named. Nothing is due until `resume`."""
    return _act(options, "pause", incident, reason=reason, clock=clock)


def resume(options: Options, incident: Id, clock: MaybeKind = None, reason: MaybeReason = None) -> int:
    """Let paused clocks run again, with as much time left as when they were paused."""
    return _act(options, "resume", incident, reason=reason, clock=clock)


def replan(options: Options, incident: Id, reason: MaybeReason = None) -> int:
    """Move its running clocks to the policy and calendar that are in force now."""
    return _act(options, "replan", incident, reason=reason)


def exclude(options: Options, incident: Id, clock: Kind, reason: Reason) -> int:
    """Say that a clock must not be held against anybody; its outcome stays, the reason stays with it."""
    return _act(options, "exclude", incident, reason=reason, clock=clock)


def _act(options: Options, verb: str, incident: str, **arguments: Any) -> int:
    answer = options.client().call(verb, {"incident": incident, **arguments}, actor=options.actor)
    print_json(answer) if options.json else say(headline(answer))
    return 0


def list_incidents(
    options: Options,
    everything: Annotated[bool, typer.Option("--all", help="Resolved ones too.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most so many.")] = 200,
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
    print_incident(found)
    return 0
