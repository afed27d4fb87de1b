"""The alarm of the disk: too little left, or gone within a week."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tocsin.daemon.alarms import Alarms
from tocsin.daemon.disk import Disk
from tocsin.errors import StoreError
from tocsin.store.store import SqlStore

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
GIB = 1024**3


class StandingClock:
    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return 0.0


class FilledDisk(Disk):
    """A disk that is as full as a test says."""

    left = 0

    def _look(self) -> dict[str, int]:
        return {str(self._folders[0]): self.left}


def with_disk(
    database: str, folder: Path, scenario: Callable[[FilledDisk, Alarms, SqlStore], Coroutine[Any, Any, None]]
) -> None:
    async def opened() -> None:
        store = SqlStore(database)
        try:
            alarms = Alarms(store, StandingClock(), lambda: ())
            await scenario(FilledDisk([folder], GIB, store, alarms), alarms, store)
        finally:
            await store.close()

    asyncio.run(opened())


def text_of(alarms: Alarms) -> str:
    return next((alarm.text for alarm in alarms.current() if alarm.name == "disk"), "")


def test_too_little_space_is_an_alarm_until_there_is_more(sqlite: str, tmp_path: Path) -> None:
    async def scenario(disk: FilledDisk, alarms: Alarms, _store: SqlStore) -> None:
        disk.left = GIB - 1
        await disk.step(NOW)
        assert text_of(alarms) == f"{tmp_path}: only 1,024 MiB free, less than disk_free (1.0 GiB): make room"
        disk.left = GIB
        await disk.step(NOW)
        assert text_of(alarms) == ""

    with_disk(sqlite, tmp_path, scenario)


def test_disk_that_will_be_full_within_a_week_is_an_alarm_also_across_a_restart(sqlite: str, tmp_path: Path) -> None:
    async def first_day(disk: FilledDisk, alarms: Alarms, _store: SqlStore) -> None:
        for hour in range(20):
            disk.left = 200 * GIB - hour * GIB
            await disk.step(NOW + hour * HOUR)
        assert text_of(alarms) == ""

    async def next_day(disk: FilledDisk, alarms: Alarms, _store: SqlStore) -> None:
        for hour in range(20, 40):
            disk.left = 200 * GIB - hour * GIB
            await disk.step(NOW + hour * HOUR)
        assert text_of(alarms) == f"{tmp_path}: 161.0 GiB free, full in about 6.7 days at the present pace: make room"

    with_disk(sqlite, tmp_path, first_day)
    with_disk(sqlite, tmp_path, next_day)


def test_full_disk_is_told_though_the_store_takes_nothing_any_more(sqlite: str, tmp_path: Path) -> None:
    async def scenario(disk: FilledDisk, alarms: Alarms, store: SqlStore) -> None:
        async def refused(*_work: object, **_more: object) -> None:
            raise StoreError("database or disk is full")

        store.write = refused  # type: ignore[method-assign, assignment]
        disk.left = 0
        await disk.step(NOW)
        assert "only 0 MiB free" in text_of(alarms)

    with_disk(sqlite, tmp_path, scenario)


def test_history_over_its_cap_is_an_alarm(sqlite: str, tmp_path: Path) -> None:
    async def scenario(disk: FilledDisk, alarms: Alarms, _store: SqlStore) -> None:
        disk.left = 100 * GIB
        disk.tell_over_full(True)
        await disk.step(NOW)
        assert "history_max" in text_of(alarms)
        disk.tell_over_full(False)
        await disk.step(NOW)
        assert text_of(alarms) == ""

    with_disk(sqlite, tmp_path, scenario)


def test_real_folders_on_one_disk_are_one_disk_and_one_that_is_not_there_is_none(sqlite: str, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()

    async def opened() -> dict[str, int]:
        store = SqlStore(sqlite)
        try:
            alarms = Alarms(store, StandingClock(), lambda: ())
            return Disk([tmp_path, tmp_path / "other", tmp_path / "not there"], 0, store, alarms)._look()
        finally:
            await store.close()

    found = asyncio.run(opened())
    assert list(found) == [str(tmp_path)]
    assert found[str(tmp_path)] > 0


def test_disk_that_does_not_answer_is_told_and_keeps_nobody(
    sqlite: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    from tocsin.daemon import disk as module

    monkeypatch.setattr(module, "ANSWERS_WITHIN_S", 0.05)
    released = threading.Event()

    class HangingDisk(FilledDisk):
        def _look(self) -> dict[str, int]:
            released.wait(10)
            return {str(self._folders[0]): 5 * GIB}

    async def opened() -> None:
        store = SqlStore(sqlite)
        try:
            alarms = Alarms(store, StandingClock(), lambda: ())
            disk = HangingDisk([tmp_path], GIB, store, alarms)
            await disk.step(NOW)
            assert "does not answer" in text_of(alarms)
            released.set()
            await disk.step(NOW)
            assert text_of(alarms) == ""
        finally:
            released.set()
            await store.close()

    asyncio.run(opened())
