"""What people do to an incident: answer it, take that back, set its severity, close it, open it again."""

from __future__ import annotations

from datetime import datetime

import pytest

from case_parts import MINUTE, P1, P2, P3, SECOND, T0, Play, bad, minute, slow
from tocsin.core.case import Decision
from tocsin.core.model import ClockOutcome, IncidentState, NoticeKind, Priority, Resolution

OPEN, ACKNOWLEDGED, RESOLVED = IncidentState.OPEN, IncidentState.ACKNOWLEDGED, IncidentState.RESOLVED
MET, BREACHED = ClockOutcome.MET, ClockOutcome.BREACHED


def opened() -> Play:
    play = Play()
    play.fails()
    return play


def assert_refused(decision: Decision, *words: str) -> None:
    """Nothing was done, and the reason names these."""
    assert decision.refused is not None
    assert decision.changes_nothing
    assert all(word in decision.refused for word in words), decision.refused


# --- acknowledging ---


def test_an_acknowledgement_ends_the_response_clock_and_its_reminders() -> None:
    play = opened()
    play.ack(minute(10))
    assert (play.incident.state, play.incident.acknowledged_at) == (ACKNOWLEDGED, minute(10))
    assert play.incident.acknowledged_by == "person:li.na"
    assert (play.response.outcome, play.response.met_at, play.response.wake_at) == (MET, minute(10), None)
    assert play.said() == ["acknowledged"]
    assert play.rung() == []
    play.until(minute(100))
    assert "clock_breached" not in play.actions()


def test_an_acknowledgement_goes_out_before_repeats_and_edits_the_page() -> None:
    play = opened()
    play.ack(minute(10))
    assert {notice.priority for notice in play.last.notices} == {Priority.ANSWER}
    assert [notice.kind for notice in play.last.notices] == [NoticeKind.REPLY, NoticeKind.EDIT]


def test_a_second_acknowledgement_changes_nothing() -> None:
    play = opened()
    play.ack(minute(10))
    before = play.case
    decision = play.ack(minute(11), actor="person:wang.wei")
    assert decision.changes_nothing
    assert decision.refused is None
    assert play.case == before


def test_the_instant_of_the_click_counts_although_it_is_processed_after_the_deadline() -> None:
    play = opened()
    play.until(minute(61))
    play.ack(minute(59), now=minute(62))
    assert (play.incident.acknowledged_at, play.response.outcome, play.response.breached_at) == (
        minute(59),
        MET,
        None,
    )
    entry = play.entries[-1]
    assert (entry.action, entry.at) == ("incident_acknowledged", minute(59))
    assert "before the deadline" in entry.data["breach_withdrawn"]


def test_a_click_before_the_deadline_that_nobody_noted_yet_leaves_no_breach_behind() -> None:
    play = opened()
    play.ack(minute(59), now=minute(62))
    assert play.response.outcome is MET
    assert "clock_breached" not in play.actions()


def test_a_click_after_a_deadline_that_nobody_noted_yet_records_the_breach_first() -> None:
    play = opened()
    play.ack(minute(75), now=minute(75))
    assert play.actions()[-2:] == ["clock_breached", "incident_acknowledged"]
    assert (play.response.outcome, play.response.breached_at, play.response.met_at) == (
        BREACHED,
        minute(60),
        minute(75),
    )
    assert play.response.detected_late
    assert play.said() == ["late_summary", "acknowledged"]


@pytest.mark.parametrize(("clicked_at", "counts_as"), [(minute(-5), T0), (minute(30), minute(12))])
def test_a_click_counts_within_the_life_of_the_incident_whatever_its_clock_says(
    clicked_at: datetime, counts_as: datetime
) -> None:
    play = opened()
    play.ack(clicked_at, now=minute(12))
    assert play.incident.acknowledged_at == counts_as


def test_what_is_resolved_cannot_be_acknowledged() -> None:
    play = opened()
    play.recovers(minute(5))
    assert_refused(play.ack(minute(6)), "resolved already")
    assert_refused(Play().ack(T0), "nothing to acknowledge")


# --- taking back ---


def test_taking_an_acknowledgement_back_makes_the_response_due_again_against_its_first_deadline() -> None:
    play = opened()
    play.ack(minute(10))
    play.unack(minute(40))
    assert (play.incident.state, play.incident.acknowledged_at, play.incident.acknowledged_by) == (OPEN, None, None)
    assert (play.response.outcome, play.response.due_at, play.response.met_at) == (None, minute(60), None)
    play.until(minute(61))
    assert play.actions()[-3:] == ["incident_unacknowledged", "clock_reminded", "clock_breached"]


def test_a_deadline_that_passed_while_it_was_acknowledged_is_a_breach_at_its_true_instant() -> None:
    play = opened()
    play.ack(minute(10))
    play.unack(minute(90))
    play.time(minute(90) + SECOND)
    assert (play.response.breached_at, play.response.detected_late) == (minute(60), True)
    assert play.actions()[-2:] == ["incident_unacknowledged", "clock_breached"]


