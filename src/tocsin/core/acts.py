"""What people do to an incident: acknowledge, note, assign, set its severity, resolve, reopen. Reached only through the daemon's verbs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from tocsin.core import clock as clocks
from tocsin.core import ladder
from tocsin.core.case import Case, Decision, Draft, FailingCheck, clock_as_data, current, refuse
from tocsin.core.model import Clock, ClockKind, Incident, IncidentState, NoticeKind, Resolution, Severity
from tocsin.core.moves import end, open_again, replan, say_something_new
from tocsin.core.passing import note_passed_deadlines
from tocsin.core.policy import Rulebook


def acknowledge(case: Case, rulebook: Rulebook, actor: str, at: datetime, now: datetime) -> Decision:
    """Answer the incident at `at`, the instant of the click. A second acknowledgement changes nothing."""
    incident = case.incident
    if incident is None or not incident.is_unresolved:
        return refuse(case, "it is resolved already: there is nothing to acknowledge")
    if incident.state is IncidentState.ACKNOWLEDGED:
        return Decision(case)
    clicked_at = min(max(at, incident.opened_at), now)
    draft = Draft(case, now)
    note_passed_deadlines(draft, clicked_at)
    draft.clocks = tuple(
        clocks.meet(clocks.resume(rulebook, clock, clicked_at), clicked_at)
        if clock.kind is ClockKind.RESPONSE and clock.superseded_at is None
        else clock
        for clock in draft.clocks
    )
    draft.incident = replace(
        incident, state=IncidentState.ACKNOWLEDGED, acknowledged_at=clicked_at, acknowledged_by=actor
    )
    say_something_new(draft, rulebook, clicked_at)
    response = next((c for c in current(draft.clocks) if c.kind is ClockKind.RESPONSE), None)
    data: dict[str, Any] = {"clock": clock_as_data(response)} if response is not None else {}
    if response is not None and _was_told_breached(case.clocks) and response.breached_at is None:
        data["breach_withdrawn"] = "the answer was given before the deadline and heard of after it"
    draft.record("incident_acknowledged", actor, {**data, **draft.changed_clocks()}, at=clicked_at)
    draft.say("acknowledged", {"actor": actor, "at": clicked_at.isoformat()})
    return draft.done()


def _was_told_breached(all_clocks: Sequence[Clock]) -> bool:
    return any(c.kind is ClockKind.RESPONSE and c.breached_at is not None for c in current(all_clocks))


def unacknowledge(case: Case, rulebook: Rulebook, actor: str, reason: str, now: datetime) -> Decision:
    """Take the answer back: the response that it gave is owed again, against its first deadline."""
    incident = case.incident
    if incident is None or incident.state is not IncidentState.ACKNOWLEDGED:
        return refuse(case, "it is not acknowledged: there is nothing to take back")
    draft = Draft(case, now)
    draft.clocks = tuple(
        clocks.owe_again(clock, now) if _was_met_by_acknowledgement(clock, incident) else clock for clock in case.clocks
    )
    draft.incident = replace(incident, state=IncidentState.OPEN, acknowledged_at=None, acknowledged_by=None)
    say_something_new(draft, rulebook, now)
    data = {"reason": reason, "was": incident.acknowledged_by}
    draft.record("incident_unacknowledged", actor, {**data, **draft.changed_clocks()})
    draft.say("unacknowledged", {"actor": actor, "reason": reason})
    return draft.done()


def _was_met_by_acknowledgement(clock: Clock, incident: Incident) -> bool:
    """Whether this acknowledgement answered the clock: after a reopening it may have been an earlier one, which stands."""
    is_response = clock.kind is ClockKind.RESPONSE and clock.superseded_at is None
    return is_response and clock.met_at is not None and clock.met_at == incident.acknowledged_at


def note(case: Case, rulebook: Rulebook, actor: str, text: str, now: datetime) -> Decision:
    if case.incident is None:
        return refuse(case, "there is no such incident")
    draft = Draft(case, now)
    say_something_new(draft, rulebook, now)
    draft.record("incident_noted", actor, {"text": text, **draft.changed_clocks()})
    draft.tell(NoticeKind.REPLY, "noted", {"actor": actor, "text": text})
    return draft.done()


def assign(case: Case, rulebook: Rulebook, actor: str, person: str, now: datetime) -> Decision:
    incident = case.open
    if incident is None:
        return refuse(case, "it is resolved already: there is nothing to assign")
    if incident.assignee == person:
        return Decision(case)
    draft = Draft(case, now)
    draft.incident = replace(incident, assignee=person)
    say_something_new(draft, rulebook, now)
    data = {"to": person, "from": incident.assignee}
    draft.record("incident_assigned", actor, {**data, **draft.changed_clocks()})
    draft.say("assigned", {"actor": actor, "to": person})
    return draft.done()


def set_severity(
    case: Case, rulebook: Rulebook, actor: str, severity: Severity, reason: str, now: datetime
) -> Decision:
    """Set the severity by hand. A rise runs from now, a fall counts from the opening; both plans stay in the record."""
    incident = case.open
    if incident is None:
        return refuse(case, "it is resolved already: its severity stays")
    if incident.severity is severity:
        return Decision(case)
    draft = Draft(case, now, rulebook)
    is_rise = severity.is_graver_than(incident.severity)
    note_passed_deadlines(draft, now)
    draft.incident = replace(incident, severity=severity, severity_at=now)
    replan(draft, rulebook, severity, is_rise=is_rise, by_rule=False)
    say_something_new(draft, rulebook, now)
    data = {"from": incident.severity, "to": severity, "reason": reason}
    draft.record("incident_severity_changed", actor, {**data, **draft.changed_clocks()})
    draft.say("severity_changed", {**data, "actor": actor}, rings=is_rise)
    ladder.run_due(draft, rulebook)
    return draft.done()


def resolve(
    case: Case,
    rulebook: Rulebook,
    actor: str,
    text: str,
    still_failing: Sequence[FailingCheck],
    now: datetime,
    *,
    anyway: bool,
) -> Decision:
    """Close by hand. While a check still fails that is refused, unless `anyway`; closing unacknowledged is the answer."""
    incident = case.open
    if incident is None:
        return refuse(case, "it is resolved already")
    if still_failing and not anyway:
        failing = "; ".join(f"{check.name}: {check.text or check.status}" for check in still_failing)
        return refuse(case, f"it still fails ({failing}): mend it, or close it all the same with --anyway")
    draft = Draft(case, now)
    if incident.acknowledged_at is None:
        draft.incident = replace(incident, acknowledged_at=now, acknowledged_by=actor)
    data: dict[str, Any] = {"note": text}
    if still_failing:
        data["still_failing"] = [check.name for check in still_failing]
    end(draft, rulebook, actor, Resolution.BY_HAND, "resolved", data)
    return draft.done()


def reopen(case: Case, rulebook: Rulebook, actor: str, reason: str, now: datetime) -> Decision:
    """Open a resolved incident again, by hand. Without a failing check only a hand resolves it."""
    incident = case.incident
    if incident is None or incident.is_unresolved:
        return refuse(case, "it is not resolved: there is nothing to reopen")
    if incident.resolution is Resolution.WITHDRAWN:
        return refuse(case, "it was withdrawn, since its checks are no longer watched")
    draft = Draft(case, now, rulebook)
    open_again(draft, rulebook, actor, (), incident.text, incident.title)
    if reason:
        draft.record("incident_noted", actor, {"text": reason})
    return draft.done()
