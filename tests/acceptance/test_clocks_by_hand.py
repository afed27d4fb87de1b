"""The clocks of one incident from the rules file to the thread: the update clock, a pause, an edited policy, a replan, an exclusion."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from acceptance.process import Tocsin, parsed, until, write_configuration
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
    response:
      P1: {{acknowledge: 1h, update: {update}, resolve: {resolve}, remind: [50%, 100%]}}
    people:
      li.na: {{name: Li Na, slack: U0LINA}}
    """


def test_the_clocks_of_an_incident_from_the_rules_to_the_thread(tmp_path: Path) -> None:
    asyncio.run(played(tmp_path))


async def played(folder: Path) -> None:
    async with SlackDouble() as slack, StandIns() as systems:
        address = systems["erp"].url
        tocsin = Tocsin(write_configuration(folder, slack, RULES.format(erp=address, update="1500ms", resolve="4h")))
        try:
            await tocsin.start()
            systems["erp"].state = State.BROKEN
            await until(lambda: tocsin.ask("incident_list"), what="an incident opens")
            await an_update_lapses(tocsin)
            await it_is_paused(tocsin)
            await the_policy_is_edited(tocsin, RULES.format(erp=address, update="1h", resolve="8h"))
            await a_clock_is_excluded(tocsin)
            await until(lambda: told(slack, "excluded the response clock"), what="the thread hears of everything")
        finally:
            await tocsin.close()
        lines = [message.text for message in slack.messages()]
        assert any(line.startswith("🚨 Update missed") and line.endswith("<@U0LINA>") for line in lines)
        assert any("paused the time for: resolution, update: waiting for the supplier" in line for line in lines)
        assert any("moved the deadlines to the present policy" in line for line in lines)


def told(slack: SlackDouble, words: str) -> bool:
    return any(words in message.text for message in slack.messages())


async def typed(tocsin: Tocsin, *words: str) -> Any:
    code, said = await tocsin.command(*words, "--json")
    assert code == 0, said
    return parsed(said)


async def clock_of(tocsin: Tocsin, kind: str) -> Any:
    incident = await tocsin.ask("incident_show", incident="1")
    return next((clock for clock in incident["clocks"] if clock["clock"] == kind), None)


async def an_update_lapses(tocsin: Tocsin) -> None:
    assert await clock_of(tocsin, "update") is None
    await typed(tocsin, "ack", "erp", "--as", "li.na")
    lapsed = await until(lambda: breached(tocsin), what="the update lapses")
    assert lapsed["breached_at"] == lapsed["due_at"]
    await typed(tocsin, "incident", "note", "erp", "the disk is being replaced")
    assert (await clock_of(tocsin, "update"))["outcome"] is None


async def breached(tocsin: Tocsin) -> Any:
    clock = await clock_of(tocsin, "update")
    return clock if clock["outcome"] == "breached" else None


async def it_is_paused(tocsin: Tocsin) -> None:
    await typed(tocsin, "incident", "pause", "erp", "--reason", "waiting for the supplier")
    paused = await clock_of(tocsin, "resolution")
    assert (paused["paused"]["reason"], paused["paused"]["actor"]) == ("waiting for the supplier", "user:root")
    explained = await typed(tocsin, "clock", "explain", "erp")
    segments = next(clock for clock in explained["clocks"] if clock["clock"] == "resolution")["segments"]
    assert [segment["why"] for segment in segments][:2] == ["working", "paused: waiting for the supplier"]
    code, board = await tocsin.command("board", "--once")
    assert code == 0
    assert "paused, 3h 59m left" in board
    resumed = await typed(tocsin, "incident", "resume", "erp")
    assert next(clock for clock in resumed["clocks"] if clock["clock"] == "resolution")["due_at"] > paused["due_at"]


async def the_policy_is_edited(tocsin: Tocsin, rules: str) -> None:
    before = await clock_of(tocsin, "resolution")
    (tocsin.folder / "rules" / "all.yaml").write_text(rules.replace("\n    ", "\n"), encoding="utf-8")
    assert (await typed(tocsin, "reload"))["changed"]
    assert await clock_of(tocsin, "resolution") == before
    replanned = await typed(tocsin, "incident", "replan", "erp", "--reason", "agreed")
    after = next(clock for clock in replanned["clocks"] if clock["clock"] == "resolution")
    assert (after["target_s"], after["started_at"]) == (8 * 3600, before["started_at"])
    assert after["pauses"][0]["reason"] == "waiting for the supplier"
    assert before["due_at"] in [clock["due_at"] for clock in replanned["superseded"]]


async def a_clock_is_excluded(tocsin: Tocsin) -> None:
    excluded = await typed(tocsin, "incident", "exclude", "erp", "--clock", "response", "--reason", "a drill")
    response = next(clock for clock in excluded["clocks"] if clock["clock"] == "response")
    assert (response["outcome"], response["exclusion"]["reason"]) == ("met", "a drill")
    await typed(tocsin, "incident", "severity", "erp", "P2", "--reason", "only the test system")
    why = (await typed(tocsin, "explain", "1"))["why"]
    assert why[0].startswith("P2 because user:root set it at ")
    assert ": only the test system (it was P1; rule 'core system down'" in why[0]
    assert any("response: excluded by user:root" in line and line.endswith("a drill") for line in why)
