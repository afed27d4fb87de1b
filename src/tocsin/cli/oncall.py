"""`oncall …`: who is on call now and then, somebody else for a while, and calendars out and in."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from tocsin.cli.command import Options, command, group
from tocsin.cli.output import Cell, hint, print_json, print_table, say
from tocsin.cli.times import read_moment
from tocsin.errors import TocsinError, UsageError

if TYPE_CHECKING:
    from tocsin.core.oncall import OnCall
    from tocsin.core.policy import Rulebook

Name = Annotated[str, typer.Argument(metavar="NAME", help="A schedule of the rules, under oncall:.")]
Days = Annotated[int, typer.Option("--days", min=1, max=366, help="For how many days.")]
PATIENCE_S = 2.0


def add_to(app: typer.Typer) -> None:
    noun = group(app, "oncall", "Who is on call.")
    command(noun, "show", show)
    command(noun, "override", override, acts=True)
    command(noun, "export", export)
    command(noun, "import", take_in, acts=True)


def show(
    options: Options,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="One schedule; all without it.")] = None,
    at: Annotated[str | None, typer.Option("--at", metavar="TIME", help="When; now by default.")] = None,
    days: Days = 14,
) -> int:
    """Say who is on call, who will be, and where there are gaps. Needs neither a daemon nor a database."""
    from tocsin.daemon.oncall import shown

    rulebook, zone = _rules(options)
    chosen = [_schedule(rulebook, name)] if name is not None else list(rulebook.oncall.values())
    found = []
    for one in chosen:
        moment = datetime.now(UTC) if at is None else read_moment(at, _zone(one, zone))
        found.append((one, shown(one, rulebook.people, moment, days)))
    if options.json:
        documents = [document for _, document in found]
        print_json(documents[0] if name is not None else documents)
        return 0
    for one, document in found:
        _print(document, _zone(one, zone))
    if not found:
        say("There is no on-call schedule (see oncall: in docs/oncall.md).")
    return 0


def _rules(options: Options) -> tuple[Rulebook, ZoneInfo]:
    """The rules on disk, with the overrides that people made by hand where a daemon answers."""
    from tocsin.cli.configuration import config_of, load, zone_of
    from tocsin.daemon.overrides import laid_over

    settings, rulebook = load(config_of(options), os.environ)
    try:
        stored = options.client(PATIENCE_S).call("oncall_overrides")
    except TocsinError:
        hint("no daemon answers: overrides that were made by hand are not shown")
        stored = []
    return laid_over(rulebook, stored), zone_of(settings)


def _schedule(rulebook: Rulebook, name: str) -> OnCall:
    found = rulebook.oncall.get(name)
    if found is None:
        raise UsageError(
            f"no on-call schedule '{name}' in the rules (known: {', '.join(sorted(rulebook.oncall)) or 'none'})"
        )
    return found


def _zone(oncall: OnCall, otherwise: ZoneInfo) -> ZoneInfo:
    return ZoneInfo(oncall.layers[0].zone) if oncall.layers else otherwise


def _print(found: Mapping[str, Any], zone: ZoneInfo) -> None:
    who = found["person_name"] or "nobody"
    until = f" until {_local(found['until'], zone)}" if found["until"] else ""
    say(f"{found['name']}: {who}{until}")
    rows: list[Sequence[str | Cell]] = [
        (
            _local(turn["from"], zone),
            _local(turn["to"], zone),
            turn["person_name"] or Cell("nobody", "bold red"),
            turn["why"],
        )
        for turn in found["shifts"]
    ]
    print_table(("FROM", "TO", "WHO", "WHY"), rows)
    for gap in found["gaps"]:
        say(f"Nobody is on call from {_local(gap['from'], zone)} to {_local(gap['to'], zone)}.")
    say()


def _local(text: str, zone: ZoneInfo) -> str:
    return datetime.fromisoformat(text).astimezone(zone).strftime("%a %Y-%m-%d %H:%M %Z")


def override(
    options: Options,
    name: Name,
    person: Annotated[str, typer.Argument(metavar="PERSON", help="A person of the rules, such as li.na.")],
    start: Annotated[
        str, typer.Option("--from", metavar="TIME", help="With its offset, or local in the schedule's zone.")
    ],
    end: Annotated[str, typer.Option("--to", metavar="TIME", help="The end, like --from.")],
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="Why; it stands in the journal.")
    ] = None,
) -> int:
    """Put somebody else on call for a while. Of several at the same time the last one made wins."""
    rulebook, zone = _rules_on_disk(options)
    local = _zone(_schedule(rulebook, name), zone)
    begins, ends = read_moment(start, local), read_moment(end, local)
    if ends <= begins:
        raise UsageError(f"--to {end} is not after --from {start} (swap them)")
    arguments = {"name": name, "person": person, "from": begins.isoformat(), "to": ends.isoformat(), "reason": reason}
    found = options.client().call("oncall_override", arguments, actor=options.actor)
    print_json(found) if options.json else _print(found, local)
    return 0


def _rules_on_disk(options: Options) -> tuple[Rulebook, ZoneInfo]:
    from tocsin.cli.configuration import config_of, load, zone_of

    settings, rulebook = load(config_of(options), os.environ)
    return rulebook, zone_of(settings)


def export(
    options: Options,
    name: Name,
    days: Days = 90,
    output: Annotated[Path | None, typer.Option("--output", metavar="FILE", help="Instead of standard output.")] = None,
) -> int:
    """Write the shifts as an iCalendar file, for calendar programs."""
    from tocsin.cli.ical import written

    rulebook, _ = _rules(options)
    now = datetime.now(UTC).replace(microsecond=0)
    oncall = _schedule(rulebook, name)
    content = written(oncall, rulebook.people, now, now + timedelta(days=days), now)
    if options.json:
        print_json({"name": name, "file": str(output) if output else None, "ical": content.decode()})
    if output is not None:
        _write(output, content)
    elif not options.json:
        sys.stdout.write(content.decode())
    return 0


def _write(path: Path, content: bytes) -> None:
    try:
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError:
        raise UsageError(f"{path}: exists already (nothing is overwritten; name another file)") from None


def take_in(
    options: Options,
    name: Name,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An iCalendar file.")],
    days: Days = 90,
) -> int:
    """Take the shifts of an iCalendar file in as overrides. What was imported before and is still to come is replaced."""
    from tocsin.cli.ical import person_of, read

    rulebook, zone = _rules_on_disk(options)
    local = _zone(_schedule(rulebook, name), zone)
    now = datetime.now(UTC)
    try:
        content = file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}") from error
    try:
        shifts = [
            {
                "person": person_of(found, rulebook.people),
                "from": found.start.isoformat(),
                "to": found.end.isoformat(),
            }
            for found in read(content, local.key, now, now + timedelta(days=days))
        ]
    except UsageError as error:
        raise UsageError(f"{file}: {error}") from error
    arguments = {"name": name, "source": file.name, "shifts": shifts}
    answer = options.client().call("oncall_import", arguments, actor=options.actor)
    print_json(answer) if options.json else say(f"{answer['imported']} shifts of {file} are overrides of {name} now.")
    return 0
