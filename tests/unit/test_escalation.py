"""Ladders: each step at its time to whoever it reaches then, until somebody answers; and answers that nothing follows."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from case_parts import HOUR, MINUTE, P1, P2, POLICIES, T0, Play, a_rulebook, a_system, bad, minute, slow
from tocsin.core import calling
from tocsin.core.calendar import Calendar, Span
from tocsin.core.case import Decision
from tocsin.core.escalation import Detour, ways
from tocsin.core.model import ClockOutcome, IncidentState, Notice, NoticeKind, Priority
from tocsin.core.oncall import Layer, OnCall, Override
from tocsin.core.policy import ChannelSpec, Person, Rulebook, Step, Team
from tocsin.store.rows import clock_of, row_of_clock

WEEK = timedelta(weeks=1)
NIGHT = Calendar("night", hours=tuple((Span(9 * 3600, 12 * 3600),) for _ in range(7)), version="night")
"""Quiet from 09 to 12, so that the beginning (10:00) lies in it."""
PEOPLE = {
    "li.na": Person("li.na", "Li Na", slack="U1", language="zh_CN"),
    "wang.wei": Person("wang.wei", "Wang Wei", slack="U2", quiet=NIGHT),
    "no.slack": Person("no.slack", "No Slack"),
}
LADDER = (
    Step(timedelta(0), ("oncall:erp",)),
    Step(0.25, ("person:li.na",)),
    Step(0.75, ("channel:managers", "team:erp-ops")),
)
CHANNELS = {name: ChannelSpec(name, "slack") for name in ("ops", "managers", "erp-channel")}
TEAMS = {"erp-ops": Team("erp-ops", {"": "ERP"}, ("li.na", "no.slack"), "erp-channel")}


def on_call(*members: str, **more: Any) -> OnCall:
    layer = Layer("main", "UTC", members, WEEK, datetime.fromisoformat("2024-01-01T09:00"))
    return OnCall("erp", (layer,), **more)


def rules(*ladder: Step, oncall: OnCall | None = None, p2: tuple[Step, ...] = (), **policy: Any) -> Rulebook:
    response = {
        P1: replace(POLICIES[P1], remind=(), ladder=ladder or LADDER, escalate="core", **policy),
        P2: replace(POLICIES[P2], remind=(), ladder=p2, **policy),
    }
    return a_rulebook(
        response=response,
        people=PEOPLE,
        teams=TEAMS,
        channels=CHANNELS,
        oncall={"erp": oncall or on_call("li.na")},
    )


def opened(*ladder: Step, **more: Any) -> Play:
    play = Play(rules(*ladder, **more))
    play.fails()
    return play


def rung(play: Play) -> list[tuple[str, str, str]]:
    """What the last decision rings: (channel, kind, event)."""
    return [
        (n.channel, n.kind.value, n.event)
        for n in play.last.notices
        if n.kind in (NoticeKind.PAGE, NoticeKind.BROADCAST)
    ]


def steps(play: Play) -> list[tuple[int, datetime]]:
    return [(e.data["step"], e.at) for e in play.entries if e.action == "escalation_step"]


def escalate(play: Play, now: datetime, to: str = "") -> Decision:
    return play.keep(calling.escalate(play.case, play.rulebook, "person:wang.wei", to, now))


# --- steps at their time ---


def test_the_first_step_goes_with_the_page_in_the_same_decision() -> None:
    play = opened()
    assert rung(play) == [("ops", "page", "opened"), ("person:li.na", "page", "escalated")]
    assert {notice.priority for notice in play.last.notices} == {Priority.P1}
    assert steps(play) == [(1, T0)]


def test_each_step_runs_at_its_own_share_of_the_response_target() -> None:
    play = opened()
    play.until(minute(59))
    assert steps(play) == [(1, T0), (2, minute(15)), (3, minute(45))]


def test_who_is_told_again_gets_a_line_that_rings_and_who_is_new_gets_the_page() -> None:
    play = opened()
    play.time(minute(15))
    assert rung(play) == [("person:li.na", "broadcast", "escalated")]
    play.time(minute(45))
    assert rung(play) == [("managers", "page", "escalated"), ("erp-channel", "page", "escalated")]
    assert play.incident.channels == ("ops", "person:li.na", "managers", "erp-channel")


def test_a_step_in_a_team_calls_its_members_by_name() -> None:
    play = opened()
    play.until(minute(45))
    (told,) = [notice for notice in play.last.notices if notice.channel == "erp-channel"]
    assert told.data["people"] == ["li.na", "no.slack"]


def test_whoever_is_on_call_at_the_moment_of_the_step_is_told() -> None:
    oncall = on_call("li.na", overrides=(Override("wang.wei", minute(10), minute(20)),))
    play = opened(Step(0.25, ("oncall:erp",)), Step(0.5, ("oncall:erp",)), oncall=oncall)
    play.time(minute(15))
    assert rung(play) == [("person:wang.wei", "page", "escalated")]
    play.time(minute(30))
    assert rung(play) == [("person:li.na", "page", "escalated")]


def test_spans_and_shares_count_in_the_calendar_of_the_policy_and_nothing_runs_at_night() -> None:
    play = Play(
        rules(Step(timedelta(0), ("person:li.na",)), Step(timedelta(minutes=30), ("team:erp-ops",)), calendar="office")
    )
    evening = T0.replace(hour=16, minute=50)
    play.fails(evening, bad(since=evening))
    assert steps(play) == [(1, evening)]
    play.until(evening + 24 * HOUR)
    next_morning = evening.replace(day=5, hour=9, minute=20)
    assert steps(play) == [(1, evening), (2, next_morning)]


def test_a_channel_that_got_the_page_this_instant_is_not_told_twice() -> None:
    play = opened(Step(timedelta(0), ("channel:ops",)))
    assert rung(play) == [("ops", "page", "opened")]
    assert play.entries[-1].data["told"][0]["notice"] == play.last.notices[0].key


# --- ways to people ---


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("person:li.na", ("person:li.na", ("li.na",), None)),
        ("person:no.slack", ("erp-channel", ("no.slack",), Detour.NO_SLACK)),
        ("channel:managers", ("managers", (), None)),
        ("team:erp-ops", ("erp-channel", ("li.na", "no.slack"), None)),
        ("oncall:erp", ("person:li.na", ("li.na",), None)),
        ("oncall:gone", ("ops", (), Detour.UNKNOWN)),
        ("person:gone", ("ops", (), Detour.UNKNOWN)),
    ],
)
def test_a_target_is_reached_by_its_own_way_or_the_nearest_channel(target: str, expected: tuple[Any, ...]) -> None:
    (way,) = ways(rules(), "erp", (target,), T0)
    assert (way.channel, way.people, way.detour) == expected


def test_a_team_without_a_channel_is_told_one_by_one() -> None:
    rulebook = replace(rules(), teams={"t": Team("t", {"": "t"}, ("li.na", "wang.wei"))})
    assert [way.channel for way in ways(rulebook, "erp", ("team:t",), T0)] == ["person:li.na", "person:wang.wei"]


def test_when_nobody_is_on_call_the_channel_of_the_system_is_told_so() -> None:
    nobody = replace(on_call("li.na"), layers=())
    play = opened(Step(0.25, ("oncall:erp",)), oncall=nobody)
    play.time(minute(15))
    (told,) = [notice for notice in play.last.notices if notice.kind is NoticeKind.BROADCAST]
    assert (told.channel, told.data["detour"]) == ("ops", "nobody_on_call")


def test_people_are_told_directly_only_what_rings_and_how_the_page_stands() -> None:
    play = opened()
    play.note(minute(5))
    play.ack(minute(6))
    told = [(n.kind, n.event) for n in play.notices if n.channel == "person:li.na"]
    assert told == [(NoticeKind.PAGE, "escalated"), (NoticeKind.EDIT, "acknowledged")]


# --- quiet hours ---


def test_quiet_hours_hold_a_page_back_until_their_end_but_never_a_p1() -> None:
    ladder = (Step(timedelta(0), ("person:wang.wei",)),)
    grave, light = opened(*ladder), Play(rules(*ladder, p2=ladder))
    light.look([slow()], T0)
    (p1,) = [n for n in grave.last.notices if n.channel == "person:wang.wei"]
    (p2,) = [n for n in light.last.notices if n.channel == "person:wang.wei"]
    assert p1.not_before is None
    assert (p2.not_before, p2.data["not_before"]) == (minute(120), minute(120).isoformat())


# --- repeats ---


def test_a_step_repeats_until_somebody_answers() -> None:
    play = opened(Step(0.5, ("person:li.na",), repeat=10 * MINUTE))
    play.until(minute(65))
    assert steps(play) == [(1, minute(30)), (1, minute(40)), (1, minute(50)), (1, minute(60))]
    assert len({notice.key for notice in play.notices}) == len(play.notices)
    play.ack(minute(66))
    play.until(minute(600))
    assert len(steps(play)) == 4


def test_a_repeating_step_catches_up_once_after_a_stop() -> None:
    play = opened(Step(0.5, ("person:li.na",), repeat=10 * MINUTE))
    play.time(minute(75))
    assert steps(play) == [(1, minute(30))]
    assert play.response.plan[0].at == minute(80)


# --- the end ---


def test_the_acknowledgement_stops_the_ladder_in_the_same_decision() -> None:
    play = opened()
    play.ack(minute(10))
    assert play.response.wake_at is None
    play.until(minute(600))
    assert steps(play) == [(1, T0)]


def test_recovery_and_resolution_stop_the_ladder() -> None:
    recovered, resolved = opened(), opened()
    recovered.recovers(minute(5))
    resolved.resolve(minute(5))
    for play in (recovered, resolved):
        play.until(minute(600))
        assert steps(play) == [(1, T0)]


def test_after_a_stop_only_the_furthest_step_is_told_and_all_are_recorded() -> None:
    play = opened()
    play.time(minute(50))
    assert steps(play) == [(1, T0), (2, minute(15)), (3, minute(45))]
    assert [e.data.get("passed_over", False) for e in play.entries if e.action == "escalation_step"] == [
        False,
        True,
        False,
    ]
    told = [n for n in play.last.notices if n.event == "escalated"]
    assert [(n.channel, n.data["late"]) for n in told] == [("managers", True), ("erp-channel", True)]


def test_what_is_older_than_a_day_is_for_the_journal_only() -> None:
    play = opened()
    play.time(minute(45) + 25 * HOUR)
    assert steps(play)[-1] == (3, minute(45))
    assert [n for n in play.last.notices if n.event == "escalated"] == []


# --- rises and falls ---


def test_a_rise_puts_the_graver_ladder_in_place_and_runs_its_first_step_at_once() -> None:
    play = Play(rules(p2=(Step(0.5, ("channel:managers",)),)))
    play.look([slow()], T0)
    play.look([bad()], minute(30))
    assert ("person:li.na", "page", "escalated") in rung(play)
    play.until(minute(400))
    assert steps(play) == [(1, minute(30)), (2, minute(45)), (3, minute(75))]


def test_steps_that_ran_are_not_run_again_after_a_rise() -> None:
    play = Play(rules(p2=LADDER))
    play.look([slow()], T0)
    play.look([bad()], minute(5))
    assert rung(play) == [("ops", "broadcast", "rose"), ("person:li.na", "broadcast", "rose")]
    play.until(minute(400))
    assert steps(play) == [(1, T0), (2, minute(20)), (3, minute(50))]


def test_a_fall_skips_what_the_lighter_ladder_has_behind_it() -> None:
    play = Play(rules(p2=(Step(timedelta(0), ("person:li.na",)), Step(0.5, ("team:erp-ops",)))))
    play.fails()
    play.set_severity(P2, minute(10))
    play.until(minute(600))
    assert steps(play) == [(1, T0), (2, minute(120))]


# --- answers that nothing follows ---


def test_an_answer_expires_when_nothing_follows_and_the_ladder_goes_on_where_it_stopped() -> None:
    play = opened(acknowledge_for=30 * MINUTE)
    play.ack(minute(10))
    play.until(minute(40))
    assert play.incident.state is IncidentState.OPEN
    assert play.entries[-1].action == "acknowledgement_expired"
    assert ("person:li.na", "broadcast", "acknowledgement_expired") in rung(play)
    assert (play.response.due_at, play.response.outcome) == (minute(90), None)
    play.until(minute(89))
    assert steps(play) == [(1, T0), (2, minute(45)), (3, minute(75))]


def test_what_a_person_does_lets_the_answer_hold_on() -> None:
    play = opened(acknowledge_for=30 * MINUTE)
    play.ack(minute(10))
    play.note(minute(35))
    play.until(minute(64))
    assert play.incident.state is IncidentState.ACKNOWLEDGED
    play.assign(minute(64))
    play.until(minute(93))
    assert play.incident.state is IncidentState.ACKNOWLEDGED
    play.until(minute(94))
    assert play.incident.state is IncidentState.OPEN


def test_an_answer_that_was_given_late_stays_late_when_it_expires() -> None:
    play = opened(acknowledge_for=30 * MINUTE)
    play.until(minute(70))
    play.ack(minute(70))
    play.until(minute(100))
    assert (play.response.outcome, play.response.breached_at) == (ClockOutcome.BREACHED, minute(60))
    assert play.response.is_running


def test_nothing_expires_after_the_end() -> None:
    play = opened(acknowledge_for=30 * MINUTE)
    play.ack(minute(10))
    play.recovers(minute(20))
    assert [clock.wake_at for clock in play.case.clocks] == [None, None]


def test_taking_the_answer_back_runs_the_furthest_step_that_passed_meanwhile() -> None:
    play = opened()
    play.ack(minute(10))
    play.unack(minute(50))
    play.until(minute(55))
    assert steps(play) == [(1, T0), (3, minute(50))]


# --- by hand ---


def test_the_next_step_can_be_run_by_hand_and_does_not_run_again() -> None:
    play = opened()
    escalate(play, minute(5))
    assert rung(play) == [("person:li.na", "broadcast", "escalated")]
    assert (play.entries[-1].action, play.entries[-1].actor) == ("escalation_step", "person:wang.wei")
    play.until(minute(59))
    assert [number for number, _ in steps(play)] == [1, 2, 3]


def test_somebody_who_is_not_on_the_ladder_can_be_called_also_after_the_answer() -> None:
    play = opened()
    play.ack(minute(5))
    escalate(play, minute(6), "person:wang.wei")
    assert rung(play) == [("person:wang.wei", "page", "escalated")]
    assert play.entries[-1].action == "incident_escalated"


def test_escalating_is_refused_where_there_is_nobody_to_call() -> None:
    acknowledged, climbed, over = opened(), opened(Step(timedelta(0), ("oncall:erp",))), opened()
    acknowledged.ack(minute(1))
    over.recovers(minute(1))
    assert [escalate(play, minute(2)).refused for play in (acknowledged, climbed, over)] == [
        "it is acknowledged, so its ladder stands still (call somebody with --to person:NAME)",
        "its ladder has no further step (call somebody with --to person:NAME)",
        "it is resolved already: there is nobody to call",
    ]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("person:li.na", None),
        ("li.na", "'li.na' is no target (write person:NAME, oncall:NAME, team:NAME or channel:NAME)"),
        ("team:erp", "unknown team 'erp' (known: erp-ops)"),
    ],
)
def test_a_target_by_hand_must_name_somebody(target: str, expected: str | None) -> None:
    assert calling.unknown_target(rules(), target) == expected


# --- kept as rows ---


def test_a_clock_with_a_ladder_comes_back_from_its_row_as_it_was() -> None:
    play = opened(*LADDER[:2], Step(0.75, ("team:erp-ops",), repeat=10 * MINUTE), acknowledge_for=30 * MINUTE)
    play.until(minute(20))
    before_answer = play.response
    play.ack(minute(21))
    for clock in (before_answer, play.response):
        assert clock_of({**row_of_clock(clock), "id": clock.id}) == clock
    assert play.response.held_until == minute(51)
    assert [done.step for done in play.response.ran] == [1, 2]


def test_rows_of_before_ladders_are_still_read() -> None:
    row = {**row_of_clock(opened().response), "id": 1, "plan": [[0.5, minute(30).isoformat()]]}
    assert [(r.share, r.at, r.tell) for r in clock_of(row).plan] == [(0.5, minute(30), ())]


def test_a_system_with_its_own_channel_is_the_way_to_people_without_slack() -> None:
    rulebook = replace(rules(), systems={"erp": replace(a_system(), notify=("managers",))}, teams={})
    (way,) = ways(rulebook, "erp", ("person:no.slack",), T0)
    assert way.channel == "managers"


def test_keys_of_notices_fit_into_their_column() -> None:
    long = "x" * 64
    play = opened(Step(0.25, (f"oncall:{long}", f"person:{long}", f"channel:{long}")))
    play.time(minute(15))
    assert max(len(notice.key) for notice in play.notices) <= 255
    assert isinstance(play.notices[-1], Notice)
