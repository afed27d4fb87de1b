"""The one writer: a group commits together, one that fails hurts nobody, and a lock is waited out."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, select, text

from tocsin.errors import Refused, StoreError
from tocsin.store import engine as engines
from tocsin.store.schema import meta
from tocsin.store.upgrade import prepare
from tocsin.store.writer import QUEUE_LIMIT, Writer

WITHIN_S = 10


@pytest.fixture
def writer(engine: Engine) -> Iterator[Writer]:
    writer = Writer(engine)
    yield writer
    writer.close()


def put(key: str, value: str = "x") -> Callable[[Connection], str]:
    def work(connection: Connection) -> str:
        connection.execute(meta.insert().values(key=key, value=value))
        return key

    return work


def written(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return sorted(connection.execute(select(meta.c.key)).scalars())


class Group:
    """Holds the writer busy while things are queued, so that they become one group."""

    def __init__(self, writer: Writer) -> None:
        self._go, self._begun = threading.Event(), threading.Event()
        self.first = writer.submit(self._wait)
        assert self._begun.wait(WITHIN_S)

    def _wait(self, _: Connection) -> None:
        self._begun.set()
        assert self._go.wait(WITHIN_S)

    def go(self, *futures: Future[Any]) -> list[Any]:
        """Let it run; returns each result, or the error."""
        self._go.set()
        return [future.exception(WITHIN_S) or future.result(WITHIN_S) for future in futures]


def commits(engine: Engine) -> list[None]:
    counted: list[None] = []
    event.listen(engine, "commit", lambda _: counted.append(None))
    return counted


def test_what_waits_is_committed_as_one_group(engine: Engine, writer: Writer) -> None:
    group, counted = Group(writer), commits(engine)
    futures = [writer.submit(put(f"k{n:02}")) for n in range(50)]
    assert group.go(*futures) == [f"k{n:02}" for n in range(50)]
    assert len(counted) == 2
    writer.close()
    assert len(written(engine)) == 50


def test_one_that_is_refused_or_fails_hurts_nobody_in_its_group(engine: Engine, writer: Writer) -> None:
    def refused(connection: Connection) -> None:
        put("never 1")(connection)
        raise Refused("it is resolved already")

    def faulty(connection: Connection) -> None:
        put("never 2")(connection)
        raise ZeroDivisionError

    def duplicate(connection: Connection) -> None:
        put("never 3")(connection)
        put("never 3")(connection)

    group, counted = Group(writer), commits(engine)
    futures = [writer.submit(work) for work in (put("a"), refused, put("b"), faulty, duplicate, put("c"))]
    a, why, b, fault, twice, c = group.go(*futures)
    assert (a, b, c) == ("a", "b", "c")
    assert isinstance(why, Refused)
    assert isinstance(fault, StoreError)
    assert "ZeroDivisionError" in str(fault)
    assert fault.permanent
    assert isinstance(twice, StoreError)
    assert twice.permanent
    assert len(counted) == 2
    writer.close()
    assert written(engine) == ["a", "b", "c"]


def test_one_that_the_database_cannot_stomach_hurts_nobody_in_its_group(engine: Engine, writer: Writer) -> None:
    def poison(connection: Connection) -> None:
        connection.execute(text("SELECT * FROM there_is_no_such_table"))

    group = Group(writer)
    good, bad, better = group.go(*(writer.submit(work) for work in (put("a"), poison, put("b"))))
    assert (good, better) == ("a", "b")
    assert isinstance(bad, StoreError)
    writer.close()
    assert written(engine) == ["a", "b"]


def test_work_is_done_in_the_order_in_which_it_came_and_bulk_work_after_it(engine: Engine, writer: Writer) -> None:
    done: list[str] = []
    group = Group(writer)
    futures = [
        writer.submit(lambda _, n=name: done.append(n), bulk=name.startswith("bulk"))
        for name in ("bulk 1", "a", "bulk 2", "b", "bulk 3", "c")
    ]
    group.go(*futures)
    assert done == ["a", "b", "c", "bulk 1", "bulk 2", "bulk 3"]


def test_all_bulk_work_is_done_although_nothing_urgent_comes_any_more(writer: Writer) -> None:
    group = Group(writer)
    bulk = [writer.submit(lambda _, n=n: n, bulk=True) for n in range(5)]
    urgent = writer.submit(lambda _: "urgent")
    assert group.go(urgent, *bulk) == ["urgent", 0, 1, 2, 3, 4]


@pytest.mark.parametrize("bulk", [True, False])
def test_closing_finishes_what_is_queued_and_stops_at_once(engine: Engine, writer: Writer, bulk: bool) -> None:
    group = Group(writer)
    futures = [writer.submit(put(f"k{n}"), bulk=bulk) for n in range(5)]
    threading.Timer(0.05, group.go).start()
    began = time.monotonic()
    writer.close()
    assert time.monotonic() - began < 5
    assert [future.result(0) for future in futures] == [f"k{n}" for n in range(5)]
    assert len(written(engine)) == 5


def test_a_closed_writer_takes_nothing_more(writer: Writer) -> None:
    writer.close()
    with pytest.raises(StoreError, match="it is closed"):
        writer.submit(put("k")).result(0)


def test_a_queue_that_is_full_says_so_at_once(writer: Writer) -> None:
    group = Group(writer)
    waiting = [writer.submit(lambda _: None) for _ in range(QUEUE_LIMIT)]
    with pytest.raises(StoreError, match=f"{QUEUE_LIMIT} writes are waiting already"):
        writer.submit(put("k")).result(0)
    group.go(waiting[-1])


def test_work_that_was_cancelled_before_its_turn_is_not_done_and_the_writer_goes_on(
    engine: Engine, writer: Writer
) -> None:
    group = Group(writer)
    cancelled, other = writer.submit(put("cancelled")), writer.submit(put("other"))
    assert cancelled.cancel()
    assert group.go(other) == ["other"]
    writer.close()
    assert written(engine) == ["other"]


# --- another process on the file (SQLite) ---


@pytest.fixture
def on_file(sqlite: str) -> Iterator[tuple[Path, Engine, Writer]]:
    url = engines.parse_url(sqlite)
    path = engines.file_of(url)
    assert path is not None
    engine = engines.write_engine(url)
    prepare(engine, path)
    writer = Writer(engine)
    yield path, engine, writer
    writer.close()
    engine.dispose()


def locker(path: Path) -> sqlite3.Connection:
    """Another one's write transaction."""
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    return other


