"""The clocks of an incident: when each target is due, what is said before and after, how each ends.

Clocks are independent: each has its own target, plan and outcome. All instants are worked out when a clock starts and stored with it, so
editing a policy never moves a running clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tocsin.core.calendar import ALWAYS, due
from tocsin.core.model import Clock, ClockKind, ClockOutcome, Pause, Reminder, Severity
from tocsin.core.policy import ResponsePolicy, Rulebook

LATE_AFTER = timedelta(seconds=10)
TOO_OLD_TO_TELL = timedelta(hours=24)


def start_clocks(rulebook: Rulebook, incident: int, severity: Severity, at: datetime) -> tuple[Clock, ...]:
    """The clocks that a severity's policy starts; none when it has no policy."""
    policy = rulebook.response.get(severity)
    if policy is None:
        return ()
    targets = ((ClockKind.RESPONSE, policy.acknowledge), (ClockKind.RESOLUTION, policy.resolve))
    return tuple(_start(rulebook, policy, incident, kind, target, at) for kind, target in targets if target is not None)


def _start(
    rulebook: Rulebook, policy: ResponsePolicy, incident: int, kind: ClockKind, target: timedelta, at: datetime
) -> Clock:
    calendar = rulebook.calendars.get(policy.calendar, ALWAYS)
    plan = tuple(Reminder(share, due(calendar, at, target * share)) for share in policy.remind if share != 1.0)
    return Clock(
        incident=incident,
        kind=kind,
        severity=policy.severity,
        calendar=policy.calendar,
        policy_version=policy.version,
        calendar_version=calendar.version,
        target=target,
        started_at=at,
        due_at=due(calendar, at, target),
        plan=plan,
    )


def meet(clock: Clock, at: datetime) -> Clock:
    """What was owed was done at `at`. A breach stays, unless the deed was before the deadline and only heard of after it."""
    if not clock.is_running:
        return clock
    if at <= clock.due_at:
        return replace(clock, outcome=ClockOutcome.MET, met_at=at, ended_at=at, breached_at=None, detected_late=False)
    return replace(clock, outcome=ClockOutcome.BREACHED, breached_at=clock.due_at, met_at=at, ended_at=at)


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
    plan = tuple(reminder for reminder in after.plan if reminder.at > now)
    return replace(
        after,
        due_at=due_at,
        plan=plan,
        outcome=before.outcome,
        breached_at=before.breached_at,
        detected_late=before.detected_late,
        pauses=before.pauses,
    )


def skip_past(clock: Clock, now: datetime) -> Clock:
    return replace(clock, plan=tuple(reminder for reminder in clock.plan if reminder.at > now))


def run_again(rulebook: Rulebook, clock: Clock, resolved_at: datetime, now: datetime) -> Clock:
    """Go on after a reopening: the good time between does not count, past reminders are skipped.

    The calendar is the one of the present configuration under the clock's own name for it; its version is noted anew.
    """
    calendar = rulebook.calendars.get(clock.calendar, ALWAYS)
    pauses = (*clock.pauses, Pause(resolved_at, now, "resolved", "tocsin"))
    due_at = due(calendar, clock.started_at, clock.target, pauses)
    is_breached = clock.breached_at is not None
    policy = rulebook.response.get(clock.severity)
    shares = policy.remind if policy is not None else ()
    plan = tuple(Reminder(s, due(calendar, clock.started_at, clock.target * s, pauses)) for s in shares if s != 1.0)
    return replace(
        clock,
        calendar_version=calendar.version,
        pauses=pauses,
        due_at=clock.due_at if is_breached else due_at,
        plan=tuple(reminder for reminder in plan if reminder.at > now),
        outcome=ClockOutcome.BREACHED if is_breached else None,
        met_at=None,
        ended_at=None,
    )


@dataclass(frozen=True, slots=True)
class Passed:
    """Something of a clock's plan that lies behind `now`: a share of the target, or the deadline itself (share 1.0)."""

    share: float
    at: datetime
    is_breach: bool


def reach(clock: Clock, now: datetime) -> tuple[Clock, tuple[Passed, ...]]:
    """Return the clock after everything up to `now` has passed, and what passed, in order of time."""
    if not clock.is_running:
        return clock, ()
    passed = [Passed(r.share, r.at, is_breach=False) for r in clock.plan if r.at <= now]
    after = skip_past(clock, now)
    if clock.breached_at is None and clock.due_at <= now:
        passed.append(Passed(1.0, clock.due_at, is_breach=True))
        after = replace(
            after,
            outcome=ClockOutcome.BREACHED,
            breached_at=clock.due_at,
            detected_late=now - clock.due_at > LATE_AFTER,
        )
    return after, tuple(sorted(passed, key=lambda p: (p.at, p.share)))
