"""What is old enough goes, a small slice at a time behind everything that was promised, with a rest after each: no probe waits for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tocsin.core.model import Entry
from tocsin.log import get_log
from tocsin.ports import Store, Transaction

log = get_log(__name__)

SLICE = 500
CHECKS_AT_ONCE = 4
REST_S = 0.02
LEAST_SHARE = 0.1
SHARE_STEP = 0.1
HISTORY = ("failures", "transitions", "hourly_rollups", "rollups")


@dataclass(frozen=True, slots=True)
class Keep:
    """How long things are kept; `history_max` in bytes, None where nothing bounds the size."""

    minutes: timedelta = timedelta(days=35)
    history: timedelta = timedelta(days=400)
    failures: timedelta = timedelta(days=90)
    journal: timedelta = timedelta(days=400)
    history_max: int | None = None

    def shortened(self, share: float) -> Keep:
        """The same with less history; the journal stays."""
        return Keep(self.minutes * share, self.history * share, self.failures * share, self.journal, self.history_max)


class Retention:
    """`is_over_full` is told whether the history is larger than its cap though nothing more may go."""

    def __init__(self, store: Store, keep: Keep, is_over_full: Callable[[bool], None]) -> None:
        self._store = store
        self._keep = keep
        self._is_over_full = is_over_full

    async def run(self, now: datetime) -> dict[str, Any]:
        """Everything that is due; returns how many rows went, by table."""
        gone = await self._prune_history(now, self._keep)
        gone["journal"] = await self._prune_journal(now)
        for table, count in (await self._hold_cap(now)).items():
            gone[table] += count
        return gone

    async def _prune_history(self, now: datetime, keep: Keep) -> dict[str, int]:
        """Minutes first become hours; a minute older than all history is not worth it."""
        kept = dict.fromkeys(HISTORY, keep.history) | {"failures": keep.failures}
        # What a go-live watch that still runs has measured stays in full, however long it is extended.
        floor = await self._store.read(lambda q: q.golive_floor()) or now
        gone = {table: await self._prune(table, min(now - kept_for, floor)) for table, kept_for in kept.items()}
        gone["rollups"] += await self._compact(min(now - keep.minutes, floor))
        return gone

    async def _prune(self, table: str, before: datetime) -> int:
        return await self._in_slices(lambda tx: tx.prune(table, before, SLICE))

    async def _compact(self, before: datetime) -> int:
        gone = 0
        while (found := await self._store.read(lambda q: q.hour_to_compact(before))) is not None:
            hour, checks = found
            for start in range(0, len(checks), CHECKS_AT_ONCE):
                part = checks[start : start + CHECKS_AT_ONCE]
                gone += await self._slice(lambda tx, h=hour, p=part: tx.compact(h, p))  # type: ignore[misc]
        return gone

    async def _prune_journal(self, now: datetime) -> int:
        """The entry that says what goes comes before it goes: a chain whose start is missing without one is broken."""
        before = now - self._keep.journal
        found = await self._store.read(lambda q: q.journal_until(before))
        if found is None:
            return 0
        through, hashed = found
        data = {"through": through, "hash": hashed, "before": before.isoformat()}
        await self._store.write(lambda tx: tx.append([Entry(now, "tocsin", "journal_pruned", "journal", data)]))
        return await self._in_slices(lambda tx: tx.prune_journal(through, SLICE))

    async def _hold_cap(self, now: datetime) -> dict[str, int]:
        """Keep ever less history until it fits."""
        gone: dict[str, int] = {}
        share = 1.0
        while await self._is_too_large() and share > LEAST_SHARE:
            share = max(LEAST_SHARE, share - SHARE_STEP)
            for table, count in (await self._prune_history(now, self._keep.shortened(share))).items():
                gone[table] = gone.get(table, 0) + count
        if share < 1.0:
            log.warning("Less history is kept: the database is at its cap", action="history_cut", share=round(share, 1))
        self._is_over_full(await self._is_too_large())
        return gone

    async def _is_too_large(self) -> bool:
        if self._keep.history_max is None:
            return False
        used = await self._store.read(lambda q: q.used_bytes())
        return used is not None and used > self._keep.history_max

    async def _in_slices(self, work: Callable[[Transaction], int]) -> int:
        gone = 0
        while count := await self._slice(work):
            gone += count
        return gone

    async def _slice(self, work: Callable[[Transaction], int]) -> int:
        """One slice, and a rest as long as it took: at most half of the writer's time goes into this."""
        before = time.monotonic()
        count = await self._store.write(work, bulk=True)
        await asyncio.sleep(max(REST_S, time.monotonic() - before))
        return count
