"""The review clock of a watch: when the first operations review is due, what is said before and after, who is called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from tocsin.core import clock as clocks
from tocsin.core import escalation
from tocsin.core.calendar import ALWAYS
from tocsin.core.case import clock_as_data
from tocsin.core.clock import LATE_AFTER, TOO_OLD_TO_TELL, Passed
from tocsin.core.golive import TOCSIN, GoLiveDraft
from tocsin.core.golive_policy import GoLivePolicy
from tocsin.core.model import Clock, ClockKind, NoticeKind, Priority, Reminder, Severity
from tocsin.core.policy import ResponsePolicy


def start_review(policy: GoLivePolicy, at: datetime, target: timedelta) -> Clock:
    """A review clock that runs around the clock from `at`: a go-live keeps no office hours."""
    asked = ResponsePolicy(Severity.P2, target, remind=policy.remind, ladder=policy.ladder)
    reminders = tuple(Reminder(share, at + target * share) for share in policy.remind if share != 1.0)
    return Clock(
        incident=0,
        kind=ClockKind.REVIEW,
        severity=asked.severity,
        calendar=ALWAYS.name,
        policy_version=policy.version,
        calendar_version=ALWAYS.version,
        target=target,
        started_at=at,
        due_at=at + target,
        plan=escalation.in_order((*reminders, *escalation.plan(asked, ALWAYS, at))),
    )


def set_clock(draft: GoLiveDraft, clock: Clock) -> None:
    """Put the clock that counts in the place of what it was."""
    draft.golive = replace(draft.golive, clocks=(*draft.golive.clocks[:-1], clock))


def clocks_as_data(draft: GoLiveDraft) -> dict[str, Any]:
    changed = [clock for clock in draft.golive.clocks if clock not in draft.before.clocks]
    return {"clocks": [clock_as_data(clock) for clock in changed]} if changed else {}


def note_passed_review(draft: GoLiveDraft, before: datetime) -> None:
    """Record a review that was due and that nobody noted, before what is decided now ends its clock."""
    clock = draft.golive.clock
    if clock is not None and clock.is_running and clock.breached_at is None and clock.due_at < before:
        note_passed(draft)


def note_passed(draft: GoLiveDraft) -> None:
    """Everything of the plan that lies behind now: at its true instant in the journal, and told.

    What a stop made late is told once, naming all that passed; what is older than a day is for the journal only.
    """
    clock = draft.golive.clock
    if clock is None or not clock.is_running:
        return
    after, passed = clocks.reach(clock, draft.now)
    set_clock(draft, after)
    for item in passed:
        data: dict[str, Any] = {"clock": clock.kind, "share": item.share, "due_at": clock.due_at.isoformat()}
        if draft.now - item.at > LATE_AFTER:
            data["detected_at"] = draft.now.isoformat()
        draft.record("clock_breached" if item.is_breach else "clock_reminded", TOCSIN, data, at=item.at)
    _tell_passed(draft, clock, [item for item in passed if draft.now - item.at <= TOO_OLD_TO_TELL])
    _run_steps(draft)


def _tell_passed(draft: GoLiveDraft, clock: Clock, items: Sequence[Passed]) -> None:
    if not items:
        return
    last, has_breach = items[-1], any(item.is_breach for item in items)
    data: dict[str, Any] = {
        "due_at": clock.due_at.isoformat(),
        "share": last.share,
        "late": draft.now - items[0].at > LATE_AFTER,
        "people": list(draft.golive.signers),
        "items": [{"share": i.share, "at": i.at.isoformat(), "breach": i.is_breach} for i in items],
    }
    mark = f"review:{clock.started_at.timestamp():.0f}:{last.share}"
    event = "golive_breached" if has_breach else "golive_reminder"
    # A deadline that passes must ring, and so must the word before it: a thread line rings nobody's phone.
    draft.tell(event, data, kind=NoticeKind.BROADCAST, mark=mark, priority=Priority.PAGE)
    draft.show(mark)


def _run_steps(draft: GoLiveDraft) -> None:
    """The steps of the ladder that are due. After a stop only the furthest of those that it made late is told."""
    clock = draft.golive.clock
    assert clock is not None
    steps = [step for step in clock.plan if step.tell and step.at <= draft.now]
    for step in steps:
        is_late = draft.now - step.at > LATE_AFTER
        is_told = not is_late or (step is steps[-1] and draft.now - step.at <= TOO_OLD_TO_TELL)
        _run(draft, clock, step, is_late=is_late, is_told=is_told)
    if steps:
        again = (escalation.again(step, ALWAYS, draft.now) for step in steps)
        rest = (one for one in clock.plan if one not in steps)
        plan = escalation.in_order((*rest, *(one for one in again if one is not None)))
        ran = (*clock.ran, *(replace(step, at=draft.now) for step in steps))
        set_clock(draft, replace(clock, plan=plan, ran=ran))


def _run(draft: GoLiveDraft, clock: Clock, step: Reminder, *, is_late: bool, is_told: bool) -> None:
    found = escalation.ways(draft.rulebook, draft.golive.systems[0], step.tell, draft.now) if is_told else ()
    mark = f"step:{clock.started_at.timestamp():.0f}:{step.step}:{step.at.timestamp():.0f}"
    for way in found:
        data = {"step": step.step, "due_at": clock.due_at.isoformat(), "people": list(way.people), "late": is_late}
        kind = NoticeKind.BROADCAST if way.channel in draft.golive.channels else NoticeKind.PAGE
        if way.channel:
            draft.tell_one(
                way.channel, "golive_escalated", data, kind=kind, mark=f"{mark}:{way.target}", priority=Priority.PAGE
            )
    recorded: dict[str, Any] = {
        "step": step.step,
        "share": step.share,
        "targets": list(step.tell),
        "told": [{"target": way.target, "channel": way.channel, "people": list(way.people)} for way in found],
    }
    if is_late:
        recorded["detected_at"] = draft.now.isoformat()
    draft.record("escalation_step", TOCSIN, recorded, at=step.at)
