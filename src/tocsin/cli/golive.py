"""`golive …`: the watch over a system that goes live, from its start to the sign-off, and the documents of it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tocsin.cli.command import Options, command, group
from tocsin.cli.golive_view import headline, print_golive, print_golives, print_review
from tocsin.cli.output import hint, print_json, say

Id = Annotated[str, typer.Argument(metavar="ID", help="3, #3, or a system under one go-live.")]
Why = Annotated[str, typer.Option("--why", metavar="TEXT", help="Why; it stands in the log.")]
Span = Annotated[str, typer.Option("--for", metavar="SPAN", help="How much longer, as 24h or 2w.")]
Words = Annotated[list[str] | None, typer.Argument(metavar="[TEXT]…", help="Words of your own.")]
Note = Annotated[str | None, typer.Option("--note", metavar="TEXT", help="Words of your own; they stand in the log.")]


def add_to(app: typer.Typer) -> None:
    noun = group(app, "golive", "Go-lives, closely watched until people sign.")
    command(noun, "list", list_golives)
    command(noun, "show", show)
    command(noun, "start", start, acts=True)
    command(noun, "note", note, acts=True)
    command(noun, "checkpoint", checkpoint, acts=True)
    command(noun, "extend", extend, acts=True)
    command(noun, "review", review, acts=True)
    command(noun, "signoff", sign_off, acts=True)
    command(noun, "cancel", cancel, acts=True)
    command(noun, "rollback", roll_back, acts=True)


def list_golives(
    options: Options, everything: Annotated[bool, typer.Option("--all", help="Those that ended too.")] = False
) -> int:
    """List go-lives, newest first."""
    found = options.client().call("golive_list", {"all": everything})
    print_json(found) if options.json else print_golives(found)
    return 0


def show(options: Options, golive: Id) -> int:
    """Show how a go-live stands: figures against before, exit criteria, incidents, checkpoints, what happened."""
    found = options.client().call("golive_show", {"golive": golive})
    print_json(found) if options.json else print_golive(found)
    return 0


def start(
    options: Options,
    systems: Annotated[list[str], typer.Argument(metavar="SYSTEM…", help="The systems that go live together.")],
    version: Annotated[str, typer.Option("--version", metavar="V", help="What goes live.")],
    at: Annotated[
        str | None, typer.Option("--at", metavar="TIME", help="When, with its offset or local; now without it.")
    ] = None,
    span: Annotated[
        str | None, typer.Option("--for", metavar="SPAN", help="Until the review; golive.watch_for, else 72h.")
    ] = None,
    owner: Annotated[
        str | None, typer.Option("--owner", metavar="PERSON", help="Who answers for it; the system's owner.")
    ] = None,
) -> int:
    """Begin to watch a go-live, now or at a planned time: checks are tightened, the review falls due after 72 hours."""
    asked = {"systems": systems, "version": version, "at": at, "for": span, "owner": owner}
    answer = options.client().call("golive_start", asked, actor=options.actor)
    if options.json:
        print_json(answer)
        return 0
    say(headline(answer))
    hint(f"See 'tocsin golive show {answer['id']}'; note what happens with 'tocsin golive note {answer['id']} TEXT'.")
    return 0


def note(
    options: Options,
    golive: Id,
    text: Annotated[list[str], typer.Argument(metavar="TEXT…", help="What happened.")],
    kind: Annotated[
        str, typer.Option("--kind", metavar="KIND", help="note, decision, change, rollback_call or handover.")
    ] = "note",
) -> int:
    """Write a line into the log: a remark, a decision, a change, a call to roll back, a hand-over."""
    return _act(options, "golive_note", golive, text=" ".join(text), kind=kind.replace("-", "_"))


def checkpoint(options: Options, golive: Id, text: Words = None) -> int:
    """Write a checkpoint now, from what is measured, with words of your own."""
    return _act(options, "golive_checkpoint", golive, text=" ".join(text or ()))


def extend(options: Options, golive: Id, span: Span, why: Why) -> int:
    """Watch longer: the review is due so much later. Nothing of what was measured is thinned out meanwhile."""
    return _act(options, "golive_extend", golive, reason=why, **{"for": span})


def review(
    options: Options,
    golive: Id,
    held: Annotated[bool, typer.Option("--held", help="The review took place: end its clock.")] = False,
    note: Note = None,
) -> int:
    """Judge by the exit criteria: go (exit code 0) or extend (1). With --held the review is recorded as held."""
    asked = {"golive": golive, "held": held, "text": note}
    found = options.client().call("golive_review", asked, actor=options.actor)
    print_json(found) if options.json else print_review(found)
    return 0 if found["verdict"] == "go" else 1


def sign_off(
    options: Options,
    golive: Id,
    note: Note = None,
    anyway: Annotated[bool, typer.Option("--anyway", help="Although a criterion is not met; say why.")] = False,
) -> int:
    """Sign as a named person. When all who must have signed, the watch ends."""
    return _act(options, "golive_signoff", golive, text=note, anyway=anyway)


def cancel(options: Options, golive: Id, why: Why) -> int:
    """It does not take place, or is watched no further."""
    return _act(options, "golive_cancel", golive, reason=why)


def roll_back(options: Options, golive: Id, why: Why) -> int:
    """The version was taken back: the watch ends."""
    return _act(options, "golive_rollback", golive, reason=why)


def _act(options: Options, verb: str, golive: str, **arguments: Any) -> int:
    answer = options.client().call(verb, {"golive": golive, **arguments}, actor=options.actor)
    print_json(answer) if options.json else say(headline(answer))
    return 0
