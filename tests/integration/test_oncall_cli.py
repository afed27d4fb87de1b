"""`oncall …` on files: without a daemon and a database, and iCalendar out and in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fake_daemon import FakeDaemon
from tocsin.cli.main import main

RULES = """
people:
  li.na: {name: Li Na, email: li.na@example.com, slack: U01}
  wang.wei: {name: Wang Wei, slack: U02}
oncall:
  erp: {timezone: Europe/Berlin, handover: 'mon 09:00', since: '2026-10-19', members: [li.na, wang.wei]}
  office: {members: [li.na], timezone: UTC, hours: {mon-fri: ['09:00-17:00']}}
"""
ICAL = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//elsewhere//EN
BEGIN:VEVENT
UID:1
DTSTAMP:20260101T000000Z
DTSTART:20300106T090000
DTEND:20300106T180000
RRULE:FREQ=WEEKLY;COUNT=2
SUMMARY:{summary}
END:VEVENT
END:VCALENDAR
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("TOCSIN_CONFIG", "TOCSIN_DATABASE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TOCSIN_SOCKET", str(tmp_path / "t.sock"))
    (tmp_path / "tocsin.yaml").write_text("timezone: Asia/Shanghai\nslack: {channel: C0123}\n")
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "all.yaml").write_text(RULES)
    return tmp_path


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    assert main(["oncall", "show", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_show_says_who_is_on_call_across_a_change_of_clocks(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = shown(capsys, "erp", "--at", "2026-10-25T12:00", "--days", "3")
    assert (found["person"], found["person_name"], found["until"]) == ("li.na", "Li Na", "2026-10-26T08:00:00Z")
    assert [(turn["from"], turn["person"]) for turn in found["shifts"]] == [
        ("2026-10-25T11:00:00Z", "li.na"),
        ("2026-10-26T08:00:00Z", "wang.wei"),
    ]


def test_show_lists_every_schedule_and_its_gaps(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = shown(capsys, "--at", "2026-11-24T12:00", "--days", "1")
    assert [one["name"] for one in found] == ["erp", "office"]
    assert found[1]["gaps"] == [{"from": "2026-11-24T17:00:00Z", "to": "2026-11-25T09:00:00Z"}]
    assert main(["oncall", "show", "--at", "2026-11-24T12:00"]) == 0
    assert "Nobody is on call from Tue 2026-11-24 17:00 UTC" in capsys.readouterr().out


def test_show_lays_the_overrides_of_the_daemon_over_the_rules(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stored = {
        "schedule": "erp",
        "person": "wang.wei",
        "from": "2026-10-25T00:00:00+00:00",
        "to": "2026-10-26T00:00:00+00:00",
        "actor": "person:li.na",
        "source": "by_hand",
    }
    with FakeDaemon(folder / "t.sock", {"oncall_overrides": [stored]}):
        assert shown(capsys, "erp", "--at", "2026-10-25T12:00")["person"] == "wang.wei"


def test_an_unknown_schedule_is_told_with_those_that_are_known(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["oncall", "show", "crm"]) == 2
    assert "no on-call schedule 'crm' in the rules (known: erp, office)" in capsys.readouterr().err


def test_override_reads_times_in_the_zone_of_the_schedule(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer = {"name": "erp", "person_name": "Wang Wei", "until": None, "shifts": [], "gaps": []}
    with FakeDaemon(folder / "t.sock", {"oncall_override": answer}) as daemon:
        words = ["oncall", "override", "erp", "wang.wei", "--from", "2026-12-24T09:00", "--to", "2026-12-26T09:00"]
        assert main(words) == 0
    (asked,) = daemon.requests
    assert (asked["arguments"]["from"], asked["arguments"]["to"]) == (
        "2026-12-24T08:00:00+00:00",
        "2026-12-26T08:00:00+00:00",
    )
    assert main([*words[:4], "--from", "2026-03-29T02:30", "--to", "2026-12-26T09:00"]) == 2
    assert "does not exist in Europe/Berlin" in capsys.readouterr().err


def test_export_and_import_are_each_others_inverse(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["oncall", "export", "erp", "--days", "30", "--output", "erp.ics"]) == 0
    turns = shown(capsys, "erp", "--days", "30")["shifts"]
    with FakeDaemon(folder / "t.sock", {"oncall_import": {"imported": 5}}) as daemon:
        assert main(["oncall", "import", "erp", "erp.ics", "--days", "30"]) == 0
    taken = daemon.requests[0]["arguments"]["shifts"]
    assert [shift["person"] for shift in taken] == [turn["person"] for turn in turns]
    assert [shift["from"] for shift in taken[1:]] == [turn["from"].replace("Z", "+00:00") for turn in turns[1:]]


def test_export_overwrites_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "erp.ics").write_text("mine")
    assert main(["oncall", "export", "erp", "--output", "erp.ics"]) == 2
    assert (folder / "erp.ics").read_text() == "mine"
    assert main(["oncall", "export", "erp"]) == 0
    assert capsys.readouterr().out.startswith("BEGIN:VCALENDAR")


def test_import_unfolds_repetitions_in_the_zone_of_the_schedule(folder: Path) -> None:
    text = ICAL.format(summary="wang wei").replace("2030", _this_year())
    (folder / "team.ics").write_text(text)
    with FakeDaemon(folder / "t.sock", {"oncall_import": {"imported": 2}}) as daemon:
        assert main(["oncall", "import", "erp", "team.ics", "--days", "366"]) == 0
    arguments = daemon.requests[0]["arguments"]
    assert arguments["source"] == "team.ics"
    assert [(shift["person"], shift["from"][5:]) for shift in arguments["shifts"]] == [
        ("wang.wei", "01-06T08:00:00+00:00"),
        ("wang.wei", "01-13T08:00:00+00:00"),
    ]


def _this_year() -> str:
    """A year whose January lies within the next 366 days."""
    from datetime import UTC, datetime

    return str(datetime.now(UTC).year + 1)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            ICAL.format(summary="Somebody Else"),
            "names Somebody Else, whom the rules do not know (known: li.na, wang.wei)",
        ),
        ("nonsense", "it is no iCalendar that can be read"),
        (
            "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:yesterday\nEND:VEVENT\nEND:VCALENDAR\n",
            "it is no iCalendar that can be read",
        ),
    ],
)
def test_a_calendar_that_cannot_be_taken_in_is_refused_whole(
    folder: Path, capsys: pytest.CaptureFixture[str], content: str, expected: str
) -> None:
    (folder / "team.ics").write_text(content.replace("2030", _this_year()))
    assert main(["oncall", "import", "erp", "team.ics", "--days", "366"]) == 2
    assert f"team.ics: {expected}" in capsys.readouterr().err.replace("the shift of ", "").replace(
        f"{_this_year()}-01-06 08:00 UTC ", ""
    )
