"""The disk under the database and `data_dir`: too little left, or gone within a week at the present pace, is an alarm."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from tocsin.core.forecast import gone_in
from tocsin.daemon.alarms import Alarms
from tocsin.ports import Store

LOOK_EVERY = timedelta(minutes=1)
NOTE_EVERY = timedelta(hours=1)
LOOK_BACK = timedelta(days=7)
WARN_WITHIN = timedelta(days=7)
ANSWERS_WITHIN_S = 10.0
FACT = "disk_free"

Samples = list[tuple[datetime, int]]


class Disk:
    """Looks each minute, notes each hour; the notes are stored, so that a restart does not begin to learn anew."""

    def __init__(self, folders: Sequence[Path], least_free: int, store: Store, alarms: Alarms) -> None:
        self._folders = tuple(folders)
        self._least_free = least_free
        self._store = store
        self._alarms = alarms
        self._noted: dict[str, Samples] | None = None
        self._looking: asyncio.Task[dict[str, int]] | None = None
        self._is_over_full = False

    def tell_over_full(self, is_over_full: bool) -> None:
        """Whether the history is larger than its cap though no more of it may go."""
        self._is_over_full = is_over_full

    async def step(self, now: datetime) -> datetime:
        free = await self._seen()
        if free is None:
            troubles = [f"a disk does not answer within {ANSWERS_WITHIN_S:.0f} s (is it on a network that is away?)"]
        else:
            troubles = [text for folder, left in free.items() if (text := await self._trouble(folder, left, now))]
        if self._is_over_full:
            troubles.append("the database is larger than history_max, and no more history may go (raise it)")
        if troubles:
            self._alarms.raise_("disk", "; ".join(troubles))
        else:
            self._alarms.clear("disk")
        return now + LOOK_EVERY

    async def _seen(self) -> dict[str, int] | None:
        """What `_look` sees; None when a disk keeps it waiting, which must not keep this loop."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(asyncio.to_thread(self._look), name="disk")
        done, _ = await asyncio.wait({self._looking}, timeout=ANSWERS_WITHIN_S)
        return self._looking.result() if done else None

    def _look(self) -> dict[str, int]:
        """Free bytes by folder, each disk once. A folder that cannot be seen is others' alarm (storage, ops_log)."""
        free: dict[int, tuple[str, int]] = {}
        for folder in self._folders:
            try:
                device, found = folder.stat().st_dev, os.statvfs(folder)
            except OSError:
                continue
            free.setdefault(device, (str(folder), found.f_bavail * found.f_frsize))
        return dict(free.values())

    async def _trouble(self, folder: str, left: int, now: datetime) -> str | None:
        if left < self._least_free:
            return f"{folder}: only {_size(left)} free, less than disk_free ({_size(self._least_free)}): make room"
        samples = await self._note(folder, left, now)
        lasts = gone_in([*samples, (now, left)])
        if lasts is not None and lasts < WARN_WITHIN:
            return f"{folder}: {_size(left)} free, full in about {_days(lasts)} at the present pace: make room"
        return None

    async def _note(self, folder: str, left: int, now: datetime) -> Samples:
        if self._noted is None:
            self._noted = _parsed(await self._store.write(lambda tx: tx.get_fact(FACT)))
        samples = [sample for sample in self._noted.get(folder, []) if now - LOOK_BACK <= sample[0] <= now]
        if not samples or now - samples[-1][0] >= NOTE_EVERY:
            samples.append((now, left))
            self._noted[folder] = samples
            text = _text({name: kept for name, kept in self._noted.items() if name in map(str, self._folders)})
            await self._store.write(lambda tx: tx.put_fact(FACT, text))
        return samples


def _parsed(text: str | None) -> dict[str, Samples]:
    found = json.loads(text or "{}")
    return {name: [(datetime.fromisoformat(at), left) for at, left in rows] for name, rows in found.items()}


def _text(noted: dict[str, Samples]) -> str:
    return json.dumps({name: [(at.isoformat(), left) for at, left in rows] for name, rows in noted.items()})


def _size(count: int) -> str:
    return f"{count / 1024**3:,.1f} GiB" if count >= 1024**3 else f"{count / 1024**2:,.0f} MiB"


def _days(span: timedelta) -> str:
    return f"{span / timedelta(days=1):.1f} days" if span >= timedelta(days=1) else f"{span / timedelta(hours=1):.0f} h"
