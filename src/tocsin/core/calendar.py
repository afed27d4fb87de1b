"""Working time: when a target is due, and how much was worked between two instants, to the second.

Hours are what the wall clock of the calendar's zone shows; what is counted is time that really passed. An edge of working hours is the
first instant at which the wall clock shows that time or a later one (`local_time.first_showing`). Instants are aware and come back in
UTC. Everything here is a pure function of its arguments and of the rules of the time zones (see `version_of`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import groupby
from operator import attrgetter

from tocsin.core.local_time import first_showing, rules_digest, zone_named
from tocsin.core.model import Pause
from tocsin.core.stretches import Stretch, without

NOTHING = timedelta(0)
DAY = timedelta(days=1)
DAY_S = 86_400
SEARCH_LIMIT = timedelta(days=5 * 366)
YEARS = range(1901, 2200)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)


class CalendarHasNoHours(ValueError):
    """The calendar has not the working time that was asked for: none in five years on end, or not enough before the year 2200."""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Working hours of one day, in seconds since its 00:00 on the wall clock. An end above 86400 is on the next day."""

    start_s: int
    end_s: int

    def __post_init__(self) -> None:
        if not (0 <= self.start_s < DAY_S and self.start_s < self.end_s <= self.start_s + DAY_S):
            raise ValueError(f"no working hours run from second {self.start_s} to {self.end_s} of a day")


Week = tuple[tuple[Span, ...], ...]
CLOSED_WEEK: Week = ((),) * 7


@dataclass(frozen=True, slots=True)
class Calendar:
    """Working hours with everything resolved to dates. `hours` has seven days, Monday first.

    `working` beats `closed` and `yearly` (month, day), those beat `hours`. `covered_years` are those with official data of all its
    countries, None when it names no country. `version` is `version_of` it.
    """

    name: str
    zone: str = "UTC"
    hours: Week = CLOSED_WEEK
    closed: frozenset[date] = frozenset()
    yearly: frozenset[tuple[int, int]] = frozenset()
    working: Mapping[date, tuple[Span, ...]] = field(default_factory=dict)
    covered_years: frozenset[int] | None = None
    version: str = ""

    def __hash__(self) -> int:
        return hash((self.name, self.zone, self.version))


ALWAYS = Calendar("24x7", hours=((Span(0, DAY_S),),) * 7, version="24x7")


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a clock's time, how much of it counts, and why."""

    start: datetime
    end: datetime
    counted: timedelta
    why: str


def due(calendar: Calendar, start: datetime, target: timedelta, pauses: Sequence[Pause] = ()) -> datetime:
    """Return the earliest instant at which `target` of working time has passed since `start`.

    A target of nothing ends at the first working instant. Pauses must have ended: what is still paused is due at no known instant, so
    close the pause at the present first. Raises CalendarHasNoHours.
    """
    if target < NOTHING:
        raise ValueError(f"a target is never below zero, as {target} is")
    if any(pause.end is None for pause in pauses):
        raise ValueError(
            "a clock that is paused is due at no known instant: end the pause at the present instant first"
        )
    left = target
    for begin, end in without(_working(calendar, _instant(start)), _paused(pauses, LATEST)):
        if end - begin >= left:
            return begin + left
        left -= end - begin
    raise CalendarHasNoHours(
        f'calendar "{calendar.name}" has not {target} of working time before the year {LATEST.year}'
    )


def measure(calendar: Calendar, start: datetime, end: datetime, pauses: Sequence[Pause] = ()) -> timedelta:
    """Return the working time between two instants, nothing when `end` is not after `start`. An open pause lasts to `end`."""
    start, end = _instant(start), _instant(end)
    return sum((b - a for a, b in without(_working(calendar, start, end), _paused(pauses, end))), NOTHING)


def explain(calendar: Calendar, start: datetime, end: datetime, pauses: Sequence[Pause] = ()) -> tuple[Segment, ...]:
    """Return what `measure` counts and what it leaves out, as segments that follow each other from `start` to `end`."""
    start, end = _instant(start), _instant(end)
    return tuple(_joined(_told(calendar, start, end, pauses)))


def working(calendar: Calendar, start: datetime, end: datetime) -> Iterator[Stretch]:
    """Yield the working stretches between two instants, in order, cut off at both."""
    return _working(calendar, _instant(start), _instant(end))


def working_day(calendar: Calendar, day: date) -> tuple[Span, ...]:
    """Return the hours that start on a day, in order; none when it is closed."""
    if day in calendar.working:
        return tuple(sorted(calendar.working[day]))
    return () if is_holiday(calendar, day) else tuple(sorted(calendar.hours[day.weekday()]))


def is_holiday(calendar: Calendar, day: date) -> bool:
    """Whether a day is closed by its date, whatever its weekday."""
    return day not in calendar.working and (day in calendar.closed or (day.month, day.day) in calendar.yearly)


