"""Pauses: what waits for somebody else does not count, nothing is due meanwhile, and what was left is left afterwards."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from case_parts import (
    HOUR,
    MINUTE,
    OFFICE,
    P1,
    P2,
    POLICIES,
    RESOLUTION,
    RESPONSE,
    SECOND,
    T0,
    Play,
    a_rulebook,
    bad,
    minute,
    slow,
)
from tocsin.core import clock as clocks
from tocsin.core import clock_acts
from tocsin.core.calendar import ALWAYS, Span, due, version_of
from tocsin.core.case import Decision
from tocsin.core.model import Clock, ClockKind, ClockOutcome, NoticeKind, Pause, Reminder
from tocsin.core.policy import ResponsePolicy

UPDATE = ClockKind.UPDATE
MET, BREACHED = ClockOutcome.MET, ClockOutcome.BREACHED
SUPPLIER = "waiting for the supplier"
LI = "person:li.na"


class Pausing(Play):
    def pause(self, now: datetime, *kinds: ClockKind, reason: str = SUPPLIER) -> Decision:
        return self.keep(clock_acts.pause(self.case, self.rulebook, LI, kinds, reason, now))

    def resume(self, now: datetime, *kinds: ClockKind) -> Decision:
        return self.keep(clock_acts.resume(self.case, self.rulebook, LI, kinds, "", now))


def playing() -> Pausing:
    """An acknowledged P1: the resolution is due after four hours, reminders at 50 % and 75 %."""
    play = Pausing(a_rulebook())
    play.fails(T0)
    play.ack(minute(10))
    return play


# --- what is paused -----------------------------------------------------------------------------------------------------


def test_a_pause_stops_the_resolution_and_the_update_and_not_the_response() -> None:
    play = Pausing(a_rulebook(response={P1: replace(POLICIES[P1], update=30 * MINUTE)}))
    play.fails(T0)
    play.ack(minute(10))
    play.unack(minute(11))
    play.pause(minute(20))
    assert (play.resolution.is_paused, play.clock(UPDATE).is_paused, play.response.is_paused) == (True, True, False)


def test_the_response_is_paused_only_when_it_is_named() -> None:
    play = Pausing(a_rulebook())
    play.fails(T0)
    play.pause(minute(20), RESPONSE)
    assert (play.response.is_paused, play.resolution.is_paused) == (True, False)


def test_a_pause_is_a_line_of_the_journal_and_of_the_thread_with_who_and_why() -> None:
    play = playing()
    play.pause(minute(60))
    entry = play.entries[-1]
    assert (entry.action, entry.actor, entry.data["reason"]) == ("incident_paused", LI, SUPPLIER)
    assert entry.data["paused"] == [RESOLUTION]
    assert entry.data["clocks"][0]["pauses"] == [
        {"from": minute(60).isoformat(), "to": None, "reason": SUPPLIER, "actor": LI}
    ]
    assert (play.said(), play.said(NoticeKind.EDIT)) == (["paused"], ["paused"])
    play.resume(minute(90))
    assert (play.entries[-1].action, play.said()) == ("incident_resumed", ["resumed"])


def test_nothing_is_due_while_it_is_paused() -> None:
    play = playing()
    play.pause(minute(60))
    assert play.resolution.wake_at is None
    assert play.time(minute(10_000)).changes_nothing


def test_after_a_pause_there_is_as_much_time_left_as_before_and_the_reminders_move_too() -> None:
    play = playing()
    play.pause(minute(60))
    play.resume(minute(90))
    assert play.resolution.due_at == minute(270)
    assert play.resolution.plan == (Reminder(0.5, minute(150)), Reminder(0.75, minute(210)))
    assert play.resolution.pauses == (Pause(minute(60), minute(90), SUPPLIER, LI),)
    play.until(minute(300))
    assert play.resolution.breached_at == minute(270)


def test_pauses_add_up() -> None:
    play = playing()
    for start, end in ((20, 30), (40, 70), (100, 101)):
        play.pause(minute(start))
        play.resume(minute(end))
    assert play.resolution.due_at == minute(240 + 10 + 30 + 1)
    assert [clock.outcome for clock in play.case.clocks if clock.kind is RESOLUTION] == [None]


def test_what_was_breached_stays_breached_where_it_was() -> None:
    play = playing()
    play.until(minute(240))
    play.pause(minute(250))
    play.resume(minute(500))
    assert (play.resolution.outcome, play.resolution.breached_at, play.resolution.due_at) == (
        BREACHED,
        minute(240),
        minute(240),
    )


def test_a_deadline_that_passed_unnoted_is_recorded_before_the_pause() -> None:
    play = playing()
    play.pause(minute(240) + SECOND)
    assert play.actions()[-4:] == ["clock_reminded", "clock_reminded", "clock_breached", "incident_paused"]
    assert play.resolution.breached_at == minute(240)


# --- what is refused ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("act", "why"),
    [
        (lambda play: play.pause(minute(20), RESPONSE), r"no response clock of it runs \(--clock resolution pauses"),
        (lambda play: (play.pause(minute(20)), play.pause(minute(21)))[1], "is paused already"),
        (lambda play: play.resume(minute(20)), "no clock of it is paused"),
        (lambda play: play.resume(minute(20), RESPONSE), "its response clock is not paused"),
        (lambda play: (play.recovers(minute(20)), play.pause(minute(21)))[1], "no clock of it runs"),
    ],
)
def test_what_makes_no_sense_is_refused(act: Any, why: str) -> None:
    import re

    decision = act(playing())
    assert decision.refused is not None
    assert re.search(why, decision.refused)
    assert decision.changes_nothing


# --- what ends or changes it meanwhile ------------------------------------------------------------------------------------


def test_an_answer_ends_a_paused_response_in_time_however_long_the_pause_was() -> None:
    play = Pausing(a_rulebook())
    play.fails(T0)
    play.pause(minute(50), RESPONSE)
    play.ack(minute(300))
    assert (play.response.outcome, play.response.met_at, play.response.due_at) == (MET, minute(300), minute(310))
    assert not play.response.is_paused


def test_a_click_before_the_pause_that_is_heard_of_in_it_counts_at_its_instant() -> None:
    play = Pausing(a_rulebook())
    play.fails(T0)
    play.pause(minute(50), RESPONSE)
    play.ack(minute(49), minute(51))
    assert (play.response.outcome, play.response.met_at, play.response.due_at) == (MET, minute(49), minute(60))


def test_an_answer_that_is_taken_back_is_owed_against_the_deadline_that_the_pause_moved() -> None:
    play = Pausing(a_rulebook())
    play.fails(T0)
    play.pause(minute(50), RESPONSE)
    play.ack(minute(100))
    play.unack(minute(105))
    assert (play.response.is_running, play.response.is_paused, play.response.due_at) == (True, False, minute(110))


def test_resolving_while_it_is_paused_meets_it() -> None:
    play = playing()
    play.pause(minute(60))
    play.resolve(minute(10_000))
    assert (play.resolution.outcome, play.resolution.is_running, play.resolution.is_paused) == (MET, False, False)


def test_a_reopening_runs_with_what_was_left_when_it_was_paused() -> None:
    play = playing()
    play.pause(minute(60))
    play.recovers(minute(500))
    play.fails(minute(510))
    assert (play.resolution.is_paused, play.resolution.due_at) == (False, minute(510 + 180))


def test_a_rise_keeps_the_pause_and_no_due_time_moves_later_than_it_would_have_been() -> None:
    play = Pausing(a_rulebook())
    play.fails(T0, slow(since=T0))
    play.ack(minute(10))
    play.pause(minute(60))
    play.fails(minute(100), bad(since=minute(100)))
    assert (play.resolution.severity, play.resolution.is_paused) == (P1, True)
    assert play.resolution.wake_at is None
    play.resume(minute(160))
    assert play.resolution.due_at == minute(160) + 4 * HOUR


def test_a_pause_that_a_new_plan_interrupted_is_one_pause_to_people() -> None:
    play = playing()
    play.pause(minute(60))
    play.set_severity(P2, minute(100))
    assert play.resolution.paused_since == minute(60)
    assert play.resolution.pauses[-1].start == minute(100)
    play.resume(minute(160))
    assert play.resolution.due_at == T0 + 24 * HOUR + 100 * MINUTE


# --- the arithmetic -------------------------------------------------------------------------------------------------------


def office_clock(start: datetime, hours: int) -> Clock:
    policy = ResponsePolicy(P2, hours * HOUR, calendar="office", remind=(0.5, 1.0))
    (clock,) = clocks.start_clocks(a_rulebook(response={P2: policy}), 7, P2, start, system="erp")
    return clock


@given(
    start=st.integers(0, 14 * 24 * 60),
    hours=st.integers(1, 60),
    pauses=st.lists(st.tuples(st.integers(1, 3000), st.integers(1, 9000)), max_size=4),
)
def test_a_clock_that_was_paused_is_due_when_the_calendar_says_so_with_these_pauses(
    start: int, hours: int, pauses: list[tuple[int, int]]
) -> None:
    """What is moved at each resumption is what one reckoning with all pauses gives."""
    clock, now = office_clock(minute(start), hours), minute(start)
    for wait, length in pauses:
        now += wait * MINUTE
        if clock.due_at <= now:
            break
        clock = clocks.pause(clock, now, SUPPLIER, LI)
        now += length * MINUTE
        clock = clocks.resume(a_rulebook(), clock, now)
    assert clock.due_at == due(OFFICE, clock.started_at, clock.target, clock.pauses)
    for reminder in clock.plan:
        assert reminder.at == due(OFFICE, clock.started_at, clock.target * reminder.share, clock.pauses)


def test_when_the_calendar_was_edited_meanwhile_nobody_gets_less_time_than_was_promised() -> None:
    closed = replace(OFFICE, hours=((),) * 5 + ((Span(0, 3600),),) * 2)
    edited = a_rulebook()
    edited = replace(edited, calendars={"24x7": ALWAYS, "office": replace(closed, version=version_of(closed))})
    clock = office_clock(T0, 4)
    paused = clocks.pause(clock, minute(30), SUPPLIER, LI)
    assert clocks.resume(edited, paused, minute(90)).due_at == clock.due_at + HOUR
    gone = replace(edited, calendars={"24x7": ALWAYS})
    assert clocks.resume(gone, paused, minute(90)).due_at == clock.due_at + HOUR


def test_a_resumption_that_finds_no_working_time_still_gives_a_deadline() -> None:
    only_today = replace(OFFICE, hours=((),) * 7, working={T0.date(): (Span(9 * 3600, 17 * 3600),)})
    only_today = replace(only_today, version=version_of(only_today))
    rulebook = replace(a_rulebook(), calendars={"24x7": ALWAYS, "office": only_today})
    policy = ResponsePolicy(P2, 4 * HOUR, calendar="office", remind=())
    (clock,) = clocks.start_clocks(replace(rulebook, response={P2: policy}), 7, P2, T0, system="erp")
    paused = clocks.pause(clock, minute(30), SUPPLIER, LI)
    assert clocks.resume(rulebook, paused, minute(30) + timedelta(days=1)).due_at == clock.due_at + timedelta(days=1)
