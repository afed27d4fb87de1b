"""What runs on a calendar: retention of the history, and a daily checkpoint of the journal's head.

APScheduler keeps the calendar; the last run of each job is a row, so that what was missed runs once at the next start.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger

from tocsin.core.model import Entry
from tocsin.log import get_log
from tocsin.ports import Store, WallClock

log = get_log(__name__)

SLICE = 500
KEPT_FOR = timedelta(days=400)
FAILURES_KEPT_FOR = timedelta(days=90)
DAY = timedelta(days=1)


class Housekeeping:
    def __init__(self, store: Store, clock: WallClock, timezone: str) -> None:
        self._store = store
        self._clock = clock
        self._scheduler = AsyncIOScheduler(timezone=timezone)
        self._jobs: dict[str, tuple[Callable[[datetime], Awaitable[dict[str, Any]]], CronTrigger]] = {
            "checkpoint": (self.checkpoint, CronTrigger(hour=0, minute=5, timezone=timezone)),
            "retention": (self.retention, CronTrigger(hour=3, minute=17, timezone=timezone)),
        }

    async def start(self) -> None:
        """Run what was missed, once, and put the rest on the calendar."""
        for name, (_, trigger) in self._jobs.items():
            self._scheduler.add_job(
                self.run, trigger, args=[name], id=name, misfire_grace_time=None, coalesce=True, max_instances=1
            )
        self._scheduler.start()
        now = self._clock.now()
        for name in self._jobs:
            last = await self._store.write(lambda tx, job=name: tx.last_run(job))  # type: ignore[misc]
            if last is not None and now - last > DAY:
                self._scheduler.add_job(self.run, args=[name], id=f"{name}, missed", misfire_grace_time=None)
            elif last is None:
                await self._store.write(lambda tx, job=name: tx.ran(job, now))  # type: ignore[misc]

    def stop(self) -> None:
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    async def run(self, name: str) -> None:
        """Run a job now; a job that fails is logged and comes again on its next day."""
        now = self._clock.now()
        try:
            result = await self._jobs[name][0](now)
            await self._store.write(lambda tx: tx.ran(name, now))
        except Exception:
            log.exception("A job failed", action="job_failed", job=name)
        else:
            log.info("A job ran", action="job_ran", job=name, **result)

    async def checkpoint(self, now: datetime) -> dict[str, Any]:
        """Write the journal's head into the journal itself (and so into the ops log), dated."""
        figures = await self._store.read(lambda q: q.figures(now))
        sequence, hashed = figures["journal"]
        data = {"sequence": sequence, "hash": hashed}
        await self._store.write(lambda tx: tx.append([Entry(now, "tocsin", "journal_checkpoint", "journal", data)]))
        return data

    async def retention(self, now: datetime) -> dict[str, Any]:
        """Remove history that is old enough, in small slices behind every promise."""
        gone: dict[str, Any] = {}
        kept = {"rollups": KEPT_FOR, "transitions": KEPT_FOR, "failures": FAILURES_KEPT_FOR}
        for table, kept_for in kept.items():
            gone[table] = 0
            while count := await self._store.write(
                lambda tx, t=table, before=now - kept_for: tx.prune(t, before, SLICE),  # type: ignore[misc]
                bulk=True,
            ):
                gone[table] += count
                await asyncio.sleep(0)
        return gone
