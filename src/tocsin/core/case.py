"""A case, and what one decision asks for: the values that every decision about an incident is made with.

A case is all that is known of one (system, key): its incident (the unresolved one, or the last resolved one, which may reopen) and the
incident's clocks. A decision is the case afterwards, journal entries, notices. Nothing is done here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from tocsin.core import escalation
from tocsin.core.model import (
    Clock,
    Entry,
    Incident,
    Notice,
    NoticeKind,
    Pause,
    Priority,
    RuleReference,
    Severity,
    Status,
    Value,
)
from tocsin.core.policy import Rulebook
from tocsin.core.severity import RuleFault

TOCSIN = "tocsin"


@dataclass(frozen=True, slots=True)
class FailingCheck:
    """A check of the system that is degraded or down, with what its last bad sample said.

    `is_held`: somebody closed its incident although it failed; nothing opens for it until it was up once.
    `is_observed`: False while no samples come; then it neither opens nor raises anything, and still counts as failing.
    """

    name: str
    kind: str
    status: Status
    reason: str
    text: str
    failing_since: datetime
    values: Mapping[str, Value] = field(default_factory=dict)
    is_held: bool = False
    is_observed: bool = True


@dataclass(frozen=True, slots=True)
class Case:
    """`clocks` holds all of the incident's clocks, superseded ones too. `next_id` is the id a new incident would get."""

    system: str
    next_id: int
    incident: Incident | None = None
    clocks: tuple[Clock, ...] = ()

    @property
    def open(self) -> Incident | None:
        return self.incident if self.incident is not None and self.incident.is_unresolved else None


@dataclass(frozen=True, slots=True)
class Decision:
    """The case afterwards and what is asked for. `refused` says why nothing was done; `faults` are rules that could not be judged."""

    case: Case
    entries: tuple[Entry, ...] = ()
    notices: tuple[Notice, ...] = ()
    faults: tuple[RuleFault, ...] = ()
    refused: str | None = None

    @property
    def changes_nothing(self) -> bool:
        return not self.entries and not self.notices


class Draft:
    """Collects what one decision asks for, with deterministic keys."""

    def __init__(self, case: Case, now: datetime, rulebook: Rulebook | None = None) -> None:
        self.case = case
        self.now = now
        self.rulebook = rulebook
        self.incident = case.incident
        self.clocks = case.clocks
        self.entries: list[Entry] = []
        self.notices: list[Notice] = []

    def record(self, action: str, actor: str, data: Mapping[str, Any], at: datetime | None = None) -> None:
        assert self.incident is not None
        self.entries.append(Entry(at or self.now, actor, action, f"incident:{self.incident.id}", data))

    def tell(
        self, kind: NoticeKind, event: str, data: Mapping[str, Any], priority: Priority | None = None, mark: str = ""
    ) -> None:
        """Promise a notice to each channel of the incident that hears of it."""
        assert self.incident is not None
        for channel in self.incident.channels:
            if escalation.hears(channel, kind, event):
                self.tell_one(channel, kind, event, data, priority, mark)

    def tell_one(
        self,
        channel: str,
        kind: NoticeKind,
        event: str,
        data: Mapping[str, Any],
        priority: Priority | None = None,
        mark: str = "",
    ) -> Notice:
        """Promise a notice. The key names the fact, so the same fact is one message. Quiet hours delay what rings."""
        assert self.incident is not None
        incident = self.incident
        rings = kind in (NoticeKind.PAGE, NoticeKind.BROADCAST)
        urgent = Priority.P1 if incident.severity is Severity.P1 else Priority.PAGE
        chosen = priority or (urgent if rings else Priority.ANSWER)
        key = f"{incident.id}:{mark or f'v{self.case_version}'}:{event}:{kind}:{channel}"
        later = None
        if rings and self.rulebook is not None:
            later = escalation.quiet_until(self.rulebook, channel, incident.severity, self.now)
        said = dict(data) if later is None else {**data, "not_before": later.isoformat()}
        self.notices.append(Notice(key, channel, kind, chosen, event, self.now, incident.id, said, later))
        return self.notices[-1]

    @property
    def case_version(self) -> int:
        return 0 if self.case.incident is None else self.case.incident.version

    def changed_clocks(self) -> dict[str, list[dict[str, Any]]]:
        """The clocks that this decision started, changed or replaced, as the journal keeps them."""
        changed = [clock for clock in self.clocks if clock not in self.case.clocks]
        told = {
            "clocks": [clock_as_data(clock) for clock in changed if clock.superseded_at is None],
            "superseded": [clock_as_data(clock) for clock in changed if clock.superseded_at is not None],
        }
        return {name: listed for name, listed in told.items() if listed}

    def say(self, event: str, data: Mapping[str, Any], *, rings: bool = False, mark: str = "") -> None:
        """One line in the thread (broadcast when it must ring), and the root message brought up to date."""
        self.tell(NoticeKind.BROADCAST if rings else NoticeKind.REPLY, event, data, mark=mark)
        self.tell(NoticeKind.EDIT, event, {}, mark=mark)

    def done(self, faults: Iterable[RuleFault] = ()) -> Decision:
        incident = self.incident
        if incident is not None and (self.entries or self.notices):
            incident = replace(incident, version=self.case_version + 1)
        case = replace(self.case, incident=incident, clocks=self.clocks)
        return Decision(case, tuple(self.entries), tuple(self.notices), tuple(faults))


def refuse(case: Case, why: str) -> Decision:
    return Decision(case, refused=why)


def current(all_clocks: Sequence[Clock]) -> list[Clock]:
    return [clock for clock in all_clocks if clock.superseded_at is None]


def rule_as_data(rule: RuleReference) -> dict[str, Any]:
    return {"name": rule.name, "file": rule.file, "line": rule.line, "text": rule.text}


def clock_as_data(clock: Clock) -> dict[str, Any]:
    return {
        "clock": clock.kind,
        "severity": clock.severity,
        "started_at": clock.started_at.isoformat(),
        "due_at": clock.due_at.isoformat(),
        "target_s": clock.target.total_seconds(),
        "outcome": clock.outcome,
        "policy": clock.policy_version,
        "calendar": clock.calendar,
        "calendar_version": clock.calendar_version,
        **_happened_to(clock),
    }


def _happened_to(clock: Clock) -> dict[str, Any]:
    """What has become of a clock so far, left out where nothing has."""
    instants = {name: getattr(clock, name) for name in ("met_at", "breached_at", "ended_at", "superseded_at")}
    happened: dict[str, Any] = {name: at.isoformat() for name, at in instants.items() if at is not None}
    if clock.detected_late:
        happened["detected_late"] = True
    if clock.pauses:
        happened["pauses"] = [pause_as_data(pause) for pause in clock.pauses]
    if clock.exclusion is not None:
        happened["exclusion"] = dict(clock.exclusion)
    if steps := [step for step in clock.plan if step.tell]:
        happened["steps"] = [{"step": s.step, "at": s.at.isoformat(), "tell": list(s.tell)} for s in steps]
    if clock.held_until is not None:
        happened["held_until"] = clock.held_until.isoformat()
    return happened


def pause_as_data(pause: Pause) -> dict[str, Any]:
    return {
        "from": pause.start.isoformat(),
        "to": pause.end.isoformat() if pause.end is not None else None,
        "reason": pause.reason,
        "actor": pause.actor,
    }
