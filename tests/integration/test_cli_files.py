"""The commands that need no daemon: init, validate, schema, check, what-if, clock, on files and real sockets."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tocsin.cli.demo import demo_files
from tocsin.cli.demo_daemon import write_configuration
from tocsin.cli.main import main
from tocsin.testing.standins import SYSTEMS, Blueprint, StandIns

RULES = """
systems:
  erp:
    owner: li.na
    tier: core
    checks:
      health: {http: 'http://127.0.0.1:1/health'}
people:
  li.na: {name: Li Na}
calendars:
  office:
    timezone: Asia/Shanghai
    hours: {mon-fri: ['09:00-12:00', '13:00-18:00']}
response:
  P1: {acknowledge: 1h, resolve: 4h, calendar: office}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a small configuration of its own."""
    monkeypatch.chdir(tmp_path)
    for name in ("TOCSIN_CONFIG", "TOCSIN_SOCKET", "TOCSIN_DATABASE"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "tocsin.yaml").write_text("timezone: Asia/Shanghai\nslack: {channel: C0123}\n")
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "all.yaml").write_text(RULES)
    return tmp_path


# --- init ---

GIVEN = ["--name", "erp", "--url", "https://erp.example.com/health", "--owner", "li.na"]


@pytest.mark.parametrize(
    "more",
    [
        ["--slack-channel", "C0123"],
        ["--title", "\"ERP\": '企业' #1", "--owner-name", "Li: Na", "--slack-channel", "C0123", "--language", "zh_CN"],
        ["--slack-channel", "C0123", "--tier", "on", "--timezone", "Asia/Shanghai"],
    ],
)
def test_starter_configuration_validates(more: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "new"
    assert main(["init", str(target), *GIVEN, *more]) == 0
    assert "tocsin validate --config" in capsys.readouterr().out
    assert main(["validate", "--config", str(target / "tocsin.yaml"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"ok": True, "errors": [], "warnings": []}


def test_starter_configuration_without_a_channel_warns_that_nobody_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", str(tmp_path / "new"), *GIVEN, "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["written"]) == 3
    assert main(["validate", "--config", str(tmp_path / "new" / "tocsin.yaml")]) == 0
    assert "nobody is told about erp" in capsys.readouterr().err


def test_init_asks_for_nothing_without_a_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", str(tmp_path), "--name", "erp"]) == 2
    assert "--url … --owner …" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_init_overwrites_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "systems.yaml").write_text("mine")
    assert main(["init", str(tmp_path), *GIVEN, "--json"]) == 1
    assert "exists already" in json.loads(capsys.readouterr().out)["errors"][0]["message"]
    assert [path.name for path in tmp_path.iterdir()] == ["rules"]
    assert (tmp_path / "rules" / "systems.yaml").read_text() == "mine"


@pytest.mark.parametrize("wrong", [["--url", "erp.example.com"], ["--language", "fr"], ["--timezone", "Mars/Base"]])
def test_init_with_impossible_answers_writes_nothing(
    wrong: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "new"
    assert main(["init", str(target), *GIVEN, *wrong]) == 2
    assert not target.exists()
    assert capsys.readouterr().err


# --- validate and schema ---


def test_right_configuration_is_said_to_be_right(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate"]) == 0
    assert "right (1 systems, 1 checks)" in capsys.readouterr().out


def test_every_error_is_shown_at_once_with_its_caret(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "rules" / "all.yaml").write_text(
        RULES.replace("tier: core", "teir: core").replace("acknowledge", "acknowlege")
    )
    assert main(["validate"]) == 2
    err = capsys.readouterr().err
    assert "all.yaml:5:5: " in err
    assert "    teir: core\n        ^" in err
    assert "acknowlege" in err
    assert "Traceback" not in err


def test_errors_as_json_have_their_places(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "rules" / "all.yaml").write_text(RULES.replace("tier: core", "teir: core"))
    assert main(["validate", "--json"]) == 2
    document = json.loads(capsys.readouterr().out)
    assert (document["ok"], document["warnings"]) == (False, [])
    assert (document["errors"][0]["line"], document["errors"][0]["column"]) == (5, 5)


def test_settings_file_that_is_not_there_is_an_error(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "--config", "nowhere.yaml"]) == 2
    assert "nowhere.yaml" in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], ["rules"], ["settings"]])
def test_schema_is_a_json_schema(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", *words]) == 0
    assert "properties" in json.loads(capsys.readouterr().out)


# --- what-if and clock ---


def test_what_if_follows_the_calendar(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["what-if", "--system", "erp", "--at", "2026-12-04T17:30", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["severity"] == "P1"
    assert found["clocks"][0]["clock"] == "response"
    assert found["clocks"][0]["due_at"].startswith("2026-12-07T01:30:00")
    assert found["suppressed_by"] is None


def test_what_if_reads_well(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["what-if", "--system", "erp", "--status", "degraded", "--check", "health"]) == 0
    assert capsys.readouterr().out.startswith("erp degraded: P2, by rule ")


@pytest.mark.parametrize(
    "words",
    [
        ["--system", "epr"],
        ["--system", "erp", "--check", "x"],
        ["--system", "erp", "--status", "up"],
        ["--system", "erp", "--at", "soon"],
    ],
)
def test_what_if_refuses_what_cannot_be_imagined(
    folder: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["what-if", *words, "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["ok"] is False


def test_due_is_local_in_the_calendars_zone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--calendar", "office", "--from", "2026-12-04T17:00", "--target", "2h"]
    assert main(["clock", "due", *words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["due_at"] == "2026-12-07T02:00:00Z"
    assert [s["counted_s"] for s in found["segments"] if s["counted_s"]] == [3600, 3600]
    assert main(["clock", "due", *words]) == 0
    assert capsys.readouterr().out.startswith("due Mon 2026-12-07 10:00:00 CST\n")


def test_measure_counts_what_was_worked(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--calendar", "office", "--from", "2026-12-04T11:00", "--to", "2026-12-04T14:00"]
    assert main(["clock", "measure", *words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["seconds"] == 7200
    assert [(s["from"][11:16], s["counted_s"]) for s in found["segments"]] == [
        ("03:00", 3600),
        ("04:00", 0),
        ("05:00", 3600),
    ]
    assert main(["clock", "measure", *words, "--pause", "2026-12-04T11:00/2026-12-04T12:00"]) == 0
    assert capsys.readouterr().out.startswith("1h 00m (3600 s)\n")


@pytest.mark.parametrize(
    "more",
    [
        ["--calendar", "ofice"],
        ["--target", "soon"],
        ["--from", "9999-12-01T00:00"],
        ["--from", "yesterday"],
        ["--pause", "2026-12-04T11:00"],
        ["--pause", "2026-12-04T12:00/2026-12-04T11:00"],
    ],
)
def test_clock_refuses_what_makes_no_sense(folder: Path, more: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    given = {"--calendar": "office", "--from": "2026-12-04T11:00", "--target": "1h"}
    given.update({more[0]: more[1]})
    assert main(["clock", "due", *(word for pair in given.items() for word in pair), "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["ok"] is False


# --- check, on the demo's own rules ---


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIns]:
    """The stand-ins on free ports in a thread, and the demo's configuration for them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TOCSIN_CONFIG", raising=False)
    systems = StandIns(tuple(Blueprint(s.name, 0, s.sessions, s.build) for s in SYSTEMS), slow_s=0.9)
    loop, ready = asyncio.new_event_loop(), threading.Event()
    stop = asyncio.Event()

    async def serve() -> None:
        async with systems:
            write_configuration(demo_files(), Path("var/demo"), systems.urls)
            (tmp_path / "var" / "demo.json").write_text(json.dumps({"systems": systems.urls}))
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert ready.wait(10)
    yield systems
    loop.call_soon_threadsafe(stop.set)
    thread.join(10)
    loop.close()


