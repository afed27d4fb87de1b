"""Proof of life: a stored instant that moves while the store answers, and what a start finds of the time before it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from tocsin.core.model import Entry
from tocsin.daemon.alarms import Alarms
from tocsin.daemon.poll import Poller
from tocsin.errors import StoreError
from tocsin.log import get_log
from tocsin.ports import Store, Transaction, WallClock

log = get_log(__name__)

BEAT_EVERY = timedelta(seconds=10)
ANSWERS_WITHIN_S = 30.0
ALIVE_KEY = "alive_at"
STALL_TOLD_S = 1.0


class Heartbeat:
    def __init__(self, store: Store, alarms: Alarms, clock: WallClock, poller: Poller) -> None:
        self._store = store
        self._alarms = alarms
        self._clock = clock
        self._poller = poller
        self._stored_at: float | None = None

    @property
    def is_stored(self) -> bool:
        """Whether the store took a beat lately."""
        return self._stored_at is not None and self._clock.monotonic() - self._stored_at < ANSWERS_WITHIN_S

    async def step(self, now: datetime) -> datetime:
        stall_s = self._poller.recent_stall_s()
        if stall_s > STALL_TOLD_S:
            text = f"the event loop stood still for {stall_s:.1f} s (the machine is overloaded); samples of that time are unobserved"
            self._alarms.raise_("late_loop", text)
        else:
            self._alarms.clear("late_loop")
        try:
            await self._store.write(lambda tx: tx.put_fact(ALIVE_KEY, now.isoformat()))
        except StoreError as error:
            self._alarms.raise_("storage", str(error))
            return now + timedelta(seconds=1)
        self._stored_at = self._clock.monotonic()
        self._alarms.clear("storage")
        return now + BEAT_EVERY

    async def start(self, now: datetime, version: str, blind_after: timedelta) -> None:
        """The first write: what happened before is put in order, and a blind span is recorded (told when it was long)."""
        blind_from = await self._store.write(lambda tx: _begin(tx, now, version))
        self._stored_at = self._clock.monotonic()
        if blind_from is not None and now - blind_from > blind_after:
            span = f"{_local(blind_from)} to {_local(now)} ({_rounded(now - blind_from)})"
            self._alarms.raise_("blind", f"nothing was watched from {span}; those minutes are unobserved")

    async def stop(self, now: datetime, why: str) -> None:
        def end(tx: Transaction) -> None:
            tx.put_fact(ALIVE_KEY, now.isoformat())
            tx.append([Entry(now, "tocsin", "daemon_stopped", "daemon", {"why": why})])

        await self._store.write(end)


def _begin(tx: Transaction, now: datetime, version: str) -> datetime | None:
    alive = tx.get_fact(ALIVE_KEY)
    blind_from = datetime.fromisoformat(alive) if alive is not None else None
    data: dict[str, Any] = {"version": version}
    if blind_from is not None:
        data["blind_from"] = blind_from.isoformat()
        data["blind_for_s"] = round((now - blind_from).total_seconds(), 3)
    tx.append([Entry(now, "tocsin", "daemon_started", "daemon", data)])
    tx.doubt_pending()
    tx.put_fact(ALIVE_KEY, now.isoformat())
    return blind_from


def _local(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S UTC")


def _rounded(span: timedelta) -> timedelta:
    return timedelta(seconds=round(span.total_seconds()))
