"""Each thing that happens to an incident is one plain line in its thread, in the reader's language."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from slack_parts import OPENED, PEOPLE, acknowledged, incident, message, reply
from tocsin.channels.slack.render import render
from tocsin.core.model import NoticeKind
from tocsin.ports import Message, Reference

DUE = (OPENED + timedelta(hours=1)).isoformat()
DUE_SHOWN = "04:12, Thu 10 Dec (Asia/Shanghai) · <!date^1796847120^{ago}|2026-12-09 20:12 UTC>"


def line(event: str, **data: Any) -> str:
    return render(reply(event, data)).text


@pytest.mark.parametrize(
    ("event", "data", "expected"),
    [
        ("opened", {}, "🔔 Opened as P1"),
        (
            "acknowledged",
            {"actor": "person:li.na", "at": (OPENED + timedelta(minutes=28)).isoformat()},
            "✋ Acknowledged by Li Na at 03:40, Thu 10 Dec, 28 min after it opened",
        ),
        (
            "unacknowledged",
            {"actor": "person:li.na", "reason": "wrong one"},
            "↩️ Li Na took the acknowledgement back: nobody is on it now: wrong one",
        ),
        ("noted", {"actor": "user:root", "text": "disk < full"}, "📝 root (account): disk &lt; full"),
        (
            "severity_changed",
            {"actor": "token:ci", "from": "P2", "to": "P1", "reason": "payroll day"},
            "⚖️ ci (token) set the severity from P2 to P1: payroll day",
        ),
        (
            "rose",
            {"from": "P2", "to": "P1", "rule": {"name": "core down", "file": "r.yaml", "line": 2, "text": 'a == "b"'}},
            '🔺 Rose from P2 to P1: rule “core down” `a == "b"`',
        ),
        ("reopened", {"actor": "tocsin", "text": "health: refused"}, "🔁 Failing again\n```\nhealth: refused\n```"),
        ("reopened", {"actor": "person:li.na"}, "🔁 Li Na opened it again"),
        ("resolved", {"actor": "person:li.na", "note": "restarted"}, "✅ Li Na resolved it: restarted"),
        (
            "resolved",
            {"actor": "person:li.na", "note": "", "still_failing": ["health"]},
            "✅ Li Na closed it although health still fails",
        ),
        ("recovered", {"actor": "tocsin", "checks": ["health", "login"]}, "✅ Recovered by itself: health, login"),
        (
            "withdrawn",
            {"checks": ["health"]},
            "⚪ Nothing of it is watched any more (health): withdrawn",
        ),
        (
            "reminder",
            {"clock": "response", "share": 0.5, "due_at": DUE, "late": False},
            f"⏰ Nobody has acknowledged yet: 50% of the time has passed, due {DUE_SHOWN}",
        ),
        (
            "reminder",
            {"clock": "resolution", "share": 0.75, "due_at": DUE},
            f"⏰ Not resolved yet: 75% of the time has passed, due {DUE_SHOWN}",
        ),
        (
            "breached",
            {"clock": "response", "due_at": DUE, "late": False},
            f"🚨 Response deadline missed: nobody had acknowledged by {DUE_SHOWN}",
        ),
        (
            "breached",
            {"clock": "resolution", "due_at": DUE, "late": True},
            f"🚨 Resolution deadline missed: not resolved by {DUE_SHOWN} (told late: Tocsin was not running then)",
        ),
        ("assigned", {"actor": "local", "to": "wang.wei"}, "👤 somebody at the local page assigned it to <@U0WANG>"),
        ("check_joined", {"check": "login", "text": "timeout"}, "➕ login fails too\n```\ntimeout\n```"),
        ("check_left", {"check": "login"}, "➖ login is up again"),
        (
            "no_longer_watched",
            {"check": "login", "actor": "user:root", "at": OPENED.isoformat()},
            "⚪ login is no longer watched (root (account), 03:12, Thu 10 Dec)",
        ),
        ("test", {}, "🔔 A test from Tocsin: this channel can be told."),
    ],
)
def test_an_event_is_told_in_words(event: str, data: dict[str, Any], expected: str) -> None:
    assert line(event, **data) == expected


def test_what_passed_during_a_stop_is_one_message() -> None:
    items = [
        {"share": 0.5, "at": (OPENED + timedelta(minutes=30)).isoformat(), "breach": False},
        {"share": 1.0, "at": DUE, "breach": True},
    ]
    assert line("late_summary", clock="response", due_at=DUE, items=items).splitlines() == [
        f"🚨 Told late, since Tocsin was not running: response, due {DUE_SHOWN}",
        "• 50% of the time had passed at 03:42, Thu 10 Dec",
        "• *the deadline passed at 04:12, Thu 10 Dec*",
    ]


def test_a_long_summary_keeps_the_latest_and_counts_the_rest() -> None:
    items = [{"share": 0.1 * n, "at": DUE, "breach": False} for n in range(12)]
    told = line("late_summary", clock="response", due_at=DUE, items=items).splitlines()
    assert told[1] == "• and 4 more"
    assert len(told) == 10


def test_the_same_line_in_chinese() -> None:
    told = render(reply("breached", {"clock": "response", "due_at": DUE}, language="zh_CN")).text
    assert told.startswith("🚨 响应超时：截至 12月10日 周四 04:12（Asia/Shanghai）")


def test_an_event_without_words_is_told_as_it_is() -> None:
    assert line("tea_made", by="person:li.na", cups=2) == "ℹ️ tea made (by: person:li.na, cups: 2)"


@pytest.mark.parametrize("event", ["acknowledged", "noted", "rose", "reminder", "breached", "late_summary", "assigned"])
@pytest.mark.parametrize(
    "data",
    [
        {},
        {
            "clock": "lunch",
            "due_at": "soon",
            "share": "half",
            "items": [1, "x", {}],
            "rule": 3,
            "actor": 5,
            "checks": "x",
        },
        {"clock": None, "due_at": 5, "share": None, "items": None, "rule": None, "actor": None, "to": None, "at": []},
    ],
)
def test_missing_and_wrong_facts_are_no_reason_to_say_nothing(event: str, data: dict[str, Any]) -> None:
    assert line(event, **data)


def broadcast(event: str, **changes: Any) -> Message:
    told = message(NoticeKind.BROADCAST, event, data={"clock": "response", "due_at": DUE}, root=Reference("C", "1.1"))
    return replace(told, **changes)


def test_a_line_that_rings_the_channel_says_which_incident_and_calls_the_owner() -> None:
    text = render(broadcast("breached")).text
    assert text.startswith("*P1 · ERP · #142*  🚨 Response deadline missed")
    assert text.endswith(" <@U0LINA>")


def test_once_somebody_is_on_it_they_are_called() -> None:
    stands = acknowledged().incident
    assert stands is not None
    told = broadcast("breached", incident=replace(stands, acknowledged_by="person:wang.wei"))
    assert render(told).text.endswith(" <@U0WANG>")


def test_the_assigned_person_is_called_before_the_owner() -> None:
    assert render(broadcast("breached", incident=incident(assignee="wang.wei"))).text.endswith(" <@U0WANG>")


def test_whoever_did_something_is_named_and_not_called() -> None:
    assert "<@" not in line("noted", actor="person:li.na", text="looking")


def test_the_first_alarm_of_a_day_carries_the_days_head() -> None:
    told = message(
        NoticeKind.ALARM, "alarm", incident=None, data={"alarm": "storage", "text": "disk full"}, people=PEOPLE
    )
    assert [block["text"]["text"] for block in render(told).blocks] == [
        "🛠️ Tocsin's own troubles, 2026-12-10",
        "⚠️ *storage*: disk full",
    ]
    later = replace(told, event="alarm_over", root=Reference("C", "1.1"))
    assert [block["text"]["text"] for block in render(later).blocks] == ["✅ *storage* is over"]
