"""What the passing of time does to an incident: reminders, breaches, steps of the ladder, answers that expire."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from tocsin.core import clock as clocks
from tocsin.core import ladder
from tocsin.core.case import TOCSIN, Case, Decision, Draft
from tocsin.core.model import Clock, ClockKind, Incident, IncidentState, NoticeKind, Priority
from tocsin.core.policy import Rulebook


def keep_time(case: Case, rulebook: Rulebook, now: datetime) -> Decision:
    """Everything of the clocks' plans that lies behind `now`, recorded at its true instant, and told.

    On time, each thing is told by itself. What a stop made late is told once for each clock, naming all that passed; what is older than a
    day is for the journal only. Reminders of the resolution begin with the acknowledgement; its breach is always told. Steps of the ladder
    run, and an answer that nothing followed expires.
    """
    if case.open is None:
        return Decision(case)
    draft = Draft(case, now, rulebook)
    ladder.expire(draft, rulebook)
    draft.clocks = tuple(note_passed(draft, clock) for clock in draft.clocks)
    ladder.run_due(draft, rulebook)
    return draft.done()


def note_passed_deadlines(draft: Draft, before: datetime, only: ClockKind | None = None) -> None:
    """Record a deadline that nobody has noted yet, before what is decided now ends its clock or puts another in its place."""

    def is_unnoted(clock: Clock) -> bool:
        is_meant = only is None or clock.kind is only
        is_counting = clock.is_running and not clock.is_paused
        return is_meant and is_counting and clock.breached_at is None and clock.due_at < before

    draft.clocks = tuple(note_passed(draft, clock) if is_unnoted(clock) else clock for clock in draft.clocks)


def note_passed(draft: Draft, clock: Clock) -> Clock:
    """Record and tell what of a clock's plan lies behind now; returns the clock after it."""
    after, passed = clocks.reach(clock, draft.now)
    said = [item for item in passed if item.is_breach or _is_reminded(clock, draft.incident)]
    for item in said:
        _record_passed(draft, clock, item)
    _tell_passed(draft, clock, [item for item in said if draft.now - item.at <= clocks.TOO_OLD_TO_TELL])
    return after


def _is_reminded(clock: Clock, incident: Incident | None) -> bool:
    is_answered = incident is not None and incident.state is IncidentState.ACKNOWLEDGED
    return clock.kind is ClockKind.RESPONSE or is_answered


def _record_passed(draft: Draft, clock: Clock, item: clocks.Passed) -> None:
    data: dict[str, Any] = {
        "clock": clock.kind,
        "share": item.share,
        "due_at": clock.due_at.isoformat(),
        "severity": clock.severity,
    }
    if draft.now - item.at > clocks.LATE_AFTER:
        data["detected_at"] = draft.now.isoformat()
    draft.record("clock_breached" if item.is_breach else "clock_reminded", TOCSIN, data, at=item.at)


def _tell_passed(draft: Draft, clock: Clock, items: Sequence[clocks.Passed]) -> None:
    if not items:
        return
    last = items[-1]
    is_late = draft.now - items[0].at > clocks.LATE_AFTER
    data: dict[str, Any] = {"clock": clock.kind, "due_at": clock.due_at.isoformat(), "late": is_late}
    has_breach = any(item.is_breach for item in items)
    # After a reopening, a rise, or an answer that was taken back, the same share of the same kind of clock is another fact.
    mark = f"v{draft.case_version}:{clock.kind}:{clock.severity}:{clock.started_at.timestamp():.0f}:{last.share}"
    if len(items) > 1:
        listed = [{"share": i.share, "at": i.at.isoformat(), "breach": i.is_breach} for i in items]
        event, data = "late_summary", {**data, "items": listed}
    elif has_breach:
        event = "breached"
    else:
        event, data = "reminder", {**data, "share": last.share}
    # A deadline that passes must ring; an edit or a thread line rings nobody's phone. A missing update is between whoever is on it and
    # the thread.
    is_update = clock.kind is ClockKind.UPDATE
    rings = not is_update and (
        has_breach or (draft.incident is not None and draft.incident.state is IncidentState.OPEN)
    )
    kind = NoticeKind.BROADCAST if rings else NoticeKind.REPLY
    draft.tell(kind, event, data, priority=None if has_breach else Priority.REPEAT, mark=mark)
    draft.tell(NoticeKind.EDIT, event, {}, mark=mark)
