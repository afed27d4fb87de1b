"""kill -9 at random moments of the real program: no incident, no page and no deadline is lost, and nothing is told twice."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest

from acceptance.process import Tocsin, until, write_configuration
from postgresql import Server
from tocsin.errors import Refused
from tocsin.testing.slack import SlackDouble
from tocsin.testing.standins import StandIns, State

RULES = """
    defaults: {{check: {{every: 150ms, timeout: 1s}}}}
    systems:
      erp:
        title: ERP
        owner: li.na
        tier: core
        checks: {{health: {{http: "{erp}/health", fail_after: 2, recover_after: 1}}}}
      crm:
        title: CRM
        owner: li.na
        checks: {{health: {{http: "{crm}/health", fail_after: 2, recover_after: 1}}}}
    response:
      P1: {{acknowledge: 2s, resolve: 1h, remind: [50%, 100%]}}
      P2: {{acknowledge: 3s, remind: [100%]}}
    people:
      li.na: {{name: Li Na, slack: U0LINA}}
    """


@pytest.mark.timeout(300)
def test_twenty_kills_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    asyncio.run(killed_often(tmp_path, rounds=20, seed=20261124))


@pytest.mark.timeout(300)
def test_eight_kills_on_postgresql_lose_nothing_and_double_nothing(tmp_path: Path, postgresql_server: Server) -> None:
    asyncio.run(killed_often(tmp_path, rounds=8, seed=20261125, server=postgresql_server.new_database()))


@pytest.mark.torture
@pytest.mark.timeout(1800)
def test_two_hundred_kills_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    asyncio.run(killed_often(tmp_path, rounds=200, seed=1))


async def killed_often(folder: Path, *, rounds: int, seed: int, server: str | None = None) -> None:
    random = Random(seed)
    async with SlackDouble() as slack, StandIns() as systems:
        rules = RULES.format(erp=systems["erp"].url, crm=systems["crm"].url)
        database = server or "sqlite:///tocsin.db"
        tocsin = Tocsin(write_configuration(folder, slack, rules, database=database), server=server)
        try:
            await tocsin.start()
            for _ in range(rounds):
                await one_round(random, tocsin, systems)
            for system in ("erp", "crm"):
                systems[system].state = State.OK
            await until(lambda: nothing_is_open(tocsin), what="all incidents resolve")
            await until(lambda: not pending(tocsin), what="the outbox empties")
            code, said = await tocsin.command("log", "verify", "--json")
            assert code == 0, said
        finally:
            await tocsin.close()
        check_what_remains(tocsin, slack)


async def one_round(random: Random, tocsin: Tocsin, systems: StandIns) -> None:
    """Something happens to the systems and the people, and at some instant after it the process is killed and started again."""
    for system in random.sample(["erp", "crm"], random.randint(1, 2)):
        systems[system].state = random.choice([State.OK, State.BROKEN])
    await asyncio.sleep(random.uniform(0.0, 1.2))
    if random.random() < 0.4:
        acknowledged = [incident["id"] for incident in await tocsin.ask("incident_list")]
        for incident in acknowledged[:1]:
            with suppress(Refused):  # it recovered in between
                await tocsin.ask("ack", incident=str(incident))
    await asyncio.sleep(random.choice([0.0, random.uniform(0.0, 0.3), random.uniform(0.0, 1.5)]))
    await tocsin.kill()
    await asyncio.sleep(random.choice([0.0, 0.0, random.uniform(0.0, 2.0)]))
    await tocsin.start()


async def nothing_is_open(tocsin: Tocsin) -> bool:
    return await tocsin.ask("incident_list") == []


def pending(tocsin: Tocsin) -> list[dict[str, Any]]:
    return tocsin.rows("SELECT key, error FROM notices WHERE state = 'pending'")


def check_what_remains(tocsin: Tocsin, slack: SlackDouble) -> None:
    incidents = tocsin.rows("SELECT * FROM incidents")
    opened = tocsin.rows("SELECT subject FROM journal WHERE action = 'incident_opened'")
    assert incidents, "the test had nothing to lose"
    assert sorted(f"incident:{row['id']}" for row in incidents) == sorted(row["subject"] for row in opened)

    told = Counter(message.key for message in slack.messages() if message.key)
    assert [key for key, count in told.items() if count > 1] == []
    notices = tocsin.rows("SELECT key, kind, state FROM notices")
    assert [notice for notice in notices if notice["state"] not in ("sent", "covered")] == []
    promised = {notice["key"] for notice in notices if notice["kind"] != "edit"}
    assert promised - set(told) == set()
    assert sum(":opened:page:" in key for key in told) == len(incidents)

    clocks = tocsin.rows("SELECT * FROM clocks")
    for clock in clocks:
        assert clock["outcome"] is not None, clock
        if clock["breached_at"] is not None:
            assert clock["breached_at"] == clock["due_at"], clock
        elif clock["outcome"] == "met":
            assert clock["met_at"] <= clock["due_at"], clock
    breaches = tocsin.rows("SELECT data FROM journal WHERE action = 'clock_breached'")
    assert len(breaches) == sum(clock["breached_at"] is not None for clock in clocks)
    assert all(json.loads(row["data"])["clock"] == "response" for row in breaches)
