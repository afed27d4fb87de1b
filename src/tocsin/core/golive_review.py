"""What a watch is judged by: its incidents, and whether it may end. Judged by machine; people decide and sign."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tocsin.core.case import Case, current
from tocsin.core.model import ClockKind, ClockOutcome, Incident, Severity
from tocsin.core.policy import CannotJudge

ExitPredicate = Callable[[int, int, float, timedelta], bool | CannotJudge]
Compile = Callable[[str], ExitPredicate]
NAMES = ("open_p1", "open_p2", "answered_in_time", "quiet_for")


@dataclass(frozen=True, slots=True)
class Standing:
    """What exit criteria are asked about."""

    open_p1: int
    open_p2: int
    answered_in_time: float
    quiet_for: timedelta


@dataclass(frozen=True, slots=True)
class Criterion:
    """One exit criterion, judged: the values of the names that it reads, and why it could not be judged."""

    rule: str
    met: bool
    values: tuple[tuple[str, float], ...]
    because: str = ""

    def as_data(self) -> dict[str, Any]:
        """`value` is that of the one name the rule reads; by name where it reads several. Spans are seconds."""
        value: Any = self.values[0][1] if len(self.values) == 1 else dict(self.values)
        told: dict[str, Any] = {"rule": self.rule, "met": self.met, "value": value}
        return {**told, "because": self.because} if self.because else told


def standing(cases: Sequence[Case], started_at: datetime, now: datetime) -> Standing:
    """How things stand, by the incidents of the watch. What was void counts nowhere; what nobody decided yet counts only when late."""
    incidents = [case.incident for case in cases if case.incident is not None]
    unresolved = [incident for incident in incidents if incident.is_unresolved]
    met, late = _answers(cases, started_at)
    return Standing(
        open_p1=sum(incident.severity is Severity.P1 for incident in unresolved),
        open_p2=sum(incident.severity is Severity.P2 for incident in unresolved),
        answered_in_time=met / (met + late) if met + late else 1.0,
        quiet_for=_quiet_for(incidents, started_at, now),
    )


def _answers(cases: Iterable[Case], started_at: datetime) -> tuple[int, int]:
    """How many incidents that opened under the watch were answered in time, and how many were not."""
    outcomes = [
        clock.outcome
        for case in cases
        if case.incident is not None and case.incident.opened_at >= started_at
        for clock in current(case.clocks)
        if clock.kind is ClockKind.RESPONSE and clock.exclusion is None
    ]
    return outcomes.count(ClockOutcome.MET), outcomes.count(ClockOutcome.BREACHED)


def _quiet_for(incidents: Sequence[Incident], started_at: datetime, now: datetime) -> timedelta:
    grave = [incident for incident in incidents if incident.severity in (Severity.P1, Severity.P2)]
    if any(incident.is_unresolved for incident in grave):
        return timedelta()
    ends = [incident.resolved_at for incident in grave if incident.resolved_at is not None]
    return max(now - max((started_at, *ends)), timedelta())


def judge(rules: Iterable[str], compiled: Compile, at: Standing) -> tuple[Criterion, ...]:
    return tuple(_judged(rule, compiled(rule), at) for rule in rules)


def _judged(rule: str, predicate: ExitPredicate, at: Standing) -> Criterion:
    answer = predicate(at.open_p1, at.open_p2, at.answered_in_time, at.quiet_for)
    known = {
        "open_p1": at.open_p1,
        "open_p2": at.open_p2,
        "answered_in_time": round(at.answered_in_time, 4),
        "quiet_for": round(at.quiet_for.total_seconds()),
    }
    values = tuple((name, known[name]) for name in NAMES if re.search(rf"\b{name}\b", rule))
    if isinstance(answer, CannotJudge):
        return Criterion(rule, False, values, answer.because)
    return Criterion(rule, answer, values)


def incident_as_data(case: Case) -> dict[str, Any]:
    """An incident of a watch as its checkpoints and messages name it."""
    incident = case.incident
    assert incident is not None
    response = next((c for c in current(case.clocks) if c.kind is ClockKind.RESPONSE), None)
    return {
        "id": incident.id,
        "system": incident.system,
        "severity": incident.severity.value,
        "state": incident.state.value,
        "title": incident.title,
        "opened_at": incident.opened_at.isoformat(),
        "resolved_at": None if incident.resolved_at is None else incident.resolved_at.isoformat(),
        "response": None if response is None or response.outcome is None else response.outcome.value,
        "due_at": response.due_at.isoformat() if response is not None and response.is_running else None,
    }
