"""What people read in Slack of updates, pauses, new plans and exclusions."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from slack_parts import CLOCKS, OPENED, acknowledged, clock, message, reply, texts
from tocsin.channels.slack.render import render
from tocsin.core.model import Clock, ClockKind, ClockOutcome, NoticeKind, Pause
from tocsin.ports import Message, Reference

DUE = OPENED + timedelta(hours=4)
SHOWN = "07:12, Thu 10 Dec"
PAUSED_AT = OPENED + timedelta(minutes=30)
SUPPLIER = Pause(PAUSED_AT, None, "waiting for <ACME>", "person:li.na")


@pytest.mark.parametrize(
    ("event", "data", "expected"),
    [
        (
            "paused",
            {"actor": "person:li.na", "reason": "supplier", "clocks": ["resolution", "update"]},
            "⏸️ Li Na paused the time for: resolution, update: supplier",
        ),
        (
            "resumed",
            {"actor": "person:li.na", "reason": "", "clocks": ["resolution"], "due": {"resolution": DUE.isoformat()}},
            f"▶️ Li Na let the time run again: resolution by {SHOWN}",
        ),
        (
            "replanned",
            {"actor": "user:root", "reason": "agreed", "due": {"resolution": DUE.isoformat()}},
            f"🗓️ root (account) moved the deadlines to the present policy: resolution by {SHOWN}: agreed",
        ),
        (
            "excluded",
            {"actor": "person:li.na", "clock": "response", "reason": "a drill"},
            "⚖️ Li Na excluded the response clock from judgement: a drill",
        ),
        ("paused", {"clocks": "nonsense"}, "⏸️ somebody paused the time for: "),
        ("resumed", {"due": 7, "clocks": ["nonsense"]}, "▶️ somebody let the time run again: "),
    ],
)
def test_each_act_on_a_clock_is_one_line(event: str, data: dict[str, Any], expected: str) -> None:
    assert render(reply(event, data)).text == expected


def test_both_languages_have_words_for_them() -> None:
    told = reply("paused", {"actor": "person:li.na", "reason": "供应商", "clocks": ["resolution"]}, language="zh_CN")
    assert render(told).text == "⏸️ Li Na 已暂停计时（解决时限）：供应商"


def test_a_missing_update_calls_whoever_is_on_it_in_the_thread_and_not_the_channel() -> None:
    data = {"clock": "update", "due_at": DUE.isoformat(), "late": False}
    told = acknowledged(data=data)
    told = replace(told, kind=NoticeKind.REPLY, event="breached", root=Reference("C0DEMO", "1.000001"))
    line = render(told).text
    assert line.startswith("🚨 Update missed: nothing was said by ")
    assert line.endswith(" <@U0LINA>")


def test_a_note_in_the_thread_calls_nobody() -> None:
    told = acknowledged(data={"actor": "person:wang.wei", "text": "the disk is replaced"})
    told = replace(told, kind=NoticeKind.REPLY, event="noted", root=Reference("C0DEMO", "1.000001"))
    assert "<@" not in render(told).text


# --- the page ---


def page(*clocks: Clock) -> str:
    told: Message = replace(acknowledged(), clocks=(acknowledged().clocks[0], *clocks))
    return texts(render(replace(told, now=OPENED + timedelta(hours=9))).blocks)


def test_the_page_says_until_when_people_must_hear_something() -> None:
    update = clock(ClockKind.UPDATE, 10, started_at=PAUSED_AT)
    assert "📣 Say how it goes by 13:12, Thu 10 Dec" in page(update)


def test_the_page_says_since_when_why_and_by_whom_a_clock_is_paused_and_calls_it_not_overdue() -> None:
    shown = page(replace(CLOCKS[1], pauses=(SUPPLIER,)))
    assert "⏸️ resolution paused since 03:42, Thu 10 Dec (Asia/Shanghai) by Li Na: waiting for &lt;ACME&gt;" in shown
    assert "OVERDUE" not in shown
    assert "Not resolved" not in shown


def test_a_clock_that_was_missed_before_it_was_paused_is_still_missed() -> None:
    missed = replace(CLOCKS[1], outcome=ClockOutcome.BREACHED, breached_at=DUE, pauses=(SUPPLIER,))
    shown = page(missed)
    assert "Not resolved by" in shown
    assert "paused since" in shown


def test_a_pause_before_the_clock_began_is_not_taken_off_the_time_that_an_answer_took() -> None:
    began, answered = OPENED + timedelta(minutes=20), OPENED + timedelta(minutes=30)
    risen = clock(
        started_at=began,
        outcome=ClockOutcome.MET,
        met_at=answered,
        ended_at=answered,
        pauses=(Pause(OPENED, OPENED + timedelta(minutes=15), "supplier", "person:li.na"),),
    )
    told = acknowledged()
    shown = texts(render(replace(told, clocks=(risen, CLOCKS[1]))).blocks)
    assert "Response in time, after 10 min" in shown


def test_a_page_of_an_open_incident_with_a_paused_response_asks_for_no_deadline_in_the_past() -> None:
    told = message(NoticeKind.EDIT, "paused", clocks=(replace(CLOCKS[0], pauses=(SUPPLIER,)), CLOCKS[1]))
    rendered = render(replace(told, now=OPENED + timedelta(hours=2)))
    shown = texts(rendered.blocks)
    assert "Acknowledge by" not in shown + rendered.text
    assert "response paused since" in shown
