"""From a section of the rule files to a calendar: what it resolves to, and what is refused."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from tocsin.config.calendars import CalendarProblems, from_mapping
from tocsin.config.hours import days_named, parse_hours
from tocsin.core.calendar import Calendar, Span, version_of, working_day

NINE_TO_FIVE = (Span(32_400, 61_200),)
OFFICE: dict[str, Any] = {"hours": {"mon-fri": ["09:00-17:00"]}}


def calendar(**section: Any) -> Calendar:
    return from_mapping("office", {**OFFICE, **section}, "Asia/Shanghai")


def refusals(name: str = "office", **section: Any) -> list[tuple[tuple[str | int, ...], str]]:
    with pytest.raises(CalendarProblems) as caught:
        from_mapping(name, {**OFFICE, **section}, "UTC")
    return [(problem.path, problem.message) for problem in caught.value.problems]


# --- hours and days ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "start_s", "end_s"),
    [
        ("09:00-17:30", 32_400, 63_000),
        ("9:00-17:30", 32_400, 63_000),
        ("00:00-24:00", 0, 86_400),
        ("22:00-06:00", 79_200, 108_000),
        ("22:00-00:00", 79_200, 86_400),
    ],
)
def test_hours_are_read(text: str, start_s: int, end_s: int) -> None:
    assert parse_hours(text) == Span(start_s, end_s)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("9-17", "is no working time"),
        (900, "is no working time"),
        ("09:00–17:00", "is no working time"),
        ("09:60-17:00", "no clock shows"),
        ("24:00-06:00", "no clock shows"),
        ("09:00-24:01", "no clock shows"),
        ("25:00-26:00", "no clock shows"),
        ("09:00-09:00", "has no length"),
        ("00:00-00:00", r"the whole day is 00:00-24:00"),
        ("00:00-23:59", r"leaves out the last minute of the day \(write 00:00-24:00\)"),
    ],
)
def test_impossible_hours_are_refused(text: object, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse_hours(text)


@pytest.mark.parametrize(
    ("key", "days"),
    [("wed", (2,)), ("mon-fri", (0, 1, 2, 3, 4)), ("sat-mon", (5, 6, 0)), ("tue-mon", (1, 2, 3, 4, 5, 6, 0))],
)
def test_days_and_ranges_are_read(key: str, days: tuple[int, ...]) -> None:
    assert days_named(key) == days


@pytest.mark.parametrize(
    ("key", "complaint"),
    [
        ("Mon", r'did you mean "mon"\?'),
        ("thursday", r'did you mean "thu"\?'),
        ("mon-", 'unknown day ""'),
        ("weekdays", "write mon, tue"),
        (1, 'unknown day "1"'),
        ("mon-mon", r"is one day \(write mon\)"),
    ],
)
def test_what_is_no_day_is_refused(key: object, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        days_named(key)


# --- what it resolves to ----------------------------------------------------------------------------------------------


def test_a_calendar_without_zone_is_in_the_zone_of_the_settings() -> None:
    assert calendar().zone == "Asia/Shanghai"
    assert calendar(timezone="Europe/Berlin").zone == "Europe/Berlin"


def test_a_day_that_is_not_named_is_closed() -> None:
    assert [working_day(calendar(), date(2026, 11, day)) for day in (20, 21)] == [NINE_TO_FIVE, ()]


def test_dates_and_yearly_dates_are_closed() -> None:
    found = calendar(holidays=["2026-12-24", "12-25", "02-29"])
    assert (found.closed, found.yearly) == (frozenset([date(2026, 12, 24)]), frozenset([(12, 25), (2, 29)]))
    assert found.covered_years is None


def test_the_version_is_that_of_the_data() -> None:
    assert calendar().version == version_of(calendar()) != calendar(holidays=["12-25"]).version


def test_a_make_up_day_has_the_hours_of_the_last_named_weekday() -> None:
    hours = {"mon-thu": ["09:00-17:00"], "fri": ["09:00-12:00"]}
    found = calendar(hours=hours, holidays=["CN"])
    saturday, sunday = date(2026, 10, 10), date(2026, 9, 20)
    assert working_day(found, saturday) == working_day(found, sunday) == (Span(32_400, 43_200),)


def test_a_make_up_day_of_a_week_with_saturdays_has_fridays_hours() -> None:
    found = calendar(hours={"mon-fri": ["09:00-17:00"], "sat": ["09:00-10:00"]}, holidays=["CN"])
    assert working_day(found, date(2026, 10, 10)) == NINE_TO_FIVE
    assert working_day(found, date(2026, 10, 17)) == (Span(32_400, 36_000),)


def test_own_hours_beat_a_make_up_day() -> None:
    found = calendar(holidays=["CN"], working_days={"2026-10-10": ["10:00-11:00"], "2026-10-01": ["10:00-11:00"]})
    assert working_day(found, date(2026, 10, 10)) == working_day(found, date(2026, 10, 1)) == (Span(36_000, 39_600),)


@pytest.mark.parametrize("own", ["2026-10-10", "10-10"])
def test_an_own_holiday_beats_a_make_up_day(own: str) -> None:
    assert working_day(calendar(holidays=["CN", own]), date(2026, 10, 10)) == ()


def test_a_day_off_in_one_country_beats_a_make_up_day_of_another() -> None:
    peace_day_of_taiwan = date(2026, 2, 28)
    assert working_day(calendar(holidays=["CN"]), peace_day_of_taiwan) == NINE_TO_FIVE
    assert working_day(calendar(holidays=["CN", "TW"]), peace_day_of_taiwan) == ()


def test_years_are_covered_when_all_countries_are() -> None:
    german, both = calendar(holidays=["DE-BY"]), calendar(holidays=["DE-BY", "CN"])
    assert german.covered_years is not None
    assert both.covered_years is not None
    assert 2040 in german.covered_years
    assert 2040 not in both.covered_years
    assert {2025, 2026} <= both.covered_years


# --- what is refused --------------------------------------------------------------------------------------------------


def test_everything_wrong_is_told_at_once_with_its_place() -> None:
    found = refusals(
        timezone="Asia/Shangai",
        hour={},
        hours={"mon-fri": ["09:00-12:00", "11:00-13:00"], "fri": ["14:00-15:00"]},
        holidays=["2026-02-30", "02-30", "china", "DE-Bayern", 7],
        working_days={"2026-13-01": ["09:00-10:00"], "2026-10-10": [], "2026-10-11": ["10:00"]},
    )
    assert found == [
        (("hour",), 'unknown key "hour" (did you mean "hours"?)'),
        (("timezone",), 'unknown time zone "Asia/Shangai" (did you mean "Asia/Shanghai"?)'),
        (("hours", "mon-fri", 1), '"11:00-13:00" overlaps other hours of the same day (write each hour once)'),
        (("hours", "fri"), '"fri" names fri again (it stands in "mon-fri")'),
        (("holidays", 0), 'there is no day "2026-02-30" (write year, month and day, as 2026-12-24)'),
        (("holidays", 1), 'there is no "02-30" in any year (write month and day, as 12-25)'),
        (("holidays", 2), 'unknown country "china" (did you mean "CN"?)'),
        (("holidays", 3), 'DE has no region "Bayern" (did you mean "BY"?)'),
        (("holidays", 4), "\"7\" is neither a country nor a date (write CN, '2026-12-24' or '12-25')"),
        (("working_days", "2026-13-01"), 'there is no day "2026-13-01" (write year, month and day, as 2026-12-24)'),
        (("working_days", "2026-10-10"), "2026-10-10 has no hours (a day off belongs into holidays)"),
        (
            ("working_days", "2026-10-11", 0),
            '"10:00" is no working time (write hours as 09:00-17:00, a night as 22:00-06:00, the whole day as 00:00-24:00)',
        ),
    ]


@pytest.mark.parametrize(
    ("hours", "place"),
    [
        ({"mon-fri": ["22:00-06:00", "05:00-09:00"]}, ("hours", "mon-fri")),
        ({"sat": ["22:00-06:00"], "sun": ["05:30-09:00"]}, ("hours", "sun")),
        ({"sun": ["22:00-06:00"], "mon": ["00:00-01:00"]}, ("hours", "mon")),
    ],
)
def test_a_night_that_lasts_into_other_hours_is_refused_once(hours: Any, place: tuple[str, ...]) -> None:
    ((path, message),) = refusals(hours=hours)
    assert (path, "lasts into the hours of" in message) == (place, True)


def test_a_night_that_ends_where_the_next_hours_start_is_fine() -> None:
    assert len(calendar(hours={"mon-sun": ["06:00-22:00", "22:00-06:00"]}).hours[0]) == 2


@pytest.mark.parametrize("hours", [None, {}, [], "09:00-17:00"])
def test_a_calendar_needs_hours(hours: Any) -> None:
    assert [path for path, _ in refusals(hours=hours)] == [("hours",)]


def test_a_week_without_any_hours_is_refused() -> None:
    assert refusals(hours={"mon-sun": []}, working_days={"2026-10-10": ["09:00-17:00"]})[0][0] == ("hours",)


@pytest.mark.parametrize(
    ("section", "path"),
    [
        ({"hours": {"mon": "09:00-17:00"}}, ("hours", "mon")),
        ({"holidays": "CN"}, ("holidays",)),
        ({"holidays": [""]}, ("holidays", 0)),
        ({"holidays": ["2026/12/24"]}, ("holidays", 0)),
        ({"holidays": ["2026-2-3"]}, ("holidays", 0)),
        ({"working_days": ["2026-10-10"]}, ("working_days",)),
        ({"working_days": {"10-10": ["09:00-17:00"]}}, ("working_days", "10-10")),
        ({"working_days": {"2026-10-10": "09:00-17:00"}}, ("working_days", "2026-10-10")),
        ({"timezone": 8}, ("timezone",)),
        ({"timezone": "../../etc/passwd"}, ("timezone",)),
    ],
)
def test_what_has_the_wrong_shape_is_refused(section: dict[str, Any], path: tuple[str | int, ...]) -> None:
    assert [found for found, _ in refusals(**section)] == [path]


def test_the_name_of_the_calendar_that_is_always_there_is_taken() -> None:
    assert refusals("24x7")[0][0] == ()