def test_a_breach_that_an_answer_took_back_is_told_again_when_the_answer_is_taken_back() -> None:
    play = opened()
    play.until(minute(60))
    play.ack(minute(59), now=minute(61))
    play.unack(minute(62))
    play.time(minute(62))
    told = [notice.key for notice in play.notices if notice.event == "breached" and notice.kind is NoticeKind.BROADCAST]
    assert len(set(told)) == 2


def test_taking_back_a_late_answer_leaves_the_breach() -> None:
    play = opened()
    play.until(minute(61))
    play.ack(minute(70))
    play.unack(minute(80))
    assert (play.response.outcome, play.response.breached_at, play.response.met_at) == (BREACHED, minute(60), None)


def test_taking_back_the_answer_to_a_reopening_leaves_the_first_answer() -> None:
    play = opened()
    play.ack(minute(5))
    play.recovers(minute(10))
    play.fails(minute(12))
    play.ack(minute(13))
    play.unack(minute(14))
    assert (play.incident.state, play.response.outcome, play.response.met_at) == (OPEN, MET, minute(5))


def test_taking_back_an_answer_that_was_given_before_there_was_a_policy_makes_the_response_due() -> None:
    play = opened()
    play.set_severity(P3, minute(5))
    play.ack(minute(10))
    play.set_severity(P1, minute(20))
    assert (play.response.outcome, play.response.met_at) == (MET, minute(10))
    play.unack(minute(30))
    assert (play.response.outcome, play.response.due_at) == (None, minute(80))


def test_what_is_not_acknowledged_cannot_be_taken_back() -> None:
    assert_refused(opened().unack(minute(5)), "not acknowledged")


# --- severity ---


def test_a_fall_by_hand_counts_from_the_opening_and_both_plans_stay() -> None:
    play = opened()
    play.set_severity(P2, minute(30))
    assert (play.incident.severity, play.incident.severity_at, play.incident.rule_severity) == (P2, minute(30), P1)
    assert (play.response.due_at, play.resolution.due_at) == (minute(240), minute(24 * 60))
    assert [reminder.at for reminder in play.response.plan] == [minute(120), minute(180)]
    assert sum(clock.superseded_at == minute(30) for clock in play.case.clocks) == 2
    assert play.rung() == []


def test_a_rise_by_hand_runs_from_now_and_rings() -> None:
    play = Play()
    play.fails(T0, slow())
    play.set_severity(P1, minute(30))
    assert (play.response.due_at, play.resolution.due_at) == (minute(90), minute(270))
    assert play.rung() == ["severity_changed"]
    entry = play.entries[-1]
    assert (entry.actor, entry.data["from"], entry.data["to"], entry.data["reason"]) == (
        "person:li.na",
        "P2",
        "P1",
        "as told",
    )


def test_a_fall_does_not_undo_a_deadline_that_had_passed() -> None:
    noted, unnoted = opened(), opened()
    noted.until(minute(61))
    for play in (noted, unnoted):
        play.set_severity(P2, minute(70))
        assert (play.response.outcome, play.response.breached_at) == (BREACHED, minute(60))
        play.ack(minute(80))
        assert (play.response.outcome, play.response.breached_at, play.response.met_at) == (
            BREACHED,
            minute(60),
            minute(80),
        )


def test_an_answer_stands_whatever_severity_a_person_sets() -> None:
    play = opened()
    play.ack(minute(5))
    play.set_severity(P2, minute(10))
    play.set_severity(P1, minute(15))
    assert (play.incident.state, play.response.outcome, play.response.met_at) == (ACKNOWLEDGED, MET, minute(5))
    assert play.resolution.due_at == minute(15 + 240)


def test_without_a_policy_no_clock_is_left_running() -> None:
    play = opened()
    play.set_severity(P3, minute(10))
    assert [clock.kind for clock in play.case.clocks if clock.is_running] == []


def test_the_same_severity_again_changes_nothing_and_a_resolved_one_keeps_its_own() -> None:
    play = opened()
    assert play.set_severity(P1, minute(5)).changes_nothing
    play.recovers(minute(6))
    assert_refused(play.set_severity(P2, minute(7)), "resolved")


# --- resolving ---


def test_closing_while_a_check_fails_is_refused_with_what_fails() -> None:
    play = opened()
    decision = play.resolve(minute(5), bad(), bad("login"))
    assert_refused(decision, "health: status == 200 (status = 503)", "login: ", "--anyway")
    assert play.incident.state is OPEN


def test_anyway_closes_it_and_says_what_still_failed() -> None:
    play = opened()
    play.resolve(minute(5), bad(), anyway=True)
    assert (play.incident.state, play.incident.resolution) == (RESOLVED, Resolution.BY_HAND)
    assert play.entries[-1].data["still_failing"] == ["health"]
    assert play.look([bad(is_held=True)], minute(6)).changes_nothing


