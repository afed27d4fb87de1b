"""Tocsin's own troubles. Never incidents: a list, a metric, a banner, and notices to `alarms_to`."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tocsin.core.model import Entry, Notice, NoticeKind, Priority
from tocsin.log import get_log
from tocsin.ports import Store, Transaction, WallClock

log = get_log(__name__)

NAMES = (
    "storage",
    "deadline",
    "ops_log",
    "late_loop",
    "loop_failed",
    "blind",
    "clock_step",
    "calendar",
    "rule",
    "configuration",
    "escalation",
    "oncall_gap",
    "delivery",
    "undelivered",
    "disk",
)
"""Every alarm there is; each is in /metrics from the first scrape, 0 while it is quiet."""

KEPT = 1000


@dataclass(frozen=True, slots=True)
class Alarm:
    name: str
    text: str
    since: datetime

    def as_dict(self) -> dict[str, Any]:
        return {"alarm": self.name, "text": self.text, "since": self.since.isoformat().replace("+00:00", "Z")}


class Alarms:
    """What is wrong with Tocsin itself now. Changes are journaled and told by `step`, as soon as the store takes them."""

    def __init__(self, store: Store, clock: WallClock, channels: Callable[[], tuple[str, ...]]) -> None:
        self._store = store
        self._clock = clock
        self._channels = channels
        self._current: dict[str, Alarm] = {}
        self._unsaid: deque[tuple[Alarm, datetime, bool]] = deque(maxlen=KEPT)
        self.wake: Callable[[], None] = lambda: None
        self.promised: Callable[[], None] = lambda: None

    def current(self) -> list[Alarm]:
        return sorted(self._current.values(), key=lambda alarm: (alarm.since, alarm.name))

    def is_raised(self, name: str) -> bool:
        return name in self._current

    def raise_(self, name: str, text: str) -> None:
        """Raise an alarm, or keep one that stands, with the newest text."""
        assert name in NAMES, name
        standing = self._current.get(name)
        if standing is not None:
            self._current[name] = Alarm(name, text, standing.since)
            return
        alarm = Alarm(name, text, self._clock.now())
        self._current[name] = alarm
        self._unsaid.append((alarm, alarm.since, True))
        log.error("Alarm raised", action="alarm_raised", alarm=name, text=text)
        self.wake()

    def clear(self, name: str) -> None:
        alarm = self._current.pop(name, None)
        if alarm is not None:
            self._unsaid.append((alarm, self._clock.now(), False))
            log.info("Alarm over", action="alarm_cleared", alarm=name)
            self.wake()

    async def step(self, now: datetime) -> datetime | None:  # noqa: ARG002  # every loop's step takes now
        """Write down and promise what was not yet said."""
        while self._unsaid:
            alarm, at, is_raised = self._unsaid[0]
            await self._store.write(lambda tx, a=alarm, t=at, r=is_raised: self._say(tx, a, t, r))  # type: ignore[misc]
            self._unsaid.popleft()
            self.promised()
        return None

    def _say(self, tx: Transaction, alarm: Alarm, at: datetime, is_raised: bool) -> None:
        action = "alarm_raised" if is_raised else "alarm_cleared"
        data = {"alarm": alarm.name, "text": alarm.text}
        tx.append([Entry(at, "tocsin", action, f"alarm:{alarm.name}", data)])
        # Where nobody could be told, that itself goes out before everything else.
        urgent = Priority.P1 if alarm.name in ("delivery", "undelivered") else Priority.PAGE
        event = "alarm" if is_raised else "alarm_over"
        for channel in self._channels():
            key = f"alarm:{alarm.name}:{alarm.since.timestamp():.3f}:{event}:{channel}"
            tx.promise([Notice(key, channel, NoticeKind.ALARM, urgent, event, at, None, data)])
