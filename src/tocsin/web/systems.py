"""What the pages show of systems and their checks, made from the daemon's JSON. No HTML here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tocsin.web import strip
from tocsin.web.reader import Reader, milliseconds

Json = Mapping[str, Any]

WORST_FIRST = {"down": 0, "degraded": 1, "unobserved": 2, "up": 3}


@dataclass(frozen=True, slots=True)
class CheckRow:
    name: str
    kind: str
    status: str
    status_text: str
    since: str
    text: str
    latency: str
    strip: strip.Paths
    strip_text: str


@dataclass(frozen=True, slots=True)
class SystemView:
    name: str
    title: str
    status: str
    status_text: str
    owner: str
    tier: str
    runbook: str
    muted_by: str
    checks: tuple[CheckRow, ...]
    strip: strip.Paths
    strip_text: str


def systems_of(status: Json, reader: Reader) -> list[SystemView]:
    """All systems, those in trouble first, otherwise in the order of the rules."""
    found = [system_of(system, reader) for system in status["systems"]]
    return sorted(found, key=lambda system: WORST_FIRST.get(system.status, 2))


def system_of(system: Json, reader: Reader) -> SystemView:
    checks = system["checks"]
    minutes = strip.worst(tuple(tuple(check.get("strip") or ()) for check in checks))
    return SystemView(
        name=system["system"],
        title=reader.title(system.get("title"), system["system"]),
        status=system["status"],
        status_text=reader.say(f"status.{system['status']}"),
        owner=system.get("owner_name") or system.get("owner") or "",
        tier=system.get("tier") or "",
        runbook=web_address(system.get("runbook")),
        muted_by=system.get("muted_by") or "",
        checks=tuple(_check_row(check, reader) for check in checks),
        strip=strip.paths(minutes),
        strip_text=_strip_text(minutes, reader),
    )


def _check_row(check: Json, reader: Reader) -> CheckRow:
    minutes = tuple(check.get("strip") or ())
    status = check["status"]
    return CheckRow(
        name=check["check"],
        kind=check.get("kind") or "",
        status=status,
        status_text=reader.say(f"status.{status}"),
        since=reader.since(check.get("since")),
        text=(check.get("text") or "") if status in ("down", "degraded") else "",
        latency=milliseconds(check.get("duration_s")),
        strip=strip.paths(minutes),
        strip_text=_strip_text(minutes, reader),
    )


def _strip_text(minutes: tuple[str, ...], reader: Reader) -> str:
    told = [f"{reader.say(f'status.{s}')} {reader.say('unit.min', n=n)}" for s, n in strip.counts(minutes).items()]
    return reader.say("page.strip", what=", ".join(told))


def web_address(text: str | None) -> str:
    """A link only where it is one: a runbook may be any text, and `javascript:` must never become a link."""
    return text if text and text.startswith(("https://", "http://")) else ""
