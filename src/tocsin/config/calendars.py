"""One calendar of the rule files, from plain values to `Calendar`: everything resolved to dates, everything wrong with it told at once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import reduce
from itertools import pairwise
from typing import Any

from tocsin.config.holidays import CountryDays, country_days
from tocsin.config.hours import DAYS, days_named, parse_hours
from tocsin.config.words import suggestion
from tocsin.config.zones import parse_zone
from tocsin.core.calendar import ALWAYS, DAY_S, Calendar, Span, Week, version_of

Path = tuple[str | int, ...]

_KEYS = ("timezone", "hours", "holidays", "working_days")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_YEARLY = re.compile(r"\d{2}-\d{2}")
_LOOKS_LIKE_DATE = re.compile(r"[\d./-]+")
_LEAP_YEAR = 2000
_WEEK_S = 7 * DAY_S


@dataclass(frozen=True, slots=True)
class CalendarProblem:
    """One thing wrong with a calendar. `path` leads to the value from the calendar's own; `at_key`: its key is meant."""

    path: Path
    message: str
    at_key: bool = False


class CalendarProblems(ValueError):
    """All that is wrong with one calendar."""

    def __init__(self, problems: Sequence[CalendarProblem]) -> None:
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = tuple(problems)


@dataclass(slots=True)
class _Notes:
    problems: list[CalendarProblem] = field(default_factory=list)

    def add(self, path: Path, message: str, *, at_key: bool = False) -> None:
        problem = CalendarProblem(path, message, at_key)
        if problem not in self.problems:
            self.problems.append(problem)


@dataclass(slots=True)
class _Holidays:
    """The entries of `holidays`, by what they are."""

    closed: set[date] = field(default_factory=set)
    yearly: set[tuple[int, int]] = field(default_factory=set)
    countries: list[CountryDays] = field(default_factory=list)


def from_mapping(name: str, value: Mapping[str, Any], default_zone: str) -> Calendar:
    """Return the calendar that a section of the rule files describes. Raises CalendarProblems."""
    notes = _Notes()
    if name == ALWAYS.name:
        notes.add((), f'"{name}" is the calendar that is always there (choose another name)', at_key=True)
    for key in value:
        if key not in _KEYS:
            notes.add((key,), f'unknown key "{key}"{suggestion(str(key), _KEYS)}', at_key=True)
    zone = _zone(value.get("timezone", default_zone), notes)
    week = _week(value.get("hours"), notes)
    holidays = _holidays(value.get("holidays", ()), notes)
    working = _working_days(value.get("working_days", {}), notes)
    if notes.problems:
        raise CalendarProblems(notes.problems)
    return _resolved(name, zone, week, holidays, working)


def _resolved(
    name: str, zone: str, week: Week, holidays: _Holidays, working: Mapping[date, tuple[Span, ...]]
) -> Calendar:
    """Bring in the countries: their make-up days give way to own holidays and to the holidays of the others."""
    countries = holidays.countries
    closed = holidays.closed.union(*(days.closed for days in countries))
    made_up = {
        day for days in countries for day in days.working if (day.month, day.day) not in holidays.yearly
    } - closed
    calendar = Calendar(
        name=name,
        zone=zone,
        hours=week,
        closed=frozenset(closed),
        yearly=frozenset(holidays.yearly),
        working={day: _last_named(week, day) for day in sorted(made_up)} | dict(working),
        covered_years=reduce(frozenset.intersection, (d.official_years for d in countries)) if countries else None,
    )
    return replace(calendar, version=version_of(calendar))


def _last_named(week: Week, day: date) -> tuple[Span, ...]:
    """The hours of the last weekday before `day` that has any."""
    earlier = (week[(day - timedelta(days=back)).weekday()] for back in range(1, 8))
    return next(spans for spans in earlier if spans)


def _zone(value: object, notes: _Notes) -> str:
    try:
        return parse_zone(value)
    except ValueError as error:
        notes.add(("timezone",), str(error))
        return "UTC"


def _week(raw: object, notes: _Notes) -> Week:
    week: list[tuple[Span, ...]] = [()] * 7
    if not isinstance(raw, Mapping) or not raw:
        notes.add(("hours",), "hours: say when work is done, as {mon-fri: ['09:00-17:00']}")
        return tuple(week)
    named: dict[int, Path] = {}
    for key, texts in raw.items():
        path, spans = ("hours", key), _spans(texts, ("hours", key), notes)
        for day in _days(key, path, notes):
            if day in named:
                notes.add(path, f'"{key}" names {DAYS[day]} again (it stands in "{named[day][-1]}")', at_key=True)
            named.setdefault(day, path)
            week[day] = spans
    _check_overlaps(week, named, notes)
    if not any(week) and not notes.problems:
        notes.add(("hours",), "hours: no day has any, so no clock would ever end (name one, as mon: ['09:00-17:00'])")
    return tuple(week)


