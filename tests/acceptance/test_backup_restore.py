"""Backup while the real program runs, restore after it is gone, and a journal held against what was kept elsewhere."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from acceptance.process import Tocsin, until, write_configuration
from tocsin.testing.slack import SlackDouble
from tocsin.testing.standins import StandIns, State

RULES = """
    defaults: {{check: {{every: 100ms, timeout: 1s}}}}
    systems:
      erp:
        title: ERP
        owner: li.na
        tier: core
        checks: {{health: {{http: "{erp}/health", fail_after: 2, recover_after: 2}}}}
    response:
      P1: {{acknowledge: 1h, remind: []}}
    people:
      li.na: {{name: Li Na, slack: U0LINA}}
    """


@pytest.mark.timeout(180)
def test_backup_of_a_running_daemon_brings_its_incidents_back(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with SlackDouble() as slack, StandIns() as systems:
            rules = RULES.format(erp=systems["erp"].url)
            tocsin = Tocsin(write_configuration(tmp_path, slack, rules))
            try:
                await tocsin.start()
                systems["erp"].state = State.BROKEN
                await until(lambda: tocsin.rows("SELECT id FROM notices WHERE state = 'sent'"), what="the page")
                code, said = await tocsin.command("backup", "b", "--json")
                assert code == 0, said
                taken = json.loads(said[said.index("{") :])
                assert taken["tables"]["incidents"] == 1
                code, said = await tocsin.command("backup", "b")
                assert (code, "--force" in said) == (2, True)
                code, said = await tocsin.command("restore", "b")
                assert (code, "another Tocsin" in said) == (1, True)
                await tocsin.kill()
                for file in tmp_path.glob("tocsin.db-*"):
                    file.unlink()
                (tmp_path / "tocsin.db").write_bytes(b"\0" * 4096)
                code, said = await tocsin.command("restore", "b", "--json")
                assert code == 0, said
                restored = json.loads(said[said.index("{") :])
                assert restored["head"] == taken["head"]
                assert Path(restored["kept"]).read_bytes() == b"\0" * 4096
                await tocsin.start()
                (incident,) = await tocsin.ask("incident_list")
                assert incident["id"] == 1
                assert (await tocsin.command("log", "verify"))[0] == 0
            finally:
                await tocsin.close()
            pages = [message for message in slack.messages() if ":opened:page:" in message.key]
            assert len(pages) == 1, "the page that went out before is found again"

    asyncio.run(scenario())


@pytest.mark.timeout(120)
def test_journal_that_was_written_anew_does_not_bear_out_what_was_kept_elsewhere(tmp_path: Path) -> None:
    async def scenario() -> None:
        config = write_configuration(tmp_path, None, "people: {}\n")
        tocsin = Tocsin(config)
        try:
            await tocsin.start()
            checkpoint = "SELECT data FROM journal WHERE action = 'journal_checkpoint'"
            (row,) = await until(lambda: tocsin.rows(checkpoint), what="the first checkpoint")
            kept = tmp_path / "kept.jsonl"
            kept.write_text(json.dumps({"action": "journal_checkpoint", "data": json.loads(row["data"])}) + "\n")
            code, said = await tocsin.command("log", "verify", "--against", "kept.jsonl", "--json")
            assert code == 0, said
            found = json.loads(said)["checkpoints"]
            assert (found["count"], found["signed"], found["kept_elsewhere"]) == (1, 1, 1)
            key = found["keys"][0]
            assert key == (tmp_path / "journal.pub").read_text().split()[1]
            assert (await tocsin.command("log", "verify", "--key", key))[0] == 0
            code, said = await tocsin.command("log", "verify", "--key", "SHA256:another")
            assert (code, f"another key: {key}" in said) == (1, True)
            code, said = await tocsin.command("doctor")
            assert key in said
            await tocsin.kill(15)
            for file in tmp_path.glob("tocsin.db*"):
                file.unlink()
            await tocsin.start()
            await until(lambda: tocsin.rows(checkpoint), what="a checkpoint by the same key")
            assert (await tocsin.command("log", "verify", "--key", key))[0] == 0
            code, said = await tocsin.command("log", "verify", "--against", "kept.jsonl")
            assert (code, "kept elsewhere: it says that entry" in said) == (1, True), said
        finally:
            await tocsin.close()

    asyncio.run(scenario())
