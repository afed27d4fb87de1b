"""Old history goes in slices, figures stay right, and the journal stays whole when its start is removed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from filled_store import failure, rollup
from tocsin.core.model import Entry
from tocsin.store import journal, retention
from tocsin.store.queries import SqlQueries
from tocsin.store.schema import hourly_rollups, meta, rollups
from tocsin.store.schema import journal as journal_table
from tocsin.store.transaction import SqlTransaction

START = datetime(2026, 10, 1, 8, 0, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)

Unit = Callable[[Callable[[SqlTransaction], Any]], Any]
Ask = Callable[[Callable[[SqlQueries], Any]], Any]


def minutes(system: str, first: datetime, count: int, check: str = "health") -> list[dict[str, Any]]:
    return [rollup(system, first + n * MINUTE, down=n % 5 == 0, check=check) for n in range(count)]


def compact_all(unit: Unit, ask: Ask, before: datetime) -> int:
    gone = 0
    while (found := ask(lambda q: q.hour_to_compact(before))) is not None:
        gone += unit(lambda tx, h=found: tx.compact(h[0], h[1]))
    return gone


def figures(ask: Ask, start: datetime, end: datetime) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ask(lambda q: q.history("erp", None, start, end))
    return found


def test_history_of_whole_hours_is_the_same_after_compaction(unit: Unit, ask: Ask, engine: Engine) -> None:
    for check in ("health", "login"):
        unit(lambda tx, c=check: tx.keep_rollups(minutes("erp", START, 180, c)))
    unit(lambda tx: tx.keep_rollups(minutes("crm", START, 10)))
    before = figures(ask, START, START + 3 * HOUR)
    assert compact_all(unit, ask, START + 2 * HOUR) == 2 * 120 + 10
    assert figures(ask, START, START + 3 * HOUR) == before
    with engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(rollups)).scalar() == 2 * 60
        assert connection.execute(select(func.count()).select_from(hourly_rollups)).scalar() == 2 * 2 + 1


def test_period_that_cuts_a_compacted_hour_covers_it_whole_and_says_so(unit: Unit, ask: Ask) -> None:
    unit(lambda tx: tx.keep_rollups(minutes("erp", START, 120)))
    compact_all(unit, ask, START + HOUR)
    found = figures(ask, START + 30 * MINUTE, START + 90 * MINUTE)
    assert (found[0]["from"], found[0]["to"]) == ("2026-10-01T08:00:00.000000Z", "2026-10-01T09:30:00.000000Z")
    assert found[0]["probes"] == (60 + 30) * 4
    assert figures(ask, START + 60 * MINUTE, START + 90 * MINUTE)[0]["probes"] == 30 * 4


def test_minutes_of_an_hour_that_is_compacted_already_are_added_to_it(unit: Unit, ask: Ask) -> None:
    unit(lambda tx: tx.keep_rollups(minutes("erp", START, 60)))
    compact_all(unit, ask, START + HOUR)
    unit(lambda tx: tx.keep_rollups(minutes("erp", START + 10 * MINUTE, 5)))
    assert figures(ask, START, START + HOUR)[0]["probes"] == 65 * 4
    compact_all(unit, ask, START + HOUR)
    assert figures(ask, START, START + HOUR)[0]["probes"] == 65 * 4


def test_hour_that_is_not_over_is_left_alone(unit: Unit, ask: Ask) -> None:
    unit(lambda tx: tx.keep_rollups(minutes("erp", START, 60)))
    assert ask(lambda q: q.hour_to_compact(START + 59 * MINUTE)) is None
    assert ask(lambda q: q.hour_to_compact(START + HOUR)) == (START, [("erp", "health")])


@pytest.mark.parametrize("table", ["rollups", "hourly_rollups", "failures", "transitions"])
def test_pruning_takes_the_oldest_first_and_nothing_young(unit: Unit, ask: Ask, engine: Engine, table: str) -> None:
    unit(lambda tx: tx.keep_rollups([*minutes("erp", START, 20), *minutes("crm", START, 20)]))
    unit(lambda tx: tx.keep_failures([failure("erp", START + n * MINUTE) for n in range(20)]))
    for n in range(20):
        row = {"system": "erp", "check": "health", "at": START + n * MINUTE, "first_at": START, "previous": "up"}
        unit(lambda tx, r=row: tx.keep_transition({**r, "status": "down", "reason": "timeout", "text": ""}))
    if table == "hourly_rollups":
        unit(lambda tx: tx.keep_rollups(minutes("erp", START - 30 * HOUR, 20 * 60)))
        compact_all(unit, ask, START)
    chosen, stamp = retention._TABLES[table]
    step = HOUR if table == "hourly_rollups" else MINUTE
    first = START - 30 * HOUR if table == "hourly_rollups" else START
    count = 2 if table == "rollups" else 1
    slices = [unit(lambda tx: tx.prune(table, first + 7 * step, 3)) for _ in range(7)]
    assert sum(slices) == 7 * count
    assert max(slices) == 3
    assert slices[-1] == 0
    with engine.connect() as connection:
        assert connection.execute(select(func.min(chosen.c[stamp]))).scalar() == first + 7 * step


# --- the journal ---


def filled(unit: Unit, count: int, first: datetime = START) -> None:
    for n in range(count):
        unit(lambda tx, m=n: tx.append([Entry(first + m * HOUR, "tocsin", "noted", f"n{m}", {"n": m})]))


def announced(unit: Unit, ask: Ask, before: datetime) -> int:
    sequence, hashed = ask(lambda q: q.journal_until(before))
    data = {"through": sequence, "hash": hashed}
    unit(lambda tx: tx.append([Entry(START + 100 * HOUR, "tocsin", "journal_pruned", "journal", data)]))
    return int(sequence)


def verified(engine: Engine) -> journal.Verification:
    with engine.connect() as connection:
        return journal.verify(connection)


def test_journal_stays_whole_while_its_start_is_removed_slice_by_slice(unit: Unit, ask: Ask, engine: Engine) -> None:
    filled(unit, 10)
    through = announced(unit, ask, START + 6 * HOUR)
    assert through == 6
    for gone, first in ((4, 5), (2, 7), (0, 7)):
        assert unit(lambda tx: tx.prune_journal(through, 4)) == gone
        found = verified(engine)
        assert (found.broken, found.first, found.last) == (None, first, 11)


def test_only_entries_that_are_all_old_go(unit: Unit, ask: Ask) -> None:
    filled(unit, 3)
    late = Entry(START - HOUR, "tocsin", "clock_breached", "incident:1", {})
    young = Entry(START + 50 * HOUR, "tocsin", "noted", "young", {})
    unit(lambda tx: tx.append([young, late]))
    assert ask(lambda q: q.journal_until(START + 10 * HOUR))[0] == 3
    assert ask(lambda q: q.journal_until(START + 99 * HOUR))[0] == 5
    assert ask(lambda q: q.journal_until(START)) is None


def test_start_that_was_cut_off_without_a_word_is_found(unit: Unit, engine: Engine) -> None:
    filled(unit, 10)
    unit(lambda tx: tx.prune_journal(4, 500))
    found = verified(engine)
    assert found.broken == (4, "entries up to 4 were removed, and no entry says that they were old enough")


def test_more_removed_than_was_announced_is_found(unit: Unit, ask: Ask, engine: Engine) -> None:
    filled(unit, 10)
    announced(unit, ask, START + 3 * HOUR)
    unit(lambda tx: tx.prune_journal(5, 500))
    broken = verified(engine).broken
    assert broken is not None
    assert broken[0] == 5


def test_start_that_was_moved_by_hand_is_found(unit: Unit, engine: Engine) -> None:
    filled(unit, 10)
    unit(lambda tx: tx.prune_journal(3, 500))
    with engine.begin() as connection:
        connection.execute(meta.update().where(meta.c.key == journal.BASE_KEY).values(value=f"4 {'0' * 64}"))
        connection.execute(journal_table.delete().where(journal_table.c.sequence == 4))
    assert verified(engine).broken is not None


def test_used_bytes_fall_when_rows_go(unit: Unit, ask: Ask, engine: Engine) -> None:
    before = ask(lambda q: q.used_bytes())
    if engine.dialect.name == "postgresql":
        assert before is None
        return
    unit(lambda tx: tx.keep_failures([failure("erp", START + n * MINUTE) for n in range(2000)]))
    full = ask(lambda q: q.used_bytes())
    while unit(lambda tx: tx.prune("failures", START + 9999 * MINUTE, 500)):
        pass
    assert before < full
    assert ask(lambda q: q.used_bytes()) < (before + full) / 2
