"""Steps of ladders in answers: who would be told at the moment at which each runs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tocsin.core import escalation
from tocsin.core.escalation import Detour, Way
from tocsin.core.model import Clock
from tocsin.core.policy import Rulebook

DETOURS: Mapping[Detour, str] = {
    Detour.NO_SLACK: "who has no Slack id",
    Detour.NOBODY_ON_CALL: "nobody is on call then",
    Detour.UNKNOWN: "whom the rules no longer know",
}


def notices_of(rulebook: Rulebook, system: str, clock: Clock) -> list[dict[str, Any]]:
    """The notices that a clock's steps would promise, in the shape of `what-if`."""
    ladder = rulebook.response[clock.severity].escalate if clock.severity in rulebook.response else ""
    found = []
    for step in clock.plan:
        for way in escalation.ways(rulebook, system, step.tell, step.at) if step.tell else ():
            later = escalation.quiet_until(rulebook, way.channel, clock.severity, step.at)
            why = f"step {step.step} of {ladder} ({_by(way)}), if not acknowledged"
            if step.repeat is not None:
                why += f", again every {step.repeat}"
            if later is not None:
                why += ", held back until the quiet hours end"
            at = _instant(later or step.at)
            found.append({"at": at, "to": _who(rulebook, way), "channel": way.channel or None, "why": why})
    return found


def lines_of(rulebook: Rulebook, incident: Mapping[str, Any], clock: Mapping[str, Any]) -> list[str]:
    """One line for each step of a clock that ran or is still to run."""
    is_over = clock["met_at"] is not None or incident["state"] == "resolved"
    lines = []
    for step in clock.get("steps", ()):
        named = f"step {step['step']} ({', '.join(step['tell'])})"
        if step["ran"]:
            lines.append(f"{named} ran at {step['at']}")
        elif is_over:
            lines.append(f"{named} of {step['at']} did not run: it had ended before")
        else:
            ways = escalation.ways(rulebook, incident["system"], step["tell"], datetime.fromisoformat(step["at"]))
            told = "; ".join(f"{_who(rulebook, way)} in {way.channel or 'no channel'}" for way in ways)
            lines.append(f"{named} at {step['at']} would tell {told}")
    return lines


def _by(way: Way) -> str:
    return way.target if way.detour is None else f"{way.target}, {DETOURS[way.detour]}"


def _who(rulebook: Rulebook, way: Way) -> str:
    """The people who are called, by their names; the channel where none is."""
    names = (rulebook.people[one].name if one in rulebook.people else one for one in way.people)
    return ", ".join(names) or way.channel or "nobody"


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
