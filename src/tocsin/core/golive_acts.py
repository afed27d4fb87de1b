"""What people do to a go-live watch: plan it, note, extend, review, sign off, cancel, roll back. The journal names who did it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from tocsin.core import clock as clocks
from tocsin.core.golive import GoLive, GoLiveDecision, GoLiveDraft, Phase, SignOff, refuse
from tocsin.core.golive_clock import clocks_as_data, note_passed_review, set_clock, start_review
from tocsin.core.golive_passing import begin
from tocsin.core.golive_review import Criterion
from tocsin.core.model import NoticeKind, Priority
from tocsin.core.policy import Rulebook

Drawn = Mapping[str, Any]
LONGEST = timedelta(days=366)


class Remark(StrEnum):
    """What a note on a watch is."""

    NOTE = "note"
    DECISION = "decision"
    CHANGE = "change"
    ROLLBACK_CALL = "rollback_call"
    HANDOVER = "handover"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked for at a start. Empty fields are what the rules say."""

    systems: tuple[str, ...]
    version: str
    starts_at: datetime
    owner: str = ""
    watch_for: timedelta | None = None


def plan(rulebook: Rulebook, number: int, asked: Plan, actor: str, now: datetime) -> GoLiveDecision:
    """Plan a watch; one that starts now begins in the same decision."""
    policy = rulebook.golive
    systems = [rulebook.systems[name] for name in asked.systems]
    owner = asked.owner or systems[0].owner
    team = rulebook.teams.get(owner)
    channels = policy.notify or tuple(dict.fromkeys(c for one in systems for c in rulebook.channels_of(one)))
    golive = GoLive(
        id=number,
        systems=asked.systems,
        version=asked.version,
        owner=owner,
        phase=Phase.PLANNED,
        created_at=now,
        created_by=actor,
        starts_at=max(asked.starts_at, now),
        watch_for=asked.watch_for or policy.watch_for,
        checkpoint_every=policy.checkpoint_every,
        exit=policy.exit,
        # Of a team that owns it, the first named answers for it.
        signers=policy.signoff or ((owner,) if team is None else team.members[:1]),
        channels=channels,
    )
    draft = GoLiveDraft(golive, rulebook, now)
    draft.record("golive_planned", actor, _plan_as_data(golive, rulebook))
    if golive.starts_at <= now:
        begin(draft, actor)
    else:
        draft.tell("golive_planned", {"actor": actor}, kind=NoticeKind.PAGE, mark="root", priority=Priority.PAGE)
    return draft.done()


def _plan_as_data(golive: GoLive, rulebook: Rulebook) -> dict[str, Any]:
    profile = rulebook.golive.profile
    return {
        "systems": list(golive.systems),
        "version": golive.version,
        "owner": golive.owner,
        "starts_at": golive.starts_at.isoformat(),
        "watch_for_s": golive.watch_for.total_seconds(),
        "checkpoint_every_s": golive.checkpoint_every.total_seconds(),
        "exit": list(golive.exit),
        "signers": list(golive.signers),
        "channels": list(golive.channels),
        "profile": {
            "every_s": profile.every.total_seconds(),
            "fail_after": None if profile.fail_after is None else [profile.fail_after.count, profile.fail_after.window],
            "targets": profile.targets,
        },
        "configuration": rulebook.version,
    }


def note(
    golive: GoLive, rulebook: Rulebook, actor: str, text: str, remark: Remark, drawn: Drawn, now: datetime
) -> GoLiveDecision:
    """Words, a decision, a change, a call to roll back, a hand-over. The log takes them after the end as well."""
    draft = GoLiveDraft(golive, rulebook, now, drawn)
    draft.record("golive_noted", actor, {"text": text, "kind": remark.value})
    rings = remark is Remark.ROLLBACK_CALL
    kind, priority = (NoticeKind.BROADCAST, Priority.PAGE) if rings else (NoticeKind.REPLY, Priority.ANSWER)
    draft.tell("golive_noted", {"actor": actor, "text": text, "kind": remark.value}, kind=kind, priority=priority)
    return draft.done()


