"""The update clock: from the acknowledgement on people must hear something new, and whoever acts starts the time again."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from case_parts import HOUR, MINUTE, P1, P2, POLICIES, SECOND, T0, Play, a_rulebook, bad, minute, slow
from tocsin.core import clock_acts, figures
from tocsin.core.clock import counts
from tocsin.core.model import Clock, ClockKind, ClockOutcome, NoticeKind, Severity
from tocsin.core.policy import Rulebook

UPDATE = ClockKind.UPDATE
MET, BREACHED, VOID = ClockOutcome.MET, ClockOutcome.BREACHED, ClockOutcome.VOID
POLICIES_WITH_UPDATE = {**POLICIES, P1: replace(POLICIES[P1], update=30 * MINUTE)}


def a_book(**more: Any) -> Rulebook:
    return a_rulebook(response=POLICIES_WITH_UPDATE, **more)


def playing() -> Play:
    """An incident that was acknowledged ten minutes after it opened."""
    play = Play(a_book())
    play.fails(T0)
    play.ack(minute(10))
    return play


def periods(play: Play) -> list[Clock]:
    return [clock for clock in play.case.clocks if clock.kind is UPDATE]


def outcomes(play: Play) -> list[ClockOutcome | None]:
    return [clock.outcome for clock in sorted(periods(play), key=lambda clock: clock.started_at)]


def test_nobody_owes_an_update_before_the_acknowledgement() -> None:
    play = Play(a_book())
    play.fails(T0)
    play.note(minute(5))
    assert periods(play) == []


def test_it_starts_at_the_acknowledgement_with_the_lapse_itself_as_its_one_reminder() -> None:
    clock = playing().clock(UPDATE)
    assert (clock.started_at, clock.due_at, clock.plan) == (minute(10), minute(40), ())
    assert (clock.target, clock.wake_at, clock.is_running) == (30 * MINUTE, minute(40), True)


def test_it_starts_at_the_instant_of_the_click() -> None:
    play = Play(a_book())
    play.fails(T0)
    play.ack(minute(3), minute(4))
    assert play.clock(UPDATE).started_at == minute(3)


def test_a_policy_without_updates_starts_none() -> None:
    play = Play(a_rulebook())
    play.fails(T0)
    play.ack(minute(10))
    play.note(minute(11))
    assert periods(play) == []


ACTS: list[tuple[str, Any]] = [
    ("a note", lambda play, now: play.note(now)),
    ("an assignment", lambda play, now: play.assign(now)),
    ("a severity set by hand", lambda play, now: play.set_severity(Severity.P1, now)),
    ("an acknowledgement taken back", lambda play, now: play.unack(now)),
]


@pytest.mark.parametrize(("name", "act"), ACTS, ids=[name for name, _ in ACTS])
def test_what_a_person_does_starts_it_again(name: str, act: Any) -> None:
    play = playing()
    if "severity" in name:
        # P2 here wants updates as well, so that the way there and back is two acts.
        play.rulebook = a_rulebook(response={s: replace(p, update=30 * MINUTE) for s, p in POLICIES.items()})
        play.set_severity(P2, minute(12))
        assert play.clock(UPDATE).severity is P2
    act(play, minute(20))
    assert (play.clock(UPDATE).started_at, play.clock(UPDATE).due_at) == (minute(20), minute(50))
    assert play.clock(UPDATE).is_running
    before = sorted(periods(play), key=lambda clock: clock.started_at)[-2]
    assert (before.outcome, before.met_at, before.superseded_at) == (MET, minute(20), minute(20))


def test_an_assignment_that_changes_nothing_is_no_news() -> None:
    play = playing()
    play.assign(minute(12))
    play.assign(minute(30))
    assert play.clock(UPDATE).started_at == minute(12)


def test_two_acts_at_one_instant_start_it_once() -> None:
    play = playing()
    play.note(minute(20), "one")
    play.note(minute(20), "two")
    assert [clock.started_at for clock in periods(play)] == [minute(10), minute(20)]


def test_a_lapse_is_one_breach_and_one_line_for_whoever_is_on_it() -> None:
    play = playing()
    play.until(minute(40))
    assert play.actions()[-1] == "clock_breached"
    assert (play.entries[-1].at, play.entries[-1].data["clock"]) == (minute(40), UPDATE)
    assert (play.said(NoticeKind.REPLY), play.rung()) == (["breached"], [])
    assert (play.clock(UPDATE).outcome, play.clock(UPDATE).wake_at) == (BREACHED, None)


def test_silence_that_goes_on_is_still_one_breach() -> None:
    play = playing()
    play.until(minute(118))
    assert play.actions().count("clock_breached") == 1


def test_after_a_lapse_the_next_word_starts_the_time_again_and_the_next_lapse_is_another_breach() -> None:
    play = playing()
    play.until(minute(40))
    play.note(minute(55))
    play.until(minute(110))
    assert outcomes(play) == [BREACHED, BREACHED]
    assert [clock.breached_at for clock in periods(play)] == [minute(40), minute(85)]
    assert periods(play)[0].met_at == minute(55)
    assert play.actions().count("clock_breached") == 2


def test_a_word_after_a_lapse_that_nobody_noted_yet_records_the_lapse_first() -> None:
    play = playing()
    play.note(minute(40) + SECOND)
    assert play.actions()[-2:] == ["clock_breached", "incident_noted"]
    assert outcomes(play) == [BREACHED, None]


def test_every_period_counts_for_itself() -> None:
    play = playing()
    play.note(minute(20))
    play.until(minute(55))
    play.note(minute(60))
    play.resolve(minute(70))
    found = figures.outcomes_of(play.case.clocks)
    assert (found[P1, UPDATE, MET], found[P1, UPDATE, BREACHED]) == (2, 1)
    assert all(counts(clock) for clock in periods(play))


@pytest.mark.parametrize(("by_hand", "outcome"), [(True, MET), (False, VOID)])
def test_it_ends_with_the_incident(by_hand: bool, outcome: ClockOutcome) -> None:
    play = playing()
    play.resolve(minute(20)) if by_hand else play.recovers(minute(20))
    assert (play.clock(UPDATE).outcome, play.clock(UPDATE).ended_at) == (outcome, minute(20))
    play.note(minute(30), "written afterwards")
    assert len(periods(play)) == 1


def test_after_a_reopening_it_starts_with_the_next_acknowledgement() -> None:
    play = playing()
    play.recovers(minute(20))
    play.fails(minute(25))
    play.note(minute(26))
    assert not play.clock(UPDATE).is_running
    play.ack(minute(30))
    assert (play.clock(UPDATE).started_at, play.clock(UPDATE).due_at) == (minute(30), minute(60))
    assert outcomes(play) == [VOID, None]


def test_a_rise_by_rule_is_no_word_from_anybody_and_moves_no_due_time_later() -> None:
    response = {P1: POLICIES_WITH_UPDATE[P1], P2: replace(POLICIES[P2], update=HOUR)}
    play = Play(a_rulebook(response=response))
    play.fails(T0, slow(since=T0))
    play.ack(minute(1))
    play.fails(minute(50), bad(since=minute(50)))
    clock = play.clock(UPDATE)
    assert (clock.severity, clock.started_at, clock.due_at) == (P1, minute(50), minute(61))
    assert [counts(one) for one in periods(play)] == [False, True]


def test_a_rise_by_rule_to_a_policy_with_updates_starts_it() -> None:
    play = Play(a_book())
    play.fails(T0, slow(since=T0))
    play.ack(minute(1))
    assert periods(play) == []
    play.fails(minute(5), bad(since=minute(5)))
    assert (play.clock(UPDATE).started_at, play.clock(UPDATE).due_at) == (minute(5), minute(35))


def test_a_fall_by_hand_to_a_policy_without_updates_ends_it() -> None:
    play = playing()
    play.set_severity(P2, minute(20))
    assert (play.clock(UPDATE).outcome, play.clock(UPDATE).is_running) == (MET, False)
    play.note(minute(25))
    assert len(periods(play)) == 1


def test_the_next_period_has_the_policy_of_its_day_and_the_running_one_stays() -> None:
    play = playing()
    play.rulebook = a_rulebook(response={P1: replace(POLICIES[P1], update=HOUR)})
    play.time(minute(20))
    assert play.clock(UPDATE).due_at == minute(40)
    play.note(minute(20))
    assert play.clock(UPDATE).due_at == minute(80)


def test_a_note_while_it_is_paused_leaves_it_paused() -> None:
    play = playing()
    play.keep(clock_acts.pause(play.case, play.rulebook, "person:li.na", (UPDATE,), "supplier", minute(12)))
    play.note(minute(20))
    assert (play.clock(UPDATE).is_paused, play.clock(UPDATE).wake_at) == (True, None)
    play.keep(clock_acts.resume(play.case, play.rulebook, "person:li.na", (), "", minute(60)))
    assert (play.clock(UPDATE).is_paused, play.clock(UPDATE).due_at) == (False, minute(90))


def test_a_click_that_is_older_than_the_running_period_does_not_set_it_back() -> None:
    play = playing()
    play.unack(minute(20))
    play.ack(minute(15), minute(21))
    assert play.clock(UPDATE).started_at == minute(20)
    assert play.case.open is not None


def test_time_never_runs_backwards_in_a_period() -> None:
    play = playing()
    moments: list[datetime] = [minute(20), minute(25), minute(70)]
    for now in moments:
        play.note(now)
    assert all(clock.ended_at is None or clock.ended_at >= clock.started_at for clock in periods(play))
