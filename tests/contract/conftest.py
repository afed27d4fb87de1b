"""The databases that the store must work on: an SQLite file, and PostgreSQL from this machine's own binaries where there are any."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import OperationalError

from tocsin.store import engine as engines
from tocsin.store.queries import SqlQueries
from tocsin.store.transaction import SqlTransaction
from tocsin.store.upgrade import prepare

T = TypeVar("T")
Unit = Callable[[Callable[[SqlTransaction], T]], T]
Ask = Callable[[Callable[[SqlQueries], T]], T]

START_WITHIN_S = 30


def postgresql_bin() -> Path | None:
    """Debian's newest server, or the one on the path."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    named = shutil.which("initdb")
    return Path(named).parent if named else None


class Server:
    """A PostgreSQL of our own in a new folder, on a socket in it; as root it runs as the user postgres."""

    def __init__(self, binaries: Path) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="tocsin-pg-"))
        self._user = "postgres" if os.geteuid() == 0 else None
        if self._user is not None:
            shutil.chown(self.folder, self._user)
        data = self.folder / "data"
        initdb = [binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"]
        subprocess.run(initdb, check=True, capture_output=True, user=self._user, cwd=self.folder, timeout=60)
        options = ["-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=40"]
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [binaries / "postgres", "-D", data, "-k", self.folder, *options],
                user=self._user,
                cwd=self.folder,
                stdout=log,
                stderr=log,
            )
        self._count = 0
        self._admin = create_engine(
            self.url("postgres").replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT"
        )
        self._wait()

    def url(self, name: str) -> str:
        return f"postgresql://postgres@/{name}?host={self.folder}"

    def _wait(self) -> None:
        until = time.monotonic() + START_WITHIN_S
        while True:
            try:
                self._admin.connect().close()
            except OperationalError:
                if time.monotonic() > until or self._process.poll() is not None:
                    raise RuntimeError((self.folder / "log").read_text(encoding="utf-8")) from None
                time.sleep(0.05)
            else:
                return

    def new_database(self) -> str:
        self._count += 1
        name = f"tocsin_{self._count}"
        with self._admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        return self.url(name)

    def stop(self) -> None:
        self._admin.dispose()
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    binaries = postgresql_bin()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    server = Server(binaries)
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a new, empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'tocsin.db'}"
    server: Server = request.getfixturevalue("postgresql")
    return server.new_database()


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'tocsin.db'}"


@pytest.fixture
def bare(database: str) -> Iterator[Engine]:
    """The writing engine of a database with nothing in it."""
    engine = engines.write_engine(engines.parse_url(database))
    yield engine
    engine.dispose()


@pytest.fixture
def engine(bare: Engine, database: str) -> Engine:
    """The writing engine of a database with this version's tables."""
    prepare(bare, engines.file_of(engines.parse_url(database)))
    return bare


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