def extend(
    golive: GoLive, rulebook: Rulebook, actor: str, by: timedelta, why: str, drawn: Drawn, now: datetime
) -> GoLiveDecision:
    """Watch on: the review is due so much later than it was, or than now where that is past. The review of before is answered."""
    if not golive.phase.is_running:
        return refuse(golive, _why_not_running(golive))
    draft = GoLiveDraft(golive, rulebook, now, drawn)
    note_passed_review(draft, now)
    before = draft.golive.clock
    assert before is not None
    set_clock(draft, clocks.meet(before, now))
    due_at = max(before.due_at, now) + by
    if golive.started_at is not None and due_at - golive.started_at > LONGEST:
        return refuse(golive, f"it would last until {due_at:%Y-%m-%d}: a watch lasts {LONGEST.days} days at most")
    fresh = start_review(rulebook.golive, now, due_at - now)
    draft.golive = replace(draft.golive, phase=Phase.EXTENDED, clocks=(*draft.golive.clocks, fresh))
    data = {"for_s": by.total_seconds(), "reason": why, "was_due_at": before.due_at.isoformat()}
    draft.record("golive_extended", actor, {**data, "due_at": fresh.due_at.isoformat(), **clocks_as_data(draft)})
    said = {"actor": actor, "reason": why, "due_at": fresh.due_at.isoformat()}
    draft.tell("golive_extended", said, kind=NoticeKind.BROADCAST, priority=Priority.PAGE)
    draft.show()
    return draft.done()


def review(
    golive: GoLive, rulebook: Rulebook, actor: str, text: str, judged: Sequence[Criterion], drawn: Drawn, now: datetime
) -> GoLiveDecision:
    """The review was held: its clock ends, and what the machine judged is kept with what people said."""
    if not golive.phase.is_running:
        return refuse(golive, _why_not_running(golive))
    draft = GoLiveDraft(golive, rulebook, now, drawn)
    note_passed_review(draft, now)
    clock = draft.golive.clock
    assert clock is not None
    set_clock(draft, clocks.meet(clock, now))
    draft.golive = replace(draft.golive, phase=Phase.IN_REVIEW)
    told = {"verdict": verdict_of(judged), "exit": [one.as_data() for one in judged]}
    draft.record("golive_reviewed", actor, {"text": text, **told, **clocks_as_data(draft)})
    people = list(draft.golive.unsigned)
    said = {"actor": actor, "text": text, "people": people, **told}
    draft.tell("golive_reviewed", said, kind=NoticeKind.BROADCAST, priority=Priority.PAGE)
    draft.show()
    return draft.done()


def verdict_of(judged: Sequence[Criterion]) -> str:
    """Go, or extend: what the machine says; people decide."""
    return "go" if all(one.met for one in judged) else "extend"


def sign_off(
    golive: GoLive,
    rulebook: Rulebook,
    actor: str,
    text: str,
    judged: Sequence[Criterion],
    drawn: Drawn,
    now: datetime,
    *,
    anyway: bool,
) -> GoLiveDecision:
    """A named person signs; when the last one who must has signed, the watch ends. Unmet criteria must be overruled in words."""
    person = actor.rpartition("person:")[2] if "person:" in actor else ""
    if refused := _why_not_sign(golive, person, actor, text, judged, anyway=anyway):
        return refuse(golive, refused)
    draft = GoLiveDraft(golive, rulebook, now, drawn)
    signed = (*golive.sign_offs, SignOff(person, now, actor, text))
    draft.golive = replace(golive, sign_offs=signed)
    is_last = not draft.golive.unsigned
    if is_last:
        note_passed_review(draft, now)
        clock = draft.golive.clock
        assert clock is not None
        set_clock(draft, clocks.meet(clock, now))
        draft.golive = _ended(draft.golive, Phase.SIGNED_OFF, actor, now)
    unmet = [one.rule for one in judged if not one.met]
    data: dict[str, Any] = {"text": text, "exit": [one.as_data() for one in judged], "last": is_last}
    if unmet:
        data["overruled"] = unmet
    draft.record("golive_signed_off", actor, {**data, **clocks_as_data(draft)})
    said = {"actor": actor, "text": text, "people": list(draft.golive.unsigned), "overruled": unmet, "last": is_last}
    kind, priority = (NoticeKind.BROADCAST, Priority.PAGE) if is_last else (NoticeKind.REPLY, Priority.ANSWER)
    draft.tell("golive_signed_off", said, kind=kind, priority=priority)
    draft.show()
    return draft.done()


