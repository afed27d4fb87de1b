"""What holds for working time in every zone: laws, a clock watched minute by minute, and an independent library."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from workclock import Holidays, Schedule, WorkDay

from tocsin.core.calendar import Calendar, Span, due, explain, measure
from tocsin.core.local_time import rules_digest, zone_named
from tocsin.core.model import Pause

ZONES = sorted(available_timezones() - {"Factory", "localtime"})
ODD_ZONES = (
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Asia/Kathmandu",
    "Africa/Casablanca",
    "Asia/Tehran",
    "America/Sao_Paulo",
    "America/St_Johns",
)
FROM, TO = datetime(2000, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC)
DAY, MINUTE, NOTHING = timedelta(days=1), timedelta(minutes=1), timedelta(0)
CASES = settings(max_examples=100, deadline=None, database=None)


# --- calendars and instants of all kinds ----------------------------------------------------------------------------


def spans_of_a_day(step_s: int) -> st.SearchStrategy[tuple[Span, ...]]:
    edges = st.lists(st.integers(0, 86_400 * 5 // 4 // step_s), unique=True, max_size=6).map(sorted)
    return edges.map(
        lambda found: tuple(
            Span(a * step_s, b * step_s)
            for a, b in zip(found[::2], found[1::2], strict=False)
            if a * step_s < 86_400 and b - a <= 86_400 // step_s
        )
    )


@st.composite
def calendars(draw: st.DrawFn, step_s: int = 900) -> Calendar:
    """Weeks with nights and holes, some days closed and some open by their date."""
    day = spans_of_a_day(step_s)
    hours = draw(st.tuples(*[day] * 7).filter(any))
    dates = st.dates(date(2000, 1, 1), date(2040, 1, 1))
    return Calendar(
        "drawn",
        draw(st.sampled_from(ZONES) | st.sampled_from(ODD_ZONES)),
        hours,
        closed=draw(st.frozensets(dates, max_size=3)),
        yearly=draw(st.frozensets(st.sampled_from([(1, 1), (2, 29), (12, 25), (10, 1)]), max_size=2)),
        working=draw(st.dictionaries(dates, day, max_size=2)),
    )


@cache
def days_of_change(zone: str) -> tuple[datetime, ...]:
    """Days on which the zone's offset changes."""
    days = [FROM + DAY * n for n in range((TO - FROM).days)]
    offsets = [day.astimezone(zone_named(zone)).utcoffset() for day in days]
    return tuple(day for day, a, b in zip(days, offsets, offsets[1:], strict=False) if a != b)


