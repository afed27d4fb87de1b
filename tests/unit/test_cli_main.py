"""Finding the command, and every expected error as a text and an exit code."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tocsin import __version__
from tocsin.cli.main import command_first, exit_code, main
from tocsin.cli.table import GROUPS, LATER, known_commands
from tocsin.errors import ConfigurationError, DaemonUnreachable, NotFound, Refused, StoreError, TocsinError, UsageError


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("TOCSIN_")]:
        monkeypatch.delenv(name)


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(f"\n  {name} " in out for name in known_commands())


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"tocsin {__version__}\n"


@pytest.mark.parametrize("name", sorted(known_commands()))
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    out = capsys.readouterr().out
    assert f"Usage: tocsin {name}" in out
    assert ("--json" in out and "--config" in out) is (name not in GROUPS)


@pytest.mark.parametrize("name", sorted(LATER))
def test_command_of_a_later_version_is_refused_as_such(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "list", "--json"]) == 2
    captured = capsys.readouterr()
    assert f"'{name}' is not in this version" in captured.err
    assert "is not in this version" in json.loads(captured.out)["errors"][0]["message"]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ([], "no command"),
        (["stats"], "did you mean 'status'?"),
        (["--bogus", "status"], "no such option before the command: --bogus"),
        (["incident"], "'incident' needs a verb: list, show"),
        (["incident", "lst"], "no such command 'lst'"),
        (["ack"], "missing argument"),
        (["ack", "1", "--bogus"], "no such option: --bogus"),
        (["incident", "list", "--limit", "0"], "--limit"),
        (["incident", "list", "--limit", "many"], "--limit"),
        (["incident", "severity", "1", "P2"], "--reason"),
        (["schema", "poems"], "poems"),
        (["status", "extra"], "extra"),
    ],
)
def test_usage_errors_are_texts_with_exit_code_2(
    words: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert text in captured.err
    assert "Traceback" not in captured.err


@pytest.mark.parametrize("words", [["stats"], ["ack"], ["ack", "1", "--bogus"], ["incident"], ["incident", "lst"]])
def test_usage_errors_are_one_document_with_json(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, "--json"]) == 2
    document = json.loads(capsys.readouterr().out)
    assert document["ok"] is False
    assert set(document["errors"][0]) == {"file", "line", "column", "message"}


@pytest.mark.parametrize("words", [["--json", "status"], ["status", "--json"], ["incident", "--json", "list"]])
def test_unreachable_daemon_is_one_document_with_exit_code_3(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 3
    captured = capsys.readouterr()
    assert "var/tocsin.sock" in json.loads(captured.out)["errors"][0]["message"]
    assert "systemctl status tocsin" in captured.err


@pytest.mark.parametrize(
    ("words", "sorted_words"),
    [
        (["--json", "ack", "1"], ["ack", "--json", "1"]),
        (["incident", "--socket", "s", "list", "--all"], ["incident", "list", "--socket", "s", "--all"]),
        (
            ["--config=c", "incident", "--as", "li.na", "ack", "1"],
            ["incident", "ack", "--config=c", "--as", "li.na", "1"],
        ),
        (["incident", "note", "1", "--json"], ["incident", "note", "1", "--json"]),
        (["ack", "--", "--json"], ["ack", "--", "--json"]),
        (["--config"], ["--config"]),
    ],
)
def test_common_options_may_stand_before_the_command(words: list[str], sorted_words: list[str]) -> None:
    assert command_first(words) == sorted_words


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError(""), 2),
        (ConfigurationError(()), 2),
        (DaemonUnreachable(""), 3),
        (Refused(""), 1),
        (NotFound(""), 1),
        (StoreError(""), 1),
        (TocsinError(""), 1),
    ],
)
def test_each_error_has_its_exit_code(error: TocsinError, code: int) -> None:
    assert exit_code(error) == code
