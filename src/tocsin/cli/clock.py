"""`clock …`: the arithmetic of deadlines, segment by segment."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from tocsin.cli.command import Options, command, group
from tocsin.cli.configuration import config_of, load, settings_of, zone_of
from tocsin.cli.output import hint, print_json, print_table, say
from tocsin.cli.times import local, read_instant, read_moment, read_span, span
from tocsin.core.calendar import ALWAYS, Calendar, CalendarHasNoHours, Segment
from tocsin.core.calendar import due as due_at
from tocsin.core.calendar import explain as segments_of
from tocsin.core.calendar import measure as working_time
from tocsin.core.model import Pause
from tocsin.errors import ConfigurationError, UsageError

Name = Annotated[str, typer.Option("--calendar", metavar="NAME", help="A calendar of the rules, or 24x7.")]
From = Annotated[str, typer.Option("--from", metavar="TIME", help="With its offset, or local in the calendar's zone.")]
Pauses = Annotated[
    list[str] | None, typer.Option("--pause", metavar="A/B", help="Not counted from A to B; may be repeated.")
]


@dataclass(frozen=True, slots=True)
class Reckoning:
    """A calendar, and the zone of times that are typed without an offset."""

    calendar: Calendar
    zone: ZoneInfo

    def pauses(self, texts: Iterable[str]) -> list[Pause]:
        return [self._pause(text) for text in texts]

    def _pause(self, text: str) -> Pause:
        first, slash, last = text.partition("/")
        if not slash:
            raise UsageError(f"--pause {text}: not a pause (write START/END)")
        start, end = read_moment(first, self.zone), read_moment(last, self.zone)
        if end < start:
            raise UsageError(f"--pause {text}: ends before it starts")
        return Pause(start, end, "asked for", "")


def add_to(app: typer.Typer) -> None:
    noun = group(app, "clock", "The arithmetic of deadlines.")
    command(noun, "due", due)
    command(noun, "measure", measure)
    command(noun, "explain", explain)


def due(
    options: Options,
    calendar: Name,
    start: From,
    target: Annotated[str, typer.Option("--target", metavar="SPAN", help="Working time, such as 4h.")],
    pause: Pauses = None,
) -> int:
    """Say when a target of working time is due."""
    reckoning = _reckoning(options, calendar)
    begin, pauses = read_moment(start, reckoning.zone), reckoning.pauses(pause or ())
    try:
        end = due_at(reckoning.calendar, begin, read_span(target), pauses)
        segments = segments_of(reckoning.calendar, begin, end, pauses)
    except ValueError as error:
        raise UsageError(str(error)) from error
    if options.json:
        print_json({"due_at": _instant(end), "segments": _as_json(segments)})
    else:
        say(f"due {_shown(end, reckoning.zone)}")
        _print_segments(segments, reckoning.zone)
    return 0


def measure(
    options: Options,
    calendar: Name,
    start: From,
    end: Annotated[str, typer.Option("--to", metavar="TIME", help="The end, like --from.")],
    pause: Pauses = None,
) -> int:
    """Say how much working time lies between two moments."""
    reckoning = _reckoning(options, calendar)
    begin, finish = read_moment(start, reckoning.zone), read_moment(end, reckoning.zone)
    pauses = reckoning.pauses(pause or ())
    try:
        worked = working_time(reckoning.calendar, begin, finish, pauses)
        segments = segments_of(reckoning.calendar, begin, finish, pauses)
    except ValueError as error:
        raise UsageError(str(error)) from error
    if options.json:
        print_json({"seconds": _seconds(worked), "segments": _as_json(segments)})
    else:
        say(f"{span(worked.total_seconds())} ({_seconds(worked)} s)")
        _print_segments(segments, reckoning.zone)
    return 0


def explain(
    options: Options,
    incident: Annotated[str, typer.Argument(metavar="ID", help="142, '#142', or a system with one open incident.")],
) -> int:
    """Show how the deadlines of an incident came about."""
    found = options.client().call("incident_show", {"incident": incident})
    calendars = _calendars(options)
    now = datetime.now(UTC)
    clocks = [{**clock, **_arithmetic(clock, calendars.get(clock["calendar"]), now)} for clock in found["clocks"]]
    if options.json:
        print_json({"incident": found["id"], "clocks": clocks})
        return 0
    for clock in clocks:
        _print_clock(clock)
    if not clocks:
        say(f"#{found['id']} has no clocks: there is no response policy for {found['severity']}.")
    return 0


def _reckoning(options: Options, name: str) -> Reckoning:
    """The calendar that was named. 24x7 needs no rules."""
    if name == ALWAYS.name:
        return Reckoning(ALWAYS, zone_of(settings_of(options)))
    _, rulebook = load(config_of(options), os.environ)
    calendar = rulebook.calendars.get(name)
    if calendar is None:
        raise UsageError(f"no calendar '{name}' in the rules (known: {', '.join(sorted(rulebook.calendars))})")
    return Reckoning(calendar, ZoneInfo(calendar.zone))


def _calendars(options: Options) -> Mapping[str, Calendar]:
    try:
        return load(config_of(options), os.environ)[1].calendars
    except ConfigurationError as error:
        hint(f"the segments of calendars other than 24x7 are not shown: {error.problems[0]}")
        return {ALWAYS.name: ALWAYS}


def _arithmetic(clock: Mapping[str, Any], calendar: Calendar | None, now: datetime) -> dict[str, Any]:
    """How the clock's time counts, segment by segment from its own start, and what there is to say of it.

    Without segments when the calendar on disk is not the one that the clock was started with.
    """
    named = f"calendar '{clock['calendar']}'"
    if calendar is None:
        return {"segments": None, "remark": f"there is no {named} on disk: the deadline stays as it was promised"}
    if calendar.version != clock["calendar_version"]:
        versions = f"it is {calendar.version} there, the clock was started with {clock['calendar_version']}"
        return {"segments": None, "remark": f"another version of {named} is on disk ({versions}): the deadline stays"}
    start, end = read_instant(clock["started_at"]), read_instant(clock["due_at"])
    pauses, is_paused = _pauses_of(clock, now), clock["paused"] is not None
    try:
        would_be = due_at(calendar, start, timedelta(seconds=clock["target_s"]), pauses)
    except CalendarHasNoHours as error:
        return {"segments": None, "remark": str(error)}
    end = max(end, now) if is_paused else end
    return {"segments": _as_json(segments_of(calendar, start, end, pauses)), "remark": _remark(clock, would_be)}


def _pauses_of(clock: Mapping[str, Any], now: datetime) -> list[Pause]:
    """The clock's pauses; one that lasts is reckoned up to now."""
    return [
        Pause(read_instant(p["from"]), read_instant(p["to"]) if p["to"] else now, p["reason"], p["actor"])
        for p in clock["pauses"]
    ]