def version_of(calendar: Calendar) -> str:
    """Hash all that the arithmetic depends on: hours, dates, and what the zone's clocks do. The name is not in it."""
    data = {
        "zone": rules_digest(calendar.zone),
        "hours": [_pairs(spans) for spans in calendar.hours],
        "closed": sorted(day.isoformat() for day in calendar.closed),
        "yearly": sorted(calendar.yearly),
        "working": {day.isoformat(): _pairs(spans) for day, spans in calendar.working.items()},
    }
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:16]


def _pairs(spans: Sequence[Span]) -> list[tuple[int, int]]:
    return sorted((span.start_s, span.end_s) for span in spans)


def _instant(moment: datetime) -> datetime:
    """The moment in UTC, if it is one that calendars cover: a bound on every search below."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no offset, so it is no instant")
    if moment.year not in YEARS:
        raise ValueError(f"{moment.isoformat()} is out of the years that calendars cover, {YEARS[0]} to {YEARS[-1]}")
    return moment.astimezone(UTC)


def _working(calendar: Calendar, start: datetime, end: datetime | None = None) -> Iterator[Stretch]:
    """Yield the working stretches from `start` on, in order and without overlaps, cut off at both ends.

    Without an end it goes on to the year 2200, and raises CalendarHasNoHours where nobody works for five years.
    """
    until = LATEST if end is None else end
    if calendar.name == ALWAYS.name:
        if start < until:
            yield start, until
        return
    zone, reached = zone_named(calendar.zone), start
    # A night shift of the day before may still last; clocks set back over midnight may already have begun the day after.
    day, last = start.astimezone(zone).date() - DAY, until.astimezone(zone).date() + DAY
    worked_on = day
    while day <= last:
        for opens, closes in _hours_of(calendar, day):
            begin, finish = max(opens, reached), min(closes, until)
            if begin < finish:
                yield begin, finish
                reached, worked_on = finish, day
        if end is None and day - worked_on > SEARCH_LIMIT:
            raise CalendarHasNoHours(f'calendar "{calendar.name}" has no working time in the five years up to {day}')
        day += DAY


@lru_cache(maxsize=4096)
def _hours_of(calendar: Calendar, day: date) -> tuple[Stretch, ...]:
    """The working stretches that start on a day, in UTC. Hours that a gap swallowed have no length."""
    zone, midnight = zone_named(calendar.zone), datetime.combine(day, time())
    edges = (
        tuple(first_showing(zone, midnight + timedelta(seconds=edge)) for edge in (span.start_s, span.end_s))
        for span in working_day(calendar, day)
    )
    return tuple((begin, end) for begin, end in edges)


def _paused(pauses: Sequence[Pause], now: datetime) -> list[Stretch]:
    return [(begin, end) for begin, end, _ in _pauses_up_to(pauses, now)]


def _pauses_up_to(pauses: Sequence[Pause], now: datetime) -> list[tuple[datetime, datetime, str]]:
    """The pauses and their reasons in order of their starts; one that lasts ends `now`, one that took no time is left out."""
    ends = (now if pause.end is None else _instant(pause.end) for pause in pauses)
    named = sorted((_instant(pause.start), end, pause.reason) for pause, end in zip(pauses, ends, strict=True))
    return [(begin, end, reason) for begin, end, reason in named if begin < end]


def _told(calendar: Calendar, start: datetime, end: datetime, pauses: Sequence[Pause]) -> Iterator[Segment]:
    reached = start
    for begin, finish, reason in _pauses_up_to(pauses, end):
        begin, finish = max(begin, reached), min(finish, end)
        if begin < finish:
            yield from _unpaused(calendar, reached, begin)
            yield Segment(begin, finish, NOTHING, f"paused: {reason}")
            reached = finish
    yield from _unpaused(calendar, reached, end)


def _unpaused(calendar: Calendar, start: datetime, end: datetime) -> Iterator[Segment]:
    reached = start
    for begin, finish in _working(calendar, start, end):
        yield from _idle(calendar, reached, begin)
        yield Segment(begin, finish, finish - begin, "working")
        reached = finish
    yield from _idle(calendar, reached, end)


def _idle(calendar: Calendar, start: datetime, end: datetime) -> Iterator[Segment]:
    """Yield the days of a time in which nobody works, each with its reason."""
    zone = zone_named(calendar.zone)
    day = start.astimezone(zone).date()
    while start < end:
        day_ends = first_showing(zone, datetime.combine(day + DAY, time()))
        cut = min(day_ends, end)
        if start < cut:
            yield Segment(start, cut, NOTHING, f"holiday {day}" if is_holiday(calendar, day) else "outside hours")
            start = cut
        day += DAY


def _joined(segments: Iterable[Segment]) -> Iterator[Segment]:
    """Make neighbours with the same reason one."""
    for why, group in groupby(segments, key=attrgetter("why")):
        parts = tuple(group)
        yield Segment(parts[0].start, parts[-1].end, sum((part.counted for part in parts), NOTHING), why)
