"""What the daemon tells systemd, heard on a notify socket of the test's own while the real program runs."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from acceptance.notify import Notified
from acceptance.process import Tocsin, free_port, until, write_configuration

NOTHING_WATCHED = "people: {li.na: {name: Li Na}}\n"
MORE_PEOPLE = "people: {li.na: {name: Li Na}, wang.wei: {name: Wang Wei}}\n"


Body = Callable[[Tocsin, Notified], Awaitable[None]]


def with_daemon(folder: Path, body: Body, *, watchdog_s: float | None = None, address: str | None = None) -> None:
    async def run() -> None:
        config = write_configuration(folder, None, NOTHING_WATCHED, listen=f"127.0.0.1:{free_port()}")
        tocsin = Tocsin(config)
        with Notified(address or str(folder / "n"), watchdog_s=watchdog_s) as systemd:
            try:
                await body(tocsin, systemd)
            finally:
                await tocsin.close()

    asyncio.run(run())


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """Hold the database as another program would."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


def started(tocsin: Tocsin) -> list[dict[str, Any]]:
    return tocsin.rows("SELECT sequence FROM journal WHERE action = 'daemon_started'")


def stand_ready(tocsin: Tocsin) -> dict[str, Any]:
    address = next(line.split()[1] for line in tocsin.config.read_text().splitlines() if line.startswith("listen:"))
    try:
        with urlopen(f"http://{address}/readyz", timeout=5) as answer:
            return dict(json.load(answer))
    except HTTPError as error:
        return dict(json.load(error))


def test_ready_is_said_once_after_the_start_is_in_the_journal(tmp_path: Path) -> None:
    async def body(tocsin: Tocsin, systemd: Notified) -> None:
        await tocsin.spawn(environ=systemd.environ)
        ready = await systemd.until("READY")
        assert ready.facts == {"READY": "1", "STATUS": "Watching"}
        assert len(started(tocsin)) == 1
        assert await systemd.hear(0.3) is None, "without a watchdog nothing more is said"

    with_daemon(tmp_path, body)


def test_a_store_that_takes_nothing_keeps_the_daemon_from_saying_ready(tmp_path: Path) -> None:
    async def body(tocsin: Tocsin, systemd: Notified) -> None:
        await tocsin.spawn(environ=systemd.environ)
        await systemd.until("READY")
        assert await tocsin.kill(signal.SIGTERM) == 0
        systemd.forget()
        with locked(tmp_path / "tocsin.db"):
            await tocsin.spawn(environ=systemd.environ)
            assert await systemd.hear(2.0) is None
        await systemd.until("READY")
        assert len(started(tocsin)) == 2

    with_daemon(tmp_path, body)


def test_the_watchdog_is_fed_while_every_loop_turns_and_no_longer_when_one_stands_still(tmp_path: Path) -> None:
    watchdog_s = 2.4

    async def body(tocsin: Tocsin, systemd: Notified) -> None:
        await tocsin.spawn(environ=systemd.environ)
        await systemd.until("READY")
        fed = [(await systemd.until("WATCHDOG", watchdog_s)).at for _ in range(3)]
        assert max(after - before for before, after in itertools.pairwise(fed)) < watchdog_s
        assert stand_ready(tocsin) == {"ready": True, "reasons": []}

        fifo = await stop_the_ops_log(tocsin)
        await until(lambda: "watchdog_starved" in tocsin.log(), what="the log says that a loop stands still")
        systemd.forget()
        assert await systemd.hear(watchdog_s * 2) is None, "systemd would start it again now"
        assert stand_ready(tocsin)["reasons"] == ["the loop ops_log has not turned for 2 s"]

        # It comes to itself before systemd acts: no reason left to die.
        with os.fdopen(os.open(fifo, os.O_RDONLY | os.O_NONBLOCK), "rb"):
            await systemd.until("WATCHDOG", watchdog_s * 3)
            fifo.unlink()

    with_daemon(tmp_path, body, watchdog_s=watchdog_s)


