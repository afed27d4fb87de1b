"""The store on a real PostgreSQL server: one daemon, restarts of the server, and commits whose answer was lost."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Coroutine, Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any, TypeVar

import psycopg
import pytest

from postgresql import Server
from tcp_proxy import Proxy
from tocsin.core.model import Entry
from tocsin.errors import StoreError
from tocsin.ports import Transaction
from tocsin.store import engine as engines
from tocsin.store.store import SqlStore
from tocsin.store.upgrade import prepare

T = TypeVar("T")
NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


@pytest.fixture
def database(postgresql_server: Server) -> str:
    return postgresql_server.new_database()


@pytest.fixture
def proxy(postgresql_server: Server) -> Iterator[Proxy]:
    with closing(Proxy(postgresql_server.port)) as made:
        yield made


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


def entry(subject: str) -> Entry:
    return Entry(NOW, "tocsin", "noted", subject, {})


def note(subject: str) -> Any:
    return lambda tx: tx.append([entry(subject)])


async def subjects(store: SqlStore) -> list[str]:
    return [line["subject"] for line in await store.read(lambda queries: queries.journal_after(0, 1000))]


def test_second_daemon_is_refused_with_who_is_there(database: str) -> None:
    async def scenario() -> None:
        first = SqlStore(database)
        try:
            with pytest.raises(
                StoreError, match=r"another Tocsin \(process \d+ of the server, from 127.0.0.1\)"
            ) as error:
                SqlStore(database)
            assert error.value.permanent
        finally:
            await first.close()
        second = SqlStore(database)
        await second.close()

    run(scenario())


def test_other_database_of_the_same_server_has_its_own_daemon(postgresql_server: Server, database: str) -> None:
    async def scenario() -> None:
        stores = [SqlStore(database), SqlStore(postgresql_server.new_database())]
        for store in stores:
            await store.close()

    run(scenario())


def test_store_writes_and_reads_on_after_the_server_was_restarted(postgresql_server: Server, database: str) -> None:
    async def scenario() -> list[str]:
        store = SqlStore(database)
        try:
            await store.write(note("before"))
            await subjects(store)
            await asyncio.to_thread(postgresql_server.restart, "immediate")
            assert await subjects(store) == ["before"]
            await store.write(note("after"))
            return await subjects(store)
        finally:
            await store.close()

    assert run(scenario()) == ["before", "after"]


def test_daemon_that_lost_its_connection_does_not_write_beside_its_successor(proxy: Proxy, database: str) -> None:
    async def scenario() -> list[str]:
        first = SqlStore(proxy.url(database))
        try:
            await first.write(note("first"))
            proxy.refuse()
            proxy.cut()
            second = await until_taken_over(database)
            try:
                await second.write(note("second"))
                proxy.accept()
                with pytest.raises(StoreError, match="another Tocsin"):
                    await first.write(note("too late"))
                return await subjects(second)
            finally:
                await second.close()
        finally:
            await first.close()

    assert run(scenario()) == ["first", "second"]


async def until_taken_over(database: str) -> SqlStore:
    async with asyncio.timeout(10):
        while True:
            try:
                return SqlStore(database)
            except StoreError:
                await asyncio.sleep(0.05)


@pytest.mark.parametrize("is_committed", [True, False], ids=["it was committed", "it was not"])
def test_lost_answer_to_a_commit_makes_one_fact(proxy: Proxy, database: str, is_committed: bool) -> None:
    async def scenario() -> tuple[list[str], int]:
        store = SqlStore(proxy.url(database))
        runs = 0

        def work(tx: Transaction) -> str:
            nonlocal runs
            runs += 1
            tx.append([entry("once")])
            return "done"

        try:
            proxy.cut_at(b"COMMIT", delivers=is_committed)
            assert await store.write(work) == "done"
            assert proxy.cuts == 1
            return await subjects(store), runs
        finally:
            await store.close()

    assert run(scenario()) == (["once"], 1 if is_committed else 2)


def test_lost_answer_with_the_server_away_for_a_while_makes_one_fact(proxy: Proxy, database: str) -> None:
    async def scenario() -> list[str]:
        store = SqlStore(proxy.url(database))
        try:
            proxy.cut_at(b"COMMIT", delivers=True, then_refuses=True)
            writing = asyncio.create_task(store.write(note("once")))
            await asyncio.sleep(3)  # longer than a commit is tried again
            assert not writing.done()
            proxy.accept()
            await writing
            return await subjects(store)
        finally:
            await store.close()

    assert run(scenario()) == ["once"]


def test_write_that_finds_no_server_fails_within_seconds_and_the_next_one_works(proxy: Proxy, database: str) -> None:
    async def scenario() -> list[str]:
        store = SqlStore(proxy.url(database))
        try:
            proxy.refuse()
            proxy.cut()
            before = time.monotonic()
            with pytest.raises(StoreError, match="did not commit"):
                await store.write(note("lost"))
            assert time.monotonic() - before < 5
            assert store.errors == 1
            proxy.accept()
            await store.write(note("kept"))
            return await subjects(store)
        finally:
            await store.close()

    assert run(scenario()) == ["kept"]


def test_server_that_stands_still_is_given_up_after_the_limit(postgresql_server: Server, database: str) -> None:
    async def scenario() -> None:
        store = SqlStore(database, answers_within_s=1.0)
        try:
            await store.write(note("before"))
            postgresql_server.signal(signal.SIGSTOP)
            try:
                async with asyncio.timeout(20):
                    with pytest.raises(StoreError):
                        await store.write(note("never asked"))
                    with pytest.raises(StoreError):
                        await subjects(store)
            finally:
                postgresql_server.signal(signal.SIGCONT)
            await store.write(note("after"))
            assert [s for s in await subjects(store) if s != "never asked"] == ["before", "after"]
        finally:
            await store.close()

    run(scenario())


def test_statement_that_takes_too_long_fails_alone(database: str) -> None:
    async def scenario() -> list[str]:
        store = SqlStore(database)
        try:

            def slow(tx: Any) -> None:
                tx.connection.exec_driver_sql("SET LOCAL statement_timeout = 50")
                tx.connection.exec_driver_sql("SELECT pg_sleep(10)")

            results = await asyncio.gather(store.write(slow), store.write(note("beside it")), return_exceptions=True)
            assert isinstance(results[0], StoreError)
            assert "statement timeout" in str(results[0])
            return await subjects(store)
        finally:
            await store.close()

    assert run(scenario()) == ["beside it"]


def test_older_schema_is_refused_until_it_is_upgraded_by_hand(database: str) -> None:
    engine = engines.write_engine(engines.parse_url(database))
    prepare(engine, None)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
    engine.dispose()
    with pytest.raises(StoreError, match="tocsin db upgrade"):
        SqlStore(database)


def test_missing_driver_is_said_with_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StoreError, match=r"needs psycopg.*pip install 'tocsin\[postgresql\]'"):
        engines.write_engine(engines.parse_url("postgresql://nobody@127.0.0.1/none"))


def test_server_that_is_not_there_is_said_with_its_address() -> None:
    with pytest.raises(StoreError, match=r"postgresql://nobody:\*\*\*@127.0.0.1:1/none: .*refused") as error:
        SqlStore("postgresql://nobody:secret@127.0.0.1:1/none")
    assert "secret" not in str(error.value)


def test_ended_backend_is_replaced_at_once(postgresql_server: Server, database: str) -> None:
    async def scenario() -> list[str]:
        store = SqlStore(database)
        try:
            await store.write(note("one"))
            with psycopg.connect(database, autocommit=True) as other:
                other.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name LIKE 'tocsin%' AND datname = current_database()"
                )
            await store.write(note("two"))
            return await subjects(store)
        finally:
            await store.close()

    assert run(scenario()) == ["one", "two"]
