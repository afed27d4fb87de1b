"""Between rows and values, in both directions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from tocsin.core.case import rule_as_data
from tocsin.core.model import (
    PRIORITY_ORDER,
    Clock,
    ClockKind,
    ClockOutcome,
    Incident,
    IncidentState,
    Notice,
    NoticeKind,
    Pause,
    Reminder,
    Resolution,
    RuleReference,
    Severity,
)

Row = Mapping[Any, Any]


def incident_of(row: Row) -> Incident:
    return Incident(
        id=row["id"],
        system=row["system"],
        key=row["key"],
        severity=Severity(row["severity"]),
        state=IncidentState(row["state"]),
        title=row["title"],
        rule=RuleReference(**row["rule"]),
        text=row["text"],
        failing_since=row["failing_since"],
        opened_at=row["opened_at"],
        severity_at=row["severity_at"],
        rule_severity=Severity(row["rule_severity"]),
        checks=tuple(row["checks"]),
        channels=tuple(row["channels"]),
        acknowledged_at=row["acknowledged_at"],
        acknowledged_by=row["acknowledged_by"],
        assignee=row["assignee"],
        resolved_at=row["resolved_at"],
        resolved_by=row["resolved_by"],
        resolution=Resolution(row["resolution"]) if row["resolution"] else None,
        reopened=row["reopened"],
        version=row["version"],
    )


def row_of_incident(incident: Incident) -> dict[str, Any]:
    return {
        "id": incident.id,
        "system": incident.system,
        "key": incident.key,
        "severity": incident.severity.value,
        "state": incident.state.value,
        "title": incident.title,
        "rule": rule_as_data(incident.rule),
        "text": incident.text,
        "failing_since": incident.failing_since,
        "opened_at": incident.opened_at,
        "severity_at": incident.severity_at,
        "rule_severity": incident.rule_severity.value,
        "checks": list(incident.checks),
        "channels": list(incident.channels),
        "acknowledged_at": incident.acknowledged_at,
        "acknowledged_by": incident.acknowledged_by,
        "assignee": incident.assignee,
        "resolved_at": incident.resolved_at,
        "resolved_by": incident.resolved_by,
        "resolution": incident.resolution.value if incident.resolution else None,
        "reopened": incident.reopened,
        "version": incident.version,
    }


def clock_of(row: Row) -> Clock:
    return Clock(
        id=row["id"],
        incident=row["incident"],
        kind=ClockKind(row["kind"]),
        severity=Severity(row["severity"]),
        calendar=row["calendar"],
        policy_version=row["policy_version"],
        calendar_version=row["calendar_version"],
        target=timedelta(seconds=row["target_s"]),
        started_at=row["started_at"],
        due_at=row["due_at"],
        **_planned(row["plan"]),
        outcome=ClockOutcome(row["outcome"]) if row["outcome"] else None,
        met_at=row["met_at"],
        breached_at=row["breached_at"],
        detected_late=row["detected_late"],
        ended_at=row["ended_at"],
        superseded_at=row["superseded_at"],
        pauses=tuple(_pause_of(pause) for pause in row["pauses"]),
        exclusion=row["exclusion"],
    )


def _planned(items: Sequence[Sequence[Any]]) -> dict[str, Any]:
    """A plan is rows of share, instant and, for a step of the ladder, what it is; what ran and how long an answer holds stand with it."""
    found: dict[str, Any] = {"plan": (), "ran": (), "held_until": None}
    for share, at, *rest in items:
        more = rest[0] if rest else {}
        instant = datetime.fromisoformat(at)
        if more.get("holds"):
            found["held_until"] = instant
            continue
        repeat = timedelta(seconds=more["repeat_s"]) if "repeat_s" in more else None
        reminder = Reminder(share, instant, tuple(more.get("tell", ())), more.get("step", 0), repeat)
        found["ran" if more.get("ran") else "plan"] += (reminder,)
    return found


def _plan_as_rows(clock: Clock) -> list[list[Any]]:
    rows = [*(_reminder_as_row(one) for one in clock.plan), *(_reminder_as_row(one, ran=True) for one in clock.ran)]
    if clock.held_until is not None:
        rows.append([0.0, clock.held_until.isoformat(), {"holds": True}])
    return rows


def _reminder_as_row(reminder: Reminder, **more: Any) -> list[Any]:
    row: list[Any] = [reminder.share, reminder.at.isoformat()]
    if reminder.tell:
        repeats = {} if reminder.repeat is None else {"repeat_s": reminder.repeat.total_seconds()}
        row.append({"tell": list(reminder.tell), "step": reminder.step, **repeats, **more})
    return row


def _pause_of(value: Row) -> Pause:
    end = datetime.fromisoformat(value["to"]) if value["to"] else None
    return Pause(datetime.fromisoformat(value["from"]), end, value["reason"], value["actor"])


def row_of_clock(clock: Clock) -> dict[str, Any]:
    return {
        "incident": clock.incident,
        "kind": clock.kind.value,
        "severity": clock.severity.value,
        "calendar": clock.calendar,
        "policy_version": clock.policy_version,
        "calendar_version": clock.calendar_version,
        "target_s": clock.target.total_seconds(),
        "started_at": clock.started_at,
        "due_at": clock.due_at,
        "wake_at": clock.wake_at,
        "plan": _plan_as_rows(clock),
        "outcome": clock.outcome.value if clock.outcome else None,
        "met_at": clock.met_at,
        "breached_at": clock.breached_at,
        "detected_late": clock.detected_late,
        "ended_at": clock.ended_at,
        "superseded_at": clock.superseded_at,
        "pauses": [
            {
                "from": pause.start.isoformat(),
                "to": pause.end.isoformat() if pause.end else None,
                "reason": pause.reason,
                "actor": pause.actor,
            }
            for pause in clock.pauses
        ],
        "exclusion": clock.exclusion,
    }


_PRIORITY_OF = {order: priority for priority, order in PRIORITY_ORDER.items()}


def row_of_notice(notice: Notice) -> dict[str, Any]:
    return {
        "key": notice.key,
        "channel": notice.channel,
        "kind": notice.kind.value,
        "priority": PRIORITY_ORDER[notice.priority],
        "event": notice.event,
        "incident": notice.incident,
        "promised_at": notice.at,
        "next_at": notice.not_before,
        "data": dict(notice.data),
    }


def notice_of(row: Row) -> Notice:
    return Notice(
        key=row["key"],
        channel=row["channel"],
        kind=NoticeKind(row["kind"]),
        priority=_PRIORITY_OF[row["priority"]],
        event=row["event"],
        at=row["promised_at"],
        incident=row["incident"],
        data=row["data"],
    )