async def stop_the_ops_log(tocsin: Tocsin) -> Path:
    """Put a pipe that nobody reads where the day's file was, and give the loop something to write."""
    ops = tocsin.folder / "ops"
    file = await until(lambda: next(ops.glob("ops-*.jsonl"), None), what="the ops log has its file")
    os.mkfifo(ops / "pipe")
    (ops / "pipe").rename(file)
    (tocsin.folder / "rules" / "all.yaml").write_text(MORE_PEOPLE)
    await tocsin.ask("reload")
    return Path(file)


@pytest.mark.torture
def test_a_store_that_takes_nothing_is_an_alarm_and_no_reason_to_die(tmp_path: Path) -> None:
    watchdog_s = 18.0

    async def body(tocsin: Tocsin, systemd: Notified) -> None:
        await tocsin.spawn(environ=systemd.environ)
        await systemd.until("READY")
        with locked(tmp_path / "tocsin.db"):
            end = time.monotonic() + watchdog_s * 1.5
            while time.monotonic() < end:
                await systemd.until("WATCHDOG", watchdog_s)
            alarms = (await tocsin.ask("status"))["alarms"]
            assert [alarm["alarm"] for alarm in alarms] == ["storage"]

    with_daemon(tmp_path, body, watchdog_s=watchdog_s)


def test_a_watchdog_meant_for_another_process_is_not_fed(tmp_path: Path) -> None:
    async def body(tocsin: Tocsin, systemd: Notified) -> None:
        await tocsin.spawn(environ={**systemd.environ, "WATCHDOG_PID": "1"})
        await systemd.until("READY")
        assert await systemd.hear(1.2) is None

    with_daemon(tmp_path, body, watchdog_s=0.5)


def test_a_reload_is_announced_with_its_instant_and_ends_with_ready(tmp_path: Path) -> None:
    async def body(tocsin: Tocsin, systemd: Notified) -> None:
        await tocsin.spawn(environ=systemd.environ)
        await systemd.until("READY")
        for rules, action in ((MORE_PEOPLE, "configuration_applied"), ("people: 3\n", "configuration_refused")):
            (tmp_path / "rules" / "all.yaml").write_text(rules)
            before = time.monotonic_ns() // 1000
            os.kill(tocsin.pid, signal.SIGHUP)
            reloading, ready = await systemd.until("RELOADING"), await systemd.until("READY")
            assert reloading.facts.keys() == {"RELOADING", "MONOTONIC_USEC"}
            assert before <= int(reloading.facts["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
            assert ready.facts == {"READY": "1"}
            last = tocsin.rows("SELECT action FROM journal WHERE subject = 'configuration' ORDER BY sequence DESC")
            assert last[0]["action"] == action, "READY again comes after the rules are in force, or refused"

    with_daemon(tmp_path, body)


def test_sigterm_is_answered_with_stopping_and_a_clean_end_within_ten_seconds(tmp_path: Path) -> None:
    async def body(tocsin: Tocsin, systemd: Notified) -> None:
        await tocsin.spawn(environ=systemd.environ)
        await systemd.until("READY")
        began = time.monotonic()
        assert await tocsin.kill(signal.SIGTERM) == 0
        assert time.monotonic() - began < 10.0
        assert (await systemd.until("STOPPING", 1.0)).at - began < 10.0
        assert tocsin.rows("SELECT action FROM journal ORDER BY sequence DESC LIMIT 1") == [
            {"action": "daemon_stopped"}
        ]

    with_daemon(tmp_path, body)


def test_an_abstract_notify_socket_is_found_too(tmp_path: Path) -> None:
    async def body(tocsin: Tocsin, systemd: Notified) -> None:
        await tocsin.spawn(environ=systemd.environ)
        await systemd.until("READY")

    with_daemon(tmp_path, body, address=f"@tocsin-test-{os.getpid()}")


def test_the_limit_of_open_files_is_raised_as_far_as_it_may_be(tmp_path: Path) -> None:
    async def run() -> None:
        tocsin = Tocsin(write_configuration(tmp_path, None, NOTHING_WATCHED), before=("prlimit", "--nofile=300:4000"))
        try:
            await tocsin.start()
            limits = Path(f"/proc/{tocsin.pid}/limits").read_text()
            assert next(line.split()[3:5] for line in limits.splitlines() if line.startswith("Max open files")) == [
                "4000",
                "4000",
            ]
        finally:
            await tocsin.close()

    asyncio.run(run())
