"""The daily ops log: the journal as JSON lines, one file a day, a projection that can be made anew at any time.

Where it stands is read from the files themselves: the last whole line names the last entry written. A line torn by a crash is cut off and
written again.
"""

from __future__ import annotations

import asyncio
import json
import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from tocsin.daemon.alarms import Alarms
from tocsin.ports import Store

BATCH = 500
LOOK_AGAIN = timedelta(seconds=30)
TAIL_BYTES = 1 << 20


class OpsLog:
    """Writes `ops-YYYY-MM-DD.jsonl` files (days of the configured time zone) into a folder."""

    def __init__(self, folder: Path, store: Store, alarms: Alarms, timezone: str) -> None:
        self._folder = folder
        self._store = store
        self._alarms = alarms
        self._zone = ZoneInfo(timezone)
        self._written: int | None = None

    async def step(self, now: datetime) -> datetime:
        """Append what the journal has and the files have not."""
        try:
            await self._catch_up(now)
        except OSError as error:
            self._written = None
            self._alarms.raise_(
                "ops_log", f"{self._folder}: {error.strerror} (the journal itself goes on in the database)"
            )
            return now + LOOK_AGAIN
        self._alarms.clear("ops_log")
        return now + LOOK_AGAIN

    async def _catch_up(self, now: datetime) -> None:
        if self._written is None:
            self._written = await asyncio.to_thread(recover, self._folder)
        while True:
            after = self._written
            lines = await self._store.read(lambda q, a=after: q.journal_after(a, BATCH))  # type: ignore[misc]
            if not lines:
                return
            path = self._folder / f"ops-{now.astimezone(self._zone):%Y-%m-%d}.jsonl"
            await asyncio.to_thread(append, path, lines)
            self._written = int(lines[-1]["sequence"])


def append(path: Path, lines: list[dict[str, Any]]) -> None:
    """Append lines and wait until they are on the disk."""
    text = "".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n" for line in lines)
    path.parent.mkdir(parents=True, exist_ok=True)
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        data = text.encode()
        while data:
            data = data[os.write(fd, data) :]
        os.fsync(fd)
    finally:
        os.close(fd)


def recover(folder: Path) -> int:
    """Cut off a torn last line; return the sequence of the last whole one (0 when there is none)."""
    for path in sorted(folder.glob("ops-*.jsonl"), reverse=True):
        _cut_torn_line(path)
        last = _last_line(path)
        if last is not None:
            return int(json.loads(last)["sequence"])
    return 0


def _cut_torn_line(path: Path) -> None:
    with path.open("r+b") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(0, end - TAIL_BYTES))
        tail = file.read()
        whole = tail.rfind(b"\n") + 1
        if whole != len(tail):
            file.truncate(end - len(tail) + whole)


def _last_line(path: Path) -> bytes | None:
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(0, end - TAIL_BYTES))
        lines = file.read().splitlines()
    return lines[-1] if lines else None
