"""The databases that the store must work on: an SQLite file, and PostgreSQL from this machine's own binaries where there are any."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import Engine, create_engine, inspect, text
from sqlalchemy.pool import NullPool

from postgresql import Server
from tocsin.store import engine as engines
from tocsin.store.queries import SqlQueries
from tocsin.store.schema import metadata
from tocsin.store.transaction import SqlTransaction
from tocsin.store.upgrade import prepare

T = TypeVar("T")
Unit = Callable[[Callable[[SqlTransaction], T]], T]
Ask = Callable[[Callable[[SqlQueries], T]], T]


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a new database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'tocsin.db'}"
    server: Server = request.getfixturevalue("postgresql_server")
    return server.new_database()


@pytest.fixture(scope="session")
def used_database(postgresql_server: Server) -> str:
    """One PostgreSQL database for many tests: making a new one takes half a second."""
    return postgresql_server.new_database()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database without rows; it may have this version's tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'tocsin.db'}"
    address = request.getfixturevalue("used_database")
    assert isinstance(address, str)
    empty(address)
    return address


def empty(address: str) -> None:
    engine = create_engine(engines.parse_url(address), poolclass=NullPool)
    with engine.begin() as connection:
        there = set(inspect(connection).get_table_names())
        if tables := ", ".join(table.name for table in metadata.sorted_tables if table.name in there):
            connection.execute(text(f"TRUNCATE {tables} RESTART IDENTITY CASCADE"))


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'tocsin.db'}"


@pytest.fixture
def bare(empty_database: str) -> Iterator[Engine]:
    """The writing engine of a database with nothing in it."""
    engine = engines.write_engine(engines.parse_url(empty_database))
    yield engine
    engine.dispose()


@pytest.fixture
def engine(database: str) -> Iterator[Engine]:
    """The writing engine of a database with this version's tables."""
    url = engines.parse_url(database)
    engine = engines.write_engine(url)
    prepare(engine, engines.file_of(url))
    yield engine
    engine.dispose()


@pytest.fixture
def unit(engine: Engine) -> Unit[object]:
    """Run a function of a transaction in one committed transaction."""

    def run(work: Callable[[SqlTransaction], T]) -> T:
        with engine.begin() as connection:
            return work(SqlTransaction(connection))

    return run


@pytest.fixture
def ask(engine: Engine, database: str) -> Iterator[Ask[object]]:
    """Run a function of queries on a read-only connection."""
    reader = engines.read_engine(engines.parse_url(database))

    def run(work: Callable[[SqlQueries], T]) -> T:
        with reader.connect() as connection:
            return work(SqlQueries(connection))

    yield run
    reader.dispose()
