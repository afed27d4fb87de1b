"""The clocks of an incident: when each target is due, what is said before and after, how each ends.

Clocks are independent: each has its own target, plan and outcome. All instants are worked out when a clock starts and stored with it, so
editing a policy never moves a running clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never

from tocsin.core import escalation
from tocsin.core.calendar import ALWAYS, Calendar, CalendarHasNoHours, due, measure
from tocsin.core.model import Clock, ClockKind, ClockOutcome, Pause, Reminder, Severity
from tocsin.core.policy import ResponsePolicy, Rulebook

LATE_AFTER = timedelta(seconds=10)
TOO_OLD_TO_TELL = timedelta(hours=24)


def start_clocks(
    rulebook: Rulebook,
    incident: int,
    severity: Severity,
    at: datetime,
    pauses: Mapping[ClockKind, tuple[Pause, ...]] | None = None,
    *,
    system: str,
) -> tuple[Clock, ...]:
    """The clocks that an incident of a severity starts with; none without a policy. What was paused (by kind of clock) does not count."""
    kinds = (ClockKind.RESPONSE, ClockKind.RESOLUTION)
    paused = pauses or {}
    started = (
        start_clock(rulebook, incident, severity, kind, at, paused.get(kind, ()), system=system) for kind in kinds
    )
    return tuple(clock for clock in started if clock is not None)


def _start(
    rulebook: Rulebook,
    policy: ResponsePolicy,
    incident: int,
    kind: ClockKind,
    target: timedelta,
    at: datetime,
    pauses: tuple[Pause, ...],
) -> Clock:
    calendar = rulebook.calendars.get(policy.calendar, ALWAYS)
    try:
        return _on_calendar(calendar, policy, incident, kind, target, at, pauses)
    except CalendarHasNoHours:
        # Rather a deadline that runs around the clock than an incident that is lost; `unworkable` tells of it.
        return _on_calendar(ALWAYS, policy, incident, kind, target, at, pauses)


def _on_calendar(
    calendar: Calendar,
    policy: ResponsePolicy,
    incident: int,
    kind: ClockKind,
    target: timedelta,
    at: datetime,
    pauses: tuple[Pause, ...],
) -> Clock:
    # Of an update the lapse itself is the one reminder.
    shares = () if kind is ClockKind.UPDATE else policy.remind
    reminders = tuple(Reminder(share, due(calendar, at, target * share, pauses)) for share in shares if share != 1.0)
    steps = escalation.plan(policy, calendar, at, pauses) if kind is ClockKind.RESPONSE else ()
    return Clock(
        incident=incident,
        kind=kind,
        severity=policy.severity,
        calendar=calendar.name,
        policy_version=policy.version,
        calendar_version=calendar.version,
        target=target,
        started_at=at,
        due_at=due(calendar, at, target, pauses),
        plan=escalation.in_order((*reminders, *steps)),
        pauses=pauses,
    )


def start_update(rulebook: Rulebook, incident: int, severity: Severity, at: datetime, *, system: str) -> Clock | None:
    """The time until people must hear something new, from `at`; None when the policy asks for no updates."""
    return start_clock(rulebook, incident, severity, ClockKind.UPDATE, at, system=system)


def start_clock(
    rulebook: Rulebook,
    incident: int,
    severity: Severity,
    kind: ClockKind,
    at: datetime,
    pauses: tuple[Pause, ...] = (),
    *,
    system: str,
) -> Clock | None:
    """One clock as the present policy of its system has it; None when it has no such target."""
    policy = rulebook.policy_for(system, severity)
    target = None if policy is None else _target(policy, kind)
    if policy is None or target is None:
        return None
    return _start(rulebook, policy, incident, kind, target, at, pauses)


def _target(policy: ResponsePolicy, kind: ClockKind) -> timedelta | None:
    match kind:
        case ClockKind.RESPONSE:
            return policy.acknowledge
        case ClockKind.UPDATE:
            return policy.update
        case ClockKind.RESOLUTION:
            return policy.resolve
        case ClockKind.REVIEW:
            return None
        case _:
            assert_never(kind)


def unworkable(rulebook: Rulebook, now: datetime) -> tuple[str, ...]:
    """What is wrong with policies whose calendar has not the working time that they ask for: their clocks run around the clock."""
    found = []
    for policy in rulebook.response.values():
        calendar = rulebook.calendars.get(policy.calendar, ALWAYS)
        targets = (policy.acknowledge, policy.update, policy.resolve)
        longest = max(target for target in targets if target is not None) * max((1.0, *policy.remind))
        try:
            due(calendar, now, longest)
        except CalendarHasNoHours as error:
            found.append(f"response {policy.severity}: {error}: its clocks run 24x7")
    return tuple(found)


def meet(clock: Clock, at: datetime) -> Clock:
    """What was owed was done at `at`. A breach stays, unless the deed was before the deadline and only heard of after it.

    A paused clock must be resumed first, so that its deadline is known.
    """
    if not clock.is_running:
        return clock
    # A breach carried over from a graver plan lies before the deadline of the present one, and stays where it was.
    deadline = clock.breached_at or clock.due_at
    if at <= deadline:
        return replace(clock, outcome=ClockOutcome.MET, met_at=at, ended_at=at, breached_at=None, detected_late=False)
    return replace(clock, outcome=ClockOutcome.BREACHED, breached_at=deadline, met_at=at, ended_at=at)


def owe_again(clock: Clock, now: datetime) -> Clock:
    """The answer was taken back: it is owed against the first deadline, and past reminders are skipped.

    Of the steps that passed meanwhile the furthest runs now: whoever it tells would be at it by then.
    """
    outcome = None if clock.breached_at is None else ClockOutcome.BREACHED
    missed = [replace(reminder, at=now) for reminder in clock.plan if reminder.tell and reminder.at <= now]
    again = skip_past(replace(clock, outcome=outcome, met_at=None, ended_at=None), now)
    return replace(again, plan=escalation.in_order((*missed[-1:], *(r for r in again.plan if r.at > now))))


def void(clock: Clock, at: datetime) -> Clock:
    """Nobody had to answer any more. A breach stays."""
    if not clock.is_running:
        return clock
    return replace(clock, outcome=clock.outcome or ClockOutcome.VOID, ended_at=at)


def replan(old: Sequence[Clock], new: Sequence[Clock], now: datetime, *, is_rise: bool) -> tuple[Clock, ...]:
    """Replace running clocks by those of another severity; returns all of them, the old ones superseded.

    In a rise no due time moves later than it was. What was answered stays answered, what was breached stays breached, and
    reminders of the new plan that lie in the past are skipped.
    """
    current = {clock.kind: clock for clock in old if clock.superseded_at is None}
    kept = [clock for clock in old if clock.superseded_at is not None]
    for kind in ClockKind:
        before, after = current.get(kind), next((clock for clock in new if clock.kind is kind), None)
        if before is not None and (not before.is_running or (is_rise and after is None)):
            kept.append(before)
        elif before is not None:
            kept.append(replace(before, superseded_at=now))
            if after is not None:
                kept.append(_carried(before, after, now, is_rise))
        elif after is not None:
            kept.append(skip_past(after, now))
    return tuple(kept)


def _carried(before: Clock, after: Clock, now: datetime, is_rise: bool) -> Clock:
    due_at = min(before.due_at, after.due_at) if is_rise else after.due_at
    # Where the earlier deadline holds, "75%" must not be said after it; a step is for people, and holds all the same.
    plan = skip_past(after, now).plan
    plan = tuple(r for r in plan if r.tell or r.share > 1.0 or r.at < due_at)
    told = {step.tell for step in before.ran}
    plan = tuple(r for r in plan if not (r.tell and r.tell in told))
    return replace(
        after,
        due_at=due_at,
        plan=plan,
        outcome=before.outcome,
        breached_at=before.breached_at,
        detected_late=before.detected_late,
        pauses=before.pauses,
        exclusion=before.exclusion,
        ran=before.ran,
    )


def skip_past(clock: Clock, now: datetime) -> Clock:
    """Leave out what lies in the past. A step that is due this very instant is not past: it runs."""
    return replace(clock, plan=tuple(r for r in clock.plan if r.at > now or (r.tell and r.at == now)))


def run_again(rulebook: Rulebook, clock: Clock, resolved_at: datetime, now: datetime, why: str = "resolved") -> Clock:
    """Go on after a reopening: what was left when it ended is left now, so the good time between does not count."""
    outcome = None if clock.breached_at is None else ClockOutcome.BREACHED
    again = replace(clock, outcome=outcome, met_at=None, ended_at=None)
    return _go_on(rulebook, replace(again, pauses=(*clock.pauses, Pause(resolved_at, now, why, "tocsin"))))


def pause(clock: Clock, since: datetime, reason: str, actor: str) -> Clock:
    """Stop counting. What a breached clock would still have told is put off as well."""
    earlier = tuple(done for done in clock.pauses if done.end != done.start)
    return replace(clock, pauses=(*earlier, Pause(since, None, reason, actor)))


def resume(rulebook: Rulebook, clock: Clock, at: datetime) -> Clock:
    """Go on after a pause: what was left when it began is left at `at`. Without a pause nothing changes."""
    if not clock.is_paused:
        return clock
    *earlier, last = clock.pauses
    return _go_on(rulebook, replace(clock, pauses=(*earlier, replace(last, end=max(at, last.start)))))


def _go_on(rulebook: Rulebook, clock: Clock) -> Clock:
    """Move the deadline and what is planned behind the last pause. A deadline that was missed stays where it was."""
    last = clock.pauses[-1]
    stopped_at, now = last.start, last.end or last.start
    # A step that was due and had not run by then is due at once afterwards.
    plan = tuple(
        replace(r, at=_moved(rulebook, clock, stopped_at, now, r.at) if r.at > stopped_at else now)
        for r in clock.plan
        if r.at > stopped_at or r.tell
    )
    if clock.breached_at is not None:
        return replace(clock, plan=plan)
    return replace(clock, plan=plan, due_at=_moved(rulebook, clock, stopped_at, now, clock.due_at))


def _moved(rulebook: Rulebook, clock: Clock, stopped_at: datetime, now: datetime, at: datetime) -> datetime:
    """An instant of the plan after a stop: with as much working time before it as there was.

    Where the clock's own calendar is no longer known, as much time of any kind: nobody gets less than was promised.
    """
    calendar = ALWAYS if clock.calendar == ALWAYS.name else rulebook.calendars.get(clock.calendar)
    if calendar is not None and calendar.version == clock.calendar_version:
        try:
            return due(calendar, now, measure(calendar, stopped_at, at))
        except CalendarHasNoHours:
            pass
    return at + (now - stopped_at)


def say_something_new(
    rulebook: Rulebook, all_clocks: Sequence[Clock], fresh: Clock | None, at: datetime
) -> tuple[Clock, ...]:
    """End the time until the next word, and start it again (`fresh`, None when no further word is owed).

    Each such time is a clock of its own that keeps its outcome. One that was paused stays paused.
    """
    before = next((c for c in all_clocks if c.kind is ClockKind.UPDATE and c.superseded_at is None), None)
    if before is None:
        return (*all_clocks, fresh) if fresh is not None else tuple(all_clocks)
    if fresh is not None and before.is_running and before.is_paused:
        fresh = pause(fresh, at, before.pauses[-1].reason, before.pauses[-1].actor)
    ended = meet(resume(rulebook, before, at), at)
    others = (c for c in all_clocks if c is not before)
    return (*others, ended) if fresh is None else (*others, replace(ended, superseded_at=at), fresh)


def counts(clock: Clock) -> bool:
    """Whether a clock counts in figures: not when another took its place before it ended."""
    return clock.superseded_at is None or clock.ended_at is not None


@dataclass(frozen=True, slots=True)
class Passed:
    """Something of a clock's plan that lies behind `now`: a share of the target, or the deadline itself (share 1.0)."""

    share: float
    at: datetime
    is_breach: bool


def reach(clock: Clock, now: datetime) -> tuple[Clock, tuple[Passed, ...]]:
    """Return the clock after everything up to `now` has passed, and what passed, in order of time."""
    if not clock.is_running or clock.is_paused:
        return clock, ()
    passed = [Passed(r.share, r.at, is_breach=False) for r in clock.plan if r.at <= now and not r.tell]
    after = replace(clock, plan=tuple(r for r in clock.plan if r.at > now or r.tell))
    if clock.breached_at is None and clock.due_at <= now:
        passed.append(Passed(1.0, clock.due_at, is_breach=True))
        after = replace(
            after,
            outcome=ClockOutcome.BREACHED,
            breached_at=clock.due_at,
            detected_late=now - clock.due_at > LATE_AFTER,
        )
    return after, tuple(sorted(passed, key=lambda p: (p.at, p.share)))
