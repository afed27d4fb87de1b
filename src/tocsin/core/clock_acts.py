"""What people do to the clocks of an incident themselves: pause, resume, replan, exclude. Each says why, and stays in the record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from tocsin.core import clock as clocks
from tocsin.core.case import Case, Decision, Draft, current, refuse
from tocsin.core.model import Clock, ClockKind, Incident, IncidentState, NoticeKind
from tocsin.core.moves import is_update_owed, resumed, say_something_new
from tocsin.core.passing import note_passed, note_passed_deadlines
from tocsin.core.policy import Rulebook

USUALLY_PAUSED = (ClockKind.RESOLUTION, ClockKind.UPDATE)
"""Waiting for a supplier delays the end and what there is to say; that somebody answers, it does not."""


# --- pauses ---------------------------------------------------------------------------------------------------------


def pause(
    case: Case, rulebook: Rulebook, actor: str, kinds: Sequence[ClockKind], reason: str, now: datetime
) -> Decision:
    """Stop running clocks (`kinds`, else resolution and update). What was breached stays breached."""
    if case.open is None:
        return refuse(case, "it is resolved already: no clock of it runs")
    wanted = tuple(kinds) or USUALLY_PAUSED
    chosen = [clock.kind for clock in _running(case.clocks) if clock.kind in wanted and not clock.is_paused]
    if not chosen:
        return refuse(case, _why_none_to_pause(case, wanted))
    draft = Draft(case, now, rulebook)
    draft.clocks = tuple(note_passed(draft, clock) if clock.kind in chosen else clock for clock in draft.clocks)
    say_something_new(draft, rulebook, now)
    draft.clocks = tuple(
        clocks.pause(clock, now, reason, actor) if clock.kind in chosen and clock.is_running else clock
        for clock in draft.clocks
    )
    draft.record("incident_paused", actor, {"reason": reason, "paused": chosen, **draft.changed_clocks()})
    draft.say("paused", {"actor": actor, "reason": reason, "clocks": chosen})
    return draft.done()


def _why_none_to_pause(case: Case, wanted: Sequence[ClockKind]) -> str:
    running = _running(case.clocks)
    named = " or ".join(wanted)
    if any(clock.kind in wanted for clock in running):
        return f"its {named} clock is paused already (resume it first)"
    others = [clock.kind for clock in running if not clock.is_paused]
    hint = f"--clock {others[0]} pauses the one that runs" if others else "no clock of it runs"
    return f"no {named} clock of it runs ({hint})"


def resume(
    case: Case, rulebook: Rulebook, actor: str, kinds: Sequence[ClockKind], reason: str, now: datetime
) -> Decision:
    """Let paused clocks (`kinds`, else all) run again, with as much time left as when they were paused."""
    chosen = [c.kind for c in current(case.clocks) if c.is_paused and c.kind in (tuple(kinds) or tuple(ClockKind))]
    if not chosen:
        named = " or ".join(kinds) or "no"
        return refuse(case, f"its {named} clock is not paused" if kinds else "no clock of it is paused")
    draft = Draft(case, now, rulebook)
    draft.clocks = tuple(
        clocks.resume(rulebook, clock, now) if clock.kind in chosen else clock for clock in draft.clocks
    )
    say_something_new(draft, rulebook, now)
    draft.record("incident_resumed", actor, {"reason": reason, "resumed": chosen, **draft.changed_clocks()})
    due = {clock.kind: clock.due_at.isoformat() for clock in _running(draft.clocks) if clock.kind in chosen}
    draft.say("resumed", {"actor": actor, "reason": reason, "clocks": chosen, "due": due})
    return draft.done()


def _running(all_clocks: Sequence[Clock]) -> list[Clock]:
    return [clock for clock in all_clocks if clock.is_running]


# --- another plan ---------------------------------------------------------------------------------------------------


def replan(case: Case, rulebook: Rulebook, actor: str, reason: str, now: datetime) -> Decision:
    """Move the running clocks to the policy and calendar as they are now, each from its own start.

    What the policy does not ask for any more ends being owed, what it asks for anew is owed from now. A deadline that would lie in the
    past is refused: nobody could have kept it.
    """
    incident = case.open
    if incident is None:
        return refuse(case, "it is resolved already: no clock of it runs")
    if rulebook.policy_for(incident.system, incident.severity) is None:
        return refuse(case, f"there is no response policy for {incident.severity} now: its clocks stay as they are")
    draft = Draft(case, now, rulebook)
    note_passed_deadlines(draft, now)
    with resumed(draft, rulebook):
        before = _running(draft.clocks)
        planned = {clock.kind: _planned_anew(rulebook, incident, clock) for clock in before}
        moved = [clock for clock in before if not _is_same_plan(clock, planned[clock.kind])]
        fresh = [*(planned[clock.kind] for clock in moved), *_owed_anew(draft, rulebook, incident)]
        wanted = [clock for clock in fresh if clock is not None]
        if missed := _missed(moved, wanted, now):
            return refuse(case, missed)
        aside = [clock for clock in draft.clocks if clock not in moved]
        draft.clocks = (*aside, *clocks.replan(moved, wanted, now, is_rise=False))
    if not moved and not wanted:
        return Decision(case)
    after = [clock for clock in current(draft.clocks) if clock.kind in {c.kind for c in wanted}]
    plans = {"was": [_plan_as_data(clock) for clock in moved], "is": [_plan_as_data(clock) for clock in after]}
    draft.record("incident_replanned", actor, {"reason": reason, **plans, **draft.changed_clocks()})
    due = {clock.kind: clock.due_at.isoformat() for clock in after}
    draft.say("replanned", {"actor": actor, "reason": reason, "due": due})
    return draft.done()


def _planned_anew(rulebook: Rulebook, incident: Incident, clock: Clock) -> Clock | None:
    asked = (rulebook, incident.id, incident.severity, clock.kind, clock.started_at, clock.pauses)
    return clocks.start_clock(*asked, system=incident.system)


def _is_same_plan(clock: Clock, planned: Clock | None) -> bool:
    def made_of(one: Clock) -> tuple[str, str, str]:
        return one.policy_version, one.calendar, one.calendar_version

    return planned is not None and made_of(clock) == made_of(planned)


def _owed_anew(draft: Draft, rulebook: Rulebook, incident: Incident) -> list[Clock | None]:
    """Clocks that the present policy asks for and that the incident never had."""
    had = {clock.kind for clock in current(draft.clocks)}
    owed = {
        ClockKind.RESPONSE: incident.state is IncidentState.OPEN,
        ClockKind.UPDATE: is_update_owed(draft),
        ClockKind.RESOLUTION: True,
    }
    return [
        clocks.start_clock(rulebook, incident.id, incident.severity, kind, draft.now, system=incident.system)
        for kind, is_owed in owed.items()
        if is_owed and kind not in had
    ]


def _missed(before: Sequence[Clock], after: Sequence[Clock], now: datetime) -> str | None:
    breached = {clock.kind for clock in before if clock.breached_at is not None}
    late = next((clock for clock in after if clock.due_at <= now and clock.kind not in breached), None)
    if late is None:
        return None
    return f"its {late.kind} would have been due at {late.due_at.isoformat()}, in the past: nobody could have kept it"


def _plan_as_data(clock: Clock) -> dict[str, Any]:
    return {
        "clock": clock.kind,
        "due_at": clock.due_at.isoformat(),
        "policy": clock.policy_version,
        "calendar": clock.calendar,
        "calendar_version": clock.calendar_version,
        "remind": [{"share": reminder.share, "at": reminder.at.isoformat()} for reminder in clock.plan],
    }


# --- exclusion ------------------------------------------------------------------------------------------------------


def exclude(case: Case, actor: str, kind: ClockKind, reason: str, now: datetime) -> Decision:
    """Say that a clock must not be held against anybody. Its outcome stays what it is, and the reason stays with it."""
    if not may_approve(actor):
        return refuse(case, f"only a person of the rules, or root, may exclude a clock ({actor} is neither)")
    mine = [clock for clock in case.clocks if clock.kind is kind and clocks.counts(clock)]
    if not mine:
        return refuse(case, f"it has no {kind} clock")
    chosen = [clock for clock in mine if clock.exclusion is None]
    if not chosen:
        known = mine[-1].exclusion or {}
        return refuse(case, f"its {kind} clock is excluded already ({known.get('actor')}: {known.get('reason')})")
    draft = Draft(case, now)
    exclusion = {"actor": actor, "at": now.isoformat(), "reason": reason}
    draft.clocks = tuple(replace(clock, exclusion=exclusion) if clock in chosen else clock for clock in case.clocks)
    draft.record("incident_excluded", actor, {"clock": kind, "reason": reason, **draft.changed_clocks()})
    draft.tell(NoticeKind.REPLY, "excluded", {"actor": actor, "clock": kind, "reason": reason})
    return draft.done()


def may_approve(actor: str) -> bool:
    """A person of the rules, root, or root for a person."""
    return actor.startswith("person:") or actor == "user:root" or " for person:" in actor
