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
FILES = "ops-*.jsonl"

Mark = tuple[int, str]
"""An entry's sequence and hash."""


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
            self._written = await self._last_common()
        while True:
            after = self._written
            lines = await self._store.read(lambda q, a=after: q.journal_after(a, BATCH))  # type: ignore[misc]
            if not lines:
                return
            path = self._folder / f"ops-{now.astimezone(self._zone):%Y-%m-%d}.jsonl"
            await asyncio.to_thread(append, path, lines)
            self._written = int(lines[-1]["sequence"])

    async def _last_common(self) -> int:
        """The last entry that stands in the files as it stands in the journal: a restored database parts from them earlier."""
        last = await asyncio.to_thread(recover, self._folder)
        if last is None or await self._common([last]) is not None:
            return last[0] if last is not None else 0
        for path in sorted(self._folder.glob(FILES), reverse=True):
            written = await asyncio.to_thread(marks_of, path)
            for end in range(len(written), 0, -BATCH):
                found = await self._common(written[max(0, end - BATCH) : end])
                if found is not None:
                    return found
        return 0

    async def _common(self, written: list[Mark]) -> int | None:
        """The last of some consecutive lines that the journal bears out."""
        first = min(sequence for sequence, _ in written)
        rows = await self._store.read(lambda q: q.journal_after(first - 1, BATCH))
        known = {(int(row["sequence"]), str(row["hash"])) for row in rows}
        return next((mark[0] for mark in reversed(written) if mark in known), None)


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


def recover(folder: Path) -> Mark | None:
    """Cut off a torn last line; return the last whole one's sequence and hash (None when there is none)."""
    for path in sorted(folder.glob(FILES), reverse=True):
        _cut_torn_line(path)
        last = _last_line(path)
        if last is not None:
            return _mark_of(last)
    return None


def marks_of(path: Path) -> list[Mark]:
    with path.open("rb") as file:
        return [_mark_of(line) for line in file]


def _mark_of(line: bytes) -> Mark:
    entry = json.loads(line)
    return int(entry["sequence"]), str(entry["hash"])


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
