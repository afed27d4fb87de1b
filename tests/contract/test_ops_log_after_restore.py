"""The ops log finds its place again: after a crash, after a restore, and beside a database that was made anew."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tocsin.core.model import Entry
from tocsin.daemon.alarms import Alarms
from tocsin.daemon.ops_log import BATCH, OpsLog
from tocsin.store.store import SqlStore

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


class StandingClock:
    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return 0.0


def lines(folder: Path) -> Iterator[tuple[int, str]]:
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text().splitlines():
            entry = json.loads(line)
            yield entry["sequence"], entry["subject"]


def life(database: str, folder: Path, *subjects: str, days: int = 0) -> None:
    """One life of a daemon that notes some subjects and writes its ops log."""

    async def scenario() -> None:
        store = SqlStore(database)
        try:
            for start in range(0, len(subjects), 200):
                part = subjects[start : start + 200]
                await store.write(lambda tx, p=part: tx.append([entry(subject) for subject in p]))  # type: ignore[misc]
            log = OpsLog(folder, store, Alarms(store, StandingClock(), lambda: ()), "UTC")
            await log.step(NOW.replace(day=24 + days))
        finally:
            await store.close()

    asyncio.run(scenario())


def entry(subject: str) -> Entry:
    return Entry(NOW, "tocsin", "noted", subject, {})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "ops"


def test_second_life_goes_on_behind_the_last_line(sqlite: str, folder: Path) -> None:
    life(sqlite, folder, "a", "b")
    life(sqlite, folder, "c", days=1)
    assert list(lines(folder)) == [(1, "a"), (2, "b"), (3, "c")]


def test_torn_line_is_written_again(sqlite: str, folder: Path) -> None:
    life(sqlite, folder, "a", "b")
    (file,) = folder.glob("*.jsonl")
    file.write_bytes(file.read_bytes()[:-20])
    life(sqlite, folder, "c")
    assert list(lines(folder)) == [(1, "a"), (2, "b"), (3, "c")]


@pytest.mark.parametrize("lost", [2, BATCH + 300])
def test_entries_after_a_restore_are_written_though_their_numbers_were_used_before(
    sqlite: str, tmp_path: Path, folder: Path, lost: int
) -> None:
    life(sqlite, folder, "a", "b", "c")
    (tmp_path / "backup").write_bytes((tmp_path / "tocsin.db").read_bytes())
    life(sqlite, folder, *[f"lost {n}" for n in range(lost)], days=1)
    (tmp_path / "tocsin.db").write_bytes((tmp_path / "backup").read_bytes())
    life(sqlite, folder, "new", days=2)
    written: list[Any] = list(lines(folder))
    assert written[:3] == [(1, "a"), (2, "b"), (3, "c")]
    assert written[-1] == (4, "new")
    assert len(written) == 3 + lost + 1
    life(sqlite, folder, "newer", days=2)
    assert list(lines(folder))[-2:] == [(4, "new"), (5, "newer")]


def test_new_database_beside_an_old_ops_log_is_written_from_its_start(
    sqlite: str, tmp_path: Path, folder: Path
) -> None:
    life(sqlite, folder, "a", "b", "c")
    for file in tmp_path.glob("tocsin.db*"):
        file.unlink()
    life(sqlite, folder, "other", days=1)
    assert list(lines(folder))[-1] == (1, "other")
