"""The moves that checks, people and time share: an incident opens again, its clocks are planned anew, it ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

from tocsin.core import clock as clocks
from tocsin.core import ladder
from tocsin.core.case import Draft, clock_as_data, current
from tocsin.core.model import Clock, ClockKind, Incident, IncidentState, Resolution, Severity
from tocsin.core.passing import note_passed_deadlines
from tocsin.core.policy import Rulebook


def open_again(draft: Draft, rulebook: Rulebook, actor: str, checks: tuple[str, ...], text: str, title: str) -> None:
    incident, now = draft.incident, draft.now
    assert incident is not None
    assert incident.resolved_at is not None
    quiet_since = incident.resolved_at
    draft.clocks = tuple(
        clocks.run_again(rulebook, clock, quiet_since, now) if _runs_again(clock, quiet_since) else clock
        for clock in draft.clocks
    )
    draft.incident = replace(
        incident,
        state=IncidentState.OPEN,
        title=title,
        text=text,
        checks=checks,
        acknowledged_at=None,
        acknowledged_by=None,
        resolved_at=None,
        resolved_by=None,
        resolution=None,
        reopened=incident.reopened + 1,
    )
    data = {"checks": list(checks), "text": draft.incident.text, "quiet_since": quiet_since.isoformat()}
    draft.record("incident_reopened", actor, {**data, "clocks": [clock_as_data(c) for c in current(draft.clocks)]})
    draft.say("reopened", {"text": draft.incident.text, "actor": actor}, rings=True)


def _runs_again(clock: Clock, resolved_at: datetime) -> bool:
    """The response stays as it was decided, unless nobody had had to answer; the resolution goes on.

    An update is owed again from the next acknowledgement on.
    """
    if clock.superseded_at is not None or clock.ended_at is None or clock.kind is ClockKind.UPDATE:
        return False
    return clock.met_at is None if clock.kind is ClockKind.RESPONSE else clock.ended_at >= resolved_at


def _answered(fresh: Clock, incident: Incident) -> Clock | None:
    """A new clock as a given acknowledgement leaves it: its response is met already (also where the old severity had no policy).

    None where a fall would make an answer late that was not when it was given.
    """
    if fresh.kind is not ClockKind.RESPONSE or incident.acknowledged_at is None:
        return fresh
    return clocks.meet(fresh, incident.acknowledged_at) if incident.acknowledged_at <= fresh.due_at else None


def replan(draft: Draft, rulebook: Rulebook, severity: Severity, *, is_rise: bool, by_rule: bool) -> None:
    """Put the clocks of another severity in place: from now in a rise, from the opening in a fall, good minutes left out.

    Done by hand it is something new to say, so the time until the next word starts again by itself.
    """
    incident = draft.incident
    assert incident is not None
    with resumed(draft, rulebook):
        pauses = {clock.kind: clock.pauses for clock in current(draft.clocks)}
        start_at = draft.now if is_rise else incident.opened_at
        system, uncounted = incident.system, None if is_rise else pauses
        fresh = clocks.start_clocks(rulebook, incident.id, severity, start_at, uncounted, system=system)
        fresh = tuple(answered for clock in fresh if (answered := _answered(clock, incident)) is not None)
        update = clocks.start_update(rulebook, incident.id, severity, draft.now, system=system)
        if by_rule and update is not None and is_update_owed(draft):
            fresh = (*fresh, update)
        aside = () if by_rule else tuple(clock for clock in draft.clocks if clock.kind is ClockKind.UPDATE)
        planned = tuple(clock for clock in draft.clocks if clock not in aside)
        draft.clocks = (*aside, *clocks.replan(planned, fresh, draft.now, is_rise=is_rise))


@contextmanager
def resumed(draft: Draft, rulebook: Rulebook) -> Iterator[None]:
    """Let what is paused run while new plans are made, so that every deadline is known, and pause it again afterwards."""
    pauses = {clock.kind: clock.pauses[-1] for clock in current(draft.clocks) if clock.is_paused}
    draft.clocks = tuple(clocks.resume(rulebook, clock, draft.now) for clock in draft.clocks)
    yield
    draft.clocks = tuple(
        clocks.pause(clock, draft.now, pauses[clock.kind].reason, pauses[clock.kind].actor)
        if clock.is_running and clock.kind in pauses
        else clock
        for clock in draft.clocks
    )


def is_update_owed(draft: Draft) -> bool:
    """Whether people wait for the next word: from the acknowledgement on, until it ends."""
    incident = draft.incident
    if incident is None or not incident.is_unresolved:
        return False
    has_running = any(clock.kind is ClockKind.UPDATE and clock.is_running for clock in draft.clocks)
    return has_running or incident.state is IncidentState.ACKNOWLEDGED


def say_something_new(draft: Draft, rulebook: Rulebook, at: datetime) -> None:
    """A person did something, so whoever waits has heard of it: the time until the next word starts again, and the answer holds on."""
    ladder.hold(draft, rulebook)
    update = next((clock for clock in current(draft.clocks) if clock.kind is ClockKind.UPDATE), None)
    incident = draft.incident
    if incident is None or not is_update_owed(draft) or (update is not None and at <= update.started_at):
        return
    note_passed_deadlines(draft, at, ClockKind.UPDATE)
    fresh = clocks.start_update(rulebook, incident.id, incident.severity, at, system=incident.system)
    draft.clocks = clocks.say_something_new(rulebook, draft.clocks, fresh, at)


def end(
    draft: Draft, rulebook: Rulebook, actor: str, resolution: Resolution, event: str, data: Mapping[str, Any]
) -> None:
    incident, now = draft.incident, draft.now
    assert incident is not None
    answered = resolution is Resolution.BY_HAND
    note_passed_deadlines(draft, now)
    draft.clocks = tuple(
        _ended(clocks.resume(rulebook, clock, now), now, answered, resolution) for clock in draft.clocks
    )
    draft.incident = replace(
        incident,
        state=IncidentState.RESOLVED,
        checks=(),
        resolved_at=now,
        resolved_by=actor,
        resolution=resolution,
    )
    ladder.hold(draft, rulebook)
    outcomes = [clock_as_data(clock) for clock in current(draft.clocks)]
    draft.record("incident_resolved", actor, {**data, "resolution": resolution, "clocks": outcomes})
    draft.say(event, {**data, "actor": actor})


def _ended(clock: Clock, now: datetime, answered: bool, resolution: Resolution) -> Clock:
    """A recovery meets the resolution and voids what nobody had to say any more; a withdrawal voids everything."""
    if resolution is Resolution.WITHDRAWN or (clock.kind is not ClockKind.RESOLUTION and not answered):
        return clocks.void(clock, now)
    return clocks.meet(clock, now)
