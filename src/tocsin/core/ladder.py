"""Climbing the ladder: steps that are due run, one can be run by hand, and an answer that nothing follows expires.

Steps stand in the plan of the response clock, so whatever ends that clock ends them, in the same transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tocsin.core import clock as clocks
from tocsin.core import escalation
from tocsin.core.calendar import ALWAYS, CalendarHasNoHours, due
from tocsin.core.escalation import Way
from tocsin.core.model import Clock, ClockKind, IncidentState, NoticeKind, Reminder, Severity
from tocsin.core.policy import Rulebook

if TYPE_CHECKING:
    from tocsin.core.case import Draft

TOCSIN = "tocsin"


def response_of(all_clocks: Sequence[Clock]) -> Clock | None:
    """The response clock that counts."""
    return next((c for c in all_clocks if c.kind is ClockKind.RESPONSE and c.superseded_at is None), None)


# --- steps ------------------------------------------------------------------------------------------------------------


def run_due(draft: Draft, rulebook: Rulebook) -> None:
    """Run the steps that are due. After a stop only the furthest of those that it made late is told; all are recorded."""
    clock = response_of(draft.clocks)
    if clock is None or not clock.is_running or clock.is_paused:
        return
    steps = [reminder for reminder in clock.plan if reminder.tell and reminder.at <= draft.now]
    for step in steps:
        is_late = draft.now - step.at > clocks.LATE_AFTER
        is_told = not is_late or (step is steps[-1] and draft.now - step.at <= clocks.TOO_OLD_TO_TELL)
        _run(draft, rulebook, clock, step, TOCSIN, is_told=is_told)
    _keep(draft, _after(rulebook, clock, steps, draft.now))


def run_next(draft: Draft, rulebook: Rulebook, actor: str) -> Reminder | None:
    """Run the next step now, by hand; None when there is none."""
    clock = response_of(draft.clocks)
    step = next((r for r in clock.plan if r.tell), None) if clock is not None and clock.is_running else None
    if clock is None or step is None:
        return None
    _run(draft, rulebook, clock, replace(step, at=draft.now), actor, is_told=True)
    _keep(draft, _after(rulebook, clock, [step], draft.now))
    return step


def _keep(draft: Draft, after: Clock) -> None:
    draft.clocks = tuple(after if _is_same(clock, after) else clock for clock in draft.clocks)


def _is_same(clock: Clock, after: Clock) -> bool:
    return clock.kind is after.kind and clock.superseded_at is None


def _after(rulebook: Rulebook, clock: Clock, steps: Sequence[Reminder], now: datetime) -> Clock:
    """The clock without the steps that ran; those that repeat are planned again."""
    if not steps:
        return clock
    repeated = (_following(rulebook, clock, step, now) for step in steps)
    rest = [reminder for reminder in clock.plan if reminder not in steps]
    newest = {step.step: replace(step, at=now) for step in steps}
    ran = (*(done for done in clock.ran if done.step not in newest), *newest.values())
    return replace(clock, plan=escalation.in_order((*rest, *(r for r in repeated if r is not None))), ran=ran)


def _following(rulebook: Rulebook, clock: Clock, step: Reminder, now: datetime) -> Reminder | None:
    ran = replace(step, at=min(step.at, now))
    try:
        return escalation.again(ran, rulebook.calendars.get(clock.calendar, ALWAYS), now)
    except CalendarHasNoHours:
        return escalation.again(ran, ALWAYS, now)


def _run(draft: Draft, rulebook: Rulebook, clock: Clock, step: Reminder, actor: str, *, is_told: bool) -> None:
    assert draft.incident is not None
    found = escalation.ways(rulebook, draft.incident.system, step.tell, draft.now) if is_told else ()
    mark = f"step:{clock.severity}:{clock.started_at.timestamp():.0f}:{step.step}:{step.at.timestamp():.0f}"
    is_late = draft.now - step.at > clocks.LATE_AFTER
    data = {"step": step.step, "share": step.share, "at": step.at.isoformat(), "late": is_late}
    if actor != TOCSIN:
        data["actor"] = actor
    told = [_tell(draft, way, data, mark) for way in found]
    recorded: dict[str, Any] = {
        "step": step.step,
        "share": step.share,
        "clock_started_at": clock.started_at.isoformat(),
        "targets": list(step.tell),
        "told": told,
    }
    if not is_told:
        recorded["passed_over"] = True
    if is_late:
        recorded["detected_at"] = draft.now.isoformat()
    if (following := _following(rulebook, clock, step, draft.now)) is not None:
        recorded["next_at"] = following.at.isoformat()
    draft.record("escalation_step", actor, recorded, at=step.at)


def call(draft: Draft, rulebook: Rulebook, actor: str, target: str) -> None:
    """Tell somebody who is not on the ladder, or not yet: by hand, at once."""
    assert draft.incident is not None
    found = escalation.ways(rulebook, draft.incident.system, (target,), draft.now)
    mark = f"call:v{draft.case_version}"
    told = [_tell(draft, way, {"actor": actor, "at": draft.now.isoformat(), "late": False}, mark) for way in found]
    draft.record("incident_escalated", actor, {"target": target, "told": told})


def _tell(draft: Draft, way: Way, data: dict[str, Any], mark: str) -> dict[str, Any]:
    """Promise the page to a channel that has none yet, a line that rings to one that has. Returns what was promised, as data."""
    assert draft.incident is not None
    told: dict[str, Any] = {"target": way.target, "channel": way.channel, "people": list(way.people)}
    if way.detour is not None:
        told["detour"] = way.detour
    if not way.channel:
        return {**told, "notice": None}
    said = {**data, "target": way.target, "people": list(way.people), **({"detour": way.detour} if way.detour else {})}
    page = next((n for n in draft.notices if n.channel == way.channel and n.kind is NoticeKind.PAGE), None)
    if page is not None and not way.people and way.detour is None:
        return {**told, "notice": page.key}
    kind = NoticeKind.BROADCAST if way.channel in draft.incident.channels else NoticeKind.PAGE
    # Two ways may lead to one channel, such as to two people without Slack: each is a message of its own.
    notice = draft.tell_one(way.channel, kind, "escalated", said, mark=f"{mark}:{way.target}"[:150])
    draft.incident = replace(draft.incident, channels=tuple(dict.fromkeys((*draft.incident.channels, way.channel))))
    told["notice"] = notice.key
    if notice.not_before is not None:
        told["not_before"] = notice.not_before.isoformat()
    return told


# --- an answer that nothing follows -----------------------------------------------------------------------------------


def hold(draft: Draft, rulebook: Rulebook) -> None:
    """Somebody answered, or did something after it: the answer holds for `acknowledge_for` of working time from now."""
    incident, clock = draft.incident, response_of(draft.clocks)
    if incident is None or clock is None:
        return
    until = None
    if incident.state is IncidentState.ACKNOWLEDGED and not clock.is_running:
        until = _held_until(rulebook, incident.system, incident.severity, draft.now)
    if clock.held_until != until:
        _keep(draft, replace(clock, held_until=until))


def _held_until(rulebook: Rulebook, system: str, severity: Severity, now: datetime) -> datetime | None:
    policy = rulebook.policy_for(system, severity)
    if policy is None or policy.acknowledge_for is None:
        return None
    try:
        return due(rulebook.calendars.get(policy.calendar, ALWAYS), now, policy.acknowledge_for)
    except CalendarHasNoHours:
        return now + policy.acknowledge_for


def expire(draft: Draft, rulebook: Rulebook) -> None:
    """Nothing followed the answer: the incident is open again, and the response goes on with what was left of it.

    The time for which somebody was on it is left out, like a pause, so the ladder goes on where it stopped.
    """
    incident, clock = draft.incident, response_of(draft.clocks)
    if incident is None or clock is None or clock.held_until is None or clock.held_until > draft.now:
        return
    if incident.state is not IncidentState.ACKNOWLEDGED:
        _keep(draft, replace(clock, held_until=None))
        return
    answered_at, expired_at = incident.acknowledged_at or draft.now, clock.held_until
    running = replace(clock, held_until=None)
    if clock.met_at == incident.acknowledged_at:
        running = clocks.run_again(rulebook, running, answered_at, draft.now, "acknowledged")
    _keep(draft, running)
    draft.incident = replace(incident, state=IncidentState.OPEN, acknowledged_at=None, acknowledged_by=None)
    data: dict[str, Any] = {"was": incident.acknowledged_by, "acknowledged_at": answered_at.isoformat()}
    draft.record("acknowledgement_expired", TOCSIN, {**data, **draft.changed_clocks()}, at=expired_at)
    draft.say("acknowledgement_expired", {"actor": incident.acknowledged_by or "", **data}, rings=True)
