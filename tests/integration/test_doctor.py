"""`doctor` finds what is wrong around Tocsin, says what to do, and asks nobody whom the configuration does not name."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from filled_store import fill
from postgresql import Server
from tocsin.cli import doctor_machine
from tocsin.cli.doctor_data import clock
from tocsin.cli.finding import Level
from tocsin.cli.main import main
from tocsin.core.calendar import ALWAYS
from tocsin.core.policy import Rulebook
from tocsin.testing.slack import SlackDouble

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
Findings = list[dict[str, str]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "rules").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TOCSIN_CONFIG", raising=False)
    return tmp_path


def write(folder: Path, settings: str = "", rules: str = "") -> Path:
    (folder / "rules" / "all.yaml").write_text(rules)
    config = folder / "tocsin.yaml"
    config.write_text(f"timezone: Asia/Shanghai\ndisk_free: 0\n{settings}")
    return config


def examined(config: Path, capsys: pytest.CaptureFixture[str], *, code: int | None = None) -> Findings:
    found = main(["doctor", "--json", "--config", str(config)])
    document = json.loads(capsys.readouterr().out)
    assert found == (0 if document["ok"] else 1)
    if code is not None:
        assert found == code, document
    findings: Findings = document["findings"]
    return findings


def of(findings: Findings, area: str) -> list[tuple[str, str]]:
    return [(finding["level"], finding["text"]) for finding in findings if finding["area"] == area]


def checks(**urls: str) -> str:
    listed = ", ".join(f'{name}: {{http: "{url}"}}' for name, url in urls.items())
    return f"systems: {{erp: {{owner: li.na, checks: {{{listed}}}}}}}\npeople: {{li.na: {{name: Li Na}}}}\n"


@asynccontextmanager
async def answering(headers: Mapping[str, str]) -> AsyncIterator[str]:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n{lines}\r\n".encode())
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


def test_all_that_is_right_is_said_and_the_exit_code_is_0(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def scenario() -> Findings:
        async with SlackDouble() as slack, answering({"Date": format_datetime(datetime.now(UTC), usegmt=True)}) as url:
            tokens = f"slack: {{channel: C1, bot_token: {slack.bot_token}, app_token: {slack.app_token}, api_url: '{slack.api_url}'}}\n"
            config = write(folder, f"database: sqlite:///{folder}/tocsin.db\n{tokens}", checks(health=url))
            config.chmod(0o600)
            await asyncio.to_thread(fill, f"sqlite:///{folder}/tocsin.db")
            return await asyncio.to_thread(examined, config, capsys, code=0)

    findings = asyncio.run(scenario())
    for area in ("settings", "database", "disk", "time zone", "rules", "names", "ports", "clock"):
        assert [level for level, _ in of(findings, area)] == ["ok"], of(findings, area)
    assert [text for _, text in of(findings, "Slack")][1:] == ["9 scopes, none is missing", "Socket Mode is granted"]
    assert all(finding["advice"] for finding in findings if finding["level"] != "ok")


def test_missing_scope_is_a_problem_that_names_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def scenario() -> Findings:
        async with SlackDouble() as slack:
            slack.methods.scopes -= {"metadata.message:read", "channels:history", "groups:history"}
            config = write(folder, f"slack: {{bot_token: {slack.bot_token}, api_url: '{slack.api_url}'}}\n")
            return await asyncio.to_thread(examined, config, capsys, code=1)

    found = of(asyncio.run(scenario()), "Slack")
    assert [text for level, text in found if level == "problem"] == [
        "the scope metadata.message:read (to find its own message again when an answer was lost) is missing",
        "the scope channels:history or groups:history (to find its own message again) is missing",
    ]
    assert ("warning", "neither app_token nor signing_secret: buttons do nothing") in found


def test_revoked_token_is_a_problem(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def scenario() -> Findings:
        async with SlackDouble() as slack:
            slack.is_revoked = True
            config = write(folder, f"slack: {{bot_token: {slack.bot_token}, api_url: '{slack.api_url}'}}\n")
            return await asyncio.to_thread(examined, config, capsys, code=1)

    ((level, text),) = of(asyncio.run(scenario()), "Slack")
    assert level == "problem"
    assert "token_revoked" in text


def test_clock_far_from_a_watched_systems_is_a_problem(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def scenario() -> Findings:
        late = datetime.now(UTC) - timedelta(minutes=5)
        async with answering({"Date": format_datetime(late, usegmt=True)}) as url:
            return await asyncio.to_thread(examined, write(folder, "", checks(health=url)), capsys, code=1)

    ((level, text),) = of(asyncio.run(scenario()), "clock")
    assert level == "problem"
    assert "s apart from erp/health (its Date)" in text


def test_answer_without_a_date_says_nothing_of_the_clock(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def scenario() -> Findings:
        async with answering({"Date": "yesterday"}) as url:
            return await asyncio.to_thread(examined, write(folder, "", checks(health=url)), capsys)

    assert of(asyncio.run(scenario()), "clock") == []


@pytest.mark.parametrize(
    ("apart_s", "level"), [(0.5, Level.OK), (-0.5, Level.OK), (2, Level.WARNING), (-31, Level.PROBLEM)]
)
def test_clocks_are_compared_both_ways(apart_s: float, level: Level) -> None:
    assert clock("the database", NOW + timedelta(seconds=apart_s), NOW).level is level


def test_unknown_host_and_closed_port_are_found(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    rules = checks(here=f"http://127.0.0.1:{port}/", there="http://nowhere.invalid/")
    findings = examined(write(folder, "", rules), capsys, code=1)
    names = of(findings, "names")
    assert names[0] == ("ok", "1 of 2 hosts have addresses")
    assert names[1][0] == "problem"
    assert names[1][1].startswith("nowhere.invalid: ")
    assert of(findings, "ports") == [("warning", f"127.0.0.1:{port}: connection refused")]


def test_rights_that_are_too_wide_are_found(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = write(folder, "slack: {signing_secret: abcdefgh}\n")
    (folder / "var").mkdir()
    (folder / "var").chmod(0o777)
    with socket.socket(socket.AF_UNIX) as there:
        there.bind(str(folder / "var" / "tocsin.sock"))
    (folder / "var" / "tocsin.sock").chmod(0o666)
    (folder / "var" / "journal.key").write_text("key")
    (folder / "var" / "journal.pub").write_text("AAAA SHA256:x\n")
    (folder / "var" / "journal.key").chmod(0o640)
    config.chmod(0o644)
    findings = examined(config, capsys, code=1)
    assert of(findings, "rights") == [
        ("problem", f"{folder}/var: everybody may write into it"),
        ("warning", f"{config}: holds tokens, and everybody may read it"),
        ("problem", f"{folder}/var/tocsin.sock: everybody may act through it (mode 0666)"),
    ]
    assert of(findings, "journal key") == [("problem", f"{folder}/var/journal.key: others may open it (mode 0640)")]


def test_rules_with_mistakes_are_problems_with_their_places(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = write(folder, "", "systems: {erp: {owner: li.na}}\n")
    assert of(examined(config, capsys, code=1), "rules")[0][1].startswith("rules/all.yaml:1:")


def test_settings_with_mistakes_hide_the_rest(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    findings = examined(write(folder, "listen: 0.0.0.0:8600\njournal_keep: 100d\n"), capsys, code=1)
    assert [finding["area"] for finding in findings] == ["settings", "settings"]


def test_too_little_space_is_a_problem(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = write(folder)
    config.write_text(config.read_text().replace("disk_free: 0", "disk_free: 900TiB"))
    ((level, text),) = of(examined(config, capsys, code=1), "disk")
    assert level == "problem"
    assert "less than disk_free (921,600.0 GiB)" in text


def test_postgresql_is_examined_with_its_clock(
    folder: Path, capsys: pytest.CaptureFixture[str], postgresql_server: Server
) -> None:
    database = postgresql_server.new_database()
    config = write(folder, f"database: {database}\n")
    assert of(examined(config, capsys), "database") == [("warning", f"{database}: holds no tables of Tocsin's")]
    fill(database)
    findings = examined(config, capsys)
    assert of(findings, "database") == [("ok", f"{database}: schema golive")]
    ((level, text),) = of(findings, "clock")
    assert (level, text) == ("ok", "0.0 s apart from the database")


def test_database_that_cannot_be_reached_is_a_problem(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = write(folder, "database: postgresql://tocsin:secret@127.0.0.1:1/tocsin\n")
    ((level, text),) = of(examined(config, capsys, code=1), "database")
    assert level == "problem"
    assert "refused" in text
    assert "secret" not in text


def with_holidays(years: frozenset[int] | None) -> Rulebook:
    from dataclasses import replace

    return Rulebook(calendars={"office": replace(ALWAYS, name="office", covered_years=years)})


@pytest.mark.parametrize(
    ("years", "month", "levels"),
    [
        ({2026, 2027}, 12, [Level.OK]),
        ({2026}, 10, [Level.OK]),
        ({2026}, 11, [Level.WARNING]),
        ({2025}, 6, [Level.PROBLEM]),
        (set(), 12, [Level.PROBLEM, Level.WARNING]),
        (None, 12, []),
    ],
)
def test_holidays_are_wanted_for_this_year_and_near_its_end_for_the_next(
    years: set[int] | None, month: int, levels: list[Level]
) -> None:
    rulebook = with_holidays(None if years is None else frozenset(years))
    found = doctor_machine.holidays(rulebook, NOW.replace(month=month))
    assert [finding.level for finding in found] == levels


def test_table_counts_what_it_shows(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["doctor", "--config", str(write(folder))])
    lines = capsys.readouterr().out.splitlines()
    shown = [line.split()[0] for line in lines[1:-1]]
    assert (
        lines[-1] == f"{shown.count('problem')} problems, {shown.count('warning')} warnings, {shown.count('ok')} right"
    )
