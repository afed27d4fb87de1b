"""The commands that ask the daemon, against a hand-written server: what they ask, what they print, how they end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fake_daemon import FakeDaemon, refusal, result
from tocsin.cli.main import main

started_at = datetime.now(UTC)


@pytest.fixture(autouse=True)
def _now() -> None:
    """Each test has an instant of its own: a run may take longer than the deadlines in it."""
    global started_at
    started_at = datetime.now(UTC)


def instant(minutes: float) -> str:
    return (started_at + timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")


def clock(kind: str = "response", due: float = 59.5, **over: Any) -> dict[str, Any]:
    shape = {"clock": kind, "due_at": instant(due), "outcome": None, "met_at": None, "breached_at": None}
    return {**shape, "detected_late": False, "calendar": "24x7", "target_s": 3600.0, **over}


def incident(**over: Any) -> dict[str, Any]:
    shape = {
        "id": 142,
        "system": "erp",
        "severity": "P1",
        "state": "open",
        "title": "ERP is down",
        "reason": "core system down",
        "rule": {"name": "core system down", "file": "rules/policy.yaml", "line": 3, "text": 'status == "down"'},
        "text": "status == 200 (status = 503)",
        "failing_since": instant(-2),
        "opened_at": instant(-1),
        "acknowledged_at": None,
        "acknowledged_by": None,
        "assignee": None,
        "resolved_at": None,
        "resolved_by": None,
        "owner_name": "Li Na",
        "clocks": [clock()],
        "superseded": [],
        "timeline": [{"at": instant(-1), "actor": "tocsin", "action": "incident_opened", "data": {"severity": "P1"}}],
    }
    return {**shape, **over}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A socket that every command finds."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOCSIN_SOCKET", str(tmp_path / "t.sock"))
    return tmp_path / "t.sock"


# --- acting ---


@pytest.mark.parametrize(
    ("words", "verb", "arguments"),
    [
        (["ack", "#142"], "ack", {"incident": "#142"}),
        (["incident", "ack", "erp"], "ack", {"incident": "erp"}),
        (["incident", "unack", "142", "--reason", "shift ends"], "unack", {"incident": "142", "reason": "shift ends"}),
        (["incident", "note", "142", "数据库", "restarted"], "note", {"incident": "142", "text": "数据库 restarted"}),
        (
            ["incident", "severity", "142", "p2", "--reason", "only one site"],
            "severity",
            {"incident": "142", "severity": "P2", "reason": "only one site"},
        ),
        (["incident", "resolve", "142"], "resolve", {"incident": "142", "note": None, "anyway": False}),
        (
            ["incident", "resolve", "142", "--anyway", "--note", "known"],
            "resolve",
            {"incident": "142", "note": "known", "anyway": True},
        ),
        (["incident", "reopen", "142", "--reason", "again"], "reopen", {"incident": "142", "reason": "again"}),
        (["incident", "assign", "142", "li.na"], "assign", {"incident": "142", "person": "li.na"}),
        (
            ["incident", "pause", "142", "--reason", "supplier"],
            "pause",
            {"incident": "142", "reason": "supplier", "clock": None},
        ),
        (
            ["incident", "resume", "142", "--clock", "resolution"],
            "resume",
            {"incident": "142", "reason": None, "clock": "resolution"},
        ),
        (["incident", "replan", "142", "--reason", "agreed"], "replan", {"incident": "142", "reason": "agreed"}),
        (
            ["incident", "exclude", "142", "--clock", "response", "--reason", "a drill"],
            "exclude",
            {"incident": "142", "reason": "a drill", "clock": "response"},
        ),
    ],
)
def test_acts_ask_for_one_verb(place: Path, words: list[str], verb: str, arguments: Mapping[str, Any]) -> None:
    with FakeDaemon(place, lambda _: result(incident(state="acknowledged"))) as daemon:
        assert main([*words, "--as", "li.na"]) == 0
    assert [(r["do"], r["arguments"], r["as"]) for r in daemon.requests] == [(verb, arguments, "li.na")]


def test_ack_says_what_it_did(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer = incident(state="acknowledged", acknowledged_by="person:li.na")
    with FakeDaemon(place, {"ack": answer}):
        assert main(["ack", "142"]) == 0
    assert capsys.readouterr().out == "#142 P1 acknowledged: ERP is down  (by person:li.na)\n"


def test_ack_as_json_is_the_incident(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with FakeDaemon(place, {"ack": incident()}):
        assert main(["ack", "--json", "142"]) == 0
    assert json.loads(capsys.readouterr().out) == incident()


def test_refused_ack_is_a_no(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with FakeDaemon(place, lambda _: refusal("refused", "#142: it is resolved")):
        assert main(["ack", "142", "--json"]) == 1
    captured = capsys.readouterr()
    assert json.loads(captured.out)["errors"][0]["message"] == "#142: it is resolved"
    assert captured.err == "tocsin: #142: it is resolved\n"


def test_one_refusal_does_not_keep_the_others_from_being_acknowledged(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def answer(request: Mapping[str, Any]) -> Any:
        asked = request["arguments"]["incident"]
        return refusal("not_found", "there is no incident #7") if asked == "7" else result(incident(id=int(asked)))

    with FakeDaemon(place, answer) as daemon:
        assert main(["ack", "1", "7", "2", "--json"]) == 1
    documents = json.loads(capsys.readouterr().out)
    assert [document.get("id") for document in documents] == [1, None, 2]
    assert documents[1]["ok"] is False
    assert len(daemon.requests) == 3


def test_usage_error_of_the_daemon_has_exit_code_2(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with FakeDaemon(place, lambda _: refusal("usage", "unknown severity 'P9' (use P1, P2, P3 or P4)")):
        assert main(["incident", "severity", "142", "P9", "--reason", "x"]) == 2
    assert "use P1, P2, P3 or P4" in capsys.readouterr().err


def test_ack_works_while_the_settings_are_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TOCSIN_SOCKET", raising=False)
    (tmp_path / "tocsin.yaml").write_text("socket: here.sock\nlisten: [what\n  is: this\n\tnonsense: {")
    (tmp_path / "var").mkdir()
    with FakeDaemon(tmp_path / "var" / "tocsin.sock", {"ack": incident()}):
        assert main(["ack", "142"]) == 0


# --- asking ---


def test_list_shows_the_nearest_deadline(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clocks = [clock("resolution", 239.5), clock("response", 59.5)]
    late = incident(id=143, system="crm", clocks=[clock(due=-5.2, outcome="breached")])
    answered = incident(id=144, clocks=[clock(due=-5, outcome="met", met_at=instant(-6))])
    with FakeDaemon(place, {"incident_list": [late, incident(clocks=clocks), answered]}) as daemon:
        assert main(["incident", "list", "--all", "--limit", "5"]) == 0
    assert daemon.requests[0]["arguments"] == {"all": True, "limit": 5, "before": None}
    lines = capsys.readouterr().out.splitlines()
    assert "response: 5m" in lines[1]
    assert "over" in lines[1]
    assert "response: 59m" in lines[2]
    assert lines[3].split()[-4:] == ["-", "ERP", "is", "down"]


def test_list_as_json_is_an_array(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with FakeDaemon(place, {"incident_list": [incident()]}):
        assert main(["incident", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [incident()]


def test_empty_list_says_so(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with FakeDaemon(place, {"incident_list": []}):
        assert main(["incident", "list"]) == 0
    assert capsys.readouterr().out == "No incidents.\n"


def test_show_tells_why_and_what_happened(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = incident(clocks=[clock(outcome="met", met_at=instant(4), detected_late=True), clock("resolution", 200)])
    with FakeDaemon(place, {"incident_show": shown}):
        assert main(["incident", "show", "142"]) == 0
    out = capsys.readouterr().out
    assert 'core system down: status == "down"  (rules/policy.yaml:3)' in out
    assert "status == 200 (status = 503)" in out
    assert "after 5m 00s" in out
    assert "detected late" in out
    assert "incident_opened  severity: P1" in " ".join(out.split(" "))


def status_document(**over: Any) -> dict[str, Any]:
    check = {"check": "health", "status": "down", "since": instant(-2)}
    system = {"system": "erp", "status": "down", "muted_by": None, "checks": [check]}
    return {"systems": [system], "incidents": [incident()], "alarms": [], **over}


def test_status_shows_systems_incidents_and_alarms(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    alarms = [{"alarm": "rule", "since": instant(-9), "text": "rules/policy.yaml:3 cannot be judged"}]
    with FakeDaemon(place, {"status": status_document(alarms=alarms)}):
        assert main(["status"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("ALARM rule since ")
    assert "  health  down    2m 0" in out
    assert "#142" in out


def test_quiet_status_says_so(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with FakeDaemon(place, {"status": status_document(systems=[], incidents=[])}):
        assert main(["status"]) == 0
    out = capsys.readouterr().out
    assert "No systems (see 'tocsin init')." in out
    assert "No open incidents." in out


def test_board_in_a_pipe_prints_once_sorted_by_time_left(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {**clock(due=50), "incident": incident(id=1)},
        {**clock(due=-2, outcome="breached"), "incident": incident()},
    ]
    with FakeDaemon(place, {"board": rows}) as daemon:
        assert main(["board"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [("#142" in line, "#1 " in line) for line in lines[1:]] == [(True, False), (False, True)]
    assert "over" in lines[1]
    assert len(daemon.requests) == 1


def test_quiet_board_says_so(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with FakeDaemon(place, {"board": []}):
        assert main(["board"]) == 0
    assert capsys.readouterr().out == "No deadline is running.\n"


def test_explain_incident_gives_the_reasons(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    notice = {"promised_at": instant(-1), "channel": "erp-channel", "kind": "page", "event": "opened", "error": None}
    why = ["P1 because rule 'core system down' (rules/policy.yaml:3) matched: status == \"down\""]
    answer = {"incident": incident(), "why": why, "notices": [{**notice, "state": "delivered"}]}
    with FakeDaemon(place, {"explain": answer}) as daemon:
        assert main(["explain", "142"]) == 0
    assert daemon.requests[0]["arguments"] == {"subject": "142"}
    out = capsys.readouterr().out
    assert why[0] in out
    assert "erp-channel" in out


def test_explain_check_gives_each_rules_answer(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rule = {"rule": "slow", "file": "rules/a.yaml", "line": 9, "when": "values.x > 1.0", "is": "P2"}
    answer = {
        "system": "erp",
        "check": "health",
        "status": "down",
        "since": instant(-3),
        "text": "timeout",
        "why": "no rule matches: no incident",
        "rules": [{**rule, "answer": "cannot be judged: no value x"}, {**rule, "rule": "other", "answer": False}],
    }
    with FakeDaemon(place, {"explain": answer}):
        assert main(["explain", "erp/health"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("erp/health: no rule matches: no incident\n")
    assert "cannot be judged: no value x" in out
    assert "rules/a.yaml:9" in out


def test_history_asks_for_the_period_and_shows_rates(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    latency = {"mean": 0.01, "p50": 0.009, "p95": 0.1, "p99": 1.5, "max": 2.0}
    line = {"system": "erp", "check": None, "probes": 400, "down": 1, "degraded": 2, "failure_rate": 0.0025}
    nothing = {**line, "check": "health", "failure_rate": None, "latency_s": dict.fromkeys(latency)}
    with FakeDaemon(place, {"history": [{**line, "latency_s": latency}, nothing]}) as daemon:
        assert main(["history", "erp", "--since", "90m"]) == 0
    asked = daemon.requests[0]["arguments"]
    span = datetime.fromisoformat(asked["to"]) - datetime.fromisoformat(asked["from"])
    assert (asked["subject"], span) == ("erp", timedelta(minutes=90))
    out = capsys.readouterr().out
    assert "0.25 %" in out
    assert "1.50 s" in out
    assert "erp/health" in out


@pytest.mark.parametrize("since", ["yesterday", "999999999w"])
def test_history_refuses_a_span_that_is_none(place: Path, since: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["history", "erp", "--since", since]) == 2
    assert "tocsin: " in capsys.readouterr().err


def test_notices_are_listed_with_their_last_error(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    notice = {
        "id": 7,
        "state": "failed",
        "channel": "erp-channel",
        "kind": "page",
        "event": "opened",
        "incident": 142,
        "promised_at": instant(-1),
        "attempts": 3,
        "error": "channel_not_found",
    }
    with FakeDaemon(place, {"notices_list": [notice]}) as daemon:
        assert main(["notices", "list", "--state", "failed"]) == 0
    assert daemon.requests[0]["arguments"] == {"state": "failed", "limit": 200}
    assert "channel_not_found" in capsys.readouterr().out


@pytest.mark.parametrize(("words", "which"), [([], None), (["7"], 7)])
def test_notices_retry_names_one_or_all(place: Path, words: list[str], which: int | None) -> None:
    with FakeDaemon(place, {"notices_retry": {"retried": 2}}) as daemon:
        assert main(["notices", "retry", *words]) == 0
    assert daemon.requests[0]["arguments"] == {"id": which}


def test_channels_are_listed(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    channel = {"channel": "slack", "kind": "slack", "is_connected": False, "pending": 3, "oldest_s": 65.0}
    with FakeDaemon(place, {"channel_list": [channel]}):
        assert main(["channel", "list"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split() == ["slack", "slack", "no", "3", "1m", "05s"]


@pytest.mark.parametrize(("ok", "code", "text"), [(True, 0, "delivered."), (False, 1, "not delivered: invalid_auth")])
def test_channel_test_says_whether_it_arrived(
    place: Path, ok: bool, code: int, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = {"channel": "slack", "ok": ok, "error": None if ok else "invalid_auth"}
    with FakeDaemon(place, {"channel_test": answer}):
        assert main(["channel", "test", "slack"]) == code
    assert text in capsys.readouterr().out


def test_control_characters_of_an_answer_are_taken_out(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with FakeDaemon(place, {"incident_list": [incident(title="ERP \x1b[2J\nis down")]}):
        assert main(["incident", "list"]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert len(out.splitlines()) == 2
