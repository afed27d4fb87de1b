"""Hand-overs: whoever takes over is told what is open, and gaps are told before they come.

Who was on duty and until when is stored, so a hand-over is found by what is stored, also after a stop, and told once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tocsin.core import escalation
from tocsin.core.clock import TOO_OLD_TO_TELL
from tocsin.core.ladder import response_of
from tocsin.core.model import Entry, Incident, Notice, NoticeKind, Priority
from tocsin.core.oncall import OnCall, Shift, gaps, shifts, stays_until
from tocsin.core.policy import Rulebook
from tocsin.daemon.alarms import Alarms
from tocsin.ports import Store, Transaction

FACT = "oncall_on_duty"
LOOK_AGAIN = timedelta(seconds=30)
LOOK_AHEAD = timedelta(days=7)
TURN_AHEAD = timedelta(days=31)
"""How far the end of a turn is looked for."""
LOOK_FOR_GAPS_EVERY = timedelta(hours=1)
LISTED = 20
SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Duty:
    """Who is known to be on duty. `until`: when that is looked at again."""

    person: str | None
    until: datetime


class HandOver:
    def __init__(
        self, store: Store, alarms: Alarms, rulebook: Callable[[], Rulebook], promised: Callable[[], None]
    ) -> None:
        self._store = store
        self._alarms = alarms
        self._rulebook = rulebook
        self._promised = promised
        self._known: dict[str, Duty] | None = None
        self._seen: Rulebook | None = None
        self._gaps_at: datetime | None = None

    async def step(self, now: datetime) -> datetime:
        """Hand over where it is time to, and look for gaps each hour and whenever the schedules changed."""
        rulebook = self._rulebook()
        is_new = rulebook is not self._seen
        if self._known is None or is_new or any(duty.until <= now for duty in self._known.values()):
            self._known = await self._store.write(lambda tx: hand_over(tx, rulebook, now))
            self._promised()
        if is_new or self._gaps_at is None or now - self._gaps_at >= LOOK_FOR_GAPS_EVERY:
            self._look_for_gaps(rulebook, now)
            self._gaps_at = now
        self._seen = rulebook
        return min((duty.until for duty in self._known.values()), default=now + LOOK_AGAIN)

    def _look_for_gaps(self, rulebook: Rulebook, now: datetime) -> None:
        found = [(name, gaps(one, now, now + LOOK_AHEAD)) for name, one in rulebook.oncall.items()]
        told = [_gap_text(rulebook.oncall[name], listed) for name, listed in found if listed]
        if told:
            self._alarms.raise_("oncall_gap", "; ".join(told))
        else:
            self._alarms.clear("oncall_gap")


def _gap_text(oncall: OnCall, listed: tuple[tuple[datetime, datetime], ...]) -> str:
    zone = ZoneInfo(oncall.layers[0].zone) if oncall.layers else ZoneInfo("UTC")
    start, end = (at.astimezone(zone) for at in listed[0])
    more = f" and {len(listed) - 1} more" if len(listed) > 1 else ""
    when = f"from {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} ({zone.key}){more}"
    return f"nobody is on call for {oncall.name} {when} (see `tocsin oncall show {oncall.name}`)"


def hand_over(tx: Transaction, rulebook: Rulebook, now: datetime) -> dict[str, Duty]:
    """Compare who is on duty now with who was: each change is recorded and told to whoever takes over."""
    text = tx.get_fact(FACT)
    before: dict[str, Any] = json.loads(text) if text else {}
    known: dict[str, Duty] = {}
    for name, oncall in rulebook.oncall.items():
        turns = shifts(oncall, now, now + TURN_AHEAD)
        current = replace(turns[0], end=stays_until(turns))
        known[name] = Duty(current.person, current.end)
        was = before.get(name)
        if was is not None and was["person"] != current.person:
            at = _changed_at(oncall, datetime.fromisoformat(was["until"]), now)
            _tell(tx, rulebook, oncall, current, was["person"], at, now)
    after = {name: {"person": duty.person, "until": duty.until.isoformat()} for name, duty in known.items()}
    if after != before:
        tx.put_fact(FACT, json.dumps(after))
    return known


def _changed_at(oncall: OnCall, looked_until: datetime, now: datetime) -> datetime:
    """The true instant of a hand-over that was due; now, where an override brought it about."""
    if looked_until > now:
        return now
    turns = shifts(oncall, looked_until - SECOND, now + SECOND)
    last = [turn for turn in turns if turn.person != turns[-1].person]
    return last[-1].end if last else now


def _tell(
    tx: Transaction,
    rulebook: Rulebook,
    oncall: OnCall,
    current: Shift,
    previous: str | None,
    at: datetime,
    now: datetime,
) -> None:
    found = [incident for incident in tx.unresolved_incidents() if _concerns(rulebook, oncall.name, incident)]
    data: dict[str, Any] = {
        "oncall": oncall.name,
        "person": current.person,
        "previous": previous,
        "until": current.end.isoformat() if current.end < now + TURN_AHEAD else None,
        "count": len(found),
        "incidents": [_listed(tx, incident) for incident in found[-LISTED:]],
    }
    channel = _channel(rulebook, current.person)
    recorded = {**data, "incidents": [one["id"] for one in data["incidents"]], "channel": channel}
    tx.append([Entry(at, "tocsin", "oncall_handover", f"oncall:{oncall.name}", recorded)])
    if current.person is None or not channel or now - at > TOO_OLD_TO_TELL:
        return
    later = escalation.quiet_until(rulebook, channel, None, now)
    key = f"handover:{oncall.name}:{at.timestamp():.0f}:{current.person}:{channel}"
    tx.promise([Notice(key, channel, NoticeKind.PAGE, Priority.PAGE, "handover", now, None, data, later)])


def _concerns(rulebook: Rulebook, name: str, incident: Incident) -> bool:
    """Whether an incident's ladder calls the people of a schedule; where none does, every incident concerns them."""
    target = f"oncall:{name}"
    calling = [s for s, policy in rulebook.response.items() if any(target in step.tell for step in policy.ladder)]
    return not calling or incident.severity in calling


def _listed(tx: Transaction, incident: Incident) -> dict[str, Any]:
    case = tx.case_of(incident.id)
    clock = response_of(case.clocks) if case is not None else None
    is_owed = clock is not None and clock.is_running
    return {
        "id": incident.id,
        "severity": incident.severity.value,
        "title": incident.title,
        "state": incident.state.value,
        "due_at": clock.due_at.isoformat() if clock is not None and is_owed else None,
    }


def _channel(rulebook: Rulebook, person: str | None) -> str:
    """Where somebody hears what is handed over to them."""
    known: Mapping[str, Any] = rulebook.people
    if person is None or person not in known:
        return ""
    if known[person].slack:
        return f"{escalation.PERSON}{person}"
    return escalation.team_channel(rulebook, person) or rulebook.default_channel or ""
