"""Clocks: when a target is due, what is told on the way, how it ends, and what other severities make of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

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
    a_rulebook,
    minute,
)
from tocsin.core import clock as clocks
from tocsin.core.model import Clock, ClockOutcome, Pause, Reminder, Severity
from tocsin.core.policy import ResponsePolicy

MET, BREACHED, VOID = ClockOutcome.MET, ClockOutcome.BREACHED, ClockOutcome.VOID
RULEBOOK = a_rulebook()


def started(severity: Severity = P1, at: datetime = T0) -> tuple[Clock, ...]:
    return clocks.start_clocks(RULEBOOK, 7, severity, at, system="erp")


def response(severity: Severity = P1, at: datetime = T0) -> Clock:
    return started(severity, at)[0]


def breached(clock: Clock) -> Clock:
    return clocks.reach(clock, clock.due_at)[0]


# --- starting ---


def test_a_policy_starts_a_response_and_a_resolution_clock_each_with_its_own_target_and_plan() -> None:
    first, second = started()
    assert (first.kind, first.due_at, first.target) == (RESPONSE, T0 + HOUR, HOUR)
    assert (second.kind, second.due_at, second.target) == (RESOLUTION, T0 + 4 * HOUR, 4 * HOUR)
    assert first.plan == (Reminder(0.5, minute(30)), Reminder(0.75, minute(45)))
    assert second.plan == (Reminder(0.5, minute(120)), Reminder(0.75, minute(180)))
    assert (first.policy_version, first.calendar, first.calendar_version) == ("p1", "24x7", "24x7")
    assert first.outcome is None
    assert first.is_running


def test_a_policy_without_a_resolution_target_starts_no_resolution_clock() -> None:
    rulebook = a_rulebook(response={P1: ResponsePolicy(P1, HOUR)})
    assert [clock.kind for clock in clocks.start_clocks(rulebook, 7, P1, T0, system="erp")] == [RESPONSE]


def test_a_severity_without_a_policy_has_no_clocks() -> None:
    assert clocks.start_clocks(RULEBOOK, 7, Severity.P4, T0, system="erp") == ()


def test_targets_and_reminders_are_working_time_of_the_policys_calendar() -> None:
    rulebook = a_rulebook(response={P2: ResponsePolicy(P2, 8 * HOUR, calendar="office", remind=(0.25, 0.75, 1.0))})
    (clock,) = clocks.start_clocks(rulebook, 7, P2, T0.replace(hour=16), system="erp")
    next_day = T0 + timedelta(days=1)
    assert clock.due_at == next_day.replace(hour=16)
    assert clock.plan == (Reminder(0.25, next_day.replace(hour=10)), Reminder(0.75, next_day.replace(hour=14)))
    assert clock.calendar_version == OFFICE.version


def test_a_clock_wakes_for_its_next_reminder_or_its_deadline_and_never_once_it_is_over() -> None:
    clock = response()
    assert clock.wake_at == minute(30)
    assert replace(clock, plan=()).wake_at == minute(60)
    assert replace(clock, plan=(Reminder(1.5, minute(90)),)).wake_at == minute(60)
    assert breached(replace(clock, plan=(Reminder(1.5, minute(90)),))).wake_at == minute(90)
    assert breached(clock).wake_at is None
    assert clocks.meet(clock, minute(1)).wake_at is None
    assert replace(clock, superseded_at=minute(1)).wake_at is None


# --- ending ---


@pytest.mark.parametrize(
    ("answered_at", "outcome", "breached_at"),
    [
        (T0, MET, None),
        (minute(59), MET, None),
        (minute(60), MET, None),
        (minute(60) + SECOND, BREACHED, minute(60)),
        (minute(500), BREACHED, minute(60)),
    ],
)
def test_an_answer_up_to_the_deadline_meets_the_clock(
    answered_at: datetime, outcome: ClockOutcome, breached_at: datetime | None
) -> None:
    clock = clocks.meet(response(), answered_at)
    assert (clock.outcome, clock.met_at, clock.ended_at) == (outcome, answered_at, answered_at)
    assert clock.breached_at == breached_at


def test_a_breach_stays_when_it_is_answered_later_and_met_at_tells_when() -> None:
    clock = clocks.meet(breached(response()), minute(70))
    assert (clock.outcome, clock.breached_at, clock.met_at) == (BREACHED, minute(60), minute(70))
    assert not clock.is_running


def test_an_answer_before_the_deadline_that_is_heard_of_after_it_takes_the_breach_back() -> None:
    late = clocks.reach(response(), minute(65))[0]
    assert late.detected_late
    clock = clocks.meet(late, minute(59))
    assert (clock.outcome, clock.breached_at, clock.detected_late) == (MET, None, False)


def test_a_clock_that_nobody_had_to_answer_is_void_and_a_breached_one_stays_breached() -> None:
    assert clocks.void(response(), minute(10)).outcome is VOID
    after = clocks.void(breached(response()), minute(70))
    assert (after.outcome, after.met_at, after.ended_at) == (BREACHED, None, minute(70))


def test_what_has_ended_cannot_end_again() -> None:
    over = clocks.meet(response(), minute(5))
    replaced = replace(response(), superseded_at=minute(5))
    for clock in (over, replaced):
        assert clocks.meet(clock, minute(6)) is clock
        assert clocks.void(clock, minute(6)) is clock
        assert clocks.reach(clock, minute(600)) == (clock, ())


# --- time ---


def test_what_passed_is_named_in_order_with_its_own_instant() -> None:
    clock = replace(response(), plan=(*response().plan, Reminder(1.5, minute(90))))
    after, passed = clocks.reach(clock, minute(100))
    assert [(p.share, p.at, p.is_breach) for p in passed] == [
        (0.5, minute(30), False),
        (0.75, minute(45), False),
        (1.0, minute(60), True),
        (1.5, minute(90), False),
    ]
    assert (after.plan, after.outcome, after.breached_at) == ((), BREACHED, minute(60))
    assert clocks.reach(after, minute(1000))[1] == ()


@pytest.mark.parametrize(("delay_s", "is_late"), [(0, False), (10, False), (11, True), (3600, True)])
def test_a_breach_told_more_than_ten_seconds_after_it_is_marked(delay_s: int, is_late: bool) -> None:
    clock, _ = clocks.reach(response(), minute(60) + timedelta(seconds=delay_s))
    assert (clock.breached_at, clock.detected_late) == (minute(60), is_late)


def test_nothing_passes_before_its_time() -> None:
    clock = response()
    assert clocks.reach(clock, minute(30) - SECOND) == (clock, ())


# --- another severity ---


@pytest.mark.parametrize(
    ("rises_at", "response_due", "resolution_due"),
    [(0, 60, 240), (60, 120, 300), (180, 240, 420), (200, 240, 440), (239, 240, 479)],
)
def test_in_a_rise_the_new_targets_run_from_now_and_no_due_time_moves_later(
    rises_at: int, response_due: int, resolution_due: int
) -> None:
    now = minute(rises_at)
    after = clocks.replan(started(P2), started(P1, now), now, is_rise=True)
    current = [clock for clock in after if clock.superseded_at is None]
    assert [(clock.severity, clock.due_at) for clock in current] == [
        (P1, minute(response_due)),
        (P1, minute(resolution_due)),
    ]
    assert [clock.severity for clock in after if clock.superseded_at == now] == [P2, P2]


def test_where_the_earlier_deadline_holds_no_share_of_the_new_target_is_told_after_it() -> None:
    policy = replace(POLICIES[P1], remind=(0.25, 0.5, 0.75, 1.5))
    rulebook = a_rulebook(response={**POLICIES, P1: policy})
    now = minute(220)
    after = clocks.replan(started(P2), clocks.start_clocks(rulebook, 7, P1, now, system="erp"), now, is_rise=True)
    clock = next(c for c in after if c.superseded_at is None and c.kind is RESPONSE)
    assert (clock.due_at, clock.plan) == (minute(240), (Reminder(0.25, minute(235)), Reminder(1.5, minute(310))))


def test_in_a_rise_what_was_answered_stays_answered_and_what_was_breached_stays_breached() -> None:
    answered = tuple(clocks.meet(c, minute(5)) if c.kind is RESPONSE else c for c in started(P2))
    after = clocks.replan(answered, started(P1, minute(10)), minute(10), is_rise=True)
    assert next(c for c in after if c.kind is RESPONSE) == answered[0]
    over = tuple(breached(clock) for clock in started(P2))
    now = minute(24 * 60 + 1)
    for clock in clocks.replan(over, started(P1, now), now, is_rise=True):
        assert clock.outcome is BREACHED
        assert clock.breached_at in (minute(240), minute(24 * 60))


def test_a_rise_to_a_severity_without_that_target_keeps_the_running_clock() -> None:
    after = clocks.replan(started(P2), (), minute(10), is_rise=True)
    assert after == started(P2)


def test_a_fall_to_a_severity_without_a_policy_leaves_no_clock_running() -> None:
    after = clocks.replan(started(P1), (), minute(10), is_rise=False)
    assert [clock.superseded_at for clock in after] == [minute(10), minute(10)]


def test_a_breach_survives_a_fall_and_a_later_answer() -> None:
    late = tuple(breached(clock) if clock.kind is RESPONSE else clock for clock in started(P1))
    fallen = clocks.replan(late, started(P2), minute(70), is_rise=False)
    clock = next(c for c in fallen if c.superseded_at is None and c.kind is RESPONSE)
    assert (clock.due_at, clock.outcome, clock.breached_at) == (minute(240), BREACHED, minute(60))
    answered = clocks.meet(clock, minute(80))
    assert (answered.outcome, answered.breached_at, answered.met_at) == (BREACHED, minute(60), minute(80))


# --- reopening ---


def test_a_clock_that_runs_again_has_as_much_time_left_as_when_it_ended() -> None:
    clock = clocks.run_again(RULEBOOK, clocks.void(response(), minute(40)), minute(40), minute(50))
    assert (clock.due_at, clock.plan) == (minute(70), (Reminder(0.75, minute(55)),))
    assert clock.pauses == (Pause(minute(40), minute(50), "resolved", "tocsin"),)
    assert (clock.outcome, clock.ended_at, clock.met_at) == (None, None, None)


def test_a_deadline_that_a_rise_kept_early_stays_early_after_a_reopening() -> None:
    now = minute(220)
    risen = clocks.replan(started(P2), started(P1, now), now, is_rise=True)
    clock = next(c for c in risen if c.superseded_at is None and c.kind is RESPONSE)
    again = clocks.run_again(RULEBOOK, clocks.void(clock, minute(230)), minute(230), minute(235))
    assert again.due_at == minute(245)


def test_a_breached_clock_that_runs_again_keeps_its_breach_and_its_deadline() -> None:
    clock = clocks.run_again(RULEBOOK, clocks.meet(breached(response()), minute(70)), minute(70), minute(75))
    assert (clock.outcome, clock.due_at, clock.breached_at) == (BREACHED, minute(60), minute(60))
    assert (clock.met_at, clock.is_running, clock.wake_at) == (None, True, None)


def test_an_edited_policy_does_not_move_a_clock_that_runs_again() -> None:
    edited = a_rulebook(response={P1: ResponsePolicy(P1, 5 * MINUTE, remind=(0.1,))})
    clock = clocks.run_again(edited, clocks.void(response(), minute(40)), minute(40), minute(50))
    assert (clock.due_at, clock.plan) == (minute(70), (Reminder(0.75, minute(55)),))


def test_good_time_outside_working_hours_costs_nothing() -> None:
    rulebook = a_rulebook(response={P2: ResponsePolicy(P2, 8 * HOUR, calendar="office", remind=(0.75,))})
    (clock,) = clocks.start_clocks(rulebook, 7, P2, T0.replace(hour=12), system="erp")
    ended = T0.replace(hour=18)
    again = clocks.run_again(rulebook, clocks.void(clock, ended), ended, ended + 10 * MINUTE)
    assert (again.due_at, again.plan) == (clock.due_at, clock.plan)


def test_an_answer_that_was_taken_back_is_owed_against_the_first_deadline() -> None:
    clock = clocks.owe_again(clocks.meet(response(), minute(10)), minute(35))
    assert (clock.outcome, clock.due_at, clock.plan) == (None, minute(60), (Reminder(0.75, minute(45)),))
    late = clocks.owe_again(clocks.meet(breached(response()), minute(70)), minute(80))
    assert (late.outcome, late.breached_at, late.met_at, late.is_running) == (BREACHED, minute(60), None, True)
