"""What the passing of time does to a go-live watch: it begins, checkpoints are drafted, the shift changes, the review falls due."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from tocsin.core import escalation
from tocsin.core.clock import LATE_AFTER, TOO_OLD_TO_TELL
from tocsin.core.golive import TOCSIN, GoLive, GoLiveDecision, GoLiveDraft, Phase
from tocsin.core.golive_clock import clocks_as_data, note_passed, start_review
from tocsin.core.golive_policy import GoLivePolicy
from tocsin.core.local_time import first_showing, zone_named
from tocsin.core.model import NoticeKind, Priority
from tocsin.core.oncall import shifts, stays_until, who
from tocsin.core.policy import Rulebook

OPENING_WITHIN = timedelta(minutes=1)
"""How long the opening checkpoint waits for a first sample of every system."""
TURN_AHEAD = timedelta(days=31)
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Seen:
    """What was measured and happened, as checkpoints tell it. `sampled` are the systems with a sample since the start."""

    drawn: Mapping[str, Any] = field(default_factory=dict)
    sampled: frozenset[str] = frozenset()


def keep_time(golive: GoLive, rulebook: Rulebook, seen: Seen, now: datetime) -> GoLiveDecision:
    """Everything that lies behind `now`. Asked again at the same instant it changes nothing."""
    draft = GoLiveDraft(golive, rulebook, now, seen.drawn)
    if golive.phase is Phase.PLANNED and golive.starts_at <= now:
        begin(draft, TOCSIN)
    if draft.golive.phase.is_running:
        _change_shift(draft)
        _open(draft, seen)
        note_passed(draft)
        _checkpoint(draft)
        _daily_status(draft)
    return draft.done()


def begin(draft: GoLiveDraft, actor: str) -> None:
    """The watch begins at its planned instant, also where a stop made that late."""
    golive, policy = draft.golive, draft.rulebook.golive
    at = golive.starts_at
    clock = start_review(policy, at, golive.watch_for)
    draft.golive = replace(
        golive,
        phase=Phase.WATCHING,
        started_at=at,
        clocks=(clock,),
        next_checkpoint_at=at + golive.checkpoint_every,
        next_status_at=next_status(policy, at),
        **_on_duty(draft.rulebook, golive, at),
    )
    data: dict[str, Any] = {"due_at": clock.due_at.isoformat(), **clocks_as_data(draft)}
    is_late = draft.now - at > LATE_AFTER
    if is_late:
        data["detected_at"] = draft.now.isoformat()
    draft.record("golive_started", actor, data, at=at)
    was_planned = draft.before.revision > 0
    kind = NoticeKind.BROADCAST if was_planned else NoticeKind.PAGE
    said = {"actor": actor, "due_at": clock.due_at.isoformat(), "late": is_late}
    draft.tell("golive_started", said, kind=kind, mark="begin" if was_planned else "root", priority=Priority.PAGE)
    if was_planned:
        draft.show("begin")


def next_status(policy: GoLivePolicy, after: datetime) -> datetime:
    """The next instant after `after` at which the wall clock shows the time of the daily status."""
    zone = zone_named(policy.zone)
    day = after.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    at = first_showing(zone, day + policy.status_at)
    return at if at > after else first_showing(zone, day + DAY + policy.status_at)


# --- checkpoints ------------------------------------------------------------------------------------------------------


def _open(draft: GoLiveDraft, seen: Seen) -> None:
    """The opening checkpoint, with the first sample after the start; without one after a minute, which it then says."""
    golive = draft.golive
    assert golive.started_at is not None
    if golive.opening_at is not None:
        return
    if set(golive.systems) <= seen.sampled or draft.now - golive.started_at >= OPENING_WITHIN:
        draft.golive = replace(golive, opening_at=draft.now)
        _write(draft, TOCSIN, "opening", "opening", {})


def _checkpoint(draft: GoLiveDraft) -> None:
    """One checkpoint, also where a stop passed over several: what was not written then is not made up now."""
    due_at, every = draft.golive.next_checkpoint_at, draft.golive.checkpoint_every
    if due_at is None or due_at > draft.now:
        return
    passed = (draft.now - due_at) // every
    draft.golive = replace(draft.golive, next_checkpoint_at=due_at + (passed + 1) * every)
    data: dict[str, Any] = {"due_at": due_at.isoformat()}
    if passed:
        data["missed"] = passed
    _write(draft, TOCSIN, "regular", f"checkpoint:{due_at.timestamp():.0f}", data)


def checkpoint(
    golive: GoLive, rulebook: Rulebook, actor: str, text: str, drawn: Mapping[str, Any], now: datetime
) -> GoLiveDecision:
    """One that a person asked for, with their words."""
    draft = GoLiveDraft(golive, rulebook, now, drawn)
    if not golive.phase.is_running:
        return GoLiveDecision(golive, refused="it does not run: there is nothing to measure")
    _write(draft, actor, "asked", "", {"text": text} if text else {})
    return draft.done()


def _write(draft: GoLiveDraft, actor: str, kind: str, mark: str, data: Mapping[str, Any]) -> None:
    told = {**draft.drawn, **data, "kind": kind}
    draft.record("golive_checkpoint", actor, told)
    draft.tell("golive_checkpoint", {**told, "actor": actor}, mark=mark, priority=Priority.REPEAT)
    draft.show(mark)


def _daily_status(draft: GoLiveDraft) -> None:
    due_at = draft.golive.next_status_at
    if due_at is None or due_at > draft.now:
        return
    draft.golive = replace(draft.golive, next_status_at=next_status(draft.rulebook.golive, draft.now))
    told = {**draft.drawn, "due_at": due_at.isoformat()}
    draft.record("golive_status", TOCSIN, told)
    if draft.now - due_at <= TOO_OLD_TO_TELL:
        mark = f"status:{due_at.timestamp():.0f}"
        draft.tell("golive_status", told, kind=NoticeKind.BROADCAST, mark=mark, priority=Priority.REPEAT)
        draft.show(mark)


# --- the shift --------------------------------------------------------------------------------------------------------


def schedules_of(rulebook: Rulebook, golive: GoLive) -> tuple[str, ...]:
    """The on-call schedules that a watch concerns: those that its ladders call, else those named like its systems."""
    policies = [policy for name in golive.systems for policy in _policies(rulebook, name)]
    steps = [step for ladder in (rulebook.golive.ladder, *(policy.ladder for policy in policies)) for step in ladder]
    called = {target.partition(":")[2] for step in steps for target in step.tell if target.startswith("oncall:")}
    chosen = called or set(golive.systems)
    return tuple(name for name in rulebook.oncall if name in chosen)


def _policies(rulebook: Rulebook, system: str) -> list[Any]:
    return [p for severity in rulebook.response if (p := rulebook.policy_for(system, severity)) is not None]


def _on_duty(rulebook: Rulebook, golive: GoLive, at: datetime) -> dict[str, Any]:
    """Who is on call now, and when that is looked at again."""
    duty, until = {}, []
    for name in schedules_of(rulebook, golive):
        turns = shifts(rulebook.oncall[name], at, at + TURN_AHEAD)
        duty[name] = turns[0].person
        until.append(stays_until(turns))
    return {"duty": duty, "duty_until": min(until, default=None)}


def is_shift_over(golive: GoLive, rulebook: Rulebook, now: datetime) -> bool:
    """Whether somebody else may be on call than when that was last looked at, by the schedule or by an override."""
    if golive.duty_until is not None and golive.duty_until <= now:
        return True
    return golive.duty != {name: who(rulebook.oncall[name], now) for name in schedules_of(rulebook, golive)}


def _change_shift(draft: GoLiveDraft) -> None:
    """Whoever takes over is told how the watch stands."""
    before = draft.golive
    if not is_shift_over(before, draft.rulebook, draft.now):
        return
    fresh = _on_duty(draft.rulebook, before, draft.now)
    draft.golive = replace(before, **fresh)
    for name, person in fresh["duty"].items():
        if name not in before.duty or before.duty[name] == person:
            continue
        data = {**draft.drawn, "oncall": name, "person": person, "previous": before.duty[name]}
        draft.record("golive_handover", TOCSIN, data)
        mark = f"handover:{name}:{draft.now.timestamp():.0f}"
        draft.tell("golive_handover", data, mark=mark)
        if person is not None:
            _tell_new(draft, person, data, mark)


def _tell_new(draft: GoLiveDraft, person: str, data: Mapping[str, Any], mark: str) -> None:
    channel = f"{escalation.PERSON}{person}"
    known = draft.rulebook.people.get(person)
    if known is not None and known.slack:
        draft.tell_one(channel, "golive_handover", data, kind=NoticeKind.PAGE, mark=mark)
