"""`log` and `db` on a real database file, without a daemon."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tocsin.cli.main import main
from tocsin.core.model import Entry
from tocsin.store import engine as engines
from tocsin.store import journal
from tocsin.store.upgrade import REVISION, prepare

START = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Five entries of a small incident, in the database that the default settings name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TOCSIN_CONFIG", raising=False)
    path = tmp_path / "var" / "tocsin.db"
    engine = engines.write_engine(engines.parse_url(f"sqlite:///{path}"))
    prepare(engine, path)
    actions = [
        "configuration_applied",
        "incident_opened",
        "notice_delivered",
        "incident_acknowledged",
        "incident_resolved",
    ]
    with engine.begin() as connection:
        journal.append(
            connection,
            [
                Entry(
                    START + timedelta(minutes=n),
                    "person:li.na",
                    action,
                    "incident:1",
                    {"system": "erp", "标题": "企业"},
                )
                for n, action in enumerate(actions)
            ],
        )
    engine.dispose()
    return path


def test_tail_shows_the_newest_entries_in_order(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["log", "tail", "-n", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["4", "5"]
    assert "person:li.na incident_resolved incident:1 system: erp, 标题: 企业" in lines[1]


def test_tail_as_json_is_an_array(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["log", "tail", "--json", "--lines", "1"]) == 0
    [entry] = json.loads(capsys.readouterr().out)
    assert (entry["sequence"], entry["action"]) == (5, "incident_resolved")


def test_tail_that_follows_is_no_document(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["log", "tail", "--follow", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["ok"] is False


@pytest.mark.parametrize(("pattern", "found"), [("OPENED", [2]), ("企业", [1, 2, 3, 4, 5]), ("03:0[34]", [4, 5])])
def test_grep_finds_text_in_every_part(
    database: Path, pattern: str, found: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["log", "grep", pattern, "--json"]) == 0
    assert [entry["sequence"] for entry in json.loads(capsys.readouterr().out)] == found


def test_grep_that_finds_nothing_is_a_no(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["log", "grep", "nothing like it"]) == 1
    assert capsys.readouterr().out == ""


def test_grep_refuses_a_broken_expression(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["log", "grep", "("]) == 2
    assert "not a regular expression" in capsys.readouterr().err


def test_whole_journal_verifies(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["log", "verify", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["ok"], found["entries"], found["first"], found["last"], found["broken"]) == (True, 5, 1, 5, None)


def test_edited_entry_is_found_and_named(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(sqlite3.connect(database)) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f'DROP TRIGGER "{name}"')
        connection.execute("UPDATE journal SET actor = 'person:mallory' WHERE sequence = 4")
        connection.commit()
    assert main(["log", "verify", "--json"]) == 1
    broken = json.loads(capsys.readouterr().out)["broken"]
    assert broken["sequence"] == 4
    assert main(["log", "verify"]) == 1
    assert "broken at entry 4" in capsys.readouterr().out


def test_export_writes_one_document_a_line(database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["log", "export"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["sequence"] for line in lines] == [1, 2, 3, 4, 5]
    assert main(["log", "export", "--output", str(tmp_path / "journal.jsonl")]) == 0
    assert (tmp_path / "journal.jsonl").read_text(encoding="utf-8").splitlines() == lines


def test_export_as_json_is_one_array(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["log", "export", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 5


def test_export_overwrites_nothing(database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine").write_text("mine")
    assert main(["log", "export", "--output", str(tmp_path / "mine")]) == 2
    assert (tmp_path / "mine").read_text() == "mine"
    assert "exists already" in capsys.readouterr().err


def test_missing_database_is_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for words in (["log", "verify"], ["db", "status"], ["db", "upgrade"]):
        assert main([*words, "--json"]) == 2
        assert "no such database" in json.loads(capsys.readouterr().out)["errors"][0]["message"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"this is no database, but it is longer than a header of one" * 9])
def test_file_that_is_no_database_of_tocsin_is_a_no(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOCSIN_DATABASE", f"sqlite:///{tmp_path}/other.db")
    (tmp_path / "other.db").write_bytes(content)
    assert main(["log", "verify"]) == 1
    captured = capsys.readouterr()
    assert "other.db" in captured.err
    assert "Traceback" not in captured.err


def test_db_status_names_both_schemas(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["db", "status", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["ok"], found["schema"], found["needed"]) == (True, REVISION, REVISION)


def test_db_upgrade_of_a_database_that_is_new_enough_changes_nothing(
    database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["db", "upgrade"]) == 0
    assert REVISION in capsys.readouterr().out
    assert main(["log", "verify"]) == 0


def test_db_upgrade_is_refused_while_a_daemon_works(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lock = engines.DaemonLock(database)
    lock.acquire()
    try:
        assert main(["db", "upgrade"]) == 1
    finally:
        lock.release()
    assert "another Tocsin" in capsys.readouterr().err
