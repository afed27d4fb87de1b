"""From SQLite to PostgreSQL and back: everything arrives, it is verified there, and what cannot be is refused."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from filled_store import fill, whole
from postgresql import Server
from tocsin.core.model import Entry
from tocsin.errors import Refused, StoreError
from tocsin.store import engine as engines
from tocsin.store import journal
from tocsin.store.move import move
from tocsin.store.store import SqlStore

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


def silent(_what: str, _done: int, _total: int) -> None:
    pass


def moved(source: str, target: str) -> dict[str, int]:
    return move(*engines.located(source, None), *engines.located(target, None), NOW, "user:root", silent)


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'tocsin.db'}"


def test_everything_arrives_and_comes_back_as_it_was(sqlite: str, tmp_path: Path, postgresql_server: Server) -> None:
    fill(sqlite)
    before = whole(sqlite)
    server = postgresql_server.new_database()
    counts = moved(sqlite, server)
    assert counts["journal"] == len(before["journal"])
    back = f"sqlite:///{tmp_path / 'back.db'}"
    moved(server, back)
    after = whole(back)
    assert [line["action"] for line in after["journal"][-2:]] == ["database_copied"] * 2
    after["journal"] = after["journal"][:-2]
    drop_head(before)
    drop_head(after)
    assert after == before


def drop_head(tables: dict[str, list[dict[str, Any]]]) -> None:
    tables["meta"] = [row for row in tables["meta"] if row["key"] != journal.HEAD_KEY]


def test_daemon_goes_on_in_the_copy_with_new_ids(sqlite: str, postgresql_server: Server) -> None:
    fill(sqlite)
    server = postgresql_server.new_database()
    moved(sqlite, server)
    last = max(row["id"] for row in whole(sqlite)["failures"])

    async def scenario() -> list[int]:
        store = SqlStore(server)
        try:
            row = {
                "system": "erp",
                "check": "health",
                "at": NOW,
                "status": "down",
                "reason": "timeout",
                "text": "",
                "duration_s": 5.0,
            }
            await store.write(lambda tx: tx.keep_failures([row]))
            await store.write(lambda tx: tx.append([Entry(NOW, "tocsin", "noted", "erp", {})]))
            return [row["id"] for row in whole(server)["failures"]]
        finally:
            await store.close()

    assert max(asyncio.run(scenario())) == last + 1


def test_target_that_is_not_empty_is_refused_and_stays_as_it_was(sqlite: str, postgresql_server: Server) -> None:
    fill(sqlite)
    server = postgresql_server.new_database()
    fill(server, systems=1)
    before = whole(server)
    with pytest.raises(StoreError, match="not empty"):
        moved(sqlite, server)
    assert whole(server) == before


@pytest.mark.parametrize("busy", ["source", "target"])
def test_copy_is_refused_while_a_daemon_works_on_either(sqlite: str, postgresql_server: Server, busy: str) -> None:
    fill(sqlite)
    server = postgresql_server.new_database()

    async def scenario() -> None:
        store = SqlStore(sqlite if busy == "source" else server)
        try:
            with pytest.raises(StoreError, match="another Tocsin"):
                await asyncio.to_thread(moved, sqlite, server)
        finally:
            await store.close()

    asyncio.run(scenario())


def test_copy_of_a_broken_journal_is_refused_and_leaves_nothing(sqlite: str, postgresql_server: Server) -> None:
    fill(sqlite)
    engine = engines.write_engine(engines.parse_url(sqlite))
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE journal SET actor = 'nobody' WHERE sequence = 2")
    engine.dispose()
    server = postgresql_server.new_database()
    with pytest.raises(StoreError, match="entry 2 was edited"):
        moved(sqlite, server)
    assert whole(server) == {}


def test_copy_onto_itself_is_refused(sqlite: str) -> None:
    fill(sqlite)
    with pytest.raises(Refused, match="in use"):
        moved(sqlite, sqlite)


def test_progress_names_each_table_up_to_its_end(sqlite: str, postgresql_server: Server) -> None:
    fill(sqlite)
    told: list[tuple[str, int, int]] = []
    source, target = engines.located(sqlite, None), engines.located(postgresql_server.new_database(), None)
    counts = move(*source, *target, NOW, "user:root", lambda what, done, total: told.append((what, done, total)))
    assert {what for what, done, total in told if done == total} == {name for name, count in counts.items() if count}
