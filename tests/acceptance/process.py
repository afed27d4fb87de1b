"""The installed program as a process, with a configuration of its own, for tests that kill it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sqlite3
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from textwrap import dedent
from typing import Any

from tocsin.cli.client import Client
from tocsin.errors import TocsinError
from tocsin.testing.slack import SlackDouble

PROGRAM = [sys.executable, "-m", "tocsin"]
READY_WITHIN_S = 15.0


def free_port() -> int:
    """A port of loopback that nobody has now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def takes(port: int) -> bool:
    """Whether somebody accepts connections there."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def write_configuration(
    folder: Path,
    slack: SlackDouble | None,
    rules: str,
    *,
    listen: str = "127.0.0.1:0",
    more: str = "",
    database: str = "sqlite:///tocsin.db",
) -> Path:
    """A settings file with everything under `folder`, and one file of rules. `more` are further settings, as YAML."""
    (folder / "rules").mkdir(parents=True, exist_ok=True)
    (folder / "rules" / "all.yaml").write_text(dedent(rules), encoding="utf-8")
    config = folder / "tocsin.yaml"
    config.write_text(
        dedent(f"""\
            database: {database}
            data_dir: .
            socket: s
            listen: {listen}
            rules: [rules]
            timezone: UTC
            """)
        + (slack_settings(slack) if slack is not None else "")
        + dedent(more),
        encoding="utf-8",
    )
    return config


def slack_settings(slack: SlackDouble) -> str:
    return dedent(f"""\
        slack:
          bot_token: {slack.bot_token}
          app_token: {slack.app_token}
          channel: {slack.channel}
          api_url: {slack.api_url}
        """)


class Tocsin:
    """One daemon on one configuration; started, killed and started again. `before` is what stands before the program.

    `server` is the address of its database when that is not the SQLite file beside the configuration.
    """

    def __init__(self, config: Path, before: Sequence[str] = (), *, server: str | None = None) -> None:
        self.config = config
        self._server = server
        self._before = before
        self.folder = config.parent
        self.client = Client((self.folder / "s",), timeout_s=10.0)
        self._process: asyncio.subprocess.Process | None = None
        self._log = (self.folder / "daemon.log").open("ab")

    async def start(self, *arguments: str, environ: Mapping[str, str] | None = None) -> None:
        await self.spawn(*arguments, environ=environ)
        await self.until_ready()

    async def spawn(self, *arguments: str, environ: Mapping[str, str] | None = None) -> None:
        """Start it and wait for nothing."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}
        self._process = await asyncio.create_subprocess_exec(
            *self._before,
            *PROGRAM,
            "run",
            "--config",
            str(self.config),
            *arguments,
            stdout=self._log,
            stderr=self._log,
            cwd=self.folder,
            env={**kept, **(environ or {})},
        )

    async def until_ready(self) -> None:
        async with asyncio.timeout(READY_WITHIN_S):
            while True:
                assert self._process is not None
                assert self._process.returncode is None, self.log()
                with suppress(TocsinError):
                    await self.ask("ping")
                    return
                await asyncio.sleep(0.02)

    async def ask(self, verb: str, **arguments: Any) -> Any:
        return await asyncio.to_thread(lambda: self.client.call(verb, arguments))

    async def kill(self, number: int = signal.SIGKILL) -> int:
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(number)
        async with asyncio.timeout(15):
            return await self._process.wait()

    async def close(self) -> None:
        if self._process is not None and self._process.returncode is None:
            await self.kill(signal.SIGTERM)
        self._log.close()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def log(self) -> str:
        return (self.folder / "daemon.log").read_text(encoding="utf-8", errors="replace")

    def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        """Read the database as it lies on the disk. Values stand for `?`."""
        if self._server is not None:
            return _rows_of_server(self._server, query, values)
        with closing(sqlite3.connect(self.folder / "tocsin.db", timeout=10)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(query, values)]

    async def command(self, *words: str) -> tuple[int, str]:
        """A command of the same installation, as a person types it."""
        process = await asyncio.create_subprocess_exec(
            *PROGRAM,
            *words,
            "--config",
            str(self.config),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=self.folder,
        )
        async with asyncio.timeout(30):
            out, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode()


def _rows_of_server(address: str, query: str, values: Sequence[object]) -> list[dict[str, Any]]:
    import psycopg
    from psycopg.rows import dict_row

    with psycopg.connect(address, row_factory=dict_row) as connection:
        return connection.execute(query.replace("?", "%s"), values or None).fetchall()  # type: ignore[arg-type]


async def until(holds: Any, within_s: float = 15.0, what: str = "") -> Any:
    """Wait until a condition holds (it may be a coroutine function), a short look at a time; its value is returned."""
    try:
        async with asyncio.timeout(within_s):
            while True:
                value = holds()
                value = await value if asyncio.iscoroutine(value) else value
                if value:
                    return value
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"it did not come to pass within {within_s} s: {what or holds}") from None


def parsed(text: str) -> Any:
    return json.loads(text)