def test_closing_without_having_acknowledged_is_the_answer() -> None:
    play = opened()
    play.resolve(minute(5))
    incident = play.incident
    assert (incident.acknowledged_at, incident.acknowledged_by) == (minute(5), "person:li.na")
    assert (incident.resolved_at, incident.resolved_by) == (minute(5), "person:li.na")
    assert (play.response.outcome, play.response.met_at, play.resolution.outcome) == (MET, minute(5), MET)


def test_closing_late_is_a_late_answer() -> None:
    play = opened()
    play.until(minute(61))
    play.resolve(minute(70))
    assert (play.response.outcome, play.response.met_at) == (BREACHED, minute(70))


def test_closing_keeps_who_had_acknowledged() -> None:
    play = opened()
    play.ack(minute(2), actor="slack:U1")
    play.resolve(minute(5))
    assert (play.incident.acknowledged_by, play.incident.acknowledged_at) == ("slack:U1", minute(2))


def test_what_is_resolved_cannot_be_closed_again() -> None:
    play = opened()
    play.resolve(minute(5))
    assert_refused(play.resolve(minute(6)), "resolved already")


def test_a_check_that_was_up_since_it_was_closed_anyway_reopens_it() -> None:
    play = opened()
    play.resolve(minute(5), bad(), anyway=True)
    play.fails(minute(12))
    assert (play.incident.id, play.incident.state, play.rung()) == (1, OPEN, ["reopened"])
    assert (play.response.outcome, play.resolution.due_at) == (MET, minute(247))


# --- opening again, and the rest ---


def test_a_person_may_open_a_resolved_incident_again_and_only_a_person_closes_it_then() -> None:
    play = opened()
    play.recovers(minute(10))
    play.reopen(minute(600))
    assert (play.incident.state, play.incident.checks, play.incident.reopened) == (OPEN, (), 1)
    assert play.actions()[-2:] == ["incident_reopened", "incident_noted"]
    assert play.look([], minute(601)).changes_nothing
    play.resolve(minute(602))
    assert play.incident.resolution is Resolution.BY_HAND


def test_a_check_that_joins_what_a_person_opened_again_resolves_it_when_it_recovers() -> None:
    play = opened()
    play.recovers(minute(10))
    play.reopen(minute(20))
    play.look([bad()], minute(21))
    play.recovers(minute(30))
    assert play.incident.resolution is Resolution.RECOVERED


def test_what_is_open_or_withdrawn_cannot_be_opened_again() -> None:
    play = opened()
    assert_refused(play.reopen(minute(5)), "not resolved")
    play.withdraw(minute(6), "health")
    assert_refused(play.reopen(minute(7)), "no longer watched")
    assert_refused(Play().reopen(T0), "not resolved")


def test_a_note_is_a_line_of_the_thread_at_any_time() -> None:
    play = opened()
    play.recovers(minute(5))
    decision = play.note(minute(100))
    assert ([e.action for e in decision.entries], play.said(), play.rung()) == (["incident_noted"], ["noted"], [])
    assert_refused(Play().note(T0), "no such incident")


def test_two_notes_with_the_same_text_are_two_lines() -> None:
    play = opened()
    for _ in range(2):
        play.note(minute(5))
    keys = [notice.key for notice in play.notices if notice.event == "noted"]
    assert len(set(keys)) == 2


def test_assigning_says_to_whom_and_twice_changes_nothing() -> None:
    play = opened()
    play.assign(minute(5))
    assert (play.incident.assignee, play.said()) == ("wang.wei", ["assigned"])
    assert play.assign(minute(6)).changes_nothing
    play.recovers(minute(7))
    assert_refused(play.assign(minute(8), "li.na"), "resolved")


# --- checks that go away ---


def test_a_check_that_is_no_longer_watched_leaves_a_line_with_who_and_when() -> None:
    play = Play()
    play.fails(T0, bad(), bad("login"))
    play.withdraw(minute(5), "login", "never failed")
    entry = play.entries[-1]
    assert (entry.action, entry.data) == (
        "no_longer_watched",
        {"check": "login", "actor": "user:root", "at": minute(5).isoformat()},
    )
    assert (play.incident.state, play.incident.checks, play.said()) == (OPEN, ("health",), ["no_longer_watched"])
    assert play.said(NoticeKind.EDIT) == ["no_longer_watched"]


def test_an_incident_with_no_check_left_is_withdrawn_and_its_clocks_are_void() -> None:
    play = opened()
    play.withdraw(minute(5), "health")
    assert (play.incident.state, play.incident.resolution) == (RESOLVED, Resolution.WITHDRAWN)
    assert [clock.outcome for clock in play.case.clocks] == [ClockOutcome.VOID, ClockOutcome.VOID]
    assert play.said().count("withdrawn") == 1


def test_what_was_breached_before_stays_breached_when_it_is_withdrawn() -> None:
    play = opened()
    play.until(minute(61))
    play.withdraw(minute(70), "health")
    assert [clock.outcome for clock in play.case.clocks] == [BREACHED, ClockOutcome.VOID]


def test_a_check_of_no_incident_goes_away_without_a_word() -> None:
    assert Play().withdraw(T0, "health").changes_nothing
    assert opened().withdraw(T0 + MINUTE, "login").changes_nothing
