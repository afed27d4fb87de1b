"""What the checks make of an incident: it opens, checks join and leave it, it rises, resolves, and opens again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from case_parts import (
    HOUR,
    P1,
    P2,
    P3,
    RESPONSE,
    SECOND,
    T0,
    Play,
    a_rulebook,
    a_system,
    bad,
    cannot,
    is_down,
    is_failing,
    minute,
    rule,
    slow,
)
from tocsin.core.model import ClockOutcome, IncidentState, NoticeKind, Priority, Resolution, Status

OPEN, RESOLVED = IncidentState.OPEN, IncidentState.RESOLVED
MET, BREACHED, VOID = ClockOutcome.MET, ClockOutcome.BREACHED, ClockOutcome.VOID


# --- opening ---


def test_a_failing_check_opens_an_incident_with_its_rule_its_text_and_its_clocks() -> None:
    play = Play()
    play.fails(minute(1), bad(since=T0))
    incident = play.incident
    assert (incident.id, incident.system, incident.key, incident.state) == (1, "erp", "", OPEN)
    assert (incident.severity, incident.rule.name, incident.rule.text) == (P1, "down", "when down")
    assert (incident.title, incident.text) == ("ERP is down", "health: status == 200 (status = 503) of health")
    assert (incident.failing_since, incident.opened_at) == (T0, minute(1))
    assert (incident.checks, incident.channels, incident.version) == (("health",), ("ops",), 1)
    assert (play.response.started_at, play.response.due_at) == (minute(1), minute(61))


def test_the_opening_is_one_entry_and_one_page_at_once() -> None:
    play = Play()
    play.fails()
    (entry,), (notice,) = play.entries, play.notices
    assert (entry.action, entry.actor, entry.subject, entry.at) == ("incident_opened", "tocsin", "incident:1", T0)
    assert entry.data["configuration"] == "rules-1"
    assert [clock["due_at"] for clock in entry.data["clocks"]] == [(T0 + HOUR).isoformat(), (T0 + 4 * HOUR).isoformat()]
    assert (notice.kind, notice.event, notice.channel, notice.priority) == (
        NoticeKind.PAGE,
        "opened",
        "ops",
        Priority.P1,
    )


def test_each_channel_of_the_system_is_paged() -> None:
    told = replace(a_system(), notify=("erp-team", "managers"))
    play = Play(a_rulebook(systems=[told]))
    play.fails()
    assert [notice.channel for notice in play.notices] == ["erp-team", "managers"]
    assert play.incident.channels == ("erp-team", "managers")


def test_the_gravest_answer_of_all_failing_checks_is_the_incidents() -> None:
    play = Play()
    play.fails(T0, slow("health"), bad("login"))
    assert (play.incident.severity, play.incident.title) == (P1, "ERP is down")
    assert play.incident.text.startswith("login: ")
    assert play.incident.checks == ("health", "login")


def test_where_no_rule_matches_there_is_no_incident() -> None:
    play = Play(a_rulebook([rule("down", P1, is_down)]))
    assert play.fails(T0, slow()).changes_nothing
    assert play.case.incident is None


def test_a_rule_that_cannot_be_judged_opens_a_p2_and_is_named() -> None:
    play = Play(a_rulebook([rule("broken", P1, cannot("no such value"))]))
    decision = play.fails()
    assert play.incident.severity is P2
    assert [fault.because for fault in decision.faults] == ["no such value"]


def test_a_severity_without_a_policy_is_told_once_and_has_no_clocks() -> None:
    play = Play(a_rulebook([rule("any", P3)]))
    play.fails()
    assert (play.said(), play.case.clocks) == (["opened"], ())
    play.until(minute(10_000))
    assert len(play.notices) == 1


def test_a_check_that_is_unobserved_opens_nothing() -> None:
    assert Play().fails(T0, bad(is_observed=False)).changes_nothing


def test_a_check_whose_incident_was_closed_although_it_failed_opens_nothing() -> None:
    assert Play().fails(T0, bad(is_held=True)).changes_nothing


def test_asking_again_with_the_same_checks_changes_nothing() -> None:
    play = Play()
    play.fails()
    before = play.case
    assert play.look([bad()], minute(1)).changes_nothing
    assert play.case == before


# --- following ---


def test_at_most_one_incident_a_system_a_second_check_joins_it() -> None:
    play = Play()
    play.fails()
    play.look([bad(), bad("login", since=minute(2))], minute(3))
    assert (play.incident.id, play.incident.checks) == (1, ("health", "login"))
    assert (play.actions(), play.said()) == (["incident_opened", "check_joined"], ["check_joined"])
    assert play.rung() == []


def test_a_check_that_recovers_leaves_and_the_incident_stays() -> None:
    play = Play()
    play.fails(T0, bad(), bad("login"))
    play.look([bad("login")], minute(5))
    assert (play.incident.state, play.incident.checks, play.said()) == (OPEN, ("login",), ["check_left"])


def test_one_check_may_take_over_from_another_in_the_same_instant() -> None:
    play = Play()
    play.fails()
    play.look([bad("login", since=minute(5))], minute(5))
    assert (play.incident.state, play.incident.checks) == (OPEN, ("login",))
    assert play.said() == ["check_joined", "check_left"]


def test_a_failing_check_that_no_rule_matches_does_not_join() -> None:
    play = Play(a_rulebook([rule("down", P1, is_down)]))
    play.fails()
    assert play.look([bad(), slow("login")], minute(1)).changes_nothing


def test_a_check_that_only_gets_less_bad_keeps_the_incident_open() -> None:
    play = Play(a_rulebook([rule("down", P1, is_down)]))
    play.fails()
    assert play.look([slow()], minute(5)).changes_nothing
    assert (play.incident.state, play.incident.severity) == (OPEN, P1)


def test_an_open_incident_whose_check_is_unobserved_neither_rises_nor_resolves_and_its_clocks_run() -> None:
    play = Play()
    play.fails(T0, slow())
    assert play.look([bad(is_observed=False)], minute(5)).changes_nothing
    assert (play.incident.state, play.incident.severity) == (OPEN, P2)
    assert play.response.is_running


# --- rising ---


def test_it_rises_by_rule_and_the_page_goes_out_again_as_the_higher_severity() -> None:
    play = Play()
    play.fails(T0, slow())
    play.look([bad()], minute(30))
    assert (play.incident.severity, play.incident.severity_at, play.incident.rule.name) == (P1, minute(30), "down")
    assert (play.incident.title, play.rung()) == ("ERP is down", ["rose"])
    (page,) = [n for n in play.last.notices if n.kind is NoticeKind.BROADCAST]
    assert page.priority is Priority.P1
    assert (play.response.due_at, play.resolution.due_at) == (minute(90), minute(30 + 240))


def test_both_plans_stay_in_the_record() -> None:
    play = Play()
    play.fails(T0, slow())
    play.look([bad()], minute(30))
    assert [(c.severity, c.superseded_at) for c in play.case.clocks if c.kind is RESPONSE] == [
        (P2, minute(30)),
        (P1, None),
    ]


def test_in_a_rise_an_acknowledgement_stands_and_a_breach_stays() -> None:
    play = Play()
    play.fails(T0, slow())
    play.ack(minute(10))
    play.look([bad()], minute(30))
    assert (play.incident.state, play.response.outcome, play.response.met_at) == (
        IncidentState.ACKNOWLEDGED,
        MET,
        minute(10),
    )
    late = Play()
    late.fails(T0, slow())
    late.until(minute(241))
    late.look([bad()], minute(250))
    assert (late.response.severity, late.response.outcome, late.response.breached_at) == (P1, BREACHED, minute(240))
    assert late.response.due_at == minute(240)


def test_an_acknowledged_incident_without_a_policy_owes_no_answer_when_it_rises() -> None:
    play = Play(a_rulebook([rule("down", P1, is_down), rule("failing", P3, is_failing)]))
    play.fails(T0, slow())
    play.ack(minute(5))
    play.look([bad()], minute(10))
    assert (play.response.outcome, play.response.met_at, play.response.is_running) == (MET, minute(5), False)
    assert (play.resolution.outcome, play.resolution.due_at) == (None, minute(250))


def test_a_deadline_that_passed_unseen_is_recorded_before_a_rise_replaces_it() -> None:
    play = Play()
    play.fails(T0, slow())
    play.look([bad()], minute(241))
    assert play.actions() == [
        "incident_opened",
        "clock_reminded",
        "clock_reminded",
        "clock_breached",
        "incident_severity_changed",
    ]
    assert (play.response.outcome, play.response.breached_at, play.response.detected_late) == (
        BREACHED,
        minute(240),
        True,
    )


def test_it_does_not_fall_by_rule() -> None:
    play = Play()
    play.fails()
    assert play.look([slow()], minute(5)).changes_nothing
    assert play.incident.severity is P1


def test_after_a_person_set_it_lower_only_a_graver_answer_than_ever_raises_it() -> None:
    play = Play(a_rulebook([rule("worst", P1, lambda f: f.failing == 2), rule("down", P2, is_down)]))
    play.fails()
    play.set_severity(P3, minute(5))
    assert play.look([bad()], minute(6)).changes_nothing
    play.look([bad(), bad("login")], minute(7))
    assert play.incident.severity is P1


# --- resolving ---


def test_it_resolves_at_once_when_all_its_checks_have_recovered() -> None:
    play = Play()
    play.fails(T0, bad(), bad("login"))
    play.recovers(minute(10))
    incident = play.incident
    assert (incident.state, incident.resolution, incident.resolved_at) == (RESOLVED, Resolution.RECOVERED, minute(10))
    assert (incident.resolved_by, incident.checks, incident.acknowledged_at) == ("tocsin", (), None)
    assert (play.response.outcome, play.resolution.outcome) == (VOID, MET)
    assert (play.said(), play.rung()) == (["recovered"], [])


def test_what_was_answered_is_met_and_not_void() -> None:
    play = Play()
    play.fails()
    play.ack(minute(5))
    play.recovers(minute(10))
    assert (play.response.outcome, play.response.met_at, play.resolution.met_at) == (MET, minute(5), minute(10))


def test_a_deadline_that_passed_unseen_is_a_breach_and_is_told_although_it_recovered_since() -> None:
    play = Play()
    play.fails()
    play.recovers(minute(90))
    breach = next(entry for entry in play.entries if entry.action == "clock_breached")
    assert (breach.at, breach.data["detected_at"]) == (minute(60), minute(90).isoformat())
    assert (play.response.outcome, play.response.breached_at, play.response.detected_late) == (
        BREACHED,
        minute(60),
        True,
    )
    assert play.said() == ["late_summary", "recovered"]


# --- reopening ---


@pytest.mark.parametrize(("minutes", "number", "reopened"), [(0, 1, 1), (15, 1, 1), (15.1, 2, 0), (600, 2, 0)])
def test_failing_again_within_fifteen_minutes_reopens_it(minutes: float, number: int, reopened: int) -> None:
    play = Play()
    play.fails()
    play.recovers(minute(10))
    play.fails(minute(10 + minutes))
    assert (play.incident.id, play.incident.state, play.incident.reopened) == (number, OPEN, reopened)


def test_how_soon_is_set_in_the_rules() -> None:
    play = Play(a_rulebook(reopen_within=HOUR))
    play.fails()
    play.recovers(minute(10))
    play.fails(minute(60))
    assert play.incident.id == 1


def test_a_reopening_rings_in_the_thread() -> None:
    play = Play()
    play.fails()
    play.recovers(minute(10))
    play.fails(minute(15))
    assert (play.rung(), play.said()) == (["reopened"], ["reopened"])
    assert play.actions()[-1] == "incident_reopened"


def test_a_void_response_runs_again_with_the_good_minutes_out() -> None:
    play = Play()
    play.fails()
    play.recovers(minute(10))
    assert play.response.outcome is VOID
    play.fails(minute(20))
    assert (play.response.outcome, play.response.due_at, play.response.is_running) == (None, minute(70), True)
    assert play.resolution.due_at == minute(250)


def test_a_met_response_stays_met_and_the_resolution_goes_on() -> None:
    play = Play()
    play.fails()
    play.ack(minute(5))
    play.recovers(minute(10))
    play.fails(minute(20))
    assert (play.incident.state, play.incident.acknowledged_by) == (OPEN, None)
    assert (play.response.outcome, play.response.met_at, play.response.is_running) == (MET, minute(5), False)
    assert (play.resolution.outcome, play.resolution.due_at) == (None, minute(250))


def test_a_breached_response_stays_breached_and_is_still_owed() -> None:
    play = Play()
    play.fails()
    play.until(minute(61))
    play.recovers(minute(70))
    play.fails(minute(75))
    assert (play.response.outcome, play.response.breached_at, play.response.is_running) == (BREACHED, minute(60), True)
    play.ack(minute(80))
    assert (play.response.outcome, play.response.met_at) == (BREACHED, minute(80))


def test_it_may_reopen_again_and_again() -> None:
    play = Play()
    play.fails()
    for start in (10, 30, 50):
        play.recovers(minute(start))
        play.fails(minute(start + 5))
    assert (play.incident.id, play.incident.reopened) == (1, 3)
    assert (play.response.due_at, play.resolution.due_at) == (minute(75), minute(255))


def test_it_may_reopen_graver() -> None:
    play = Play()
    play.fails(T0, slow())
    play.recovers(minute(10))
    play.fails(minute(12))
    assert (play.incident.id, play.incident.severity, play.rung()) == (1, P1, ["reopened", "rose"])
    assert (play.incident.title, play.response.due_at) == ("ERP is down", minute(72))


def test_a_reopening_does_not_undo_the_severity_that_a_person_set() -> None:
    play = Play()
    play.fails()
    play.set_severity(P2, minute(5))
    play.recovers(minute(10))
    play.fails(minute(12))
    assert (play.incident.severity, play.rung()) == (P2, ["reopened"])


def test_a_fall_after_a_reopening_leaves_the_good_minutes_out() -> None:
    play = Play()
    play.fails()
    play.recovers(minute(10))
    play.fails(minute(20))
    play.set_severity(P2, minute(25))
    assert play.response.due_at == minute(250)
    assert play.resolution.due_at == minute(24 * 60 + 10)


def test_what_a_withdrawn_incident_was_about_opens_a_new_one() -> None:
    play = Play()
    play.fails()
    play.withdraw(minute(5), "health")
    play.fails(minute(6))
    assert play.incident.id == 2


# --- many channels, one fact ---


def test_every_notice_has_a_key_of_its_own() -> None:
    told = replace(a_system(checks=("a", "b", "c")), notify=("x", "y"))
    play = Play(a_rulebook(systems=[told]))
    play.fails(T0, slow("a"))
    play.look([bad("a"), bad("b"), slow("c")], minute(5))
    play.look([bad("b")], minute(6))
    play.recovers(minute(7))
    play.fails(minute(8), bad("a"))
    keys = [notice.key for notice in play.notices]
    assert len(keys) == len(set(keys)) > 20


def test_the_same_decision_made_twice_promises_the_same_keys() -> None:
    first, second = Play(), Play()
    for play in (first, second):
        play.fails()
        play.until(minute(61))
        play.recovers(minute(70))
    assert [n.key for n in first.notices] == [n.key for n in second.notices]


def test_a_check_that_said_nothing_is_named_with_its_status() -> None:
    play = Play()
    play.fails(T0, replace(bad(), text="", status=Status.DOWN))
    assert play.incident.text == "health is down"


def test_a_second_before_its_deadline_nothing_is_breached() -> None:
    play = Play()
    play.fails()
    play.until(minute(60) - SECOND)
    assert play.response.outcome is None
