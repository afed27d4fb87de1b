"""Messages, people and a desk for the tests of Slack and webhooks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tocsin.core.model import (
    Clock,
    ClockKind,
    ClockOutcome,
    Incident,
    IncidentState,
    NoticeKind,
    Resolution,
    RuleReference,
    Severity,
)
from tocsin.core.policy import Person, System
from tocsin.errors import TocsinError
from tocsin.ports import Message, Reference

OPENED = datetime(2026, 12, 9, 19, 12, tzinfo=UTC)
FAILING = OPENED - timedelta(seconds=40)
PEOPLE = {
    "li.na": Person("li.na", "Li Na", slack="U0LINA"),
    "wang.wei": Person("wang.wei", "Wang Wei", slack="U0WANG", language="zh_CN"),
    "no.slack": Person("no.slack", "No Slack"),
}
ERP = System(
    "erp",
    {"en": "ERP", "zh_CN": "企业资源计划"},
    "li.na",
    (),
    tier="core",
    runbook="https://wiki.example.com/erp",
    notify=("incidents",),
)
RULE = RuleReference("core system down", "rules/severity.yaml", 3, 'system.tier == "core" && status == "down"')


def incident(**changes: Any) -> Incident:
    opened = Incident(
        id=142,
        system="erp",
        key="",
        severity=Severity.P1,
        state=IncidentState.OPEN,
        title="ERP is down",
        rule=RULE,
        text='health: json.status == "UP" (json.status = "DOWN")',
        failing_since=FAILING,
        opened_at=OPENED,
        severity_at=OPENED,
        rule_severity=Severity.P1,
        checks=("health", "login"),
        channels=("incidents",),
    )
    return replace(opened, **changes)


def clock(kind: ClockKind = ClockKind.RESPONSE, hours: float = 1, **changes: Any) -> Clock:
    target = timedelta(hours=hours)
    made = Clock(142, kind, Severity.P1, "24x7", "policy", "calendar", target, OPENED, OPENED + target)
    return replace(made, **changes)


CLOCKS = (clock(), clock(ClockKind.RESOLUTION, 4))


def message(kind: NoticeKind = NoticeKind.PAGE, event: str = "opened", **changes: Any) -> Message:
    made = Message(
        key=f"142:v1:{event}:{kind}:incidents",
        kind=kind,
        event=event,
        at=OPENED,
        language="en",
        incident=incident(),
        clocks=CLOCKS,
        system=ERP,
        owner=PEOPLE["li.na"],
        people=PEOPLE,
        link="https://tocsin.example.com/incidents/142",
        now=OPENED + timedelta(seconds=1),
        timezone="Asia/Shanghai",
        promised_at=OPENED,
    )
    return replace(made, **changes)


def reply(event: str, data: Mapping[str, Any] | None = None, root: Reference | None = None, **changes: Any) -> Message:
    place = root or Reference("C0DEMO", "1.000001")
    return message(NoticeKind.REPLY, event, data=data or {}, root=place, **changes)


def acknowledged(**changes: Any) -> Message:
    at = OPENED + timedelta(minutes=28)
    answered = clock(outcome=ClockOutcome.MET, met_at=at, ended_at=at)
    stands = incident(state=IncidentState.ACKNOWLEDGED, acknowledged_at=at, acknowledged_by="person:li.na")
    return message(NoticeKind.EDIT, "acknowledged", incident=stands, clocks=(answered, CLOCKS[1]), **changes)


def recovered(**changes: Any) -> Message:
    at = OPENED + timedelta(minutes=12)
    ended = (
        clock(outcome=ClockOutcome.VOID, ended_at=at),
        clock(ClockKind.RESOLUTION, 4, outcome=ClockOutcome.MET, met_at=at, ended_at=at),
    )
    stands = incident(
        state=IncidentState.RESOLVED,
        resolved_at=at,
        resolved_by="tocsin",
        resolution=Resolution.RECOVERED,
        checks=(),
    )
    return message(NoticeKind.EDIT, "recovered", incident=stands, clocks=ended, **changes)


@dataclass
class FakeDesk:
    """Writes down what it is asked, and answers with an incident, or with `error`."""

    answer: Any = field(default_factory=dict)
    error: TocsinError | None = None
    calls: list[tuple[str, dict[str, Any], str, datetime | None]] = field(default_factory=list)

    async def call(self, verb: str, arguments: Mapping[str, Any], *, actor: str, at: datetime | None = None) -> Any:
        self.calls.append((verb, dict(arguments), actor, at))
        if self.error is not None:
            raise self.error
        return self.answer

    async def changes(self) -> AsyncIterator[int]:
        yield 0


def texts(blocks: list[dict[str, Any]]) -> str:
    """All that is written in blocks, one text a line."""
    found: list[str] = []

    def gather(value: Any) -> None:
        match value:
            case {"type": "mrkdwn" | "plain_text", "text": str(text)}:
                found.append(text)
            case dict():
                for inner in value.values():
                    gather(inner)
            case list():
                for inner in value:
                    gather(inner)

    gather(blocks)
    return "\n".join(found)
