"""`clock explain`: the arithmetic of an incident's deadlines from their own start, and plain words where it cannot be shown."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from fake_daemon import FakeDaemon
from tocsin.cli.board import rows_of
from tocsin.cli.incident_view import next_deadline
from tocsin.cli.main import main
from tocsin.config import load

START = datetime(2024, 12, 6, 8, 0, tzinfo=UTC)
"""A Friday, 16:00 in Shanghai."""

HOUR = timedelta(hours=1)
RULES = """
    systems:
      erp: {owner: li.na, checks: {health: {http: http://127.0.0.1/}}}
    response:
      P1: {acknowledge: 4h, calendar: office}
      P2: {acknowledge: 4h}
    calendars:
      office: {timezone: Asia/Shanghai, hours: {mon-fri: ['09:00-17:00']}}
    """


def z(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration with a calendar, in which the command is typed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOCSIN_SOCKET", str(tmp_path / "t.sock"))
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "all.yaml").write_text(dedent(RULES), encoding="utf-8")
    (tmp_path / "tocsin.yaml").write_text("slack: {channel: C1}\n", encoding="utf-8")
    return tmp_path


def a_clock(**over: Any) -> dict[str, Any]:
    """A response of four working hours, started on Friday at 16:00, due on Monday at 12:00."""
    shape = {
        "clock": "response",
        "started_at": z(START),
        "due_at": "2024-12-09T04:00:00Z",
        "target_s": 4 * 3600.0,
        "calendar": "office",
        "calendar_version": load(None, {}).rules.rulebook.calendars["office"].version,
        "outcome": None,
        "met_at": None,
        "breached_at": None,
        "detected_late": False,
        "paused": None,
        "pauses": [],
        "exclusion": None,
    }
    return {**shape, **over}


def explained(folder: Path, capsys: pytest.CaptureFixture[str], clock: Mapping[str, Any]) -> tuple[Any, str]:
    """What the command says of an incident with this clock, as JSON and to people."""
    with FakeDaemon(folder / "t.sock", {"incident_show": {"id": 142, "severity": "P1", "clocks": [clock]}}):
        assert main(["clock", "explain", "142", "--json"]) == 0
        document = json.loads(capsys.readouterr().out)
        assert main(["clock", "explain", "142"]) == 0
    return document["clocks"][0], capsys.readouterr().out


def counted(clock: Any) -> list[tuple[str, int]]:
    return [(segment["why"], segment["counted_s"]) for segment in clock["segments"]]


def test_the_arithmetic_is_shown_segment_by_segment(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clock, said = explained(folder, capsys, a_clock())
    assert counted(clock) == [("working", 3600), ("outside hours", 0), ("working", 3 * 3600)]
    assert (clock["remark"], "running" in said) == ("", True)


def test_pauses_that_are_over_stand_among_the_segments(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pause = {"from": z(START), "to": z(START + HOUR / 2), "reason": "supplier", "actor": "person:li.na"}
    clock, _ = explained(folder, capsys, a_clock(pauses=[pause], due_at="2024-12-09T04:30:00Z"))
    assert counted(clock)[0] == ("paused: supplier", 0)
    assert sum(seconds for _, seconds in counted(clock)) == 4 * 3600
    assert clock["remark"] == ""


def test_a_paused_clock_says_since_when_why_and_when_it_would_be_due(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    since = {"since": z(START + HOUR / 2), "reason": "supplier", "actor": "person:li.na"}
    pause = {"from": since["since"], "to": None, "reason": "supplier", "actor": "person:li.na"}
    clock, said = explained(folder, capsys, a_clock(paused=since, pauses=[pause]))
    assert "by person:li.na: supplier; resumed now it would be due" in clock["remark"]
    assert clock["remark"] in said
    assert "(paused)" in said
    assert ("paused: supplier", 0) in counted(clock)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"calendar_version": "0123"}, "another version of calendar 'office' is on disk"),
        ({"calendar": "gone"}, "there is no calendar 'gone' on disk"),
    ],
)
def test_another_calendar_on_disk_is_said_plainly_and_nothing_is_made_up(
    folder: Path, capsys: pytest.CaptureFixture[str], change: Mapping[str, Any], text: str
) -> None:
    clock, said = explained(folder, capsys, a_clock(**change))
    assert clock["segments"] is None
    assert text in clock["remark"]
    assert text in said
    assert "FROM" not in said


def test_an_earlier_deadline_that_a_rise_kept_is_explained_as_such(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clock, said = explained(folder, capsys, a_clock(due_at="2024-12-09T02:00:00Z"))
    assert "an earlier deadline stayed" in said
    assert sum(seconds for _, seconds in counted(clock)) == 2 * 3600


def test_an_exclusion_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    excluded = {"actor": "person:li.na", "at": z(START), "reason": "a drill"}
    _, said = explained(folder, capsys, a_clock(exclusion=excluded))
    assert "excluded by person:li.na: a drill" in said


# --- the board and lists ---


def test_the_board_shows_what_is_left_on_a_paused_clock_whatever_the_hour(folder: Path) -> None:
    paused = {"since": z(START), "reason": "supplier", "actor": "person:li.na"}
    brief = {"id": 1, "severity": "P1", "state": "acknowledged", "system": "erp", "title": "t", "owner_name": "Li Na"}
    clock = a_clock(due_at=z(START + 2 * HOUR), paused=paused, incident={**brief, "acknowledged_by": None})
    for now in (START + HOUR, START + 9 * HOUR):
        (row,) = rows_of([clock], now)
        assert getattr(row[0], "text", row[0]) == "paused, 2h 00m left"


def test_a_running_deadline_is_nearer_than_a_paused_one(folder: Path) -> None:
    paused = {"since": z(START), "reason": "supplier", "actor": "person:li.na"}
    clocks = [a_clock(clock="resolution", due_at=z(START + HOUR), paused=paused), a_clock(due_at=z(START + 3 * HOUR))]
    shown = next_deadline({"state": "open", "clocks": clocks}, START)
    assert shown.text == "response: 3h 00m left"
