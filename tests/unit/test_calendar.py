"""Working time on single cases. The laws that hold everywhere are in test_calendar_laws."""

from __future__ import annotations

import time as stopwatch
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tocsin.core.calendar import (
    ALWAYS,
    Calendar,
    CalendarHasNoHours,
    Span,
    due,
    explain,
    measure,
    version_of,
    working_day,
)
from tocsin.core.model import Pause

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


def hours(*edges: float) -> tuple[Span, ...]:
    return tuple(Span(round(a * 3600), round(b * 3600)) for a, b in zip(edges[::2], edges[1::2], strict=True))


def weekdays(*edges: float, zone: str = "UTC") -> Calendar:
    return Calendar("office", zone, (hours(*edges),) * 5 + ((),) * 2)


def every_day(*edges: float, zone: str) -> Calendar:
    return Calendar("shift", zone, (hours(*edges),) * 7)


def at(text: str, zone: str = "UTC", *, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)


OFFICE = weekdays(9, 17)
FRIDAY, MONDAY = "2026-11-20", "2026-11-23"


# --- targets ------------------------------------------------------------------------------------------------------


def test_a_target_goes_on_after_the_weekend() -> None:
    assert due(OFFICE, at(f"{FRIDAY}T16:30"), 4 * HOUR) == at(f"{MONDAY}T12:30")


def test_a_target_that_ends_with_the_day_is_due_that_day() -> None:
    assert due(OFFICE, at(f"{FRIDAY}T16:30"), 30 * MINUTE) == at(f"{FRIDAY}T17:00")


def test_one_second_more_is_due_after_the_weekend() -> None:
    assert due(OFFICE, at(f"{FRIDAY}T16:30"), 30 * MINUTE + timedelta(seconds=1)) == at(f"{MONDAY}T09:00:01")


@pytest.mark.parametrize(
    ("start", "first"),
    [("T12:00", f"{FRIDAY}T12:00"), ("T17:00", f"{MONDAY}T09:00"), ("T08:59:59.5", f"{FRIDAY}T09:00")],
)
def test_a_target_of_nothing_is_the_first_working_instant(start: str, first: str) -> None:
    assert due(OFFICE, at(FRIDAY + start), timedelta(0)) == at(first)


def test_a_target_below_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="never below zero"):
        due(OFFICE, at(f"{FRIDAY}T12:00"), -HOUR)


def test_fractions_of_seconds_are_kept() -> None:
    start = at(f"{FRIDAY}T16:59:59.250000")
    assert due(OFFICE, start, timedelta(seconds=1)) == at(f"{MONDAY}T09:00:00.250000")
    assert measure(OFFICE, start, at(f"{MONDAY}T09:00")) == timedelta(microseconds=750_000)


def test_any_zone_goes_in_and_utc_comes_out() -> None:
    result = due(OFFICE, at("2026-11-20T17:30", "Europe/Berlin"), HOUR)
    assert (result, result.tzinfo) == (at(f"{MONDAY}T09:30"), UTC)


def test_a_moment_without_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="no offset"):
        due(OFFICE, datetime(2026, 11, 20, 12), HOUR)  # noqa: DTZ001


@pytest.mark.parametrize("year", [1, 1900, 2200, 9999])
def test_years_out_of_reach_are_refused(year: int) -> None:
    with pytest.raises(ValueError, match="1901 to 2199"):
        measure(OFFICE, datetime(year, 6, 1, tzinfo=UTC), at(f"{FRIDAY}T12:00"))


# --- 24x7 ---------------------------------------------------------------------------------------------------------


def test_always_counts_every_second() -> None:
    start = at("2026-12-31T23:00")
    assert due(ALWAYS, start, 4 * HOUR) == start + 4 * HOUR
    assert measure(ALWAYS, start, start + timedelta(days=400)) == timedelta(days=400)
    assert explain(ALWAYS, start, start + HOUR)[0].why == "working"


def test_always_is_known_by_its_name() -> None:
    start = at("2026-12-31T23:00")
    assert due(Calendar("24x7"), start, HOUR) == start + HOUR


def test_the_whole_day_has_no_minute_missing() -> None:
    everything = every_day(0, 24, zone="Europe/Berlin")
    start = at("2026-10-20T00:00", "Europe/Berlin")
    assert due(everything, start, timedelta(days=10)) == start.astimezone(UTC) + timedelta(days=10)


# --- without hours ------------------------------------------------------------------------------------------------


def test_a_calendar_without_hours_says_so_instead_of_searching_for_ever() -> None:
    with pytest.raises(CalendarHasNoHours, match='"idle" has no working time in the five years'):
        due(Calendar("idle"), at(f"{FRIDAY}T12:00"), timedelta(0))


