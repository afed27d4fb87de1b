"""Backups: of one instant, verified, private; and what is no whole backup never takes the database's place."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from filled_store import fill, rollup, whole
from postgresql import Server
from tocsin.core.model import Entry
from tocsin.errors import Refused, StoreError, UsageError
from tocsin.store import backup, upgrade
from tocsin.store import engine as engines
from tocsin.store.backup import Checked
from tocsin.store.restore import Restored, restore
from tocsin.store.store import SqlStore

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


def silent(_what: str, _done: int, _total: int) -> None:
    pass


def write(database: str, file: Path, *, force: bool = False) -> Checked:
    return backup.write(*engines.located(database, None), file, NOW, force=force, progress=silent)


def put_back(database: str, file: Path) -> Restored:
    return restore(*engines.located(database, None), file, NOW, "user:root", silent)


def without_meta(database: str) -> dict[str, object]:
    return {name: rows for name, rows in whole(database).items() if name != "meta"}


def test_backup_holds_everything_and_says_what(database: str, tmp_path: Path) -> None:
    fill(database)
    found = write(database, tmp_path / "b")
    assert without_meta(f"sqlite:///{tmp_path / 'b'}") == without_meta(database)
    assert found.tables["journal"] == found.head.sequence > 0
    assert found.taken_at == "2026-11-24T09:00:00.000000Z"
    assert backup.check(tmp_path / "b") == found


def test_backup_is_one_file_that_only_its_owner_reads(database: str, tmp_path: Path) -> None:
    fill(database)
    folder = tmp_path / "backups"
    folder.mkdir()
    write(database, folder / "b")
    assert [path.name for path in folder.iterdir()] == ["b"]
    assert stat.S_IMODE((folder / "b").stat().st_mode) == 0o600


def test_existing_file_is_overwritten_only_by_force(database: str, tmp_path: Path) -> None:
    fill(database)
    (tmp_path / "b").write_text("precious")
    with pytest.raises(UsageError, match="--force"):
        write(database, tmp_path / "b")
    assert (tmp_path / "b").read_text() == "precious"
    write(database, tmp_path / "b", force=True)
    backup.check(tmp_path / "b")


def test_backup_taken_while_the_daemon_writes_is_of_one_instant(database: str, tmp_path: Path) -> None:
    fill(database)

    async def scenario() -> None:
        store = SqlStore(database)
        is_over = False

        async def write_on() -> None:
            number = 0
            while not is_over:
                number += 1
                row = rollup("s0", NOW + timedelta(minutes=number))
                await store.write(
                    lambda tx, r=row, n=number: (  # type: ignore[misc]
                        tx.keep_rollups([r]),
                        tx.append([Entry(NOW, "tocsin", "noted", f"n{n}", {})]),
                    )
                )

        writing = asyncio.create_task(write_on())
        try:
            await asyncio.sleep(0.05)
            await asyncio.to_thread(write, database, tmp_path / "b")
        finally:
            is_over = True
            await writing
            await store.close()

    asyncio.run(scenario())
    tables = whole(f"sqlite:///{tmp_path / 'b'}")
    notes = sum(row["action"] == "noted" for row in tables["journal"])
    assert notes == len(tables["rollups"]) - 3 * 90 > 0


def test_restored_database_is_the_backed_up_one_and_says_so_in_its_journal(database: str, tmp_path: Path) -> None:
    fill(database)
    before = without_meta(database)
    write(database, tmp_path / "b")
    target = f"sqlite:///{tmp_path / 'new' / 'tocsin.db'}"
    (tmp_path / "new").mkdir()
    assert put_back(target, tmp_path / "b").kept is None
    after = without_meta(target)
    added = after["journal"][-1]  # type: ignore[index]
    assert (added["actor"], added["action"]) == ("user:root", "database_restored")
    after["journal"] = after["journal"][:-1]  # type: ignore[index]
    assert after == before
    asyncio.run(opened_and_closed(target))


async def opened_and_closed(database: str) -> None:
    await SqlStore(database).close()


def test_restore_keeps_what_was_there_and_its_rights(sqlite: str, tmp_path: Path) -> None:
    fill(sqlite, systems=1)
    write(sqlite, tmp_path / "b")
    fill(sqlite, systems=0)
    path = tmp_path / "tocsin.db"
    path.chmod(0o640)
    asyncio.run(noted(sqlite))
    later = without_meta(sqlite)
    kept = put_back(sqlite, tmp_path / "b").kept
    assert kept == tmp_path / "tocsin.db.replaced.20261124T090000Z"
    assert without_meta(f"sqlite:///{kept}") == later
    assert not any(row["action"] == "noted" for row in whole(sqlite)["journal"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert sorted(p.name for p in tmp_path.iterdir() if not p.name.endswith((".lock", "-wal", "-shm"))) == [
        "b",
        "tocsin.db",
        kept.name,
    ]


async def noted(database: str) -> None:
    store = SqlStore(database)
    await store.write(lambda tx: tx.append([Entry(NOW, "tocsin", "noted", "later", {})]))
    await store.close()


def test_damaged_database_is_replaced_and_kept_as_it_lies_with_its_log(sqlite: str, tmp_path: Path) -> None:
    fill(sqlite)
    write(sqlite, tmp_path / "b")
    (tmp_path / "tocsin.db").write_bytes(b"no database at all" * 1000)
    (tmp_path / "tocsin.db-wal").write_bytes(b"its log")
    kept = put_back(sqlite, tmp_path / "b").kept
    assert kept is not None
    assert kept.read_bytes().startswith(b"no database")
    assert whole(sqlite)["journal"][-1]["action"] == "database_restored"
    assert (tmp_path / f"{kept.name}-wal").read_bytes() == b"its log"


def test_restore_is_refused_while_a_daemon_works(sqlite: str, tmp_path: Path) -> None:
    fill(sqlite)
    write(sqlite, tmp_path / "b")

    async def scenario() -> None:
        store = SqlStore(sqlite)
        try:
            with pytest.raises(StoreError, match="another Tocsin"):
                await asyncio.to_thread(put_back, sqlite, tmp_path / "b")
        finally:
            await store.close()

    asyncio.run(scenario())


def test_restore_into_postgresql_wants_an_empty_database(postgresql_server: Server, tmp_path: Path) -> None:
    database = postgresql_server.new_database()
    fill(database)
    write(database, tmp_path / "b")
    with pytest.raises(StoreError, match="not empty"):
        put_back(database, tmp_path / "b")


def statement(text: str) -> Callable[[Path], None]:
    def change(file: Path) -> None:
        with closing(sqlite3.connect(file)) as connection, connection:
            connection.execute(text)

    return change


def cut(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.truncate(file.stat().st_size // 2)


def scribble(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.seek(4096 * 3)
        opened.write(b"\xff" * 4096)


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (statement("UPDATE journal SET actor = 'nobody' WHERE sequence = 1"), "entry 1 was edited"),
        (statement("DELETE FROM journal WHERE sequence = (SELECT max(sequence) FROM journal)"), "the end is cut off"),
        (statement("UPDATE alembic_version SET version_num = '9999'"), "newer Tocsin"),
        (statement("DROP TABLE alembic_version"), "not a backup"),
        (cut, "damaged|malformed|not a database|disk image"),
        (scribble, "damaged|malformed|not a database|disk image"),
        (lambda file: file.write_bytes(b"hello"), "not a database"),
        (lambda file: file.unlink(), "no such file"),
    ],
)
def test_what_is_no_whole_backup_is_refused_and_the_database_stays(
    sqlite: str, tmp_path: Path, damage: Callable[[Path], None], why: str
) -> None:
    fill(sqlite)
    write(sqlite, tmp_path / "b")
    damage(tmp_path / "b")
    before = whole(sqlite)
    with pytest.raises((StoreError, UsageError), match=why):
        put_back(sqlite, tmp_path / "b")
    assert whole(sqlite) == before
    assert not list(tmp_path.glob("*.replaced*")) + list(tmp_path.glob("*.incoming*"))


def test_database_cannot_be_restored_from_itself(sqlite: str, tmp_path: Path) -> None:
    fill(sqlite)
    with pytest.raises(Refused, match="the database itself"):
        put_back(sqlite, tmp_path / "tocsin.db")


def test_backup_of_an_older_schema_is_upgraded_at_the_next_start(sqlite: str, tmp_path: Path) -> None:
    engine = engines.write_engine(engines.parse_url(sqlite))
    with engine.begin() as connection:
        upgrade.make_schema(connection, "0001")
    engine.dispose()
    assert write(sqlite, tmp_path / "b").schema == "0001"
    put_back(sqlite, tmp_path / "b")
    asyncio.run(opened_and_closed(sqlite))
    assert "hourly_rollups" in whole(sqlite)


def test_failed_backup_leaves_nothing_behind(sqlite: str, tmp_path: Path) -> None:
    fill(sqlite)
    statement("UPDATE journal SET actor = 'nobody' WHERE sequence = 1")(tmp_path / "tocsin.db")
    folder = tmp_path / "backups"
    folder.mkdir()
    with pytest.raises(StoreError, match="journal is broken"):
        write(sqlite, folder / "b")
    assert list(folder.iterdir()) == []
