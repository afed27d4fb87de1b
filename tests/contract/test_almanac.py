"""Odd clocks and calendars that end soon become alarms and journal entries."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tocsin.core.calendar import Calendar
from tocsin.core.policy import Rulebook
from tocsin.core.time_watch import Reading
from tocsin.daemon.alarms import Alarms
from tocsin.daemon.almanac import Almanac
from tocsin.daemon.clock import SystemClock
from tocsin.store.store import SqlStore

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)


def looked(folder: Path, *readings: Reading, rulebook: Rulebook | None = None) -> tuple[list[str], list[str]]:
    """The alarms and the journal's actions after one look at each reading."""

    async def inside() -> tuple[list[str], list[str]]:
        store = SqlStore(f"sqlite:///{folder / 'tocsin.db'}")
        alarms = Alarms(store, SystemClock(), lambda: ())
        coming = iter(readings)
        almanac = Almanac(store, alarms, lambda: next(coming), lambda: rulebook or Rulebook())
        for _ in readings[1:]:
            await almanac.step(NOW)
        lines = await store.read(lambda q: q.journal_tail(10))
        await store.close()
        return [alarm.name for alarm in alarms.current()], [line["action"] for line in lines]

    return asyncio.run(inside())


def test_wall_clock_that_was_set_is_an_alarm_and_an_entry_and_the_alarm_ends(tmp_path: Path) -> None:
    first = Reading(NOW, 0.0, 0.0)
    stepped = Reading(NOW + timedelta(hours=3, seconds=5), 5.0, 5.0)
    assert looked(tmp_path / "a", first, stepped) == (["clock_step"], ["clock_stepped"])
    calm = Reading(stepped.wall + timedelta(minutes=11), 665.0, 665.0)
    assert looked(tmp_path / "b", first, stepped, calm) == ([], ["clock_stepped"])


def test_machine_that_slept_was_blind(tmp_path: Path) -> None:
    slept = Reading(NOW + timedelta(hours=1), 5.0, 3600.0)
    assert looked(tmp_path, Reading(NOW, 0.0, 0.0), slept) == (["blind"], ["node_slept"])


def test_year_without_official_holidays_is_told_sixty_days_before(tmp_path: Path) -> None:
    covered = replace(Calendar("office"), covered_years=frozenset({2026}))
    rules = Rulebook(calendars={"office": covered})
    readings = (Reading(NOW, 0.0, 0.0), Reading(NOW + timedelta(seconds=5), 5.0, 5.0))
    assert looked(tmp_path / "soon", *readings, rulebook=rules)[0] == ["calendar"]
    further = Rulebook(calendars={"office": replace(covered, covered_years=frozenset({2026, 2027}))})
    assert looked(tmp_path / "far", *readings, rulebook=further)[0] == []