def test_check_shows_phases_values_and_verdict(demo: StandIns, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "erp/health", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["system"], found["check"], found["status"], found["reason"]) == ("erp", "health", "up", "ok")
    assert set(found["phases"]) == {"dns", "connect", "tls", "first_byte", "transfer"}
    assert found["values"]["version"] == "2026.11.3"
    assert found["duration_s"] > 0


def test_check_of_a_whole_system_is_a_list(demo: StandIns, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "oa", "--json"]) == 0
    assert [one["check"] for one in json.loads(capsys.readouterr().out)] == ["health"]


def test_broken_stand_in_is_down_and_exit_code_1(demo: StandIns, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "break", "erp"]) == 0
    assert "tocsin ack erp" in capsys.readouterr().out
    assert main(["check", "erp"]) == 1
    out = capsys.readouterr().out
    assert "down" in out.splitlines()[0]
    assert "503" in out
    assert main(["demo", "fix", "erp"]) == 0
    assert main(["check", "erp"]) == 0


def test_slow_stand_in_is_degraded(demo: StandIns, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "slow", "crm", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"system": "crm", "state": "slow"}
    assert main(["check", "crm/health", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["status"] == "degraded"


@pytest.mark.parametrize("subject", ["epr", "erp/helth"])
def test_check_of_an_unknown_name_is_no_verdict(
    demo: StandIns, subject: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", subject]) == 2
    assert "(known: " in capsys.readouterr().err


def test_demo_on_an_unknown_system_names_the_known_ones(demo: StandIns, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "break", "sap"]) == 2
    assert "crm, erp, oa" in capsys.readouterr().err


def test_demo_that_does_not_run_is_unreachable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["demo", "break", "erp"]) == 3
    assert "make run" in capsys.readouterr().err
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "demo.json").write_text('{"systems": {"erp": "http://127.0.0.1:1"}}')
    assert main(["demo", "break", "erp"]) == 3
    assert "does not answer" in capsys.readouterr().err


def test_demo_configuration_is_written_with_the_real_addresses(demo: StandIns, tmp_path: Path) -> None:
    text = (tmp_path / "var" / "demo" / "rules" / "systems.yaml").read_text(encoding="utf-8")
    assert all(f"{url}/health" in text for url in demo.urls.values())
    assert main(["validate", "--config", "var/demo/tocsin.yaml"]) == 0


def test_demo_configuration_of_the_repository_validates(monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["validate", "--config", str(demo_files() / "tocsin.yaml")]) == 0
