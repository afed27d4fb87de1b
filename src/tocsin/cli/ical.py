"""Shifts as iCalendar (RFC 5545), out and in. The libraries are imported only when a file is read or written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

from tocsin.core.local_time import first_showing, zone_named
from tocsin.core.oncall import OnCall, shifts
from tocsin.core.policy import Person
from tocsin.errors import UsageError

OWN = "X-TOCSIN-PERSON"
LARGEST_FILE = 4 * 1024 * 1024
EVENTS_AT_MOST = 500


@dataclass(frozen=True, slots=True)
class Found:
    """An event of somebody else's calendar: who it seems to be about, and when."""

    names: tuple[str, ...]
    start: datetime
    end: datetime


def written(oncall: OnCall, people: Mapping[str, Person], start: datetime, end: datetime, now: datetime) -> bytes:
    """Each shift as an event of its own, in UTC: what clocks do in its zone is reckoned in already."""
    from icalendar import Calendar, Event, vCalAddress

    calendar = Calendar()
    calendar.add("prodid", "-//Tocsin//on-call//EN")
    calendar.add("version", "2.0")
    calendar.add("x-wr-calname", f"On call: {oncall.name}")
    for shift in shifts(oncall, start, end):
        if shift.person is None:
            continue
        person = people.get(shift.person)
        event = Event()
        event.add("uid", f"{oncall.name}-{shift.start:%Y%m%dT%H%M%SZ}@tocsin")
        event.add("dtstamp", now)
        event.add("dtstart", shift.start)
        event.add("dtend", shift.end)
        event.add("summary", person.name if person is not None else shift.person)
        event.add("description", f"On call for {oncall.name} ({shift.why})")
        event.add(OWN, shift.person)
        if person is not None and person.email:
            event.add("attendee", vCalAddress(f"mailto:{person.email}"))
        calendar.add_component(event)
    return bytes(calendar.to_ical())


def read(content: bytes, zone: str, start: datetime, end: datetime) -> Iterator[Found]:
    """Yield the events between two instants, repetitions unfolded. Times without a zone are local in `zone`. Raises UsageError."""
    if len(content) > LARGEST_FILE:
        raise UsageError(f"the file is larger than {LARGEST_FILE // 1024 // 1024} MiB")
    try:
        yield from _events(content, zone, start, end)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise UsageError(f"it is no iCalendar that can be read: {error}") from error


def _events(content: bytes, zone: str, start: datetime, end: datetime) -> Iterator[Found]:
    import recurring_ical_events
    from icalendar import Calendar

    calendar = Calendar.from_ical(content)
    for count, event in enumerate(recurring_ical_events.of(calendar).between(start, end)):
        if count >= EVENTS_AT_MOST:
            raise UsageError(f"more than {EVENTS_AT_MOST} shifts lie in that time (shorten it with --days)")
        begins, ends = event["DTSTART"].dt, event["DTEND"].dt
        yield Found(tuple(_names(event)), _instant(begins, zone), _instant(ends, zone))


def _names(event: Any) -> Iterator[str]:
    """Who an event is about, the surest first."""
    if OWN in event:
        yield str(event[OWN])
    attendees = event.get("ATTENDEE", [])
    for attendee in attendees if isinstance(attendees, list) else [attendees]:
        yield str(attendee).lower().removeprefix("mailto:")
    yield str(event.get("SUMMARY", "")).strip()


def _instant(moment: date | datetime, zone: str) -> datetime:
    if isinstance(moment, datetime) and moment.tzinfo is not None:
        return moment.astimezone(UTC)
    wall = moment if isinstance(moment, datetime) else datetime.combine(moment, time())
    return first_showing(zone_named(zone), wall)


def person_of(found: Found, people: Mapping[str, Person]) -> str:
    """The person of the rules that an event names by id, address or name. Raises UsageError."""
    for name in found.names:
        for person in people.values():
            if name == person.id or name.casefold() in (person.email.casefold() or None, person.name.casefold()):
                return person.id
    known = ", ".join(sorted(people)) or "nobody"
    named = " or ".join(name for name in found.names if name) or "nobody"
    raise UsageError(
        f"the shift of {found.start:%Y-%m-%d %H:%M} UTC names {named}, whom the rules do not know (known: {known})"
    )
