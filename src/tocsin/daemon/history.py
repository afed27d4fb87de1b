"""History for later: one-minute roll-ups and failing samples, counted in memory, written in slices behind all promises."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from typing import Any

from tocsin.core.model import Sample
from tocsin.core.policy import Check
from tocsin.core.sketch import Sketch
from tocsin.ports import Store, Transaction

SLICE = 500
FLUSH_EVERY = timedelta(seconds=5)
FAILURES_KEPT = 20_000
ROLLUPS_KEPT = 200_000
MINUTE = timedelta(minutes=1)


class _Minute:
    """One check's counts in one minute."""

    __slots__ = ("counts", "latency", "latency_max_s", "latency_sum_s", "values")

    def __init__(self) -> None:
        self.counts = {"up": 0, "degraded": 0, "down": 0, "unobserved": 0}
        self.latency = Sketch()
        self.latency_sum_s = 0.0
        self.latency_max_s = 0.0
        self.values: dict[str, dict[str, Any]] = {}

    def add(self, sample: Sample) -> None:
        self.counts[sample.status.value] += 1
        self.latency.add(sample.duration_s)
        self.latency_sum_s += sample.duration_s
        self.latency_max_s = max(self.latency_max_s, sample.duration_s)
        for name, value in sample.values.items():
            self._count(name, value)

    def _count(self, name: str, value: float | str | bool) -> None:
        if isinstance(value, str):
            self.values[name] = {"last": value}
            return
        number = float(value)
        seen = self.values.get(name)
        if seen is None or "sum" not in seen:
            self.values[name] = {"count": 1, "sum": number, "min": number, "max": number, "last": number}
            return
        seen["count"] += 1
        seen["sum"] += number
        seen["min"] = min(seen["min"], number)
        seen["max"] = max(seen["max"], number)
        seen["last"] = number


_Finished = tuple[datetime, tuple[str, str], _Minute]


class History:
    """Counts samples by check and minute; `step` writes finished minutes and failing samples."""

    def __init__(self, store: Store, started_at: datetime) -> None:
        self._store = store
        self._minute = _floor(started_at)
        self._running: dict[tuple[str, str], _Minute] = {}
        self._finished: deque[_Finished] = deque(maxlen=ROLLUPS_KEPT)
        self._failures: deque[dict[str, Any]] = deque(maxlen=FAILURES_KEPT)

    def add(self, check: Check, sample: Sample) -> None:
        if sample.at - self._minute >= MINUTE or sample.at < self._minute:
            self._turn(sample.at)
        key = (check.system, check.name)
        minute = self._running.get(key)
        if minute is None:
            minute = self._running[key] = _Minute()
        minute.add(sample)
        if sample.status.is_failing:
            self._failures.append(_failure(check, sample))

    def running_minute(self) -> dict[tuple[str, str], dict[str, int]]:
        """The counts of the minute that is not yet written."""
        return {key: minute.counts for key, minute in self._running.items()}

    def unwritten(self, system: str) -> list[dict[str, Any]]:
        """Roll-up rows of a system that are not yet in the store, the running minute among them."""
        running = [(self._minute, key, minute) for key, minute in self._running.items()]
        return [_row(*one) for one in (*self._finished, *running) if one[1][0] == system]

    def _turn(self, at: datetime) -> None:
        """Close the running minute, without a walk over what thousands of checks counted: rows are made where they are written.

        After a step back of the wall clock the rows are added to those that are there.
        """
        self._finished.extend((self._minute, key, minute) for key, minute in self._running.items())
        self._running = {}
        self._minute = _floor(at)

    async def step(self, now: datetime) -> datetime:
        if now - self._minute >= MINUTE:
            self._turn(now)
        while self._finished or self._failures:
            await self._write_slice()
        return now + FLUSH_EVERY

    async def flush(self, now: datetime) -> None:
        """Write everything, the running minute too; a process that starts within the same minute adds to it."""
        self._turn(now)
        await self.step(now)

    async def _write_slice(self) -> None:
        minutes = [self._finished.popleft() for _ in range(min(SLICE, len(self._finished)))]
        bad = [self._failures.popleft() for _ in range(min(SLICE, len(self._failures)))]
        try:
            await self._store.write(lambda tx: _keep(tx, minutes, bad), bulk=True)
        except BaseException:
            self._finished.extendleft(reversed(minutes))
            self._failures.extendleft(reversed(bad))
            raise


def _keep(tx: Transaction, minutes: list[_Finished], bad: list[dict[str, Any]]) -> None:
    tx.keep_rollups([_row(*one) for one in minutes])
    tx.keep_failures(bad)


def _row(at: datetime, key: tuple[str, str], minute: _Minute) -> dict[str, Any]:
    return {
        "system": key[0],
        "check": key[1],
        "minute": at,
        **minute.counts,
        "latency_sum_s": minute.latency_sum_s,
        "latency_max_s": minute.latency_max_s,
        "latency": minute.latency.to_bytes(),
        "values": minute.values or None,
    }


def _failure(check: Check, sample: Sample) -> dict[str, Any]:
    return {
        "system": check.system,
        "check": check.name,
        "at": sample.at,
        "status": sample.status.value,
        "reason": sample.reason.value,
        "text": sample.text,
        "duration_s": sample.duration_s,
    }


def _floor(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)
