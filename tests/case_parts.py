"""Parts of the tests of decisions: a rulebook with plain predicates, a case that is played step by step, and what its decisions said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tocsin.core import acts, incident, passing
from tocsin.core.calendar import ALWAYS, Calendar, Span, version_of
from tocsin.core.case import Case, Decision, FailingCheck
from tocsin.core.model import Clock, ClockKind, Entry, Incident, Notice, NoticeKind, Observation, Severity, Status
from tocsin.core.policy import (
    CannotJudge,
    Check,
    Facts,
    HttpTarget,
    Judged,
    ResponsePolicy,
    Rulebook,
    SeverityRule,
    System,
)

T0 = datetime(2026, 11, 4, 10, 0, tzinfo=UTC)
"""A Wednesday, so that working hours are open."""

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
P1, P2, P3 = Severity.P1, Severity.P2, Severity.P3
RESPONSE, RESOLUTION = ClockKind.RESPONSE, ClockKind.RESOLUTION

OFFICE = Calendar("office", hours=tuple((Span(9 * 3600, 17 * 3600),) if day < 5 else () for day in range(7)))
OFFICE = replace(OFFICE, version=version_of(OFFICE))


def minute(count: float) -> datetime:
    """So many minutes after the beginning."""
    return T0 + count * MINUTE


class Good:
    """A judge that finds nothing wrong."""

    needs_body = False

    def __call__(self, observation: Observation) -> Judged:
        return Judged()


def a_check(name: str, system: str = "erp") -> Check:
    return Check(system, name, "http", HttpTarget(f"http://127.0.0.1/{name}"), Good())


def a_system(name: str = "erp", checks: Sequence[str] = ("health", "login"), tier: str = "core") -> System:
    return System(name, {"": name.upper()}, "li.na", tuple(a_check(check, name) for check in checks), tier=tier)


def is_down(facts: Facts) -> bool | CannotJudge:
    return facts.status == "down"


def is_failing(facts: Facts) -> bool | CannotJudge:
    return facts.status in ("down", "degraded")


def is_core(facts: Facts) -> bool | CannotJudge:
    return facts.system_tier == "core"


def cannot(because: str) -> Any:
    def predicate(facts: Facts) -> bool | CannotJudge:
        return CannotJudge(because)

    return predicate


def rule(name: str, severity: Severity, predicate: Any = is_failing, line: int = 1) -> SeverityRule:
    return SeverityRule(name, f"when {name}", severity, predicate, "rules/severity.yaml", line)


RULES = (rule("down", P1, is_down), rule("failing", P2, is_failing, 2))
SHARES = (0.5, 0.75, 1.0)
POLICIES = {
    P1: ResponsePolicy(P1, HOUR, resolve=4 * HOUR, remind=SHARES, version="p1"),
    P2: ResponsePolicy(P2, 4 * HOUR, resolve=24 * HOUR, remind=SHARES, version="p2"),
}


def a_rulebook(
    rules: Sequence[SeverityRule] = RULES,
    response: Mapping[Severity, ResponsePolicy] = POLICIES,
    systems: Sequence[System] = (a_system(),),
    **more: Any,
) -> Rulebook:
    return Rulebook(
        systems={system.name: system for system in systems},
        severity=rules,
        response=response,
        calendars={"24x7": ALWAYS, "office": OFFICE},
        default_channel="ops",
        version="rules-1",
        **more,
    )


def bad(name: str = "health", status: Status = Status.DOWN, since: datetime = T0, **more: Any) -> FailingCheck:
    return FailingCheck(name, "http", status, "status", f"status == 200 (status = 503) of {name}", since, **more)


def slow(name: str = "health", since: datetime = T0, **more: Any) -> FailingCheck:
    return bad(name, Status.DEGRADED, since, **more)


class Play:
    """One system's case, played: each act is decided, kept, and its entries and notices are remembered."""

    def __init__(self, rulebook: Rulebook | None = None, system: str = "erp") -> None:
        self.rulebook = rulebook or a_rulebook()
        self.case = Case(system, 1)
        self.entries: list[Entry] = []
        self.notices: list[Notice] = []
        self.last = Decision(self.case)
        self.now = T0

    @property
    def system(self) -> System:
        return self.rulebook.systems[self.case.system]

    @property
    def incident(self) -> Incident:
        assert self.case.incident is not None
        return self.case.incident

    def keep(self, decision: Decision, now: datetime | None = None) -> Decision:
        self.last = decision
        self.now = max(self.now, now or self.now)
        self.case = _as_stored(decision.case)
        self.entries.extend(decision.entries)
        self.notices.extend(decision.notices)
        return decision

    # --- what happens ---

    def look(self, failing: Iterable[FailingCheck], now: datetime) -> Decision:
        return self.keep(incident.reconcile(self.case, self.rulebook, self.system, tuple(failing), now), now)

    def fails(self, now: datetime = T0, *failing: FailingCheck) -> Decision:
        return self.look(failing or (bad(since=now),), now)

    def recovers(self, now: datetime) -> Decision:
        return self.look((), now)

    def time(self, now: datetime) -> Decision:
        return self.keep(passing.keep_time(self.case, self.rulebook, now), now)

    def until(self, now: datetime) -> None:
        """Let time pass as the timekeeper does: each thing at its own instant."""
        while (
            wake := min((c.wake_at for c in self.case.clocks if c.wake_at), default=None)
        ) is not None and wake <= now:
            self.time(max(wake, self.now))

    def ack(self, at: datetime, now: datetime | None = None, actor: str = "person:li.na") -> Decision:
        return self.keep(acts.acknowledge(self.case, self.rulebook, actor, at, now or at), now or at)

    def unack(self, now: datetime, reason: str = "a slip") -> Decision:
        return self.keep(acts.unacknowledge(self.case, self.rulebook, "person:li.na", reason, now), now)

    def set_severity(self, severity: Severity, now: datetime, reason: str = "as told") -> Decision:
        return self.keep(acts.set_severity(self.case, self.rulebook, "person:li.na", severity, reason, now), now)

    def resolve(self, now: datetime, *still: FailingCheck, anyway: bool = False) -> Decision:
        return self.keep(
            acts.resolve(self.case, self.rulebook, "person:li.na", "mended", still, now, anyway=anyway), now
        )

    def reopen(self, now: datetime) -> Decision:
        return self.keep(acts.reopen(self.case, self.rulebook, "person:li.na", "not mended", now), now)

    def withdraw(self, now: datetime, *gone: str) -> Decision:
        return self.keep(incident.withdraw(self.case, self.rulebook, gone, "user:root", now), now)

    def note(self, now: datetime, text: str = "the switch was dead") -> Decision:
        return self.keep(acts.note(self.case, self.rulebook, "person:li.na", text, now), now)

    def assign(self, now: datetime, person: str = "wang.wei") -> Decision:
        return self.keep(acts.assign(self.case, self.rulebook, "person:li.na", person, now), now)

    # --- what is asked ---

    def clock(self, kind: ClockKind) -> Clock:
        """The clock of a kind that counts."""
        (one,) = [clock for clock in self.case.clocks if clock.kind is kind and clock.superseded_at is None]
        return one

    @property
    def response(self) -> Clock:
        return self.clock(RESPONSE)

    @property
    def resolution(self) -> Clock:
        return self.clock(RESOLUTION)

    def actions(self) -> list[str]:
        return [entry.action for entry in self.entries]

    def said(self, *kinds: NoticeKind) -> list[str]:
        """The events of the last decision's notices, edits left out unless asked for."""
        wanted = kinds or (NoticeKind.PAGE, NoticeKind.REPLY, NoticeKind.BROADCAST)
        return [notice.event for notice in self.last.notices if notice.kind in wanted]

    def rung(self) -> list[str]:
        """The events of the last decision that ring somebody's phone."""
        return self.said(NoticeKind.PAGE, NoticeKind.BROADCAST)


def _as_stored(case: Case) -> Case:
    """Number the clocks and move on the next id, as the store does."""
    highest = max((clock.id or 0 for clock in case.clocks), default=0)
    numbered = []
    for clock in case.clocks:
        if clock.id is None:
            highest += 1
            clock = replace(clock, id=highest)
        numbered.append(clock)
    next_id = max(case.next_id, case.incident.id + 1 if case.incident is not None else 0)
    return replace(case, clocks=tuple(numbered), next_id=next_id)
