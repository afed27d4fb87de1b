"""What the daemon knows of time itself: whether the wall clock was set or the machine slept, and how far its calendars reach."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from tocsin.core.model import Entry
from tocsin.core.policy import Rulebook
from tocsin.core.time_watch import Odd, Reading, compare
from tocsin.daemon.alarms import Alarms
from tocsin.log import get_log
from tocsin.ports import Store

log = get_log(__name__)

LOOK_EVERY = timedelta(seconds=5)
TOLD_FOR = timedelta(minutes=10)
REACHES_AHEAD = timedelta(days=60)


class Almanac:
    def __init__(
        self, store: Store, alarms: Alarms, read: Callable[[], Reading], rulebook: Callable[[], Rulebook]
    ) -> None:
        self._store = store
        self._alarms = alarms
        self._read = read
        self._rulebook = rulebook
        self._last = read()
        self._odd_at: float | None = None

    async def step(self, now: datetime) -> datetime:
        before, self._last = self._last, self._read()
        odd = compare(before, self._last)
        if odd is not None:
            await self._tell(*odd)
        elif self._odd_at is not None and self._last.boot_s - self._odd_at > TOLD_FOR.total_seconds():
            self._odd_at = None
            self._alarms.clear("clock_step")
        if any(alarm.name == "blind" and now - alarm.since > TOLD_FOR for alarm in self._alarms.current()):
            self._alarms.clear("blind")
        self._look_ahead(now)
        return now + LOOK_EVERY

    async def _tell(self, odd: Odd, by: timedelta) -> None:
        """A sleep is like a stop: what passed in it is told late. A step of the wall clock moves every deadline that people see."""
        at, data = self._last.wall, {"seconds": round(by.total_seconds(), 1)}
        if odd is Odd.SLEPT:
            await self._record(at, "node_slept", data)
            self._alarms.raise_("blind", f"the machine slept for {data['seconds']} s; nothing was watched meanwhile")
            return
        await self._record(at, "clock_stepped", data)
        self._odd_at = self._last.boot_s
        text = (
            f"the wall clock was set by {data['seconds']:+} s; deadlines told around {at:%H:%M} UTC follow the new time"
        )
        self._alarms.raise_("clock_step", text)

    async def _record(self, at: datetime, action: str, data: dict[str, Any]) -> None:
        log.warning("The clocks disagree", action=action, **data)
        await self._store.write(lambda tx: tx.append([Entry(at, "tocsin", action, "clock", data)]))

    def _look_ahead(self, now: datetime) -> None:
        """A year without official holidays is told sixty days before it begins."""
        year = (now + REACHES_AHEAD).year
        short = [
            name
            for name, calendar in self._rulebook().calendars.items()
            if calendar.covered_years is not None and year not in calendar.covered_years
        ]
        if short:
            what = f"{', '.join(sorted(short))}: no official holidays are known for {year}"
            self._alarms.raise_("calendar", f"{what} (update Tocsin, or add holidays: and working_days:)")
        else:
            self._alarms.clear("calendar")