def test_a_calendar_that_ends_says_so() -> None:
    last = replace(Calendar("last"), working={date(2026, 12, 1): hours(9, 17)})
    assert due(last, at(f"{FRIDAY}T12:00"), 8 * HOUR) == at("2026-12-01T17:00")
    with pytest.raises(CalendarHasNoHours):
        due(last, at(f"{FRIDAY}T12:00"), 8 * HOUR + timedelta(seconds=1))


def test_a_target_of_centuries_is_refused_in_bounded_time() -> None:
    began = stopwatch.perf_counter()
    for calendar in (OFFICE, ALWAYS):
        with pytest.raises(CalendarHasNoHours, match="before the year 2200"):
            due(calendar, at(f"{FRIDAY}T12:00"), timedelta(days=300_000))
    assert stopwatch.perf_counter() - began < 10


def test_a_calendar_without_hours_measures_nothing() -> None:
    assert measure(Calendar("idle"), at("2020-01-01"), at("2030-01-01")) == timedelta(0)


# --- measuring ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", [f"{FRIDAY}T12:00", f"{FRIDAY}T11:00"])
def test_an_end_that_is_not_after_the_start_measures_nothing(end: str) -> None:
    for calendar in (OFFICE, ALWAYS):
        assert measure(calendar, at(f"{FRIDAY}T12:00"), at(end)) == timedelta(0)
        assert explain(calendar, at(f"{FRIDAY}T12:00"), at(end)) == ()


def test_breaks_do_not_count() -> None:
    calendar = weekdays(9, 12, 13, 18)
    assert measure(calendar, at(f"{FRIDAY}T11:00"), at(f"{FRIDAY}T14:00")) == 2 * HOUR


# --- nights, holidays, working days ---------------------------------------------------------------------------------


def test_a_night_belongs_to_the_day_it_starts_on() -> None:
    nights = weekdays(22, 30)
    assert measure(nights, at("2026-11-20T20:00"), at("2026-11-21T12:00")) == 8 * HOUR
    assert measure(nights, at("2026-11-22T20:00"), at("2026-11-23T12:00")) == timedelta(0)
    assert due(nights, at("2026-11-21T01:00"), 5 * HOUR) == at("2026-11-21T06:00")


def test_a_holiday_after_a_night_leaves_the_night_alone() -> None:
    nights = replace(weekdays(22, 30), closed=frozenset([date(2026, 11, 20)]))
    assert measure(nights, at("2026-11-19T20:00"), at("2026-11-20T20:00")) == 8 * HOUR
    assert measure(nights, at("2026-11-20T20:00"), at("2026-11-21T20:00")) == timedelta(0)


def test_nights_that_overlap_the_next_day_count_once() -> None:
    calendar = every_day(5, 9, 22, 30, zone="UTC")
    assert measure(calendar, at("2026-11-18T22:00"), at("2026-11-19T12:00")) == 11 * HOUR


def test_a_yearly_date_is_closed_each_year() -> None:
    calendar = replace(OFFICE, yearly=frozenset([(12, 25), (2, 29)]))
    assert [working_day(calendar, date(year, 12, 25)) for year in (2025, 2026, 2028)] == [()] * 3
    assert working_day(calendar, date(2028, 2, 29)) == ()
    assert working_day(calendar, date(2027, 3, 1)) == hours(9, 17)


def test_a_working_day_beats_holiday_and_weekend() -> None:
    saturday, holiday = date(2026, 11, 21), date(2026, 11, 20)
    calendar = replace(
        OFFICE,
        closed=frozenset([holiday]),
        yearly=frozenset([(11, 20)]),
        working={saturday: hours(10, 12), holiday: hours(9, 10)},
    )
    assert measure(calendar, at("2026-11-20T00:00"), at("2026-11-22T00:00")) == 3 * HOUR


def test_hours_out_of_order_are_put_in_order() -> None:
    calendar = weekdays(13, 18, 9, 12)
    assert measure(calendar, at(f"{FRIDAY}T00:00"), at(f"{FRIDAY}T23:00")) == 8 * HOUR


@pytest.mark.parametrize(("start", "end"), [(-1, 5), (5, 5), (6, 5), (0, 86_401), (86_400, 86_401)])
def test_impossible_hours_cannot_be_made(start: int, end: int) -> None:
    with pytest.raises(ValueError, match="no working hours run"):
        Span(start, end)


# --- clocks that change -------------------------------------------------------------------------------------------


def test_a_night_over_the_spring_gap_is_an_hour_shorter() -> None:
    nights = every_day(22, 30, zone="Europe/Berlin")
    start = at("2026-03-28T22:00", "Europe/Berlin")
    assert measure(nights, start, at("2026-03-29T12:00", "Europe/Berlin")) == 7 * HOUR
    assert due(nights, start, 7 * HOUR) == at("2026-03-29T06:00", "Europe/Berlin")


