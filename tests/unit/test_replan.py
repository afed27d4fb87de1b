"""Policies and calendars are pinned: editing one moves no clock that runs; `replan` does so, and leaves both plans in the record."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from case_parts import HOUR, MINUTE, P1, P2, POLICIES, RESOLUTION, RESPONSE, T0, Play, a_rulebook, minute
from tocsin.core import clock as clocks
from tocsin.core import clock_acts
from tocsin.core.calendar import ALWAYS, Calendar, version_of
from tocsin.core.case import Decision
from tocsin.core.model import ClockKind, ClockOutcome, Reminder
from tocsin.core.policy import ResponsePolicy, Rulebook

UPDATE = ClockKind.UPDATE
LI = "person:li.na"
EDITED = ResponsePolicy(P1, 2 * HOUR, resolve=8 * HOUR, remind=(0.5, 1.0), version="p1-edited")


def replan(play: Play, now: datetime, **response: Any) -> Decision:
    """Apply an edited policy for P1, and replan."""
    policy = response.get("policy", EDITED)
    play.rulebook = a_rulebook(response={**POLICIES, P1: policy} if policy is not None else {P2: POLICIES[P2]})
    return play.keep(clock_acts.replan(play.case, play.rulebook, LI, "agreed with the customer", now))


def playing() -> Play:
    play = Play(a_rulebook())
    play.fails(T0)
    return play


def test_an_edited_policy_moves_no_running_clock() -> None:
    play = playing()
    before = play.case.clocks
    play.rulebook = a_rulebook(response={P1: EDITED})
    play.time(minute(1))
    play.fails(minute(2))
    assert play.case.clocks == before


def test_replan_moves_running_clocks_each_from_its_own_start() -> None:
    play = playing()
    replan(play, minute(20))
    assert (play.response.started_at, play.response.due_at) == (T0, minute(120))
    assert (play.resolution.due_at, play.resolution.policy_version) == (minute(480), "p1-edited")
    assert play.response.plan == (Reminder(0.5, minute(60)),)


def test_both_plans_stay_in_the_record() -> None:
    play = playing()
    replan(play, minute(20))
    superseded = [clock for clock in play.case.clocks if clock.superseded_at is not None]
    assert {(clock.kind, clock.due_at, clock.superseded_at) for clock in superseded} == {
        (RESPONSE, minute(60), minute(20)),
        (RESOLUTION, minute(240), minute(20)),
    }
    entry = play.entries[-1]
    assert (entry.action, entry.actor, entry.data["reason"]) == ("incident_replanned", LI, "agreed with the customer")
    assert [(p["clock"], p["due_at"], p["policy"]) for p in entry.data["was"]] == [
        (RESPONSE, minute(60).isoformat(), "p1"),
        (RESOLUTION, minute(240).isoformat(), "p1"),
    ]
    assert [(p["clock"], p["due_at"], p["policy"]) for p in entry.data["is"]] == [
        (RESPONSE, minute(120).isoformat(), "p1-edited"),
        (RESOLUTION, minute(480).isoformat(), "p1-edited"),
    ]
    assert play.said() == ["replanned"]


def test_an_edited_calendar_alone_is_another_plan() -> None:
    play = Play(a_rulebook(response={P1: replace(POLICIES[P1], calendar="office")}))
    play.fails(T0)
    late = Calendar("office", hours=play.rulebook.calendars["office"].hours, closed=frozenset({T0.date()}))
    calendars = {"24x7": ALWAYS, "office": replace(late, version=version_of(late))}
    play.rulebook = replace(play.rulebook, calendars=calendars)
    play.keep(clock_acts.replan(play.case, play.rulebook, LI, "", minute(10)))
    assert play.response.due_at.date() > T0.date()
    assert play.response.calendar_version == calendars["office"].version


def test_replan_under_the_same_policy_changes_nothing() -> None:
    play = playing()
    assert replan(play, minute(20), policy=POLICIES[P1]).changes_nothing
    assert play.last.refused is None


def test_what_has_ended_and_what_is_unchanged_stays() -> None:
    play = playing()
    play.ack(minute(5))
    answered = play.response
    replan(play, minute(20))
    assert play.response == answered
    assert play.resolution.due_at == minute(480)


def test_a_deadline_in_the_past_is_refused_and_nothing_moves() -> None:
    play = playing()
    before = play.case
    decision = replan(play, minute(30), policy=replace(EDITED, acknowledge=20 * MINUTE))
    assert decision.refused is not None
    assert f"its response would have been due at {minute(20).isoformat()}" in decision.refused
    assert play.case == before


def test_a_breach_stays_where_it_was() -> None:
    play = playing()
    play.until(minute(60))
    replan(play, minute(70))
    assert (play.response.outcome, play.response.breached_at) == (ClockOutcome.BREACHED, minute(60))
    play.until(minute(130))
    assert play.actions().count("clock_breached") == 1


def test_what_the_policy_asks_for_no_more_is_not_owed_and_what_it_asks_for_anew_is_owed_from_now() -> None:
    play = playing()
    play.ack(minute(5))
    replan(play, minute(20), policy=ResponsePolicy(P1, HOUR, update=30 * MINUTE, version="other"))
    assert [clock.kind for clock in play.case.clocks if clock.is_running] == [UPDATE]
    assert play.clock(UPDATE).due_at == minute(50)
    replan(play, minute(30), policy=replace(EDITED, version="third"))
    assert (play.resolution.started_at, play.resolution.due_at) == (minute(30), minute(510))


def test_without_a_policy_the_clocks_stay() -> None:
    play = playing()
    decision = replan(play, minute(20), policy=None)
    assert decision.refused == "there is no response policy for P1 now: its clocks stay as they are"


def test_a_paused_clock_is_replanned_and_stays_paused() -> None:
    play = playing()
    play.ack(minute(5))
    play.keep(clock_acts.pause(play.case, play.rulebook, LI, (), "supplier", minute(60)))
    replan(play, minute(90))
    assert (play.resolution.is_paused, play.resolution.paused_since) == (True, minute(60))
    play.keep(clock_acts.resume(play.case, play.rulebook, LI, (), "", minute(100)))
    assert play.resolution.due_at == minute(480 + 40)


def test_a_resolved_incident_has_nothing_to_replan() -> None:
    play = playing()
    play.recovers(minute(10))
    assert replan(play, minute(20)).refused == "it is resolved already: no clock of it runs"


# --- a calendar that has run out of working time --------------------------------------------------------------------------


def exhausted() -> Rulebook:
    empty = Calendar("office")
    calendars = {"24x7": ALWAYS, "office": replace(empty, version=version_of(empty))}
    response = {P1: replace(POLICIES[P1], calendar="office"), P2: POLICIES[P2]}
    return replace(a_rulebook(response=response), calendars=calendars)


def test_an_incident_whose_calendar_has_no_working_time_opens_all_the_same_and_runs_around_the_clock() -> None:
    play = Play(exhausted())
    play.fails(T0)
    assert (play.response.due_at, play.response.calendar, play.response.calendar_version) == (
        T0 + HOUR,
        "24x7",
        "24x7",
    )


def test_such_a_calendar_is_told_before_an_incident_needs_it() -> None:
    (told,) = clocks.unworkable(exhausted(), T0)
    assert told.startswith('response P1: calendar "office" has no working time')
    assert told.endswith("its clocks run 24x7")
    assert clocks.unworkable(a_rulebook(), T0) == ()


# --- exclusion ------------------------------------------------------------------------------------------------------------


def exclude(play: Play, kind: ClockKind = RESPONSE, actor: str = LI, now: datetime | None = None) -> Decision:
    return play.keep(clock_acts.exclude(play.case, actor, kind, "fire drill", now or minute(80)))


def test_an_exclusion_keeps_its_reason_and_changes_no_outcome() -> None:
    play = playing()
    play.until(minute(60))
    play.ack(minute(70))
    before = play.response
    exclude(play)
    assert play.response.exclusion == {"actor": LI, "at": minute(80).isoformat(), "reason": "fire drill"}
    assert replace(play.response, exclusion=None) == before
    assert (play.entries[-1].action, play.entries[-1].data["clock"]) == ("incident_excluded", RESPONSE)
    assert play.said() == ["excluded"]


def test_a_clock_may_be_excluded_while_it_runs_and_after_it_is_over() -> None:
    play = playing()
    exclude(play, now=minute(1))
    play.recovers(minute(5))
    exclude(play, RESOLUTION, now=minute(6))
    assert all(clock.exclusion is not None for clock in play.case.clocks)


def test_an_exclusion_stays_with_the_clock_through_a_new_plan() -> None:
    play = playing()
    exclude(play, now=minute(1))
    replan(play, minute(20))
    assert play.response.exclusion is not None


def test_every_update_so_far_is_excluded_at_once_and_the_next_one_is_not() -> None:
    play = Play(a_rulebook(response={P1: replace(POLICIES[P1], update=30 * MINUTE)}))
    play.fails(T0)
    play.ack(minute(1))
    play.note(minute(10))
    exclude(play, UPDATE, now=minute(11))
    play.note(minute(20))
    mine = sorted((clock for clock in play.case.clocks if clock.kind is UPDATE), key=lambda clock: clock.started_at)
    assert [clock.exclusion is not None for clock in mine] == [True, True, False]


@pytest.mark.parametrize("actor", ["person:li.na", "user:root", "user:root for person:li.na"])
def test_people_of_the_rules_and_root_may_exclude(actor: str) -> None:
    assert exclude(playing(), actor=actor).refused is None


@pytest.mark.parametrize("actor", ["user:deploy", "local", "token:ci", "slack:U9", "tocsin"])
def test_nobody_else_may(actor: str) -> None:
    refused = exclude(playing(), actor=actor).refused
    assert refused is not None
    assert f"({actor} is neither)" in refused


def test_what_is_excluded_already_and_what_is_not_there_is_refused() -> None:
    play = playing()
    exclude(play)
    again = exclude(play)
    assert again.refused == "its response clock is excluded already (person:li.na: fire drill)"
    assert exclude(play, UPDATE).refused == "it has no update clock"
