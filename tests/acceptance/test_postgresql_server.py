"""The real program on a real PostgreSQL server that restarts, loses an answer, and moves house."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Self

import pytest

from acceptance.process import Tocsin, until, write_configuration
from postgresql import Server
from tcp_proxy import Proxy
from tocsin.testing.slack import SlackDouble

RULES = """
    defaults: {{check: {{every: 100ms, timeout: 1s}}}}
    systems:
      erp:
        title: ERP
        owner: li.na
        tier: core
        checks: {{health: {{http: "{erp}/health", fail_after: 2, recover_after: 2}}}}
    response:
      P1: {{acknowledge: 1h, remind: [50%]}}
    people:
      li.na: {{name: Li Na, slack: U0LINA}}
    """
RECONNECTS_WITHIN_S = 5.0


class Backend:
    """A watched system that counts its probes."""

    def __init__(self) -> None:
        self.is_well = True
        self.probes = 0
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while await reader.readuntil(b"\r\n\r\n"):
                self.probes += 1
                status = b"200 OK" if self.is_well else b"503 Away"
                writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
        writer.close()


@pytest.mark.timeout(180)
def test_restart_of_the_server_costs_no_probe_and_no_page(tmp_path: Path, postgresql_server: Server) -> None:
    database = postgresql_server.new_database()

    async def scenario() -> None:
        async with SlackDouble() as slack, Backend() as erp:
            rules = RULES.format(erp=erp.url)
            tocsin = Tocsin(write_configuration(tmp_path, slack, rules, database=database), server=database)
            try:
                await tocsin.start()
                await until(lambda: '"action": "ready"' in tocsin.log(), what="it is ready")
                await asyncio.to_thread(postgresql_server.stop, "immediate")
                try:
                    probed = erp.probes
                    erp.is_well = False
                    await until(lambda: erp.probes > probed + 30, what="probing goes on")
                    await until(lambda: '"alarm": "storage"' in tocsin.log(), what="the alarm of the store")
                finally:
                    await asyncio.to_thread(postgresql_server.start)
                before = time.monotonic()
                await until(
                    lambda: tocsin.rows("SELECT id FROM incidents"), RECONNECTS_WITHIN_S, "the incident is kept"
                )
                assert time.monotonic() - before < RECONNECTS_WITHIN_S
                await until(lambda: any(":opened:page:" in m.key for m in slack.messages()), what="the page")
                await until(lambda: is_quiet(tocsin), what="the alarm is over")
                erp.is_well = True
                await until(lambda: nothing_open(tocsin), what="it resolves")
                assert (await tocsin.command("log", "verify"))[0] == 0
            finally:
                await tocsin.close()
            (incident,) = tocsin.rows("SELECT failing_since, opened_at FROM incidents")
            assert (incident["opened_at"] - incident["failing_since"]).total_seconds() < 3

    asyncio.run(scenario())


async def is_quiet(tocsin: Tocsin) -> bool:
    return (await tocsin.ask("status"))["alarms"] == []


async def nothing_open(tocsin: Tocsin) -> bool:
    return await tocsin.ask("incident_list") == []


@pytest.mark.timeout(180)
def test_lost_answer_to_the_commit_of_an_incident_leads_to_one_incident_and_one_page(
    tmp_path: Path, postgresql_server: Server
) -> None:
    database = postgresql_server.new_database()

    async def scenario(proxy: Proxy) -> None:
        async with SlackDouble() as slack, Backend() as erp:
            rules = RULES.format(erp=erp.url)
            config = write_configuration(tmp_path, slack, rules, database=proxy.url(database))
            tocsin = Tocsin(config, server=database)
            try:
                await tocsin.start()
                proxy.cut_at_end_of(b"INSERT INTO incidents", b"COMMIT")
                erp.is_well = False
                await until(lambda: proxy.cuts, what="the answer is lost")
                await until(lambda: any(":opened:page:" in m.key for m in slack.messages()), what="the page")
                erp.is_well = True
                await until(lambda: nothing_open(tocsin), what="it resolves")
            finally:
                await tocsin.close()
            assert "commit_answer_lost" in tocsin.log()
            opened = tocsin.rows("SELECT subject FROM journal WHERE action = 'incident_opened'")
            assert [row["subject"] for row in opened] == ["incident:1"]
            changes = tocsin.rows("SELECT data FROM journal WHERE action = 'check_changed'")
            assert [json.loads(row["data"])["to"] for row in changes] == ["down", "up"]
            assert len([m for m in slack.messages() if ":opened:page:" in m.key]) == 1

    with closing(Proxy(postgresql_server.port)) as proxy:
        asyncio.run(scenario(proxy))


@pytest.mark.timeout(180)
def test_daemon_moves_from_sqlite_to_postgresql_by_one_command(tmp_path: Path, postgresql_server: Server) -> None:
    database = postgresql_server.new_database()

    async def scenario() -> None:
        async with SlackDouble() as slack, Backend() as erp:
            rules = RULES.format(erp=erp.url)
            tocsin = Tocsin(write_configuration(tmp_path, slack, rules))
            try:
                await tocsin.start()
                erp.is_well = False
                await until(lambda: tocsin.rows("SELECT id FROM notices WHERE state = 'sent'"), what="the page")
                code, said = await tocsin.command("db", "copy", "--to", database)
                assert (code, "another Tocsin" in said) == (1, True), said
                await tocsin.kill(15)
                code, said = await tocsin.command("db", "copy", "--to", database)
                assert code == 0, said
                assert "verified" in said
                code, said = await tocsin.command("db", "copy", "--to", database)
                assert (code, "not empty" in said) == (1, True), said
            finally:
                await tocsin.close()
            moved = Tocsin(write_configuration(tmp_path, slack, rules, database=database), server=database)
            try:
                await moved.start()
                (incident,) = await moved.ask("incident_list")
                assert incident["id"] == 1
                await moved.ask("ack", incident="1")
                erp.is_well = True
                await until(lambda: nothing_open(moved), what="it resolves")
                assert (await moved.command("log", "verify"))[0] == 0
            finally:
                await moved.close()
            assert len([m for m in slack.messages() if ":opened:page:" in m.key]) == 1

    asyncio.run(scenario())
