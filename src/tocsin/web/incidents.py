"""What the pages show of incidents: words found, times told, deadlines weighed. No HTML here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tocsin.web.reader import Moment, Reader, countdown, instant
from tocsin.web.systems import web_address

Json = Mapping[str, Any]

URGENT_S = 900


@dataclass(frozen=True, slots=True)
class ClockView:
    """A clock that somebody owes. `state` is running, soon, over or paused; `text` is what is left, or how long it is over.

    `note` says why it is paused: then it has no deadline to count down to.
    """

    kind: str
    label: str
    due: Moment
    state: str
    text: str
    target_s: int
    left_s: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class SettledClock:
    label: str
    outcome: str
    outcome_text: str
    due: Moment
    note: str


@dataclass(frozen=True, slots=True)
class IncidentView:
    id: int
    severity: str
    state: str
    state_text: str
    system: str
    title: str
    text: str
    failing_since: Moment
    failing_for: str
    opened: Moment
    owner: str
    runbook: str
    rule: Json
    answer: str
    assignee: str
    ending: str
    clocks: tuple[ClockView, ...]
    settled: tuple[SettledClock, ...]

    @property
    def is_owed(self) -> bool:
        return self.state == "open"

    @property
    def is_resolved(self) -> bool:
        return self.state == "resolved"


def incidents_of(status: Json, reader: Reader) -> list[IncidentView]:
    """The open ones: the gravest first, unanswered before answered, then what is due next."""
    systems = {system["system"]: system for system in status["systems"]}
    found = [incident_of(incident, systems.get(incident["system"]), reader) for incident in status["incidents"]]
    return sorted(found, key=lambda i: (i.severity, not i.is_owed, i.clocks[0].due.iso if i.clocks else "9", i.id))


def open_by_severity(incidents: Sequence[IncidentView], reader: Reader) -> str:
    """`1 P1, 2 P2`."""
    counted = Counter(incident.severity for incident in incidents)
    told = [reader.say("page.count", n=n, severity=severity) for severity, n in sorted(counted.items())]
    return reader.say("page.and").join(told)


def incident_of(incident: Json, system: Json | None, reader: Reader) -> IncidentView:
    known = {**incident, **(system or {})}
    title = known.get("title") if system else incident.get("system_title")
    owed = [clock for clock in incident["clocks"] if is_owed(clock, incident)]
    return IncidentView(
        id=incident["id"],
        severity=incident["severity"],
        state=incident["state"],
        state_text=reader.say(f"state.{incident['state']}"),
        system=incident["system"],
        title=reader.title(title, incident["system"]),
        text=incident.get("text") or "",
        failing_since=reader.moment(incident["failing_since"]),
        failing_for=reader.since(incident["failing_since"]),
        opened=reader.moment(incident["opened_at"]),
        owner=known.get("owner_name") or known.get("owner") or "",
        runbook=web_address(known.get("runbook")),
        rule=incident.get("rule") or {},
        answer=_said("incident.answered", incident.get("acknowledged_at"), incident.get("acknowledged_by"), reader),
        assignee=incident.get("assignee") or "",
        ending=_ending(incident, reader),
        clocks=tuple(
            _clock(clock, reader) for clock in sorted(owed, key=lambda c: (c["clock"] != "response", c["due_at"]))
        ),
        settled=tuple(_settled(clock, reader) for clock in incident["clocks"] if clock not in owed),
    )


def is_owed(clock: Json, incident: Json) -> bool:
    """Whether it still runs. A breached clock runs on until it is met."""
    return incident["state"] != "resolved" and clock["outcome"] in (None, "breached") and clock["met_at"] is None


def _clock(clock: Json, reader: Reader) -> ClockView:
    if clock.get("paused"):
        return _paused_clock(clock, clock["paused"], reader)
    left = (instant(clock["due_at"]) - reader.now).total_seconds()
    target = clock.get("target_s") or 0
    state = "over" if left < 0 else "soon" if left < min(URGENT_S, target / 4 or URGENT_S) else "running"
    text = reader.say("page.over", span=reader.span(-left)) if left < 0 else countdown(left)
    label = reader.say_or(f"clock.{clock['clock']}", clock["clock"])
    due = reader.moment(clock["due_at"])
    return ClockView(clock["clock"], label, due, state, text, int(target), max(0, int(left)))


def _paused_clock(clock: Json, paused: Json, reader: Reader) -> ClockView:
    left = (instant(clock["due_at"]) - instant(paused["since"])).total_seconds()
    since, who = reader.moment(paused["since"]).short, reader.actor(paused["actor"])
    return ClockView(
        clock["clock"],
        reader.say_or(f"clock.{clock['clock']}", clock["clock"]),
        reader.moment(clock["due_at"]),
        "paused",
        reader.say("clock.paused", span=reader.span(max(left, 0.0))),
        int(clock.get("target_s") or 0),
        max(0, int(left)),
        reader.say("clock.paused_why", since=since, who=who, reason=paused["reason"]),
    )


def _settled(clock: Json, reader: Reader) -> SettledClock:
    outcome = clock["outcome"] or "void"
    met = reader.say("clock.met_at", at=reader.moment(clock["met_at"]).short) if clock.get("met_at") else ""
    late = reader.say("clock.detected_late") if clock.get("detected_late") else ""
    return SettledClock(
        reader.say_or(f"clock.{clock['clock']}", clock["clock"]),
        outcome,
        reader.say(f"outcome.{outcome}"),
        reader.moment(clock["due_at"]),
        " · ".join(filter(None, (met, late))),
    )


def _said(key: str, at: str | None, actor: str | None, reader: Reader) -> str:
    return reader.say(key, who=reader.actor(actor), at=reader.moment(at).short) if at else ""


def _ending(incident: Json, reader: Reader) -> str:
    how = incident.get("resolution") or "by_hand"
    return _said(f"incident.{how}", incident.get("resolved_at"), incident.get("resolved_by"), reader)
