"""Whatever is in an incident and a notice, Slack takes the message: by the double's checks and by slack-sdk's own models."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slack_sdk.models.blocks import Block

from slack_parts import CLOCKS, ERP, OPENED, PEOPLE, acknowledged, incident, message, recovered
from tocsin.channels.slack.lines import LINES
from tocsin.channels.slack.render import metadata, render
from tocsin.core.model import NoticeKind, RuleReference
from tocsin.core.policy import Person
from tocsin.ports import Message, Reference
from tocsin.testing.slack_checks import block_problems, refusal
from tocsin.words import LANGUAGES

PIECES = st.sampled_from(
    ["&", "<!channel>", "`", "*", "```", "\n", "@here", "é", "中", "🔥", "\u202e", "\x00", "\ud800", "x y "]
)
HOSTILE = st.one_of(
    st.text(max_size=60), st.builds(lambda piece, count: piece * count, PIECES, st.integers(0, 6000)), st.just("")
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | HOSTILE,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=9), inner, max_size=5),
    max_leaves=8,
)
KEYS = ("actor", "at", "text", "reason", "from", "to", "rule", "checks", "check", "clock", "share", "due_at", "items")
DATA = st.dictionaries(st.sampled_from([*KEYS, "alarm", "note", "still_failing", "late", "date"]), JSON, max_size=8)


def accepted(told: Message) -> None:
    rendered = render(told)
    arguments: dict[str, Any] = {"text": rendered.text, "blocks": rendered.blocks, "metadata": metadata(told)}
    assert refusal(arguments) is None, refusal(arguments)
    for block in Block.parse_all(rendered.blocks):
        block.validate_json()
    assert 0 < len(rendered.text) <= 4000
    rendered.text.encode()


def hostile_message(
    text: str, kind: NoticeKind, event: str, language: str, data: Any, root: Reference | None
) -> Message:
    stands = incident(
        text=text,
        system=text,
        title=text,
        checks=(text,) * 40,
        assignee=text,
        acknowledged_by=f"user:{text}",
        rule=RuleReference(text, text, 3, text),
    )
    return message(
        kind,
        event,
        key=f"k{text}",
        language=language,
        data=data,
        root=root,
        incident=stands,
        system=replace(ERP, title={"": text}, owner=text, runbook=f"https://x.example/{text}"),
        owner=Person("x", text, slack=text),
        people={"x": Person("x", text, slack=text), **PEOPLE},
        link=f"https://tocsin.example.com/{text}",
        clocks=CLOCKS,
    )


@settings(max_examples=100, deadline=None)
@given(
    text=HOSTILE,
    kind=st.sampled_from(NoticeKind),
    event=st.sampled_from([*LINES, "unheard_of"]),
    language=st.sampled_from(LANGUAGES),
    data=DATA,
    root=st.none() | st.just(Reference("C", "1.1")),
)
def test_slack_takes_every_message(
    text: str, kind: NoticeKind, event: str, language: str, data: Any, root: Any
) -> None:
    accepted(hostile_message(text, kind, event, language, data, root))


@settings(max_examples=30, deadline=None)
@given(text=HOSTILE, language=st.sampled_from(LANGUAGES))
def test_slack_takes_every_state_of_an_incident(text: str, language: str) -> None:
    for told in (acknowledged(language=language), recovered(language=language)):
        assert told.incident is not None
        stands = replace(told.incident, text=text, acknowledged_by=text, resolved_by=text, checks=(text,) * 40)
        accepted(replace(told, incident=stands))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("event", LINES)
def test_the_longest_line_of_every_event_fits(event: str, language: str) -> None:
    worst = "&" * 5000
    data = dict.fromkeys(KEYS, worst) | {
        "alarm": worst,
        "note": worst,
        "still_failing": [worst] * 50,
        "checks": [worst] * 50,
        "rule": {"name": worst, "text": worst},
        "items": [{"at": worst, "share": 9.99, "breach": True}] * 50,
        "clock": "resolution",
        "due_at": OPENED.isoformat(),
        "late": True,
        "share": 0.5,
    }
    for kind in (NoticeKind.REPLY, NoticeKind.BROADCAST, NoticeKind.ALARM, NoticeKind.PAGE):
        accepted(hostile_message(worst, kind, event, language, data, Reference("C", "1.1")))
        accepted(
            hostile_message(worst, kind, event, language, {**data, "actor": f"user:{worst} for person:{worst}"}, None)
        )


def test_the_checks_themselves_refuse_what_slack_refuses() -> None:
    text = {"type": "mrkdwn", "text": "x"}
    wrong: list[Any] = [
        "no list",
        [{"type": "section"}],
        [{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}],
        [{"type": "section", "text": {"type": "mrkdwn", "text": ""}}],
        [{"type": "section", "text": {**text, "colour": "red"}}],
        [{"type": "section", "fields": [text] * 11}],
        [{"type": "header", "text": text}],
        [{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}],
        [{"type": "context", "elements": []}],
        [{"type": "sectoin", "text": text}],
        [{"type": "divider"}] * 51,
        [{"type": "divider", "block_id": "a"}] * 2,
        [{"type": "actions", "elements": [{"type": "button", "text": text, "action_id": "a"}]}],
    ]
    assert all(list(block_problems(blocks)) for blocks in wrong)
    assert refusal({"text": ""}) == ("no_text", [])
    assert refusal({"text": "x" * 40_001}) == ("msg_too_long", [])
    assert refusal({"text": "x", "metadata": {"event_type": "a", "event_payload": {"k": "v" * 8000}}}) is not None
