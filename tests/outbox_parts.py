"""An outbox on a clock that is moved by hand: the real store and dispatcher, and channels that do as they are told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from case_parts import P1, P2, a_rulebook, a_system, is_core, rule
from tocsin.core.case import FailingCheck
from tocsin.core.incident import reconcile
from tocsin.core.model import Notice, NoticeKind, Priority, Status
from tocsin.core.policy import ChannelSpec, Rulebook, System
from tocsin.daemon.alarms import Alarms
from tocsin.daemon.dispatch import Context, Dispatcher
from tocsin.errors import DeliveryError
from tocsin.ports import Message, Reference
from tocsin.simulation.clock import SimulatedClock
from tocsin.store.store import SqlStore

TOOK = timedelta(milliseconds=100)


@dataclass
class Told:
    at: datetime
    message: Message


class RecordingChannel:
    """Keeps what it is told; `fails` says how the next calls fail, the last of it for ever when `is_dead`."""

    def __init__(self, name: str, clock: SimulatedClock, *, has_threads: bool = True) -> None:
        self.name = name
        self.told: list[Told] = []
        self.fails: list[DeliveryError] = []
        self.is_dead: DeliveryError | None = None
        self.hangs = False
        self.calls = 0
        self._clock = clock
        self._has_threads = has_threads

    def is_told_by_edits(self) -> bool:
        return self._has_threads

    def hears(self, kind: NoticeKind, event: str) -> bool:
        return True

    async def send(self, message: Message) -> Reference | None:
        self.calls += 1
        await asyncio.sleep(0)
        if self.hangs:
            await asyncio.Event().wait()
        error = self.fails.pop(0) if self.fails else self.is_dead
        if error is not None:
            raise error
        self.told.append(Told(self._clock.now(), message))
        return Reference(self.name, str(len(self.told))) if self._has_threads else None

    async def find(self, message: Message, *, since: datetime) -> Reference | None:
        return None

    async def close(self) -> None:
        """Nothing is open."""

    @property
    def events(self) -> list[str]:
        return [told.message.event for told in self.told if told.message.kind is not NoticeKind.EDIT]


@dataclass
class Outbox:
    rules: Rulebook
    clock: SimulatedClock
    store: SqlStore
    alarms: Alarms
    channels: Mapping[str, RecordingChannel]
    dispatcher: Dispatcher
    _severities: dict[int, str] = field(default_factory=dict)

    async def fail(self, *names: str) -> None:
        """Systems fail at once, in one transaction each."""
        for name in names:
            await self.store.write(lambda tx, n=name: self._decide(tx, n))  # type: ignore[misc]

    def _decide(self, tx: Any, name: str) -> None:
        now = self.clock.now()
        check = FailingCheck("health", "http", Status.DOWN, "status", "status == 200 (status = 503)", now)
        before = tx.case(name)
        tx.commit_decision(before, reconcile(before, self.rules, self.rules.systems[name], (check,), now))

    async def promise(self, *notices: Notice) -> None:
        await self.store.write(lambda tx: tx.promise(notices))

    async def turn(self) -> datetime | None:
        """Let the dispatcher do all that it may do now; returns when it wants to be called again."""
        while True:
            later = await self.dispatcher.step(self.clock.now())
            workers = [task for task in asyncio.all_tasks() if task.get_name().startswith("dispatch ")]
            if not workers:
                return later
            await asyncio.wait(workers, timeout=2)
            await self.alarms.step(self.clock.now())

    async def pass_time(self, span: timedelta) -> None:
        """Let time pass, with the dispatcher called whenever it wants to be."""
        until = self.clock.now() + span
        while True:
            later = await self.turn()
            self.clock.advance_to(min(later or until, until))
            if self.clock.now() >= until:
                await self.turn()
                return

    async def states(self) -> dict[str, str]:
        found = await self.store.read(lambda q: q.notices(state=None, incident=None, limit=1000))
        return {str(row["key"]): str(row["state"]) for row in found}

    async def all_notices(self) -> list[dict[str, Any]]:
        return await self.store.read(lambda q: q.notices(state=None, incident=None, limit=100_000))

    async def states_of(self, kind: NoticeKind) -> dict[str, str]:
        return {row["key"]: row["state"] for row in await self.all_notices() if row["kind"] == kind.value}

    async def is_p1(self, incident: int) -> bool:
        if incident not in self._severities:
            found = await self.store.read(lambda q: q.incidents(everything=True, limit=100_000))
            self._severities |= {one["id"]: one["severity"] for one in found}
        return self._severities[incident] == "P1"

    def promised(self, row: Mapping[str, Any]) -> datetime:
        return datetime.fromisoformat(row["promised_at"])

    async def journal(self, action: str) -> list[Mapping[str, Any]]:
        lines = await self.store.read(lambda q: q.journal_tail(5000))
        return [line["data"] for line in lines if line["action"] == action]


def a_notice(channel: str, key: str, at: datetime, **more: Any) -> Notice:
    wanted = {"kind": NoticeKind.ALARM, "priority": Priority.PAGE, "event": "alarm", "incident": None, **more}
    return Notice(key=f"{key}:{channel}", channel=channel, at=at, **wanted)


def channel_specs(*names: str, **more: Mapping[str, Any]) -> dict[str, ChannelSpec]:
    return {name: ChannelSpec(name, "slack", **more.get(name, {})) for name in names}


@asynccontextmanager
async def an_outbox(
    folder: Path,
    specs: Mapping[str, ChannelSpec],
    *,
    systems: Sequence[System] = (a_system(checks=("health",)),),
    threadless: tuple[str, ...] = (),
    **rules: Any,
) -> AsyncIterator[Outbox]:
    clock = SimulatedClock()
    store = SqlStore(f"sqlite:///{folder / 'tocsin.db'}")
    first = next(iter(specs))
    wanted = {"channels": dict(specs), "default_channel": first, "alarms_to": (first,), **rules}
    graded = (rule("core", P1, is_core), rule("other", P2))
    rulebook = replace(a_rulebook(graded, systems=systems), **wanted)
    alarms = Alarms(store, clock, lambda: rulebook.alarms_to)
    channels = {name: RecordingChannel(name, clock, has_threads=name not in threadless) for name in specs}
    context = Context(lambda: rulebook, "en", "UTC", "https://tocsin.example.com")
    dispatcher = Dispatcher(store, clock, alarms, lambda: channels, context)
    try:
        yield Outbox(rulebook, clock, store, alarms, channels, dispatcher)
    finally:
        await dispatcher.close(1.0)
        await store.close()


def walk(folder: Path, specs: Mapping[str, ChannelSpec], steps: Callable[[Outbox], Any], **more: Any) -> None:
    async def inside() -> None:
        async with an_outbox(folder, specs, **more) as outbox:
            await steps(outbox)

    asyncio.run(asyncio.wait_for(inside(), 60))