def _remark(clock: Mapping[str, Any], would_be: datetime) -> str:
    paused, promised = clock["paused"], read_instant(clock["due_at"])
    if paused is not None and clock["breached_at"] is None:
        since = f"paused since {local(paused['since'])} by {paused['actor']}: {paused['reason']}"
        return f"{since}; resumed now it would be due {local(_instant(would_be))}"
    if would_be > promised:
        return f"the target alone would give {local(_instant(would_be))}: an earlier deadline stayed"
    if would_be < promised:
        return f"the target alone would give {local(_instant(would_be))}: it was moved while the calendar was another"
    return ""


def _print_clock(clock: Mapping[str, Any]) -> None:
    outcome = clock["outcome"] or ("paused" if clock["paused"] else "running")
    say(f"{clock['clock']}: {span(clock['target_s'])} of {clock['calendar']} from {local(clock['started_at'])}")
    say(f"  is due {local(clock['due_at'])} ({outcome})")
    if clock["remark"]:
        say(f"  {clock['remark']}")
    if clock["exclusion"] is not None:
        say(f"  excluded by {clock['exclusion']['actor']}: {clock['exclusion']['reason']}")
    if clock["segments"] is None:
        return
    rows = [(f"  {local(s['from'])}", local(s["to"]), span(s["counted_s"]), s["why"]) for s in clock["segments"]]
    print_table(("  FROM", "TO", "COUNTS", "WHY"), rows)


def _as_json(segments: Sequence[Segment]) -> list[dict[str, Any]]:
    return [
        {"from": _instant(s.start), "to": _instant(s.end), "counted_s": _seconds(s.counted), "why": s.why}
        for s in segments
    ]


def _print_segments(segments: Sequence[Segment], zone: ZoneInfo) -> None:
    rows = [(_shown(s.start, zone), _shown(s.end, zone), span(s.counted.total_seconds()), s.why) for s in segments]
    if rows:
        print_table(("FROM", "TO", "COUNTS", "WHY"), rows)


def _shown(at: datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).strftime("%a %Y-%m-%d %H:%M:%S %Z")


def _instant(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def _seconds(span: timedelta) -> int | float:
    seconds = span.total_seconds()
    return int(seconds) if seconds.is_integer() else seconds
