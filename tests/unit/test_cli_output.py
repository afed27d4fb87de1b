"""What the commands print."""

from __future__ import annotations

import io
import json
import sys

import pytest

from tocsin.cli.output import Cell, print_facts, print_json, print_table, printable, say, width


class Terminal(io.StringIO):
    """A standard output that is a terminal."""

    def isatty(self) -> bool:
        return True


def test_columns_of_wide_words_are_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("系统", "STATUS"), [("企业资源计划", "up"), ("crm", "down")])
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["系统          STATUS", "企业资源计划  up", "crm           down"]
    assert {width(line.rpartition("  ")[0]) + 2 for line in lines[:2]} == {14}


@pytest.mark.parametrize(
    ("text", "columns"), [("abc", 3), ("企业", 4), ("e\u0301", 1), ("ﾊ", 1), ("🔥", 2), ("\u200b", 0)]
)
def test_width_counts_columns(text: str, columns: int) -> None:
    assert width(text) == columns


def test_pipe_gets_no_colours(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("A",), [(Cell("down", "bold red"),)])
    print_facts([("status", Cell("down", "bold red"))])
    assert "\x1b" not in capsys.readouterr().out


def test_terminal_gets_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    print_table(("A",), [(Cell("down", "bold red"),)])
    assert "\x1b[1;31mdown" in terminal.getvalue()


def test_no_color_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    print_table(("A",), [(Cell("down", "red"),)])
    print_facts([("status", Cell("down", "red"))])
    assert "31m" not in terminal.getvalue()
    assert "down" in terminal.getvalue()


def test_markup_in_a_text_is_only_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    print_table(("A",), [("[bold]loud[/bold] :smile:",)])
    assert "[bold]loud[/bold] :smile:" in terminal.getvalue()


def test_watched_system_cannot_drive_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    say("before \x1b[2J\x9b0m \x07after")
    print_table(("TEXT",), [("one\r\ntwo\x1b]0;title\x07",)])
    out = capsys.readouterr().out
    assert not set(out) & {"\x1b", "\x9b", "\x07"}
    assert "one two" in out


def test_printable_keeps_every_language() -> None:
    assert printable("Größe 数据 👩‍💻\tx") == "Größe 数据 👩‍💻\tx"


def test_empty_table_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("A",), [], empty="Nothing here.")
    assert capsys.readouterr().out == "Nothing here.\n"


def test_facts_without_value_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    print_facts([("state", "open"), ("resolved", None), ("why", "")])
    assert capsys.readouterr().out == "state  open\n"


def test_json_is_one_readable_document(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"title": "企业"})
    out = capsys.readouterr().out
    assert json.loads(out) == {"title": "企业"}
    assert "企业" in out


def test_json_survives_a_terminal_without_unicode(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii")
    monkeypatch.setattr(sys, "stdout", out)
    print_json({"title": "企业"})
    out.flush()
    assert json.loads(raw.getvalue()) == {"title": "企业"}