def test_a_lock_of_another_process_is_waited_out(on_file: tuple[Path, Engine, Writer]) -> None:
    path, engine, writer = on_file
    with closing(locker(path)) as other:
        future = writer.submit(put("k"))
        with pytest.raises(TimeoutError):
            future.result(0.3)
        other.execute("ROLLBACK")
        assert future.result(WITHIN_S) == "k"
    assert written(engine) == ["k"]
    assert writer.errors == 0


def test_a_lock_that_stays_is_a_storage_error_and_the_next_commit_works(
    on_file: tuple[Path, Engine, Writer],
) -> None:
    path, engine, writer = on_file
    writer.submit(lambda connection: connection.exec_driver_sql("PRAGMA busy_timeout=50")).result(WITHIN_S)
    with closing(locker(path)) as other:
        with pytest.raises(StoreError, match="did not commit: database is locked") as caught:
            writer.submit(put("lost")).result(WITHIN_S)
        other.execute("ROLLBACK")
    assert not caught.value.permanent
    assert writer.errors == 1
    assert writer.submit(put("kept")).result(WITHIN_S) == "kept"
    assert written(engine) == ["kept"]


def test_a_reader_in_another_process_holds_up_no_writer(on_file: tuple[Path, Engine, Writer]) -> None:
    path, _, writer = on_file
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM meta").fetchall()
        assert writer.submit(put("k")).result(WITHIN_S) == "k"
        assert other.execute("SELECT count(*) FROM meta").fetchone() == (0,)


def test_twenty_at_once_that_read_and_then_write_lose_nothing(on_file: tuple[Path, Engine, Writer]) -> None:
    _, engine, writer = on_file

    def add_one(connection: Connection) -> None:
        value = connection.execute(select(meta.c.value).where(meta.c.key == "n")).scalar_one()
        connection.execute(meta.update().where(meta.c.key == "n").values(value=str(int(value) + 1)))

    writer.submit(put("n", "0")).result(WITHIN_S)
    threads = [threading.Thread(target=lambda: writer.submit(add_one).result(WITHIN_S)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WITHIN_S)
    with engine.connect() as connection:
        assert connection.execute(select(meta.c.value)).scalar_one() == "20"


@pytest.mark.parametrize(("pragma", "value"), [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)])
def test_what_was_promised_survives_a_loss_of_power(
    on_file: tuple[Path, Engine, Writer], pragma: str, value: object
) -> None:
    _, _, writer = on_file
    assert writer.submit(lambda c: c.exec_driver_sql(f"PRAGMA {pragma}").scalar()).result(WITHIN_S) == value
