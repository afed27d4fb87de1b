"""The store as the daemon holds it: asynchronous, one writer, readers beside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from sqlalchemy import text

from case_parts import T0, Play, minute
from tocsin.core.case import Case
from tocsin.core.model import Entry
from tocsin.errors import Refused, StoreError
from tocsin.ports import Store, Transaction
from tocsin.store.store import SqlStore

WITHIN_S = 20


def run(work: Awaitable[Any]) -> Any:
    async def bounded() -> Any:
        return await asyncio.wait_for(work, WITHIN_S)

    return asyncio.run(bounded())


@asynccontextmanager
async def opened(database: str, **more: Any) -> AsyncIterator[SqlStore]:
    store = SqlStore(database, **more)
    try:
        yield store
    finally:
        await store.close()


def commit(act: Callable[[Play], Any]) -> Callable[[Transaction], Case]:
    def work(tx: Transaction) -> Case:
        play = Play()
        play.case = before = tx.case("erp")
        return tx.commit_decision(before, act(play))

    return work


def test_what_was_written_is_read_after_a_restart(empty_database: str) -> None:
    async def play() -> None:
        async with opened(empty_database) as store:
            _: Store = store
            assert store.was_new
            await store.write(commit(lambda p: p.fails()))
        async with opened(empty_database) as store:
            assert not store.was_new
            await store.write(commit(lambda p: p.ack(minute(5))))
            (shown,) = await store.read(lambda queries: queries.incidents())
            assert (shown["state"], shown["acknowledged_at"]) == ("acknowledged", "2026-11-04T10:05:00.000000Z")
            assert [line["action"] for line in await store.read(lambda queries: queries.timeline(1))] == [
                "incident_opened",
                "incident_acknowledged",
            ]

    run(play())


def test_what_a_unit_of_work_raises_comes_back_and_nothing_of_it_is_kept(database: str) -> None:
    def refused(tx: Transaction) -> None:
        tx.put_fact("a", "1")
        raise Refused("no")

    async def play() -> None:
        async with opened(database) as store:
            with pytest.raises(Refused, match="no"):
                await store.write(refused)
            assert await store.write(lambda tx: tx.get_fact("a")) is None
            assert store.errors == 0

    run(play())


def test_many_writes_at_once_are_all_kept_in_one_chain(database: str) -> None:
    async def play() -> None:
        async with opened(database) as store:
            entry = Entry(T0, "tocsin", "incident_noted", "incident:1", {})
            await asyncio.gather(*(store.write(lambda tx: tx.append([entry])) for _ in range(100)))
            lines = await store.read(lambda queries: queries.journal_after(0, 1000))
            assert [line["sequence"] for line in lines] == list(range(1, 101))

    run(play())


def test_a_caller_that_is_cancelled_undoes_nothing_that_was_on_its_way(database: str) -> None:
    begun, go = Event(), Event()

    def slow(tx: Transaction) -> None:
        begun.set()
        assert go.wait(WITHIN_S)
        tx.put_fact("a", "1")

    async def play() -> None:
        async with opened(database) as store:
            task = asyncio.create_task(store.write(slow))
            assert await asyncio.to_thread(begun.wait, WITHIN_S)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            go.set()
            assert await store.write(lambda tx: tx.get_fact("a")) == "1"

    run(play())


def test_bulk_work_waits_behind_promises(database: str) -> None:
    begun, go, done = Event(), Event(), list[str]()

    def hold(_: Transaction) -> None:
        begun.set()
        assert go.wait(WITHIN_S)

    async def play() -> None:
        async with opened(database) as store:
            first = asyncio.create_task(store.write(hold))
            assert await asyncio.to_thread(begun.wait, WITHIN_S)
            bulk = asyncio.create_task(store.write(lambda _: done.append("bulk"), bulk=True))
            await asyncio.sleep(0)
            promise = asyncio.create_task(store.write(lambda _: done.append("promise")))
            await asyncio.sleep(0)
            go.set()
            await asyncio.gather(first, bulk, promise)
            assert done == ["promise", "bulk"]

    run(play())


def test_readers_are_not_held_up_by_the_writer_and_see_what_was_committed(database: str) -> None:
    begun, go = Event(), Event()

    def slow(tx: Transaction) -> None:
        tx.append([Entry(T0, "tocsin", "incident_noted", "incident:1", {})])
        begun.set()
        assert go.wait(WITHIN_S)

    async def play() -> None:
        async with opened(database) as store:
            task = asyncio.create_task(store.write(slow))
            assert await asyncio.to_thread(begun.wait, WITHIN_S)
            assert await store.read(lambda queries: queries.journal_tail(10)) == []
            go.set()
            await task
            assert len(await store.read(lambda queries: queries.journal_tail(10))) == 1

    run(play())


def test_a_reader_cannot_write(database: str) -> None:
    async def play() -> None:
        async with opened(database) as store:
            with pytest.raises(StoreError, match="cannot be read"):
                await store.read(lambda queries: queries._connection.execute(text("DELETE FROM meta")))  # type: ignore[attr-defined]

    run(play())


def test_closing_finishes_what_was_asked_for(database: str) -> None:
    async def play() -> None:
        store = SqlStore(database)
        writes = [asyncio.ensure_future(store.write(lambda tx, n=n: tx.put_fact(f"k{n}", "x"))) for n in range(20)]
        await asyncio.sleep(0)
        await store.close()
        assert await asyncio.gather(*writes) == [None] * 20
        with pytest.raises(StoreError, match="it is closed"):
            await store.write(lambda tx: tx.get_fact("k0"))
        async with opened(database) as again:
            assert await again.write(lambda tx: tx.get_fact("k19")) == "x"

    run(play())


# --- on a file ---


def test_a_second_store_on_the_same_file_is_refused_until_the_first_is_closed(sqlite: str) -> None:
    async def play() -> None:
        async with opened(sqlite):
            with pytest.raises(StoreError, match="another Tocsin"):
                SqlStore(sqlite)
        async with opened(sqlite):
            pass

    run(play())


def test_a_store_that_cannot_be_opened_lets_go_of_its_lock(tmp_path: Path) -> None:
    path = tmp_path / "tocsin.db"
    path.write_bytes(b"no database" * 1000)
    for _ in range(2):
        with pytest.raises(StoreError, match="never replaced by an empty one"):
            SqlStore(f"sqlite:///{path}")
    path.unlink()

    async def play() -> None:
        async with opened(f"sqlite:///{path}") as store:
            assert store.was_new

    run(play())


def test_a_relative_file_starts_at_the_given_folder_which_is_made(tmp_path: Path) -> None:
    async def play() -> None:
        async with opened("sqlite:///var/deep/tocsin.db", base=tmp_path):
            assert (tmp_path / "var/deep/tocsin.db").exists()

    run(play())


def test_a_file_that_is_lost_while_it_is_open_is_a_storage_error_and_not_an_end(sqlite: str) -> None:
    async def play() -> None:
        async with opened(sqlite) as store:
            await store.write(lambda tx: tx.connection.execute(text("DROP TABLE meta")))  # type: ignore[attr-defined]
            for _ in range(2):
                with pytest.raises(StoreError):
                    await store.write(lambda tx: tx.get_fact("a"))
            assert store.errors == 2
            assert await store.write(lambda tx: tx.last_notice_id()) == 0

    run(play())