@st.composite
def instants(draw: st.DrawFn, zone: str, *, whole_minutes: bool = False) -> datetime:
    """Instants of forty years, half of them within a day or two of a change of the zone's clocks."""
    changes = days_of_change(zone)
    near = draw(st.sampled_from(changes)) if changes and draw(st.booleans()) else None
    low, high = (near - DAY, near + 3 * DAY) if near else (FROM, TO)
    unit = MINUTE if whole_minutes else timedelta(microseconds=1)
    return low + unit * draw(st.integers(0, (high - low) // unit))


def pauses_after(start: datetime) -> st.SearchStrategy[list[Pause]]:
    edge = st.integers(0, 200).map(lambda hours: start + timedelta(hours=hours))
    return st.lists(st.builds(Pause, edge, edge, st.just("why"), st.just("who")), max_size=3)


TARGETS = st.timedeltas(NOTHING, timedelta(hours=200))


# --- laws -----------------------------------------------------------------------------------------------------------


@CASES
@given(st.data(), calendars(), TARGETS)
def test_measuring_undoes_due(data: st.DataObject, calendar: Calendar, target: timedelta) -> None:
    start = data.draw(instants(calendar.zone))
    pauses = data.draw(pauses_after(start))
    end = due(calendar, start, target, pauses)
    assert measure(calendar, start, end, pauses) == target


@CASES
@given(st.data(), calendars(), TARGETS)
def test_due_is_the_earliest_such_instant(data: st.DataObject, calendar: Calendar, target: timedelta) -> None:
    assume(target > NOTHING)
    start = data.draw(instants(calendar.zone))
    end = due(calendar, start, target)
    assert measure(calendar, start, end - timedelta(microseconds=1)) < target


@CASES
@given(st.data(), calendars(), TARGETS, TARGETS)
def test_due_is_monotone(data: st.DataObject, calendar: Calendar, one: timedelta, other: timedelta) -> None:
    start, later = sorted((data.draw(instants(calendar.zone)), data.draw(instants(calendar.zone))))
    assert due(calendar, start, min(one, other)) <= due(calendar, start, max(one, other))
    assert due(calendar, start, one) <= due(calendar, later, one)


@CASES
@given(st.data(), calendars(), TARGETS, TARGETS)
def test_targets_add_up(data: st.DataObject, calendar: Calendar, one: timedelta, other: timedelta) -> None:
    start = data.draw(instants(calendar.zone))
    assert due(calendar, start, one + other) == due(calendar, due(calendar, start, one), other) or other == NOTHING


@CASES
@given(st.data(), calendars(), st.lists(TARGETS, min_size=2, max_size=2))
def test_measuring_splits_anywhere(data: st.DataObject, calendar: Calendar, steps: list[timedelta]) -> None:
    start = data.draw(instants(calendar.zone))
    pauses = data.draw(pauses_after(start))
    middle, end = start + steps[0], start + steps[0] + steps[1]
    parts = measure(calendar, start, middle, pauses) + measure(calendar, middle, end, pauses)
    assert parts == measure(calendar, start, end, pauses)
    assert NOTHING <= parts <= end - start


@CASES
@given(st.data(), calendars(), st.timedeltas(NOTHING, timedelta(days=20)))
def test_segments_cover_the_time_and_sum_up(data: st.DataObject, calendar: Calendar, length: timedelta) -> None:
    start = data.draw(instants(calendar.zone))
    pauses = data.draw(pauses_after(start))
    told = explain(calendar, start, start + length, pauses)
    edges = [segment.start for segment in told] + [start + length]
    assert edges[0] == start
    assert all(segment.end == following for segment, following in zip(told, edges[1:], strict=True))
    assert all(segment.start < segment.end for segment in told)
    assert all(one.why != other.why for one, other in pairwise(told))
    assert all(s.counted == (s.end - s.start if s.why == "working" else NOTHING) for s in told)
    assert sum((s.counted for s in told), NOTHING) == measure(calendar, start, start + length, pauses)


def test_the_hours_of_a_day_tile_the_time_in_every_zone() -> None:
    """Whole days, or days and nights, over each change of clocks of every zone: nothing missing, nothing twice."""
    for zone in {rules_digest(zone): zone for zone in ZONES}.values():
        whole = Calendar("whole", zone, ((Span(0, 86_400),),) * 7)
        days = Calendar("days", zone, ((Span(5_400, 79_200),),) * 7)
        nights = Calendar("nights", zone, ((Span(79_200, 91_800),),) * 7)
        for change in days_of_change(zone)[::4]:
            start, end = change - DAY, change + 2 * DAY
            assert measure(whole, start, end) == 3 * DAY, (zone, change)
            assert measure(days, start, end) + measure(nights, start, end) == 3 * DAY, (zone, change)


# --- the clock on the wall, watched minute by minute ------------------------------------------------------------------


def worked_minutes(calendar: Calendar, start: datetime, end: datetime) -> Iterator[datetime]:
    """Watch the wall clock. What it has shown, it has shown: set back, it stays at the latest it was until that comes again."""
    zone, moment, shown = ZoneInfo(calendar.zone), start - 2 * DAY, datetime.min  # noqa: DTZ901
    while moment < end:
        shown = max(shown, moment.astimezone(zone).replace(tzinfo=None))
        if moment >= start and is_worked(calendar, shown):
            yield moment
        moment += MINUTE


def is_worked(calendar: Calendar, shown: datetime) -> bool:
    for day in (shown.date(), shown.date() - DAY):
        second = (shown - datetime.combine(day, time())).total_seconds()
        if any(span.start_s <= second < span.end_s for span in hours_on(calendar, day)):
            return True
    return False


def hours_on(calendar: Calendar, day: date) -> tuple[Span, ...]:
    if day in calendar.working:
        return calendar.working[day]
    if day in calendar.closed or (day.month, day.day) in calendar.yearly:
        return ()
    return calendar.hours[day.weekday()]


@settings(max_examples=100, deadline=None, database=None)
@given(st.data(), calendars(step_s=300), st.integers(0, 2 * 24 * 60))
def test_measuring_agrees_with_the_wall_clock(data: st.DataObject, calendar: Calendar, minutes: int) -> None:
    start = data.draw(instants(calendar.zone, whole_minutes=True))
    end = start + MINUTE * minutes
    assert measure(calendar, start, end) == MINUTE * sum(1 for _ in worked_minutes(calendar, start, end))


@pytest.mark.parametrize("zone", ODD_ZONES)
def test_odd_zones_agree_with_the_wall_clock_at_their_changes(zone: str) -> None:
    week = ((Span(0, 3_600), Span(5_400, 9_000), Span(33_900, 61_200), Span(82_800, 88_200)),) * 7
    for change in days_of_change(zone)[-6:]:
        calendar, start, end = Calendar("odd", zone, week), change - DAY / 2, change + 2 * DAY
        expected = MINUTE * sum(1 for _ in worked_minutes(calendar, start, end))
        assert measure(calendar, start, end) == expected, change
        for target in (NOTHING, MINUTE * 7, expected):
            assert measure(calendar, start, due(calendar, start, target)) == target, change


# --- an independent library -------------------------------------------------------------------------------------------


def exists_once(zone: ZoneInfo, wall: datetime) -> bool:
    return wall.replace(tzinfo=zone).utcoffset() == wall.replace(tzinfo=zone, fold=1).utcoffset()


def edges_exist_once(calendar: Calendar, around: datetime, until: datetime) -> bool:
    """Whether no edge of working hours falls into a gap or an overlap, of which the library thinks otherwise."""
    zone, day = ZoneInfo(calendar.zone), around.date() - 3 * DAY
    while day <= until.date() + 3 * DAY:
        midnight = datetime.combine(day, time())
        edges = [second for span in calendar.hours[day.weekday()] for second in (span.start_s, span.end_s)]
        if not all(exists_once(zone, midnight + timedelta(seconds=edge)) for edge in [0, *edges]):
            return False
        day += DAY
    return True


def in_the_library(calendar: Calendar) -> Schedule:
    def clock(second: int) -> time:
        return (datetime.min + timedelta(seconds=second % 86_400)).time()  # noqa: DTZ901

    rules = [
        WorkDay(clock(span.start_s), clock(span.end_s), days=[day])
        for day, spans in enumerate(calendar.hours)
        for span in spans
    ]
    return Schedule([*rules, Holidays(calendar.closed)], time_zone=calendar.zone)


@CASES
@given(st.data(), calendars(), TARGETS)
@example(None, Calendar("nights", "Asia/Kathmandu", ((Span(79_200, 108_000),),) * 7), timedelta(hours=30))
def test_an_independent_library_agrees(data: st.DataObject | None, calendar: Calendar, target: timedelta) -> None:
    has_night = any(span.end_s > 86_400 for spans in calendar.hours for span in spans)
    closed = frozenset[date]() if has_night else calendar.closed  # it cuts nights off at a holiday's midnight
    calendar = replace(calendar, yearly=frozenset(), working={}, closed=closed)
    start = data.draw(instants(calendar.zone)) if data is not None else datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
    assume(target > NOTHING and start.year < 2037)
    end = due(calendar, start, target)
    assume(edges_exist_once(calendar, start, end))
    schedule = in_the_library(calendar)
    assert schedule.add(start, target) == end
    assert schedule.between(start, start + target) == measure(calendar, start, start + target)
