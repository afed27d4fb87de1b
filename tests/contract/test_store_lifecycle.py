"""A database's life: made when new, held by one daemon, upgraded after a copy, refused when it is not ours to write."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect, text

from tocsin.errors import StoreError
from tocsin.store import engine as engines
from tocsin.store import upgrade
from tocsin.store.schema import metadata
from tocsin.store.upgrade import REVISION, prepare, stored_revision


def alembic(engine: Engine, verb: str, revision: str) -> None:
    with engine.begin() as connection:
        getattr(command, verb)(upgrade.alembic_config(connection), revision)


def plain(value: Any) -> Any:
    """What an inspector says, as values that can be compared."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    return sorted(map(str, map(plain, value))) if isinstance(value, list) else str(value)


def shape(connection: Connection) -> dict[str, Any]:
    """Everything that a database says of its own tables."""
    seen = inspect(connection)
    return {
        table: {
            "columns": [plain(column) for column in seen.get_columns(table)],
            "key": plain(seen.get_pk_constraint(table)),
            "indexes": plain(seen.get_indexes(table)),
            "unique": plain(seen.get_unique_constraints(table)),
            "foreign": plain(seen.get_foreign_keys(table)),
        }
        for table in sorted(seen.get_table_names())
        if table != "alembic_version"
    }


def shape_of(engine: Engine) -> dict[str, Any]:
    with engine.connect() as connection:
        return shape(connection)


@pytest.fixture
def made(bare: Engine) -> Engine:
    """A database of this version, for one test alone."""
    prepare(bare, engines.file_of(bare.url))
    return bare


# --- migrations ---


def test_the_newest_migration_is_the_revision_that_the_code_knows(bare: Engine) -> None:
    with bare.connect() as connection:
        script = ScriptDirectory.from_config(upgrade.alembic_config(connection))
    assert script.get_heads() == [REVISION]
    assert [one.revision for one in script.walk_revisions()][::-1] == list(upgrade.REVISIONS)


def test_migrating_from_nothing_gives_the_same_tables_as_making_them(bare: Engine) -> None:
    alembic(bare, "upgrade", "head")
    migrated = shape_of(bare)
    with bare.connect() as connection:
        assert stored_revision(connection) == REVISION
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    alembic(bare, "downgrade", "base")
    assert shape_of(bare) == {}
    with bare.begin() as connection:
        metadata.create_all(connection)
    assert migrated == shape_of(bare)
    assert "ix_incidents_unresolved" in str(migrated["incidents"]["indexes"])


def test_up_down_and_up_again_ends_where_it_was(bare: Engine) -> None:
    alembic(bare, "upgrade", "head")
    before = shape_of(bare)
    alembic(bare, "downgrade", "base")
    alembic(bare, "upgrade", "head")
    assert shape_of(bare) == before


# --- making and refusing ---


def test_a_new_database_is_made_and_an_existing_one_is_left_as_it_is(bare: Engine) -> None:
    path = engines.file_of(bare.url)
    assert prepare(bare, path) is True
    with bare.begin() as connection:
        connection.execute(text("INSERT INTO meta (key, value) VALUES ('a', 'b')"))
    assert prepare(bare, path) is False
    with bare.connect() as connection:
        assert connection.execute(text("SELECT value FROM meta")).scalar_one() == "b"


def refusal(engine: Engine, **more: Any) -> str:
    with pytest.raises(StoreError) as caught:
        prepare(engine, None, **more)
    assert caught.value.permanent
    return str(caught.value)


def test_a_database_of_a_newer_version_is_refused(made: Engine) -> None:
    with made.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    before = shape_of(made)
    assert re.search(r"newer Tocsin \(schema 9999, this one knows .*restore a backup", refusal(made))
    assert shape_of(made) == before


@pytest.mark.parametrize(
    "statements",
    [
        ["CREATE TABLE customers (id INTEGER PRIMARY KEY)"],
        ["CREATE TABLE customers (id INTEGER)", "CREATE TABLE alembic_version (version_num VARCHAR(32))"],
        [
            "CREATE TABLE customers (id INTEGER)",
            "CREATE TABLE alembic_version (version_num VARCHAR(32))",
            f"INSERT INTO alembic_version VALUES ('{REVISION}')",
        ],
        [
            "CREATE TABLE customers (id INTEGER)",
            "CREATE TABLE alembic_version (version_num VARCHAR(32))",
            "INSERT INTO alembic_version VALUES ('0000abc')",
        ],
    ],
    ids=["no revision", "an empty revision", "our revision by chance", "another's revision"],
)
def test_a_database_with_tables_that_are_not_ours_is_refused_and_left_alone(
    bare: Engine, statements: list[str]
) -> None:
    with bare.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    before = shape_of(bare)
    assert "holds tables that are not Tocsin's (give Tocsin a database of its own)" in refusal(bare)
    assert shape_of(bare) == before