def test_a_night_in_autumn_is_an_hour_longer() -> None:
    nights = every_day(22, 30, zone="Europe/Berlin")
    start, end = at("2026-10-24T12:00", "Europe/Berlin"), at("2026-10-25T12:00", "Europe/Berlin")
    assert measure(nights, start, end) == 9 * HOUR


@pytest.mark.parametrize(
    ("edges", "first", "last"),
    [
        ((2.5, 4), "2026-03-29T03:00", "2026-03-29T04:00"),
        ((1, 2.5), "2026-03-29T01:00", "2026-03-29T03:00"),
    ],
)
def test_an_edge_in_a_gap_is_the_first_instant_after_it(edges: tuple[float, float], first: str, last: str) -> None:
    calendar = every_day(*edges, zone="Europe/Berlin")
    begin, end = at("2026-03-29T00:00", "Europe/Berlin"), at("2026-03-29T12:00", "Europe/Berlin")
    (worked,) = [segment for segment in explain(calendar, begin, end) if segment.why == "working"]
    assert (worked.start, worked.end) == (at(first, "Europe/Berlin"), at(last, "Europe/Berlin"))


def test_hours_wholly_in_a_gap_are_gone() -> None:
    calendar = every_day(2.25, 2.75, zone="Europe/Berlin")
    begin, end = at("2026-03-29T00:00", "Europe/Berlin"), at("2026-03-29T12:00", "Europe/Berlin")
    assert measure(calendar, begin, end) == timedelta(0)


@pytest.mark.parametrize(("edges", "counted"), [((1, 2.5), 1.5), ((2.5, 4), 2.5), ((2, 3), 2.0), ((2.25, 2.75), 0.5)])
def test_an_edge_that_exists_twice_is_its_first_occurrence(edges: tuple[float, float], counted: float) -> None:
    calendar = every_day(*edges, zone="Europe/Berlin")
    begin, end = at("2026-10-25T00:00", "Europe/Berlin"), at("2026-10-25T12:00", "Europe/Berlin")
    assert measure(calendar, begin, end) == counted * HOUR


def test_a_day_that_a_zone_skipped_has_no_hours() -> None:
    calendar = every_day(9, 17, zone="Pacific/Apia")
    begin, end = at("2011-12-29T00:00", "Pacific/Apia"), at("2012-01-01T00:00", "Pacific/Apia")
    assert measure(calendar, begin, end) == 16 * HOUR


def test_clocks_set_back_over_midnight_count_each_hour_once() -> None:
    """At 00:01 St John's went back to 23:01 of the day before: hours from 00:00 had already begun."""
    zone = "America/St_Johns"
    begin, end = at("2010-11-06T12:00", zone), at("2010-11-07T12:00", zone)
    parts = [every_day(0, 12, zone=zone), every_day(12, 24, zone=zone)]
    assert sum((measure(part, begin, end) for part in parts), timedelta(0)) == 25 * HOUR
    second_pass = at("2010-11-06T23:30", zone, fold=1).astimezone(UTC)
    assert due(parts[0], second_pass, timedelta(0)) == second_pass
    assert measure(parts[0], begin, second_pass) == 30 * MINUTE
    (idle,) = explain(replace(parts[1], closed=frozenset([date(2010, 11, 6)])), second_pass, end)
    assert (idle.start, idle.end, idle.why) == (second_pass, end, "outside hours")


def test_half_an_hour_of_daylight_saving_is_half_an_hour() -> None:
    nights = every_day(22, 30, zone="Australia/Lord_Howe")
    begin, end = at("2026-04-04T12:00", "Australia/Lord_Howe"), at("2026-04-05T12:00", "Australia/Lord_Howe")
    assert measure(nights, begin, end) == 8.5 * HOUR


# --- pauses -------------------------------------------------------------------------------------------------------


def pause(start: str, end: str | None, reason: str = "supplier") -> Pause:
    return Pause(at(start), None if end is None else at(end), reason, "person:li.na")


def test_a_pause_moves_the_deadline_by_the_working_time_in_it() -> None:
    over_the_weekend = pause(f"{FRIDAY}T16:45", f"{MONDAY}T09:15")
    assert due(OFFICE, at(f"{FRIDAY}T16:30"), 4 * HOUR, [over_the_weekend]) == at(f"{MONDAY}T13:00")


def test_overlapping_pauses_count_once() -> None:
    pauses = [pause(f"{FRIDAY}T11:00", f"{FRIDAY}T13:00"), pause(f"{FRIDAY}T10:00", f"{FRIDAY}T12:00")]
    for calendar in (OFFICE, ALWAYS):
        assert measure(calendar, at(f"{FRIDAY}T09:00"), at(f"{FRIDAY}T14:00"), pauses) == 2 * HOUR
        assert due(calendar, at(f"{FRIDAY}T09:00"), 2 * HOUR, pauses) == at(f"{FRIDAY}T14:00")