def _why_not_sign(
    golive: GoLive, person: str, actor: str, text: str, judged: Sequence[Criterion], *, anyway: bool
) -> str:
    if not golive.phase.is_running:
        return _why_not_running(golive)
    if not person:
        return f"only a named person signs, and {actor} is none (root: --as {next(iter(golive.unsigned), 'PERSON')})"
    if person not in golive.signers:
        return f"{person} is not among those who sign it ({', '.join(golive.signers)})"
    if person not in golive.unsigned:
        return f"{person} has signed it already"
    unmet = [one for one in judged if not one.met]
    if unmet and not (anyway and text):
        told = "; ".join(f"{one.rule} ({_values(one)})" for one in unmet)
        return f"it may not end yet: {told} (extend it, or sign all the same with --anyway --note WHY)"
    return ""


def _values(one: Criterion) -> str:
    return one.because or ", ".join(f"{name} = {_value(name, value)}" for name, value in one.values)


def _value(name: str, value: float) -> str:
    return str(timedelta(seconds=value)) if name == "quiet_for" else f"{value:g}"


def cancel(golive: GoLive, rulebook: Rulebook, actor: str, why: str, drawn: Drawn, now: datetime) -> GoLiveDecision:
    """It does not take place, or is watched no further."""
    if golive.phase.has_ended:
        return refuse(golive, _why_not_running(golive))
    return _end(golive, rulebook, Phase.CANCELLED, actor, why, drawn, now)


def roll_back(golive: GoLive, rulebook: Rulebook, actor: str, why: str, drawn: Drawn, now: datetime) -> GoLiveDecision:
    """The version was taken back: there is nothing left to review."""
    if not golive.phase.is_running:
        return refuse(golive, _why_not_running(golive))
    return _end(golive, rulebook, Phase.ROLLED_BACK, actor, why, drawn, now)


def _end(
    golive: GoLive, rulebook: Rulebook, phase: Phase, actor: str, why: str, drawn: Drawn, now: datetime
) -> GoLiveDecision:
    draft = GoLiveDraft(golive, rulebook, now, drawn)
    note_passed_review(draft, now)
    if draft.golive.clock is not None:
        set_clock(draft, clocks.void(draft.golive.clock, now))
    draft.golive = _ended(draft.golive, phase, actor, now)
    event = f"golive_{phase}"
    draft.record(event, actor, {"reason": why, **clocks_as_data(draft)})
    draft.tell(event, {"actor": actor, "reason": why}, kind=NoticeKind.BROADCAST, priority=Priority.PAGE)
    draft.show()
    return draft.done()


def _ended(golive: GoLive, phase: Phase, actor: str, now: datetime) -> GoLive:
    return replace(golive, phase=phase, ended_at=now, ended_by=actor)


def _why_not_running(golive: GoLive) -> str:
    if golive.phase is Phase.PLANNED:
        return f"it has not begun (it starts at {golive.starts_at:%Y-%m-%d %H:%M} UTC; cancel it, and plan it anew)"
    how = {Phase.SIGNED_OFF: "signed off", Phase.CANCELLED: "cancelled", Phase.ROLLED_BACK: "rolled back"}
    at = golive.ended_at or golive.created_at
    return f"it was {how.get(golive.phase, golive.phase)} at {at:%Y-%m-%d %H:%M} UTC by {golive.ended_by}"