def _days(key: object, path: Path, notes: _Notes) -> tuple[int, ...]:
    try:
        return days_named(key)
    except ValueError as error:
        notes.add(path, str(error), at_key=True)
        return ()


def _spans(texts: object, path: Path, notes: _Notes) -> tuple[Span, ...]:
    """Read a list of hours; what overlaps within the list is noted here."""
    if not isinstance(texts, list | tuple):
        notes.add(path, "must be a list of hours, as ['09:00-12:00', '13:00-18:00']")
        return ()
    spans: list[Span] = []
    for place, text in enumerate(texts):
        try:
            span = parse_hours(text)
        except ValueError as error:
            notes.add((*path, place), str(error))
            continue
        if any(span.start_s < other.end_s and other.start_s < span.end_s for other in spans):
            notes.add((*path, place), f'"{text}" overlaps other hours of the same day (write each hour once)')
        else:
            spans.append(span)
    return tuple(sorted(spans))


def _check_overlaps(week: Sequence[tuple[Span, ...]], named: Mapping[int, Path], notes: _Notes) -> None:
    """Note night shifts that last into the hours of the next day, once for each key."""
    hours = [(day * DAY_S + span.start_s, day * DAY_S + span.end_s, day) for day in range(7) for span in week[day]]
    first_again = [(start + _WEEK_S, end + _WEEK_S, day) for start, end, day in hours[:1]]
    told: set[Path] = set()
    for (_, end, day), (start, _, next_day) in pairwise(hours + first_again):
        path = named.get(next_day, ())
        if start < end and day != next_day and path not in told:
            told.add(path)
            days = f"the night of {DAYS[day]} lasts into the hours of {DAYS[next_day]}"
            notes.add(path, f"{days} (let one end where the other starts)")


def _holidays(raw: object, notes: _Notes) -> _Holidays:
    found = _Holidays()
    if not isinstance(raw, list | tuple):
        notes.add(
            ("holidays",),
            "holidays: must be a list of countries, dates and yearly dates, as [CN, '2026-12-24', '12-25']",
        )
        return found
    for place, entry in enumerate(raw):
        try:
            _add_holiday(found, entry)
        except ValueError as error:
            notes.add(("holidays", place), str(error))
    return found


def _add_holiday(found: _Holidays, entry: object) -> None:
    if not isinstance(entry, str) or not entry:
        raise ValueError(f"\"{entry}\" is neither a country nor a date (write CN, '2026-12-24' or '12-25')")
    if _YEARLY.fullmatch(entry):
        found.yearly.add(_yearly(entry))
    elif _LOOKS_LIKE_DATE.fullmatch(entry):
        found.closed.add(_date(entry, " or, for every year, '12-24'"))
    else:
        found.countries.append(country_days(entry))


def _yearly(text: str) -> tuple[int, int]:
    try:
        day = date.fromisoformat(f"{_LEAP_YEAR}-{text}")
    except ValueError:
        raise ValueError(f'there is no "{text}" in any year (write month and day, as 12-25)') from None
    return day.month, day.day


def _date(text: object, more: str = "") -> date:
    if not isinstance(text, str) or not _DATE.fullmatch(text):
        raise ValueError(f"\"{text}\" is no date (write '2026-12-24'{more})")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f'there is no day "{text}" (write year, month and day, as 2026-12-24)') from None


def _working_days(raw: object, notes: _Notes) -> dict[date, tuple[Span, ...]]:
    if not isinstance(raw, Mapping):
        notes.add(("working_days",), "working_days: must be dates with their hours, as {'2026-10-10': ['09:00-18:00']}")
        return {}
    working: dict[date, tuple[Span, ...]] = {}
    for key, texts in raw.items():
        path: Path = ("working_days", key)
        try:
            day = _date(key)
        except ValueError as error:
            notes.add(path, str(error), at_key=True)
            continue
        spans = _spans(texts, path, notes)
        if isinstance(texts, list | tuple) and not texts:
            notes.add(path, f"{key} has no hours (a day off belongs into holidays)")
        working[day] = spans
    return working
