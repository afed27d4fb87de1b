"""Tocsin without one of its safeguards, each the mistake that some other tool shipped. The search must find every one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Connection, select

from tocsin.core.case import Case, Decision
from tocsin.core.model import Clock, ClockKind, Entry, IncidentState, Notice
from tocsin.daemon.dispatch import Dispatcher, Task
from tocsin.daemon.timekeeper import Timekeeper
from tocsin.ports import PendingNotice, StoredCheck, Transaction
from tocsin.simulation.power import Power
from tocsin.simulation.store import Disk, SimulatedStore
from tocsin.simulation.world import Parts
from tocsin.store.rows import notice_of
from tocsin.store.schema import notices
from tocsin.store.transaction import SqlTransaction

T = TypeVar("T")


class TwoCommits(SimulatedStore):
    """What the transaction puts off is written in a second commit."""

    def __init__(self, disk: Disk, power: Power, kind: type[PutsOff]) -> None:
        super().__init__(disk, power, transaction=lambda connection: kind(connection, self._put_off))
        self._put_off: list[Callable[[Any], None]] = []

    def commit(self, work: Callable[[Transaction], T]) -> T:
        outcome = super().commit(work)
        put_off, self._put_off[:] = list(self._put_off), []
        if put_off:

            def rest(tx: Any) -> None:
                tx.is_second = True
                for write in put_off:
                    write(tx)

            super().commit(rest)
        return outcome


class PutsOff(SqlTransaction):
    def __init__(self, connection: Connection, put_off: list[Callable[[Any], None]]) -> None:
        super().__init__(connection)
        self.put_off = put_off
        self.is_second = False


class PromisesLater(PutsOff):
    def promise(self, promised: Sequence[Notice]) -> None:
        if self.is_second:
            super().promise(promised)
        else:
            self.put_off.append(lambda tx: tx.promise(promised))


class JournalsLater(PutsOff):
    def append(self, entries: Sequence[Entry]) -> None:
        if self.is_second:
            super().append(entries)
        else:
            self.put_off.append(lambda tx: tx.append(entries))


class StartsClocksLater(PutsOff):
    def _save_clocks(self, before: Case, after: Case) -> tuple[Clock, ...]:
        if self.is_second:
            return super()._save_clocks(before, after)
        self.put_off.append(lambda tx: tx._save_clocks(before, after))
        return after.clocks

    def commit_decision(self, before: Case, decision: Decision) -> Case:
        """As memory cannot know the numbers that clocks get later, it reads them anew."""
        super().commit_decision(before, decision)
        return self.case(before.system)


class SavesChecksLater(PutsOff):
    def save_check(self, check: StoredCheck) -> None:
        if self.is_second:
            super().save_check(check)
        else:
            self.put_off.append(lambda tx: tx.save_check(check))


class DoubtsNothing(SqlTransaction):
    def doubt_pending(self) -> None:
        """A start takes it that nothing was on the wire."""


class ForgetsUnknown(SqlTransaction):
    def postpone_notice(self, notice: int, next_at: datetime, error: str, *, is_unknown: bool) -> None:
        """A lost answer counts as a refusal."""
        super().postpone_notice(notice, next_at, error, is_unknown=False)


class LeavesTheClock(SqlTransaction):
    def commit_decision(self, before: Case, decision: Decision) -> Case:
        """An acknowledgement is written, its response clock runs on."""
        incident = decision.case.incident
        if incident is not None and incident.state is IncidentState.ACKNOWLEDGED:
            clocks = (self._as_before(before, clock) for clock in decision.case.clocks)
            decision = replace(decision, case=replace(decision.case, clocks=tuple(clocks)))
        return super().commit_decision(before, decision)

    @staticmethod
    def _as_before(before: Case, clock: Clock) -> Clock:
        known = next((one for one in before.clocks if one.id == clock.id), clock)
        return known if clock.kind is ClockKind.RESPONSE and clock.superseded_at is None else clock


class StampsWithNow(SqlTransaction):
    def append(self, entries: Sequence[Entry]) -> None:
        """A breach is recorded at the instant at which somebody looked."""
        super().append([replace(entry, at=self._detected_at(entry)) for entry in entries])

    @staticmethod
    def _detected_at(entry: Entry) -> datetime:
        detected_at = entry.data.get("detected_at") if entry.action == "clock_breached" else None
        return datetime.fromisoformat(detected_at) if detected_at is not None else entry.at


class CoversTooMuch(SqlTransaction):
    def cover_edits(self, channel: str, incident: int, up_to: int, at: datetime) -> None:
        """An edit stands for those promised while it was on the wire, too."""
        super().cover_edits(channel, incident, self.last_notice_id(), at)


class SendsInAnyOrder(SqlTransaction):
    def pending_notices(self, channel: str, now: datetime, limit: int) -> list[PendingNotice]:
        query = select(notices).where(notices.c.channel == channel, notices.c.state == "pending")
        query = query.where(notices.c.next_at.is_(None) | (notices.c.next_at <= now)).order_by(notices.c.id)
        rows = self.connection.execute(query.limit(limit)).mappings()
        return [PendingNotice(r["id"], notice_of(r), r["attempts"], r["is_unknown"], r["next_at"]) for r in rows]


class ForgetsHolds(SqlTransaction):
    def hold_checks(self, system: str, names: Iterable[str]) -> None:
        """Closing an incident whose check still fails is remembered in memory only."""


class TellsNobodyElse(SqlTransaction):
    def is_promised(self, key: str) -> bool:
        """What one channel refuses is taken to stand on the next already."""
        return True


class MarksFirst(Dispatcher):
    async def _deliver(self, name: str, task: Task) -> None:
        """Mark a notice as sent, then send it."""
        await self._store.write(lambda tx: tx.settle_notice(task.pending.id, "sent", self._clock.now()))
        await super()._deliver(name, task)


class DropsMissedDeadlines(Timekeeper):
    """Timers that live in the process: what was due while it did not run is never looked at again."""

    _started_at: datetime | None = None

    async def _keep(self, incident: int, now: datetime) -> None:
        self._started_at = self._started_at or now
        case = await self._store.write(lambda tx: tx.case_of(incident))
        due = [clock.wake_at for clock in case.clocks if clock.wake_at is not None] if case is not None else []
        if any(at >= self._started_at for at in due):
            await super()._keep(incident, now)


def _with(transaction: type[SqlTransaction]) -> Parts:
    return Parts(make_store=partial(SimulatedStore, transaction=transaction))


def _in_two_commits(kind: type[PutsOff]) -> Parts:
    return Parts(make_store=partial(TwoCommits, kind=kind))


SABOTAGES: dict[str, Parts] = {
    "notices are promised in a second commit": _in_two_commits(PromisesLater),
    "the journal is written in a second commit": _in_two_commits(JournalsLater),
    "clocks are started in a second commit": _in_two_commits(StartsClocksLater),
    "checks are saved in a second commit": _in_two_commits(SavesChecksLater),
    "a start does not doubt what was pending": _with(DoubtsNothing),
    "a lost answer counts as a refusal": _with(ForgetsUnknown),
    "an acknowledgement leaves its clock": _with(LeavesTheClock),
    "a breach is stamped when somebody looked": _with(StampsWithNow),
    "an edit covers what came after it": _with(CoversTooMuch),
    "lines of an incident overtake each other": _with(SendsInAnyOrder),
    "a check closed by hand is held in memory only": _with(ForgetsHolds),
    "what a channel refuses is told nobody else": _with(TellsNobodyElse),
    "a notice is marked before it is sent": Parts(make_dispatcher=MarksFirst),
    "deadlines live in the process": Parts(make_timekeeper=DropsMissedDeadlines),
}
