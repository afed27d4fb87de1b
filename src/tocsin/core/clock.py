"""The clocks of an incident: when each target is due, what is said before and after, how each ends.

Clocks are independent: each has its own target, plan and outcome. All instants are worked out when a clock starts and stored with it, so
editing a policy never moves a running clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tocsin.core.calendar import ALWAYS, due, measure
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
) -> tuple[Clock, ...]:
    """The clocks that a severity's policy starts; none when it has no policy. What was paused (by kind of clock) does not count."""
    policy = rulebook.response.get(severity)
    if policy is None:
        return ()
    targets = ((ClockKind.RESPONSE, policy.acknowledge), (ClockKind.RESOLUTION, policy.resolve))
    return tuple(
        _start(rulebook, policy, incident, kind, target, at, (pauses or {}).get(kind, ()))
        for kind, target in targets
        if target is not None
    )


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
    plan = tuple(Reminder(share, due(calendar, at, target * share, pauses)) for share in policy.remind if share != 1.0)
    return Clock(
        incident=incident,
        kind=kind,
        severity=policy.severity,
        calendar=policy.calendar,
        policy_version=policy.version,
        calendar_version=calendar.version,
        target=target,
        started_at=at,
        due_at=due(calendar, at, target, pauses),
        plan=plan,
        pauses=pauses,
    )


def meet(clock: Clock, at: datetime) -> Clock:
    """What was owed was done at `at`. A breach stays, unless the deed was before the deadline and only heard of after it."""
    if not clock.is_running:
        return clock
    # A breach carried over from a graver plan lies before the deadline of the present one, and stays where it was.
    deadline = clock.breached_at or clock.due_at
    if at <= deadline:
        return replace(clock, outcome=ClockOutcome.MET, met_at=at, ended_at=at, breached_at=None, detected_late=False)
    return replace(clock, outcome=ClockOutcome.BREACHED, breached_at=deadline, met_at=at, ended_at=at)


def owe_again(clock: Clock, now: datetime) -> Clock:
    """The answer was taken back: it is owed against the first deadline, and past reminders are skipped."""
    outcome = None if clock.breached_at is None else ClockOutcome.BREACHED
    return skip_past(replace(clock, outcome=outcome, met_at=None, ended_at=None), now)


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
    # Where the earlier deadline holds, "75%" must not be said after it.
    plan = tuple(r for r in after.plan if r.at > now and (r.share > 1.0 or r.at < due_at))
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
    """Go on after a reopening: what was left when it ended is left now, so the good time between does not count.

    The calendar is the one of the present configuration under the clock's own name for it; its version is noted anew.
    """
    calendar = rulebook.calendars.get(clock.calendar, ALWAYS)
    is_breached = clock.breached_at is not None

    def later(at: datetime) -> datetime:
        return due(calendar, now, measure(calendar, resolved_at, at))

    return replace(
        clock,
        calendar_version=calendar.version,
        pauses=(*clock.pauses, Pause(resolved_at, now, "resolved", "tocsin")),
        due_at=clock.due_at if is_breached else later(clock.due_at),
        plan=tuple(Reminder(r.share, later(r.at)) for r in clock.plan if r.at > resolved_at),
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