def test_an_older_schema_is_only_upgraded_where_that_is_allowed(made: Engine) -> None:
    with made.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    assert "run `tocsin db upgrade`" in refusal(made, may_upgrade=False)


def test_postgresql_is_never_upgraded_by_starting(made: Engine) -> None:
    if made.dialect.name != "postgresql":
        return
    with made.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    assert "run `tocsin db upgrade`" in refusal(made)


def test_a_copy_beside_the_file_is_whole_and_named_by_its_schema(sqlite: str) -> None:
    path = Path(sqlite.removeprefix("sqlite:///"))
    engine = engines.write_engine(engines.parse_url(sqlite))
    prepare(engine, path)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO meta (key, value) VALUES ('a', 'b')"))
    copy = upgrade.copy_beside(path, "0001")
    engine.dispose()
    assert re.fullmatch(r"tocsin\.db\.0001\.\d{8}T\d{6}Z\.bak", copy.name)
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT value FROM meta").fetchall() == [("b",)]


def test_a_copy_that_cannot_be_made_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be copied"):
        upgrade.copy_beside(tmp_path / "not there" / "tocsin.db", "0001")


@pytest.fixture
def damaged(sqlite: str) -> Iterator[tuple[Path, Engine]]:
    path = Path(sqlite.removeprefix("sqlite:///"))
    path.write_bytes(b"this is no database at all" * 200)
    engine = engines.write_engine(engines.parse_url(sqlite))
    yield path, engine
    engine.dispose()


def test_a_damaged_file_is_refused_and_never_replaced(damaged: tuple[Path, Engine]) -> None:
    path, engine = damaged
    before = path.read_bytes()
    assert "if the file is damaged, restore a backup: it is never replaced by an empty one" in refusal(engine)
    assert path.read_bytes() == before
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    url = f"sqlite:///{tmp_path}/file/var/tocsin.db"
    engine = engines.write_engine(engines.parse_url(url))
    with pytest.raises(StoreError, match=r"file/var.*give Tocsin's account the folder"):
        prepare(engine, engines.file_of(engines.parse_url(url)))
    engine.dispose()


def test_a_server_that_does_not_answer_is_named_without_its_password(tmp_path: Path) -> None:
    url = engines.parse_url(f"postgresql://somebody:hidden@/tocsin?host={tmp_path}")
    engine = engines.write_engine(url)
    why = refusal(engine)
    engine.dispose()
    assert "check that it runs and that the address is right" in why
    assert "hidden" not in why


@pytest.mark.parametrize(
    ("database", "words"),
    [
        ("not an address", "is not an address (use sqlite:///var/tocsin.db or postgresql://user@host/name)"),
        ("mysql://host/db", "mysql is not supported (use sqlite or postgresql)"),
    ],
)
def test_what_is_no_database_address_is_said_so(database: str, words: str) -> None:
    with pytest.raises(StoreError, match=re.escape(words)):
        engines.parse_url(database)


# --- one daemon ---


def test_a_second_daemon_on_the_same_file_is_refused_and_told_by_whom(tmp_path: Path) -> None:
    first, second = engines.DaemonLock(tmp_path / "tocsin.db"), engines.DaemonLock(tmp_path / "tocsin.db")
    first.acquire()
    with pytest.raises(StoreError, match=rf"another Tocsin \(process {os.getpid()}\) works on this database") as caught:
        second.acquire()
    assert caught.value.permanent
    first.release()
    second.acquire()
    second.release()


def test_the_lock_goes_with_the_process_that_held_it(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from tocsin.store.engine import DaemonLock\n"
        "DaemonLock(Path(sys.argv[1])).acquire(); print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "tocsin.db")], stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        lock = engines.DaemonLock(tmp_path / "tocsin.db")
        with pytest.raises(StoreError, match=f"process {holder.pid}"):
            lock.acquire()
    finally:
        holder.kill()
        holder.communicate()
    lock.acquire()
    lock.release()


def test_a_lock_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StoreError, match="give Tocsin's account the folder"):
        engines.DaemonLock(tmp_path / "file" / "tocsin.db").acquire()
