"""An incident's timeline in words. An action that another version wrote is shown by its name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tocsin.web.reader import Moment, Reader

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TimelineLine:
    at: Moment
    actor: str
    sentence: str
    detail: str
    mark: str


def timeline_of(incident: Json, reader: Reader) -> list[TimelineLine]:
    """The newest first: who comes to an incident asks what happened last."""
    return [_line(entry, reader) for entry in reversed(incident.get("timeline") or ())]


def _line(entry: Json, reader: Reader) -> TimelineLine:
    data = {**entry, **(entry.get("data") or {})}
    action: str = entry["action"]
    return TimelineLine(
        at=reader.moment(entry["at"]),
        actor=reader.actor(entry["actor"]),
        sentence=_sentence(action, data, reader),
        detail=str(data.get("text") or data.get("note") or data.get("reason") or ""),
        mark="breach" if action == "clock_breached" else "person" if entry["actor"] != "tocsin" else "",
    )


def _sentence(action: str, data: Json, reader: Reader) -> str:
    filled = {
        "severity": data.get("severity", ""),
        "was": data.get("from") or "–",
        "to": data.get("to", ""),
        "check": data.get("check", ""),
        "clock": reader.say_or(f"clock.{data.get('clock')}", ""),
        "share": f"{data['share']:.0%}" if isinstance(data.get("share"), (int, float)) else "",
        "due": reader.moment(data["due_at"]).short if data.get("due_at") else "",
    }
    try:
        return reader.say(f"action.{action}", **filled)
    except KeyError:
        return action.replace("_", " ")
