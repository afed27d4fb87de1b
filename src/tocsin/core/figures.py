"""Figures are a fold over the journal: from an incident's entries to its clocks, and from clocks to what counts.

The same entries and the same version of a calendar give the same figures, whoever asks: what is stored beside the journal is only a faster
way to the same answer, and a test holds the two together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from tocsin.core.calendar import Calendar, measure
from tocsin.core.clock import counts
from tocsin.core.model import Clock, ClockKind, ClockOutcome, Entry, Pause, Severity


def clocks_of(incident: int, entries: Iterable[Entry]) -> tuple[Clock, ...]:
    """Every clock that an incident ever had, as its entries (in the journal's order) tell it.

    Without plans: what is still to be told is no figure.
    """
    found: list[Clock] = []
    for entry in entries:
        for told in (*entry.data.get("superseded", ()), *entry.data.get("clocks", ())):
            _keep(found, _clock_told(incident, told))
        if entry.action == "clock_breached":
            _breach(found, entry)
    return tuple(found)


def _keep(found: list[Clock], told: Clock) -> None:
    """Put a clock in the place of what was known of it, or behind the others when it is new."""
    for at, known in enumerate(found):
        is_same = _identity(known) == _identity(told)
        if is_same and known.superseded_at in (None, told.superseded_at):
            found[at] = told
            return
    found.append(told)


def _identity(clock: Clock) -> tuple[object, ...]:
    return clock.kind, clock.severity, clock.started_at, clock.target, clock.policy_version, clock.calendar_version


def _breach(found: list[Clock], entry: Entry) -> None:
    kind, is_late = ClockKind(entry.data["clock"]), "detected_at" in entry.data
    for at, known in enumerate(found):
        if known.kind is kind and known.superseded_at is None:
            found[at] = replace(known, outcome=ClockOutcome.BREACHED, breached_at=entry.at, detected_late=is_late)


def _clock_told(incident: int, told: Mapping[str, Any]) -> Clock:
    outcome = told["outcome"]
    return Clock(
        incident=incident,
        kind=ClockKind(told["clock"]),
        severity=Severity(told["severity"]),
        calendar=told["calendar"],
        policy_version=told["policy"],
        calendar_version=told["calendar_version"],
        target=timedelta(seconds=told["target_s"]),
        started_at=datetime.fromisoformat(told["started_at"]),
        due_at=datetime.fromisoformat(told["due_at"]),
        outcome=None if outcome is None else ClockOutcome(outcome),
        detected_late=told.get("detected_late", False),
        pauses=tuple(_pause_told(pause) for pause in told.get("pauses", ())),
        exclusion=told.get("exclusion"),
        met_at=_instant(told.get("met_at")),
        breached_at=_instant(told.get("breached_at")),
        ended_at=_instant(told.get("ended_at")),
        superseded_at=_instant(told.get("superseded_at")),
    )


def _pause_told(told: Mapping[str, Any]) -> Pause:
    return Pause(datetime.fromisoformat(told["from"]), _instant(told["to"]), told["reason"], told["actor"])


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


# --- what counts ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ClockFigure:
    """One clock as figures show it. `worked` is the time of its calendar that it took, None while it runs and where another version of
    the calendar is at hand. An exclusion changes no outcome; it stands beside it.
    """

    kind: ClockKind
    severity: Severity
    outcome: ClockOutcome | None
    target: timedelta
    worked: timedelta | None
    exclusion: Mapping[str, Any] | None


def figures_of(clocks: Iterable[Clock], calendars: Mapping[str, Calendar]) -> tuple[ClockFigure, ...]:
    """A figure for each clock that counts."""
    return tuple(_figure(clock, calendars.get(clock.calendar)) for clock in clocks if counts(clock))


def _figure(clock: Clock, calendar: Calendar | None) -> ClockFigure:
    end, worked = clock.met_at or clock.ended_at, None
    if end is not None and calendar is not None and calendar.version == clock.calendar_version:
        worked = measure(calendar, clock.started_at, end, clock.pauses)
    return ClockFigure(clock.kind, clock.severity, clock.outcome, clock.target, worked, clock.exclusion)


def outcomes_of(clocks: Iterable[Clock]) -> Counter[tuple[Severity, ClockKind, ClockOutcome]]:
    """How many clocks ended in which way; those that still run without a breach count nowhere."""
    return Counter((c.severity, c.kind, c.outcome) for c in clocks if counts(c) and c.outcome is not None)
