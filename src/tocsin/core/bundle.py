"""Many notices that wait for one channel as one message: what it is about, the gravest first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from tocsin.core.model import Incident, Notice, NoticeKind, Priority

EVENT = "bundle"
LISTED = 30
BUNDLED = (NoticeKind.PAGE, NoticeKind.BROADCAST, NoticeKind.REPLY)
"""Lines of incidents. Alarms, hand-overs and the like stay messages of their own."""


def bundle_of(
    channel: str, last: int, waiting: Sequence[Notice], incidents: Mapping[int, Incident], now: datetime
) -> Notice:
    """One notice in place of those that wait; `last` is the highest of their ids, which makes its key."""
    named = {notice.incident for notice in waiting if notice.incident is not None}
    about = sorted((incidents[number] for number in named if number in incidents), key=_order)
    data: dict[str, Any] = {
        "notices": len(waiting),
        "incidents": len(about),
        "unresolved": sum(incident.is_unresolved for incident in about),
        "severities": dict(sorted(Counter(i.severity.value for i in about if i.is_unresolved).items())),
        "listed": [_brief(incident) for incident in about[:LISTED]],
        "since": min(notice.at for notice in waiting).isoformat(),
    }
    is_gravest = any(notice.priority is Priority.P1 for notice in waiting)
    priority = Priority.P1 if is_gravest else Priority.PAGE
    return Notice(f"bundle:{last}:{channel}", channel, NoticeKind.PAGE, priority, EVENT, now, None, data)


def _order(incident: Incident) -> tuple[bool, str, int]:
    return (not incident.is_unresolved, incident.severity.value, incident.id)


def _brief(incident: Incident) -> dict[str, Any]:
    return {
        "id": incident.id,
        "system": incident.system,
        "title": incident.title,
        "severity": incident.severity.value,
        "state": incident.state.value,
    }
