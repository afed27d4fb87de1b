"""The journal read back: what an incident must be if its lines are true. Written apart from the decisions, to be held against them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from tocsin.core.model import Incident
from tocsin.simulation.picture import Line


@dataclass(slots=True)
class Folded:
    state: str = "none"
    severity: str = ""
    checks: set[str] = field(default_factory=set)
    acknowledged_by: str | None = None
    resolution: str | None = None
    reopened: int = 0
    assignee: str | None = None

    def differences(self, incident: Incident) -> list[str]:
        """Where the incident as stored is not what its lines say."""
        stored = Folded(
            incident.state.value,
            incident.severity.value,
            set(incident.checks),
            incident.acknowledged_by,
            incident.resolution.value if incident.resolution is not None else None,
            incident.reopened,
            incident.assignee,
        )
        names = ("state", "severity", "checks", "acknowledged_by", "resolution", "reopened", "assignee")
        pairs = ((name, getattr(stored, name), getattr(self, name)) for name in names)
        return [f"{name} is {is_now!r}, the journal says {told!r}" for name, is_now, told in pairs if is_now != told]


def fold(lines: Iterable[Line]) -> Folded:
    folded = Folded()
    for line in lines:
        _apply(folded, line)
    return folded


def _apply(folded: Folded, line: Line) -> None:
    data = line["data"]
    match line["action"]:
        case "incident_opened":
            folded.state, folded.severity, folded.checks = "open", data["severity"], set(data["checks"])
        case "incident_reopened":
            folded.state, folded.checks, folded.resolution = "open", set(data["checks"]), None
            folded.acknowledged_by, folded.reopened = None, folded.reopened + 1
        case "incident_acknowledged":
            folded.state, folded.acknowledged_by = "acknowledged", line["actor"]
        case "incident_unacknowledged" | "acknowledgement_expired":
            folded.state, folded.acknowledged_by = "open", None
        case "incident_severity_changed":
            folded.severity = data["to"]
        case "incident_assigned":
            folded.assignee = data["to"]
        case "incident_resolved":
            folded.state, folded.checks, folded.resolution = "resolved", set(), data["resolution"]
            if data["resolution"] == "by_hand" and folded.acknowledged_by is None:
                folded.acknowledged_by = line["actor"]
        case "check_joined":
            folded.checks = folded.checks | {data["check"]}
        case "check_left" | "no_longer_watched":
            folded.checks = folded.checks - {data["check"]}