def test_a_pause_that_took_no_time_changes_nothing() -> None:
    nothing = [pause(f"{FRIDAY}T11:00", f"{FRIDAY}T11:00"), pause(f"{FRIDAY}T12:00", f"{FRIDAY}T11:30")]
    assert measure(OFFICE, at(f"{FRIDAY}T09:00"), at(f"{FRIDAY}T14:00"), nothing) == 5 * HOUR


def test_a_target_of_nothing_is_not_due_in_a_pause() -> None:
    assert due(ALWAYS, at(f"{FRIDAY}T11:00"), timedelta(0), [pause(f"{FRIDAY}T10:00", f"{FRIDAY}T12:00")]) == at(
        f"{FRIDAY}T12:00"
    )


def test_a_pause_that_lasts_counts_to_the_end_of_what_is_measured() -> None:
    lasting = [pause(f"{FRIDAY}T11:00", None)]
    assert measure(OFFICE, at(f"{FRIDAY}T09:00"), at(f"{FRIDAY}T14:00"), lasting) == 2 * HOUR


def test_a_pause_that_lasts_has_no_deadline() -> None:
    with pytest.raises(ValueError, match="end the pause"):
        due(OFFICE, at(f"{FRIDAY}T09:00"), HOUR, [pause(f"{FRIDAY}T11:00", None)])


# --- explaining ---------------------------------------------------------------------------------------------------


def test_segments_tell_work_nights_holidays_and_pauses() -> None:
    calendar = replace(OFFICE, closed=frozenset([date(2026, 11, 23)]))
    stretch = at(f"{FRIDAY}T14:00"), at("2026-11-24T10:00")
    told = explain(calendar, *stretch, [pause(f"{FRIDAY}T15:00", f"{FRIDAY}T16:00")])
    assert [(s.start.isoformat()[5:16], s.counted, s.why) for s in told] == [
        ("11-20T14:00", HOUR, "working"),
        ("11-20T15:00", timedelta(0), "paused: supplier"),
        ("11-20T16:00", HOUR, "working"),
        ("11-20T17:00", timedelta(0), "outside hours"),
        ("11-23T00:00", timedelta(0), "holiday 2026-11-23"),
        ("11-24T00:00", timedelta(0), "outside hours"),
        ("11-24T09:00", HOUR, "working"),
    ]
    assert told[-1].end == stretch[1]


def test_a_holiday_that_is_worked_is_no_holiday() -> None:
    friday = date(2026, 11, 20)
    calendar = replace(OFFICE, closed=frozenset([friday]), working={friday: hours(9, 10)})
    told = explain(calendar, at(f"{FRIDAY}T08:00"), at(f"{FRIDAY}T12:00"))
    assert [segment.why for segment in told] == ["outside hours", "working", "outside hours"]


def test_hours_that_touch_are_one_segment() -> None:
    (segment,) = explain(every_day(0, 12, 12, 24, zone="UTC"), at(f"{FRIDAY}T00:00"), at(f"{MONDAY}T00:00"))
    assert segment.counted == timedelta(days=3)


# --- versions -----------------------------------------------------------------------------------------------------


def test_the_version_follows_everything_that_counts() -> None:
    variants = [
        OFFICE,
        weekdays(9, 17, zone="Europe/Berlin"),
        weekdays(9, 18),
        replace(OFFICE, closed=frozenset([date(2026, 1, 1)])),
        replace(OFFICE, yearly=frozenset([(1, 1)])),
        replace(OFFICE, working={date(2026, 1, 3): hours(9, 17)}),
    ]
    assert len({version_of(calendar) for calendar in variants}) == len(variants)


def test_the_version_does_not_follow_names_or_order() -> None:
    days = {date(2026, 1, 3): hours(9, 12, 13, 17), date(2026, 1, 4): hours(9, 12)}
    turned = {day: spans[::-1] for day, spans in reversed(days.items())}
    one, other = replace(OFFICE, working=days), replace(OFFICE, name="bureau", working=turned, version="x")
    assert version_of(one) == version_of(other)
    assert version_of(weekdays(9, 17, zone="Asia/Shanghai")) == version_of(weekdays(9, 17, zone="PRC"))


def test_the_version_is_the_same_tomorrow() -> None:
    assert version_of(weekdays(9, 17)) == "5522451ce4347491"


def test_calendars_that_share_a_name_are_not_mixed_up() -> None:
    start, end = at(f"{FRIDAY}T00:00"), at(f"{MONDAY}T00:00")
    assert [measure(c, start, end) for c in (weekdays(9, 17), weekdays(9, 12), weekdays(9, 17))] == [
        8 * HOUR,
        3 * HOUR,
        8 * HOUR,
    ]
