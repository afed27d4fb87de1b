"""Proves that every step of a ladder that was due really ran, and that what it promised was delivered; says so when not.

It believes the journal and the outbox only: the plans that entries promised when clocks started, the entries of the steps, and what
became of their notices. What runs the steps is not asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tocsin.core.model import ClockKind
from tocsin.daemon.alarms import Alarms
from tocsin.ports import Queries, Store

LOOK_AGAIN = timedelta(seconds=30)
RUN_WITHIN = timedelta(seconds=60)
DELIVERED_WITHIN = timedelta(minutes=5)
FORGOTTEN_AFTER = timedelta(hours=24)
BATCH = 1000
BATCHES_AT_ONCE = 50
INCIDENTS_AT_START = 1000
NOTICES_OF_ONE = 500
ENDS = frozenset(("incident_resolved", "incident_acknowledged"))

Line = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Promise:
    """A notice that a step promised: told late when it is not settled some time after `at`."""

    incident: int
    step: int
    at: datetime


@dataclass(slots=True)
class Ledger:
    """What the journal promised and has not yet shown to be done."""

    steps: dict[int, dict[int, datetime]] = field(default_factory=dict)
    notices: dict[str, Promise] = field(default_factory=dict)
    untold: dict[int, str] = field(default_factory=dict)

    def read(self, line: Line) -> None:
        kind, _, number = str(line["subject"]).partition(":")
        if kind != "incident" or not number.isdecimal():
            return
        incident, data = int(number), line["data"] or {}
        for clock in [*(data.get("superseded") or []), *(data.get("clocks") or [])]:
            if clock.get("clock") == ClockKind.RESPONSE.value:
                self._plan(incident, clock)
        if line["action"] == "escalation_step":
            self._ran(incident, line, data)
        elif line["action"] in ENDS:
            self.steps.pop(incident, None)
            self.untold.pop(incident, None)

    def _plan(self, incident: int, clock: Mapping[str, Any]) -> None:
        """A plan takes the place of the one before; a clock that ended, was replaced or stands still promises nothing."""
        self.steps.pop(incident, None)
        pauses: list[Any] = clock.get("pauses") or []
        is_still = bool(pauses) and pauses[-1]["to"] is None
        if is_still or clock.get("ended_at") or clock.get("superseded_at"):
            return
        planned = {int(one["step"]): datetime.fromisoformat(one["at"]) for one in clock.get("steps", ())}
        if planned:
            self.steps[incident] = planned

    def _ran(self, incident: int, line: Line, data: Mapping[str, Any]) -> None:
        planned, step = self.steps.setdefault(incident, {}), int(data["step"])
        planned.pop(step, None)
        if data.get("next_at"):
            planned[step] = datetime.fromisoformat(data["next_at"])
        for told in data.get("told", ()):
            later = told.get("not_before") or data.get("detected_at") or line["at"]
            if told.get("notice"):
                self.notices[told["notice"]] = Promise(incident, step, datetime.fromisoformat(later))
            else:
                self.untold[incident] = f"#{incident}: step {step} found no channel for {told['target']}"

    def overdue(self, now: datetime) -> list[str]:
        return [
            f"#{incident}: step {step} was due at {at:%Y-%m-%d %H:%M:%S} UTC and has not run"
            for incident, planned in self.steps.items()
            for step, at in planned.items()
            if now - at > RUN_WITHIN
        ]

    def settle(self, incident: int, found: Iterable[Mapping[str, Any]], now: datetime) -> list[str]:
        """Compare the notices of an incident's steps with the outbox; returns what is wrong with them."""
        states = {row["key"]: row for row in found}
        wrong = []
        for key, promise in [(k, p) for k, p in self.notices.items() if p.incident == incident]:
            state = states.get(key, {}).get("state", "missing")
            if state in ("sent", "covered") or now - promise.at > FORGOTTEN_AFTER:
                del self.notices[key]
            elif state != "pending" or now - promise.at > DELIVERED_WITHIN:
                said = "waits in the outbox" if state == "pending" else f"is {state}"
                wrong.append(f"#{incident}: step {promise.step} ran, and its notice {key} {said}")
        return wrong


class Auditor:
    def __init__(self, store: Store, alarms: Alarms) -> None:
        self._store = store
        self._alarms = alarms
        self._ledger = Ledger()
        self._read_up_to: int | None = None

    async def step(self, now: datetime) -> datetime:
        """Read what the journal has said since, and hold it against what should have happened."""
        if self._read_up_to is None:
            self._ledger, self._read_up_to = await self._store.read(_begin)
        await self._catch_up()
        wrong = [*self._ledger.overdue(now), *self._ledger.untold.values(), *await self._unsettled(now)]
        if wrong:
            more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
            self._alarms.raise_("escalation", f"{wrong[0]}{more}")
        else:
            self._alarms.clear("escalation")
        return now + LOOK_AGAIN

    async def _catch_up(self) -> None:
        assert self._read_up_to is not None
        for _ in range(BATCHES_AT_ONCE):
            lines = await self._store.read(_after(self._read_up_to))
            for line in lines:
                self._ledger.read(line)
                self._read_up_to = int(line["sequence"])
            if len(lines) < BATCH:
                return

    async def _unsettled(self, now: datetime) -> list[str]:
        wrong = []
        for incident in sorted({promise.incident for promise in self._ledger.notices.values()}):
            wrong += self._ledger.settle(incident, await self._store.read(_notices_of(incident)), now)
        return wrong


def _begin(queries: Queries) -> tuple[Ledger, int]:
    """After a start: the lines of what is open, and where the journal ends."""
    ledger = Ledger()
    newest = queries.journal_tail(1)
    for incident in queries.incidents(limit=INCIDENTS_AT_START):
        for line in sorted(queries.timeline(incident["id"]), key=lambda one: int(one["sequence"])):
            ledger.read({**line, "subject": f"incident:{incident['id']}"})
    return ledger, int(newest[-1]["sequence"]) if newest else 0


def _after(sequence: int) -> Callable[[Queries], list[dict[str, Any]]]:
    return lambda queries: queries.journal_after(sequence, BATCH)


def _notices_of(incident: int) -> Callable[[Queries], list[dict[str, Any]]]:
    return lambda queries: queries.notices(state=None, incident=incident, limit=NOTICES_OF_ONE)
