"""Who is on call: turns, layers, overrides, hand-overs in local time across clock changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.core.calendar import Calendar, Span, version_of
from tocsin.core.oncall import (
    Layer,
    OnCall,
    Override,
    covers,
    ends_at,
    gaps,
    handover,
    member,
    shifts,
    who,
)

DAY, WEEK = timedelta(days=1), timedelta(weeks=1)
NINE = datetime.fromisoformat("2024-01-01T09:00")
"""A Monday."""


def at(text: str, zone: str = "UTC") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def layer(
    *members: str, zone: str = "UTC", length: timedelta = WEEK, first: datetime = NINE, hours: Calendar | None = None
) -> Layer:
    return Layer("main", zone, members, length, first, hours)


def on_call(*layers: Layer, **more: object) -> OnCall:
    return replace(OnCall("erp", layers), **more)  # type: ignore[arg-type]


def hours(zone: str, start: int, end: int, days: range = range(7)) -> Calendar:
    week = tuple((Span(start * 3600, end * 3600),) if day in days else () for day in range(7))
    made = Calendar(f"{start}-{end} in {zone}", zone, week)
    return replace(made, version=version_of(made))


# --- turns ---


def test_members_take_turns_in_their_order_from_the_anchor_on() -> None:
    weekly = on_call(layer("a", "b", "c"))
    mondays = [at("2024-01-01T09:00") + n * WEEK for n in range(4)]
    assert [who(weekly, monday) for monday in mondays] == ["a", "b", "c", "a"]


def test_a_hand_over_is_at_its_instant_and_not_before() -> None:
    weekly = on_call(layer("a", "b"))
    monday = at("2024-01-08T09:00")
    assert (who(weekly, monday - timedelta(microseconds=1)), who(weekly, monday)) == ("a", "b")


def test_turns_lie_before_the_anchor_as_well() -> None:
    assert who(on_call(layer("a", "b", "c")), at("2023-12-31T00:00")) == "c"


@pytest.mark.parametrize(
    ("length", "hours_later"), [(timedelta(hours=12), 12), (DAY, 24), (3 * DAY, 72), (2 * WEEK, 336)]
)
def test_a_turn_is_as_long_as_it_is_said_to_be(length: timedelta, hours_later: int) -> None:
    rotation = layer("a", "b", length=length)
    assert handover(rotation, 1) - handover(rotation, 0) == timedelta(hours=hours_later)


@pytest.mark.parametrize(
    ("zone", "before", "after"),
    [
        ("Asia/Shanghai", "2026-03-23T01:00", "2026-03-30T01:00"),
        ("Europe/Berlin", "2026-03-23T08:00", "2026-03-30T07:00"),
        ("Europe/Berlin", "2026-10-19T07:00", "2026-10-26T08:00"),
        ("Australia/Lord_Howe", "2026-03-29T22:00", "2026-04-05T22:30"),
        ("Australia/Lord_Howe", "2026-09-27T22:30", "2026-10-04T22:00"),
    ],
)
def test_the_hand_over_stays_at_nine_when_the_clocks_change(zone: str, before: str, after: str) -> None:
    weekly = on_call(layer("a", "b", zone=zone))
    edges = [turn.start for turn in shifts(weekly, at(before) - WEEK, at(after) + DAY)][1:]
    assert edges[-2:] == [at(before), at(after)]
    assert {edge.astimezone(ZoneInfo(zone)).time() for edge in edges} == {time(9)}


def test_a_hand_over_at_a_time_that_does_not_exist_is_the_first_instant_after_the_gap() -> None:
    daily = layer("a", "b", zone="Europe/Berlin", length=DAY, first=NINE.replace(hour=2, minute=30))
    on_change = [h for n in range(800, 830) if (h := handover(daily, n)).date().isoformat() == "2026-03-29"]
    assert on_change == [at("2026-03-29T01:00")]


def test_a_hand_over_at_a_time_that_exists_twice_is_the_first_of_them() -> None:
    daily = layer("a", "b", zone="Europe/Berlin", length=DAY, first=NINE.replace(hour=2, minute=30))
    found = [handover(daily, n) for n in range(1000, 1040)]
    assert at("2026-10-25T00:30") in found
    assert at("2026-10-25T01:30") not in found


# --- layers, overrides, gaps ---


def test_the_first_layer_that_covers_wins() -> None:
    office = replace(layer("day", hours=hours("UTC", 9, 17)), name="office")
    oncall = on_call(office, layer("night"))
    assert [(who(oncall, at(f"2026-11-24T{clock}"))) for clock in ("08:59", "09:00", "16:59", "17:00")] == [
        "night",
        "day",
        "day",
        "night",
    ]


def test_the_sun_is_followed_around_the_world() -> None:
    layers = (
        layer("shanghai", zone="Asia/Shanghai", hours=hours("Asia/Shanghai", 8, 16)),
        layer("berlin", zone="Europe/Berlin", hours=hours("Europe/Berlin", 8, 17)),
        layer("new york", zone="America/New_York", hours=hours("America/New_York", 8, 20)),
    )
    found = shifts(on_call(*layers), at("2026-11-24T00:00"), at("2026-11-25T00:00"))
    assert [(turn.start.hour, turn.person) for turn in found] == [
        (0, "shanghai"),
        (8, "berlin"),
        (16, "new york"),
    ]


def test_an_override_wins_and_the_later_of_two_wins_over_the_other() -> None:
    def override(person: str, start: str, end: str) -> Override:
        return Override(person, at(start), at(end))

    oncall = on_call(
        layer("a"),
        overrides=(
            override("b", "2026-11-24T00:00", "2026-11-25T00:00"),
            override("c", "2026-11-24T12:00", "2026-11-24T18:00"),
        ),
    )
    found = shifts(oncall, at("2026-11-23T00:00"), at("2026-11-26T00:00"))
    assert [(turn.person, turn.start.day, turn.start.hour) for turn in found] == [
        ("a", 23, 0),
        ("b", 24, 0),
        ("c", 24, 12),
        ("b", 24, 18),
        ("a", 25, 0),
    ]


def test_gaps_are_when_somebody_is_needed_and_nobody_is_there() -> None:
    working_week = hours("UTC", 0, 24, range(5))
    oncall = on_call(layer("a", hours=working_week))
    assert gaps(oncall, at("2026-11-23T00:00"), at("2026-11-30T00:00")) == (
        (at("2026-11-28T00:00"), at("2026-11-30T00:00")),
    )
    assert gaps(replace(oncall, needed=working_week), at("2026-11-23T00:00"), at("2026-11-30T00:00")) == ()


def test_a_stretch_of_hours_ends_where_the_hours_end() -> None:
    night = hours("UTC", 22, 31)
    assert ends_at(night, at("2026-11-24T23:00")) == at("2026-11-25T07:00")
    assert ends_at(night, at("2026-11-24T12:00")) == at("2026-11-24T12:00")


# --- laws ---

ZONES = sorted(available_timezones())
INSTANTS = st.datetimes(NINE.replace(year=2000), NINE.replace(year=2040)).map(lambda moment: moment.replace(tzinfo=UTC))
LENGTHS = st.sampled_from([timedelta(hours=1), timedelta(hours=12), DAY, 3 * DAY, WEEK, 2 * WEEK])
LAYERS = st.builds(
    Layer,
    name=st.just("main"),
    zone=st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia", *ZONES]),
    members=st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map(tuple),
    length=LENGTHS,
    first=st.builds(
        datetime, st.just(2024), st.just(1), st.integers(1, 7), st.integers(0, 23), st.sampled_from([0, 30])
    ),
)


@given(LAYERS, INSTANTS)
@settings(deadline=None)
def test_every_instant_belongs_to_exactly_one_turn(one: Layer, moment: datetime) -> None:
    turns = [n for n in range(-2, 3) if _is_in(one, _turn(one, moment) + n, moment)]
    assert turns == [0]
    assert member(one, moment) in one.members


def _turn(one: Layer, moment: datetime) -> int:
    from tocsin.core.oncall import turn

    return turn(one, moment)


def _is_in(one: Layer, number: int, moment: datetime) -> bool:
    return handover(one, number) <= moment < handover(one, number + 1)


@given(st.lists(LAYERS, min_size=1, max_size=3), INSTANTS, st.integers(1, 20 * 86400), st.booleans())
@settings(deadline=None, max_examples=60)
def test_shifts_tile_the_time_and_say_what_who_says(
    layers: list[Layer], start: datetime, seconds: int, limited: bool
) -> None:
    if limited:
        layers[0] = replace(layers[0], hours=hours(layers[0].zone, 9, 17))
    oncall, end = on_call(*layers), start + timedelta(seconds=seconds)
    found = shifts(oncall, start, end)
    assert (found[0].start, found[-1].end) == (start, end)
    for before, after in pairwise(found):
        assert before.end == after.start
        assert (before.person, before.why) != (after.person, after.why)
    for turn in found:
        middle = turn.start + (turn.end - turn.start) / 2
        assert who(oncall, turn.start) == who(oncall, middle) == turn.person
    assert all(covers(one, start) for one in layers if one.hours is None)
