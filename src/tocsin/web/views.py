"""What the pages show, made from the daemon's JSON: words found, times told, deadlines weighed. No HTML here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tocsin.web import strip
from tocsin.web.reader import Moment, Reader, countdown, instant, milliseconds

Json = Mapping[str, Any]

URGENT_S = 900
WORST_FIRST = {"down": 0, "degraded": 1, "unobserved": 2, "up": 3}


@dataclass(frozen=True, slots=True)
class ClockView:
    """A clock that somebody owes. `state` is running, soon or over; `text` is what is left, or how long it is over."""

    kind: str
    label: str
    due: Moment
    state: str
    text: str
    target_s: int
    left_s: int


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


@dataclass(frozen=True, slots=True)
class TimelineLine:
    at: Moment
    actor: str
    sentence: str
    detail: str
    mark: str


# --- systems -------------------------------------------------------------------------------------------------------


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


# --- incidents -----------------------------------------------------------------------------------------------------


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
    left = (instant(clock["due_at"]) - reader.now).total_seconds()
    target = clock.get("target_s") or 0
    state = "over" if left < 0 else "soon" if left < min(URGENT_S, target / 4 or URGENT_S) else "running"
    text = reader.say("page.over", span=reader.span(-left)) if left < 0 else countdown(left)
    label = reader.say_or(f"clock.{clock['clock']}", clock["clock"])
    due = reader.moment(clock["due_at"])
    return ClockView(clock["clock"], label, due, state, text, int(target), max(0, int(left)))


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


# --- a timeline ----------------------------------------------------------------------------------------------------


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
