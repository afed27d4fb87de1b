"""What holds of an incident whatever happens in whatever order: checks fail and recover, people act, time passes, the daemon stops."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition
from hypothesis.stateful import rule as step

from case_parts import (
    HOUR,
    P1,
    P2,
    P3,
    POLICIES,
    RESPONSE,
    T0,
    Play,
    a_rulebook,
    a_system,
    bad,
    is_down,
    is_failing,
    rule,
)
from tocsin.core.case import Decision, FailingCheck
from tocsin.core.model import Clock, ClockOutcome, Incident, IncidentState, Resolution, Severity, Status

CHECKS = ("a", "b", "c")
GONE_QUIET = frozenset({(ClockOutcome.MET, False), (ClockOutcome.BREACHED, False), (ClockOutcome.VOID, False)})
STILL_OWED = frozenset({(None, True), (ClockOutcome.BREACHED, True)})

RULEBOOK = a_rulebook(
    rules=[
        rule("all down", P1, lambda f: f.status == "down" and f.failing == len(CHECKS)),
        rule("long down", P1, lambda f: f.status == "down" and f.down_for > 3 * HOUR),
        rule("down", P2, is_down),
        rule("slow for long", P3, lambda f: is_failing(f) is True and f.down_for > HOUR),
    ],
    response={P1: POLICIES[P1], P2: replace(POLICIES[P2], calendar="office", remind=(0.25, 0.5, 1.0, 1.5))},
    systems=[replace(a_system(checks=CHECKS), notify=("ops", "managers"))],
)

PAUSES = st.sampled_from([0, 1, 5, 60, 600, 899, 901, 3600, 3601, 4 * 3600, 30 * 3600]).map(
    lambda seconds: timedelta(seconds=seconds)
)


class Incidents(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.play = Play(RULEBOOK)
        self.now = T0
        self.failing: dict[str, FailingCheck] = {}
        self.known: dict[int, Incident] = {}
        self.changes = 0

    # --- what happens ---

    def did(self, before: Incident | None, decision: Decision) -> None:
        """Count a change, and see that it left a line."""
        after = decision.case.incident
        assert all(entry.at <= self.now for entry in decision.entries)
        if decision.refused is not None:
            assert decision.changes_nothing
            assert after == before
        elif after != before:
            assert decision.entries, "an incident changed without a line in the journal"
            assert after is not None
            expected = before.version + 1 if before is not None and before.id == after.id else 1
            assert after.version == expected

    @step(pause=PAUSES)
    def time_passes(self, pause: timedelta) -> None:
        self.now += pause
        self.play.until(self.now)

    @step(pause=PAUSES)
    def the_daemon_stops_for_a_while(self, pause: timedelta) -> None:
        self.now += pause

    @step()
    def the_timekeeper_looks(self) -> None:
        before = self.play.case.incident
        self.did(before, self.play.time(self.now))
        assert self.play.time(self.now).changes_nothing
        assert all(clock.wake_at is None or clock.wake_at > self.now for clock in self.play.case.clocks)

    @step(
        name=st.sampled_from(CHECKS),
        status=st.sampled_from([Status.UP, Status.DEGRADED, Status.DOWN]),
        is_observed=st.booleans(),
    )
    def a_check_says(self, name: str, status: Status, is_observed: bool) -> None:
        known = self.failing.get(name)
        if status is Status.UP:
            self.failing.pop(name, None)
        else:
            since = known.failing_since if known is not None else self.now
            held = known is not None and known.is_held
            self.failing[name] = bad(name, status, since, is_observed=is_observed, is_held=held)

    @step()
    def the_checks_are_compared_with_the_incident(self) -> None:
        case = self.play.case
        graver = case.open.severity if case.open is not None else None
        dues = {clock.kind: clock.due_at for clock in case.clocks if clock.is_running and clock.breached_at is None}
        self.did(case.incident, self.play.look(self.failing.values(), self.now))
        assert self.play.look(self.failing.values(), self.now).changes_nothing
        after = self.play.case.open
        if graver is not None and after is not None and after.severity is not graver:
            assert after.severity.is_graver_than(graver), "it fell by rule"
            self.no_due_time_moved_later(dues)

    def no_due_time_moved_later(self, dues: dict[object, datetime]) -> None:
        for clock in self.play.case.clocks:
            if clock.superseded_at is None and clock.kind in dues:
                assert clock.due_at <= dues[clock.kind]

    @step(ago=PAUSES)
    def somebody_acknowledges(self, ago: timedelta) -> None:
        clicked_at = self.now - min(ago, 2 * HOUR)
        breached_at = next((clock.breached_at for clock in self.current() if clock.kind is RESPONSE), None)
        self.did(self.play.case.incident, self.play.ack(clicked_at, self.now))
        if breached_at is not None and self.play.response.breached_at is None:
            assert self.play.incident.acknowledged_at <= breached_at, "a late answer took a breach back"
        before = self.play.case
        assert self.play.ack(self.now).changes_nothing
        assert self.play.case == before

    @step()
    def somebody_takes_it_back(self) -> None:
        self.did(self.play.case.incident, self.play.unack(self.now))

    @step(severity=st.sampled_from(list(Severity)))
    def somebody_sets_the_severity(self, severity: Severity) -> None:
        self.did(self.play.case.incident, self.play.set_severity(severity, self.now))

    @step(anyway=st.booleans())
    def somebody_closes_it(self, anyway: bool) -> None:
        open_ = self.play.case.open
        still = [check for name, check in self.failing.items() if open_ is not None and name in open_.checks]
        decision = self.play.resolve(self.now, *still, anyway=anyway)
        self.did(open_ or self.play.case.incident, decision)
        if decision.refused is None:
            for check in still:
                self.failing[check.name] = replace(check, is_held=True)

    @precondition(lambda self: self.play.case.incident is not None and not self.play.case.open)
    @step()
    def somebody_opens_it_again(self) -> None:
        self.did(self.play.case.incident, self.play.reopen(self.now))

    @step(name=st.sampled_from(CHECKS))
    def a_check_is_no_longer_watched(self, name: str) -> None:
        self.failing.pop(name, None)
        self.did(self.play.case.incident, self.play.withdraw(self.now, name))

    # --- what always holds ---

    @invariant()
    def at_most_one_is_unresolved(self) -> None:
        incident = self.play.case.incident
        if incident is None:
            return
        self.known[incident.id] = incident
        assert [known.id for known in self.known.values() if known.is_unresolved and known.id != incident.id] == []
        assert incident.id == max(self.known)

    @invariant()
    def an_incident_agrees_with_itself(self) -> None:
        incident = self.play.case.incident
        if incident is None:
            return
        is_resolved = incident.state is IncidentState.RESOLVED
        assert is_resolved == (incident.resolved_at is not None) == (incident.resolution is not None)
        assert (incident.acknowledged_at is None) == (incident.acknowledged_by is None)
        if incident.state is IncidentState.ACKNOWLEDGED:
            assert incident.acknowledged_at is not None
        if incident.state is IncidentState.OPEN:
            assert incident.acknowledged_at is None
        assert incident.failing_since <= incident.opened_at

    @invariant()
    def every_unresolved_incident_with_a_policy_has_its_response_clock(self) -> None:
        incident = self.play.case.open
        if incident is None or incident.severity not in RULEBOOK.response:
            return
        responses = [c for c in self.current() if c.kind is RESPONSE]
        if incident.state is IncidentState.OPEN:
            (clock,) = responses
            assert clock.is_running or clock.met_at is not None
        else:
            assert not any(clock.is_running for clock in responses)

    @invariant()
    def nothing_is_owed_once_it_is_resolved(self) -> None:
        incident = self.play.case.incident
        if incident is not None and not incident.is_unresolved:
            assert not any(clock.is_running for clock in self.play.case.clocks)

    @invariant()
    def clocks_end_in_one_of_the_ways_there_are(self) -> None:
        kinds = [clock.kind for clock in self.current()]
        assert len(kinds) == len(set(kinds))
        for clock in self.current():
            self.is_legal(clock)

    def is_legal(self, clock: Clock) -> None:
        assert (clock.outcome, clock.is_running) in GONE_QUIET | STILL_OWED
        assert (clock.outcome is ClockOutcome.BREACHED) == (clock.breached_at is not None)
        # A deadline that was missed stays where it was, also in the plan of a rise that came after it.
        assert clock.started_at <= clock.due_at or clock.breached_at is not None
        assert list(clock.plan) == sorted(clock.plan, key=lambda reminder: reminder.at)
        if clock.outcome is ClockOutcome.MET:
            assert clock.met_at is not None
            assert clock.met_at <= clock.due_at
        if clock.outcome is ClockOutcome.VOID:
            assert clock.met_at is None
            assert clock.ended_at is not None
            withdrawn = self.play.incident.resolution is Resolution.WITHDRAWN
            assert withdrawn or clock.ended_at <= clock.due_at
        if clock.detected_late:
            assert clock.breached_at is not None

    @invariant()
    def no_two_notices_are_the_same_message(self) -> None:
        keys = [notice.key for notice in self.play.notices]
        assert len(keys) == len(set(keys))

    @invariant()
    def no_deadline_of_an_unresolved_incident_passes_unseen_once_time_was_kept(self) -> None:
        if self.play.last.case.open is None or not self.play.last.entries:
            return
        breaches = {entry.at for entry in self.play.entries if entry.action == "clock_breached"}
        for clock in self.current():
            assert clock.breached_at is None or clock.breached_at in breaches

    def current(self) -> list[Clock]:
        return [clock for clock in self.play.case.clocks if clock.superseded_at is None]

    def teardown(self) -> None:
        """Whatever happened, good checks end it all."""
        self.play.look((), self.now)
        incident = self.play.case.open
        if incident is not None:
            assert incident.checks == (), "nothing fails, and it stays open by itself"


TestIncidents = Incidents.TestCase
TestIncidents.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)
