"""What runs on a calendar: a daily checkpoint of the journal's head, signed, and retention.

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
from tocsin.daemon.retention import Retention
from tocsin.daemon.seal import Seal, fingerprint
from tocsin.errors import StoreError
from tocsin.log import get_log
from tocsin.ports import Store, WallClock

log = get_log(__name__)

DAY = timedelta(days=1)
PUT_OFF = timedelta(minutes=5)


class Housekeeping:
    def __init__(self, store: Store, clock: WallClock, timezone: str, seal: Seal, retention: Retention) -> None:
        self._store = store
        self._clock = clock
        self._seal = seal
        self._scheduler = AsyncIOScheduler(timezone=timezone)
        self._jobs: dict[str, tuple[Callable[[datetime], Awaitable[dict[str, Any]]], CronTrigger]] = {
            "checkpoint": (self.checkpoint, CronTrigger(hour=0, minute=5, timezone=timezone)),
            "retention": (retention.run, CronTrigger(hour=3, minute=17, timezone=timezone)),
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
            # A new database begins with a checkpoint, and so with a key.
            if (last is not None and now - last > DAY) or (last is None and name == "checkpoint"):
                self._scheduler.add_job(self.run, args=[name], id=f"{name}, missed", misfire_grace_time=None)
            elif last is None:
                await self._store.write(lambda tx, job=name: tx.ran(job, now))  # type: ignore[misc]

    def stop(self) -> None:
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    async def run(self, name: str) -> None:
        """Run a job now; one that fails is logged and comes again on its next day, or soon where only the store was away."""
        now = self._clock.now()
        try:
            result = await self._jobs[name][0](now)
            await self._store.write(lambda tx: tx.ran(name, now))
        except StoreError as error:
            log.error("A job is put off: the store is away", action="job_put_off", job=name, error=str(error))
            again = {"id": f"{name}, again", "replace_existing": True, "misfire_grace_time": None}
            self._scheduler.add_job(self.run, "date", run_date=now + PUT_OFF, args=[name], **again)
        except Exception:
            log.exception("A job failed", action="job_failed", job=name)
        else:
            log.info("A job ran", action="job_ran", job=name, **result)

    async def checkpoint(self, now: datetime) -> dict[str, Any]:
        """Write the journal's head into the journal itself (and so into the ops log), dated and signed."""
        has_key = await self._open_seal(now)
        sequence, hashed = (await self._store.read(lambda q: q.figures(now)))["journal"]
        data = {"sequence": sequence, "hash": hashed, "at": now.isoformat()}
        if has_key:
            data = await asyncio.to_thread(self._seal.sign, sequence, hashed, now.isoformat())
        await self._store.write(lambda tx: tx.append([Entry(now, "tocsin", "journal_checkpoint", "journal", data)]))
        return {"sequence": sequence, "hash": hashed}

    async def _open_seal(self, now: datetime) -> bool:
        """Whether there is a key; without one a checkpoint is better than none."""
        try:
            is_new = await asyncio.to_thread(self._seal.open)
        except (OSError, ValueError) as error:
            log.error("Checkpoints are not signed", action="checkpoint_unsigned", why=str(error))
            return False
        if is_new:
            key = self._seal.public
            data = {"key": key, "fingerprint": fingerprint(key)}
            await self._store.write(lambda tx: tx.append([Entry(now, "tocsin", "journal_key_made", "journal", data)]))
        return True
