"""Systems, checks, incidents and their clocks in the shapes that the daemon answers with, with believable defaults."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

Json = dict[str, Any]

MINUTES = 60


def rfc3339(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def strip(*parts: tuple[str, int]) -> list[str]:
    """`strip(("up", 50), ("down", 10))`: sixty words, oldest first; what is missing at the front is up."""
    words = [word for word, count in parts for _ in range(count)]
    return ["up"] * (MINUTES - len(words)) + words


def check(name: str, status: str = "up", since: str | None = None, **more: Any) -> Json:
    return {
        "check": name,
        "kind": "http",
        "status": status,
        "since": since,
        "reason": "ok" if status == "up" else "expectation",
        "text": "",
        "duration_s": 0.0123,
        "strip": strip(),
        **more,
    }


def system(name: str, checks: Sequence[Json], status: str = "up", **more: Any) -> Json:
    return {
        "system": name,
        "status": status,
        "muted_by": None,
        "title": {"": name.upper()},
        "owner": "li.na",
        "owner_name": more.get("owner", "Li Na"),
        "tier": "core",
        "runbook": f"https://wiki.example.com/{name}",
        "checks": list(checks),
        **more,
    }


def clock(kind: str, opened: datetime, target: timedelta, **more: Any) -> Json:
    return {
        "clock": kind,
        "started_at": rfc3339(opened),
        "due_at": rfc3339(opened + target),
        "target_s": target.total_seconds(),
        "calendar": "24x7",
        "outcome": None,
        "met_at": None,
        "breached_at": None,
        "detected_late": False,
        "superseded_at": None,
        **more,
    }


def incident(number: int, name: str, severity: str, opened: datetime, clocks: Sequence[Json] = (), **more: Any) -> Json:
    rule = {
        "name": "core system down",
        "file": "rules/severity.yaml",
        "line": 3,
        "text": 'system.tier == "core" && status == "down"',
    }
    return {
        "id": number,
        "system": name,
        "key": "",
        "system_title": {"": name.upper()},
        "severity": severity,
        "state": "open",
        "title": f"{name.upper()} is down",
        "reason": rule["name"],
        "rule": rule,
        "text": "health: status == 200 (status = 503)",
        "checks": ["health"],
        "failing_since": rfc3339(opened - timedelta(seconds=31)),
        "opened_at": rfc3339(opened),
        "acknowledged_at": None,
        "acknowledged_by": None,
        "assignee": None,
        "resolved_at": None,
        "resolved_by": None,
        "resolution": None,
        "reopened": 0,
        "clocks": list(clocks),
        "superseded": [],
        **more,
    }


def entry(at: datetime, actor: str, action: str, **data: Any) -> Json:
    return {"at": rfc3339(at), "actor": actor, "action": action, "data": data}
