"""What makes a start impossible is one line that says where, what and what to do, exit code 2, and no traceback."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sqlite3
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from tempfile import mkdtemp

import psycopg
import pytest

from acceptance.process import PROGRAM, Tocsin, write_configuration
from postgresql import Server

NO_SYSTEMS = "people: {}\n"


def start(config: Path, before: Sequence[str] = (), **environ: str) -> str:
    """The one line that a daemon says which does not start."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}
    done = subprocess.run(
        [*before, *PROGRAM, "run", "--config", str(config)],
        cwd=config.parent,
        env={**kept, **environ},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    return line


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_configuration(tmp_path, None, NO_SYSTEMS)


def with_database(config: Path, database: str) -> Path:
    text = config.read_text()
    config.write_text(text.replace("sqlite:///tocsin.db", database))
    return config


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may enter, unlike the tests' own."""
    folder = Path(mkdtemp(prefix="tocsin-open-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("mode", [0o644, 0o606])
def test_secret_that_everybody_may_open(config: Path, open_folder: Path, mode: int) -> None:
    secret = open_folder / "slack_bot_token"
    secret.write_text("xoxb-secret")
    secret.chmod(mode)
    line = start(config, TOCSIN_SECRETS_DIR=str(open_folder))
    assert line == (
        f"{secret}: may be opened by everybody on this machine (mode {mode:04o}; chmod 0600 it, 0640 for a group)"
    )


def test_secret_of_a_rule_that_everybody_may_open(config: Path, open_folder: Path) -> None:
    (open_folder / "key").write_text("s3cret")
    (open_folder / "key").chmod(0o644)
    rules = config.parent / "rules" / "all.yaml"
    rules.write_text('channels: {hook: {webhook: "http://127.0.0.1:1/", secret: {secret: key}}}\n')
    done = subprocess.run(
        [*PROGRAM, "run", "--config", str(config)],
        env={**os.environ, "TOCSIN_SECRETS_DIR": str(open_folder)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert "may be opened by everybody" in done.stderr
    assert "s3cret" not in done.stderr


def test_second_daemon_on_the_same_database(config: Path, tmp_path: Path) -> None:
    other = write_configuration(tmp_path / "other", None, NO_SYSTEMS)
    with_database(other, f"sqlite:///{tmp_path / 'tocsin.db'}")

    async def scenario() -> tuple[str, int]:
        first = Tocsin(config)
        try:
            await first.start()
            return await asyncio.to_thread(start, other), first.pid
        finally:
            await first.close()

    line, pid = asyncio.run(scenario())
    assert line == (
        f"tocsin: {tmp_path / 'tocsin.db.lock'}: another Tocsin (process {pid}) works on this database"
        " (stop it, or give this one its own)"
    )


def test_second_daemon_on_the_same_postgresql_database(config: Path, tmp_path: Path, postgresql_server: Server) -> None:
    database = postgresql_server.new_database()
    other = with_database(write_configuration(tmp_path / "other", None, NO_SYSTEMS), database)

    async def scenario() -> str:
        first = Tocsin(with_database(config, database), server=database)
        try:
            await first.start()
            return await asyncio.to_thread(start, other)
        finally:
            await first.close()

    line = asyncio.run(scenario())
    assert line.startswith(f"tocsin: {database}: another Tocsin (process ")
    assert line.endswith("works on this database (stop it, or give this one its own)")


def test_socket_of_a_living_daemon(config: Path, tmp_path: Path) -> None:
    other = write_configuration(tmp_path / "other", None, NO_SYSTEMS)
    other.write_text(other.read_text().replace("socket: s", f"socket: {tmp_path / 's'}"))

    async def scenario() -> str:
        first = Tocsin(config)
        try:
            await first.start()
            return await asyncio.to_thread(start, other)
        finally:
            await first.close()

    line = asyncio.run(scenario())
    assert line == (f"tocsin: socket: another daemon answers on {tmp_path / 's'} (stop it, or set another `socket`)")


def test_path_of_the_socket_that_is_too_long(config: Path) -> None:
    path = config.parent / ("s" * 107)
    line = start(config, TOCSIN_SOCKET=str(path))
    assert line == (
        f"environment: TOCSIN_SOCKET: the path is {len(str(path))} bytes long, a socket's may have 107: {path}"
    )


def test_port_that_is_taken(config: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = start(config, TOCSIN_LISTEN=f"127.0.0.1:{port}")
    assert line.startswith(f"tocsin: listen: port {port} is in use by process {os.getpid()} ")
    assert line.endswith("(end it, or set listen: to another port)")


def statement(config: Path, text: str) -> None:
    with closing(sqlite3.connect(config.parent / "tocsin.db")) as connection, connection:
        connection.executescript(text)


def test_database_of_a_newer_version(config: Path) -> None:
    asyncio.run(started_and_stopped(config))
    statement(config, "UPDATE alembic_version SET version_num = '9999'")
    line = start(config)
    assert line.startswith(f"tocsin: sqlite:///{config.parent}/tocsin.db: was written by a newer Tocsin (schema 9999, ")
    assert "install that version, or restore a backup" in line


async def started_and_stopped(config: Path) -> None:
    tocsin = Tocsin(config)
    await tocsin.start()
    await tocsin.close()


def test_postgresql_database_of_an_older_version_waits_for_its_upgrade(config: Path, postgresql_server: Server) -> None:
    database = postgresql_server.new_database()
    with_database(config, database)
    asyncio.run(started_and_stopped(config))
    with psycopg.connect(database) as connection:
        connection.execute("DROP TABLE hourly_rollups")
        connection.execute("DROP TABLE golives")
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
    line = start(config)
    assert line.endswith("(run `tocsin db upgrade`)")

    code, said = asyncio.run(upgraded(config))
    assert code == 0, said
    (before,) = config.parent.glob("before-*.backup")
    assert str(before) in said
    asyncio.run(started_and_stopped(config))


async def upgraded(config: Path) -> tuple[int, str]:
    tocsin = Tocsin(config)
    try:
        return await tocsin.command("db", "upgrade")
    finally:
        await tocsin.close()


def test_file_that_is_no_database(config: Path) -> None:
    (config.parent / "tocsin.db").write_bytes(b"hello" * 1000)
    line = start(config)
    assert "file is not a database" in line
    assert "never replaced by an empty one" in line
    assert (config.parent / "tocsin.db").read_bytes() == b"hello" * 1000


def test_database_of_somebody_else(config: Path) -> None:
    statement(config, "CREATE TABLE wp_posts (id INTEGER)")
    assert start(config).endswith("holds tables that are not Tocsin's (give Tocsin a database of its own)")


def test_server_that_is_not_there(config: Path) -> None:
    line = start(with_database(config, "postgresql://tocsin:secret@127.0.0.1:1/tocsin"))
    assert line.startswith("tocsin: postgresql://tocsin:***@127.0.0.1:1/tocsin: ")
    assert "refused" in line
    assert "secret" not in line


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path | None]:
    """A folder on a small disk of its own, nearly full; None where none may be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tocsin-test", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        yield None
        return
    (folder / "filler").write_bytes(b"x" * 56 * 1024)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_disk_that_is_full_at_the_start(config: Path, small_disk: Path | None) -> None:
    """Where no disk may be mounted, a limit on the size of files stands in for it."""
    folder = small_disk or config.parent
    before = [] if small_disk is not None else ["prlimit", "--fsize=8192"]
    with_database(config, f"sqlite:///{folder / 'tocsin.db'}")
    line = start(config, before=before)
    assert line.startswith(f"tocsin: sqlite:///{folder}/tocsin.db: ")
    assert "disk" in line
    assert line.endswith(")")


def test_disk_whose_files_may_not_grow(config: Path) -> None:
    line = start(config, before=["prlimit", "--fsize=8192"])
    assert line.startswith(f"tocsin: sqlite:///{config.parent}/tocsin.db: ")
    assert "disk" in line


def test_folder_that_cannot_be_written(config: Path) -> None:
    (config.parent / "file").write_text("")
    line = start(config, TOCSIN_DATABASE=f"sqlite:///{config.parent}/file/tocsin.db")
    assert f"{config.parent}/file" in line
    assert line.endswith("(give Tocsin's account the folder)")
