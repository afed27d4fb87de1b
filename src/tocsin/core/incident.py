"""What becomes of an incident: one decision from the case as it stands, what happened, and now.

A case is all that is known of one (system, key): its incident (the unresolved one, or the last resolved one, which may reopen) and the
incident's clocks. Every function here returns a `Decision`: the case afterwards, journal entries, notices. Nothing is done here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from tocsin.core import clock as clocks
from tocsin.core import escalation, ladder
from tocsin.core.model import (
    Clock,
    ClockKind,
    Entry,
    Incident,
    IncidentState,
    Notice,
    NoticeKind,
    Pause,
    Priority,
    Resolution,
    RuleReference,
    Severity,
    Status,
    Value,
)
from tocsin.core.policy import Facts, Rulebook, System, in_language
from tocsin.core.severity import RuleFault, Verdict, judge

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


# --- what the checks say --------------------------------------------------------------------------------------------


def facts_of(system: System, check: FailingCheck, failing: Sequence[FailingCheck], now: datetime) -> Facts:
    return Facts(
        system_name=system.name,
        system_tier=system.tier,
        system_owner=system.owner,
        check_name=check.name,
        check_kind=check.kind,
        status=check.status.value,
        reason=check.reason,
        text=check.text,
        down_for=max(now - check.failing_since, now - now),
        values=check.values,
        failing=len(failing),
        checks=len(system.checks),
    )


def judge_all(rulebook: Rulebook, system: System, failing: Sequence[FailingCheck], now: datetime) -> dict[str, Verdict]:
    """The rules' verdict for each failing check that may open or raise something."""
    asked = [check for check in failing if check.is_observed and not check.is_held]
    return {check.name: judge(rulebook.severity, facts_of(system, check, failing, now)) for check in asked}


def reconcile(
    case: Case, rulebook: Rulebook, system: System, failing: Sequence[FailingCheck], now: datetime
) -> Decision:
    """Bring the incident in line with the checks that fail now: open, reopen, rise, joins, leaves, resolve.

    Idempotent: asked again with the same checks it changes nothing. The same function serves a change of status, a failing sample,
    the minute, and the comparison after a start.
    """
    verdicts = judge_all(rulebook, system, failing, now)
    faults = [fault for verdict in verdicts.values() for fault in verdict.faults]
    grave = [check for check in failing if check.name in verdicts and verdicts[check.name].severity is not None]
    draft = Draft(case, now, rulebook)
    if case.open is None and grave:
        lead = min(grave, key=lambda check: (str(verdicts[check.name].severity), check.failing_since, check.name))
        if _may_reopen(case, rulebook, now):
            _reopen(draft, rulebook, system, lead, verdicts[lead.name], grave)
        else:
            _open(draft, rulebook, system, lead, verdicts[lead.name], grave)
    elif case.open is not None:
        _follow(draft, rulebook, system, failing, grave, verdicts)
    return draft.done(faults)


def _may_reopen(case: Case, rulebook: Rulebook, now: datetime) -> bool:
    last = case.incident
    if last is None or last.resolved_at is None or last.resolution is Resolution.WITHDRAWN:
        return False
    return now - last.resolved_at <= rulebook.reopen_within


def _open(
    draft: Draft,
    rulebook: Rulebook,
    system: System,
    lead: FailingCheck,
    verdict: Verdict,
    grave: Sequence[FailingCheck],
) -> None:
    assert verdict.severity is not None
    assert verdict.rule is not None
    incident = Incident(
        id=draft.case.next_id,
        system=system.name,
        key="",
        severity=verdict.severity,
        state=IncidentState.OPEN,
        title=_title_of(system, lead),
        rule=verdict.rule,
        text=_text_of(lead),
        failing_since=min(check.failing_since for check in grave),
        opened_at=draft.now,
        severity_at=draft.now,
        rule_severity=verdict.severity,
        checks=tuple(sorted(check.name for check in grave)),
        channels=rulebook.channels_of(system),
    )
    draft.case = replace(draft.case, incident=None)
    draft.incident = incident
    draft.clocks = clocks.start_clocks(rulebook, incident.id, incident.severity, draft.now)
    draft.record(
        "incident_opened",
        TOCSIN,
        {
            "system": system.name,
            "severity": incident.severity,
            "title": incident.title,
            "rule": rule_as_data(verdict.rule),
            "text": incident.text,
            "checks": list(incident.checks),
            "failing_since": incident.failing_since.isoformat(),
            "clocks": [clock_as_data(clock) for clock in draft.clocks],
            "configuration": rulebook.version,
        },
    )
    draft.tell(NoticeKind.PAGE, "opened", {})
    ladder.run_due(draft, rulebook)


def _reopen(
    draft: Draft,
    rulebook: Rulebook,
    system: System,
    lead: FailingCheck,
    verdict: Verdict,
    grave: Sequence[FailingCheck],
) -> None:
    checks = tuple(sorted(check.name for check in grave))
    _open_again(draft, rulebook, TOCSIN, checks, _text_of(lead), _title_of(system, lead))
    if draft.incident is not None and _rises(draft.incident, verdict.severity):
        _rise(draft, rulebook, verdict)


def _rises(incident: Incident, severity: Severity | None) -> bool:
    """After a person set the severity, only a rule's graver answer than the gravest so far raises it again."""
    if severity is None:
        return False
    return severity.is_graver_than(incident.severity) and severity.is_graver_than(incident.rule_severity)


def _open_again(draft: Draft, rulebook: Rulebook, actor: str, checks: tuple[str, ...], text: str, title: str) -> None:
    incident, now = draft.incident, draft.now
    assert incident is not None
    assert incident.resolved_at is not None
    quiet_since = incident.resolved_at
    draft.clocks = tuple(
        clocks.run_again(rulebook, clock, quiet_since, now) if _runs_again(clock, quiet_since) else clock
        for clock in draft.clocks
    )
    draft.incident = replace(
        incident,
        state=IncidentState.OPEN,
        title=title,
        text=text,
        checks=checks,
        acknowledged_at=None,
        acknowledged_by=None,
        resolved_at=None,
        resolved_by=None,
        resolution=None,
        reopened=incident.reopened + 1,
    )
    data = {"checks": list(checks), "text": draft.incident.text, "quiet_since": quiet_since.isoformat()}
    draft.record("incident_reopened", actor, {**data, "clocks": [clock_as_data(c) for c in current(draft.clocks)]})
    draft.say("reopened", {"text": draft.incident.text, "actor": actor}, rings=True)


def _runs_again(clock: Clock, resolved_at: datetime) -> bool:
    """The response stays as it was decided, unless nobody had had to answer; the resolution goes on.

    An update is owed again from the next acknowledgement on.
    """
    if clock.superseded_at is not None or clock.ended_at is None or clock.kind is ClockKind.UPDATE:
        return False
    return clock.met_at is None if clock.kind is ClockKind.RESPONSE else clock.ended_at >= resolved_at


def _follow(
    draft: Draft,
    rulebook: Rulebook,
    system: System,
    failing: Sequence[FailingCheck],
    grave: Sequence[FailingCheck],
    verdicts: Mapping[str, Verdict],
) -> None:
    incident = draft.incident
    assert incident is not None
    still = {check.name for check in failing}
    joined = [check for check in grave if check.name not in incident.checks]
    left = [name for name in incident.checks if name not in still]
    if left and len(left) == len(incident.checks) and not joined:
        _recover(draft, rulebook, left)
        return
    for check in joined:
        _line(draft, "check_joined", check.name, {"check": check.name, "text": check.text, "status": check.status})
    for name in left:
        _line(draft, "check_left", name, {"check": name})
    draft.incident = replace(incident, checks=tuple(sorted({*incident.checks, *(c.name for c in joined)} - set(left))))
    _rise_by_rule(draft, rulebook, system, grave, verdicts)


def _rise_by_rule(
    draft: Draft,
    rulebook: Rulebook,
    system: System,
    grave: Sequence[FailingCheck],
    verdicts: Mapping[str, Verdict],
) -> None:
    incident = draft.incident
    assert incident is not None
    lead = min(grave, key=lambda check: str(verdicts[check.name].severity), default=None)
    if lead is not None and _rises(incident, verdicts[lead.name].severity):
        draft.incident = replace(incident, title=_title_of(system, lead), text=_text_of(lead))
        _rise(draft, rulebook, verdicts[lead.name])


def _line(draft: Draft, event: str, mark: str, data: Mapping[str, Any]) -> None:
    draft.record(event, TOCSIN, data)
    draft.tell(NoticeKind.REPLY, event, data, mark=f"v{draft.case_version}:{mark}")
    draft.tell(NoticeKind.EDIT, event, {}, mark=f"v{draft.case_version}:{mark}")


def _rise(draft: Draft, rulebook: Rulebook, verdict: Verdict) -> None:
    """The new targets run from now, no due time moves later, and the page goes out again as the higher severity."""
    incident = draft.incident
    assert incident is not None
    assert verdict.severity is not None
    assert verdict.rule is not None
    note_passed_deadlines(draft, draft.now)
    _replan(draft, rulebook, verdict.severity, is_rise=True, by_rule=True)
    draft.incident = replace(
        incident,
        severity=verdict.severity,
        rule_severity=verdict.severity,
        severity_at=draft.now,
        rule=verdict.rule,
    )
    data = {"from": incident.severity, "to": verdict.severity, "rule": rule_as_data(verdict.rule)}
    draft.record("incident_severity_changed", TOCSIN, {**data, **draft.changed_clocks()})
    draft.say("rose", data, rings=True)
    ladder.run_due(draft, rulebook)


def _answered(fresh: Clock, incident: Incident) -> Clock | None:
    """A new clock as a given acknowledgement leaves it: its response is met already (also where the old severity had no policy).

    None where a fall would make an answer late that was not when it was given.
    """
    if fresh.kind is not ClockKind.RESPONSE or incident.acknowledged_at is None:
        return fresh
    return clocks.meet(fresh, incident.acknowledged_at) if incident.acknowledged_at <= fresh.due_at else None


def _replan(draft: Draft, rulebook: Rulebook, severity: Severity, *, is_rise: bool, by_rule: bool) -> None:
    """Put the clocks of another severity in place: from now in a rise, from the opening in a fall, good minutes left out.

    Done by hand it is something new to say, so the time until the next word starts again by itself.
    """
    incident = draft.incident
    assert incident is not None
    with resumed(draft, rulebook):
        pauses = {clock.kind: clock.pauses for clock in current(draft.clocks)}
        start_at = draft.now if is_rise else incident.opened_at
        fresh = clocks.start_clocks(rulebook, incident.id, severity, start_at, None if is_rise else pauses)
        fresh = tuple(answered for clock in fresh if (answered := _answered(clock, incident)) is not None)
        update = clocks.start_update(rulebook, incident.id, severity, draft.now)
        if by_rule and update is not None and is_update_owed(draft):
            fresh = (*fresh, update)
        aside = () if by_rule else tuple(clock for clock in draft.clocks if clock.kind is ClockKind.UPDATE)
        planned = tuple(clock for clock in draft.clocks if clock not in aside)
        draft.clocks = (*aside, *clocks.replan(planned, fresh, draft.now, is_rise=is_rise))


@contextmanager
def resumed(draft: Draft, rulebook: Rulebook) -> Iterator[None]:
    """Let what is paused run while new plans are made, so that every deadline is known, and pause it again afterwards."""
    pauses = {clock.kind: clock.pauses[-1] for clock in current(draft.clocks) if clock.is_paused}
    draft.clocks = tuple(clocks.resume(rulebook, clock, draft.now) for clock in draft.clocks)
    yield
    draft.clocks = tuple(
        clocks.pause(clock, draft.now, pauses[clock.kind].reason, pauses[clock.kind].actor)
        if clock.is_running and clock.kind in pauses
        else clock
        for clock in draft.clocks
    )


def is_update_owed(draft: Draft) -> bool:
    """Whether people wait for the next word: from the acknowledgement on, until it ends."""
    incident = draft.incident
    if incident is None or not incident.is_unresolved:
        return False
    has_running = any(clock.kind is ClockKind.UPDATE and clock.is_running for clock in draft.clocks)
    return has_running or incident.state is IncidentState.ACKNOWLEDGED


def say_something_new(draft: Draft, rulebook: Rulebook, at: datetime) -> None:
    """A person did something, so whoever waits has heard of it: the time until the next word starts again, and the answer holds on."""
    ladder.hold(draft, rulebook)
    update = next((clock for clock in current(draft.clocks) if clock.kind is ClockKind.UPDATE), None)
    incident = draft.incident
    if incident is None or not is_update_owed(draft) or (update is not None and at <= update.started_at):
        return
    note_passed_deadlines(draft, at, ClockKind.UPDATE)
    fresh = clocks.start_update(rulebook, incident.id, incident.severity, at)
    draft.clocks = clocks.say_something_new(rulebook, draft.clocks, fresh, at)


def _recover(draft: Draft, rulebook: Rulebook, left: Sequence[str]) -> None:
    _end(draft, rulebook, TOCSIN, Resolution.RECOVERED, "recovered", {"checks": list(left)})


def _end(
    draft: Draft, rulebook: Rulebook, actor: str, resolution: Resolution, event: str, data: Mapping[str, Any]
) -> None:
    incident, now = draft.incident, draft.now
    assert incident is not None
    answered = resolution is Resolution.BY_HAND
    note_passed_deadlines(draft, now)
    draft.clocks = tuple(
        _ended(clocks.resume(rulebook, clock, now), now, answered, resolution) for clock in draft.clocks
    )
    draft.incident = replace(
        incident,
        state=IncidentState.RESOLVED,
        checks=(),
        resolved_at=now,
        resolved_by=actor,
        resolution=resolution,
    )
    ladder.hold(draft, rulebook)
    outcomes = [clock_as_data(clock) for clock in current(draft.clocks)]
    draft.record("incident_resolved", actor, {**data, "resolution": resolution, "clocks": outcomes})
    draft.say(event, {**data, "actor": actor})


def _ended(clock: Clock, now: datetime, answered: bool, resolution: Resolution) -> Clock:
    """A recovery meets the resolution and voids what nobody had to say any more; a withdrawal voids everything."""
    if resolution is Resolution.WITHDRAWN or (clock.kind is not ClockKind.RESOLUTION and not answered):
        return clocks.void(clock, now)
    return clocks.meet(clock, now)


# --- what people do -------------------------------------------------------------------------------------------------


def acknowledge(case: Case, rulebook: Rulebook, actor: str, at: datetime, now: datetime) -> Decision:
    """Answer the incident at `at`, the instant of the click. A second acknowledgement changes nothing."""
    incident = case.incident
    if incident is None or not incident.is_unresolved:
        return refuse(case, "it is resolved already: there is nothing to acknowledge")
    if incident.state is IncidentState.ACKNOWLEDGED:
        return Decision(case)
    clicked_at = min(max(at, incident.opened_at), now)
    draft = Draft(case, now)
    note_passed_deadlines(draft, clicked_at)
    draft.clocks = tuple(
        clocks.meet(clocks.resume(rulebook, clock, clicked_at), clicked_at)
        if clock.kind is ClockKind.RESPONSE and clock.superseded_at is None
        else clock
        for clock in draft.clocks
    )
    draft.incident = replace(
        incident, state=IncidentState.ACKNOWLEDGED, acknowledged_at=clicked_at, acknowledged_by=actor
    )
    say_something_new(draft, rulebook, clicked_at)
    response = next((c for c in current(draft.clocks) if c.kind is ClockKind.RESPONSE), None)
    data: dict[str, Any] = {"clock": clock_as_data(response)} if response is not None else {}
    if response is not None and _was_told_breached(case.clocks) and response.breached_at is None:
        data["breach_withdrawn"] = "the answer was given before the deadline and heard of after it"
    draft.record("incident_acknowledged", actor, {**data, **draft.changed_clocks()}, at=clicked_at)
    draft.say("acknowledged", {"actor": actor, "at": clicked_at.isoformat()})
    return draft.done()


def _was_told_breached(all_clocks: Sequence[Clock]) -> bool:
    return any(c.kind is ClockKind.RESPONSE and c.breached_at is not None for c in current(all_clocks))


def unacknowledge(case: Case, rulebook: Rulebook, actor: str, reason: str, now: datetime) -> Decision:
    """Take the answer back: the response that it gave is owed again, against its first deadline."""
    incident = case.incident
    if incident is None or incident.state is not IncidentState.ACKNOWLEDGED:
        return refuse(case, "it is not acknowledged: there is nothing to take back")
    draft = Draft(case, now)
    draft.clocks = tuple(
        clocks.owe_again(clock, now) if _was_met_by_acknowledgement(clock, incident) else clock for clock in case.clocks
    )
    draft.incident = replace(incident, state=IncidentState.OPEN, acknowledged_at=None, acknowledged_by=None)
    say_something_new(draft, rulebook, now)
    data = {"reason": reason, "was": incident.acknowledged_by}
    draft.record("incident_unacknowledged", actor, {**data, **draft.changed_clocks()})
    draft.say("unacknowledged", {"actor": actor, "reason": reason})
    return draft.done()


def _was_met_by_acknowledgement(clock: Clock, incident: Incident) -> bool:
    """Whether this acknowledgement answered the clock: after a reopening it may have been an earlier one, which stands."""
    is_response = clock.kind is ClockKind.RESPONSE and clock.superseded_at is None
    return is_response and clock.met_at is not None and clock.met_at == incident.acknowledged_at


def note(case: Case, rulebook: Rulebook, actor: str, text: str, now: datetime) -> Decision:
    if case.incident is None:
        return refuse(case, "there is no such incident")
    draft = Draft(case, now)
    say_something_new(draft, rulebook, now)
    draft.record("incident_noted", actor, {"text": text, **draft.changed_clocks()})
    draft.tell(NoticeKind.REPLY, "noted", {"actor": actor, "text": text})
    return draft.done()


def assign(case: Case, rulebook: Rulebook, actor: str, person: str, now: datetime) -> Decision:
    incident = case.open
    if incident is None:
        return refuse(case, "it is resolved already: there is nothing to assign")
    if incident.assignee == person:
        return Decision(case)
    draft = Draft(case, now)
    draft.incident = replace(incident, assignee=person)
    say_something_new(draft, rulebook, now)
    data = {"to": person, "from": incident.assignee}
    draft.record("incident_assigned", actor, {**data, **draft.changed_clocks()})
    draft.say("assigned", {"actor": actor, "to": person})
    return draft.done()


def set_severity(
    case: Case, rulebook: Rulebook, actor: str, severity: Severity, reason: str, now: datetime
) -> Decision:
    """Set the severity by hand. A rise runs from now, a fall counts from the opening; both plans stay in the record."""
    incident = case.open
    if incident is None:
        return refuse(case, "it is resolved already: its severity stays")
    if incident.severity is severity:
        return Decision(case)
    draft = Draft(case, now, rulebook)
    is_rise = severity.is_graver_than(incident.severity)
    note_passed_deadlines(draft, now)
    draft.incident = replace(incident, severity=severity, severity_at=now)
    _replan(draft, rulebook, severity, is_rise=is_rise, by_rule=False)
    say_something_new(draft, rulebook, now)
    data = {"from": incident.severity, "to": severity, "reason": reason}
    draft.record("incident_severity_changed", actor, {**data, **draft.changed_clocks()})
    draft.say("severity_changed", {**data, "actor": actor}, rings=is_rise)
    ladder.run_due(draft, rulebook)
    return draft.done()


def resolve(
    case: Case,
    rulebook: Rulebook,
    actor: str,
    text: str,
    still_failing: Sequence[FailingCheck],
    now: datetime,
    *,
    anyway: bool,
) -> Decision:
    """Close by hand. While a check still fails that is refused, unless `anyway`; closing unacknowledged is the answer."""
    incident = case.open
    if incident is None:
        return refuse(case, "it is resolved already")
    if still_failing and not anyway:
        failing = "; ".join(f"{check.name}: {check.text or check.status}" for check in still_failing)
        return refuse(case, f"it still fails ({failing}): mend it, or close it all the same with --anyway")
    draft = Draft(case, now)
    if incident.acknowledged_at is None:
        draft.incident = replace(incident, acknowledged_at=now, acknowledged_by=actor)
    data: dict[str, Any] = {"note": text}
    if still_failing:
        data["still_failing"] = [check.name for check in still_failing]
    _end(draft, rulebook, actor, Resolution.BY_HAND, "resolved", data)
    return draft.done()


def reopen(case: Case, rulebook: Rulebook, actor: str, reason: str, now: datetime) -> Decision:
    """Open a resolved incident again, by hand. Without a failing check only a hand resolves it."""
    incident = case.incident
    if incident is None or incident.is_unresolved:
        return refuse(case, "it is not resolved: there is nothing to reopen")
    if incident.resolution is Resolution.WITHDRAWN:
        return refuse(case, "it was withdrawn, since its checks are no longer watched")
    draft = Draft(case, now, rulebook)
    _open_again(draft, rulebook, actor, (), incident.text, incident.title)
    if reason:
        draft.record("incident_noted", actor, {"text": reason})
    return draft.done()


def withdraw(case: Case, rulebook: Rulebook, gone: Sequence[str], actor: str, now: datetime) -> Decision:
    """Checks are no longer watched: a line in the incident; with no check left it ends as withdrawn, its clocks void."""
    incident = case.open
    if incident is None:
        return Decision(case)
    names = [name for name in incident.checks if name in gone]
    if not names:
        return Decision(case)
    draft = Draft(case, now)
    for name in names:
        data = {"check": name, "actor": actor, "at": now.isoformat()}
        draft.record("no_longer_watched", actor, data)
        draft.tell(NoticeKind.REPLY, "no_longer_watched", data, mark=f"v{draft.case_version}:{name}")
    draft.incident = replace(incident, checks=tuple(name for name in incident.checks if name not in gone))
    if draft.incident.checks:
        draft.tell(NoticeKind.EDIT, "no_longer_watched", {})
    else:
        _end(draft, rulebook, actor, Resolution.WITHDRAWN, "withdrawn", {"checks": names})
    return draft.done()


# --- what time does -------------------------------------------------------------------------------------------------


def keep_time(case: Case, rulebook: Rulebook, now: datetime) -> Decision:
    """Everything of the clocks' plans that lies behind `now`, recorded at its true instant, and told.

    On time, each thing is told by itself. What a stop made late is told once for each clock, naming all that passed; what is older than a
    day is for the journal only. Reminders of the resolution begin with the acknowledgement; its breach is always told. Steps of the ladder
    run, and an answer that nothing followed expires.
    """
    if case.open is None:
        return Decision(case)
    draft = Draft(case, now, rulebook)
    ladder.expire(draft, rulebook)
    draft.clocks = tuple(note_passed(draft, clock) for clock in draft.clocks)
    ladder.run_due(draft, rulebook)
    return draft.done()


def note_passed_deadlines(draft: Draft, before: datetime, only: ClockKind | None = None) -> None:
    """Record a deadline that nobody has noted yet, before what is decided now ends its clock or puts another in its place."""

    def is_unnoted(clock: Clock) -> bool:
        is_meant = only is None or clock.kind is only
        is_counting = clock.is_running and not clock.is_paused
        return is_meant and is_counting and clock.breached_at is None and clock.due_at < before

    draft.clocks = tuple(note_passed(draft, clock) if is_unnoted(clock) else clock for clock in draft.clocks)


def note_passed(draft: Draft, clock: Clock) -> Clock:
    """Record and tell what of a clock's plan lies behind now; returns the clock after it."""
    after, passed = clocks.reach(clock, draft.now)
    said = [item for item in passed if item.is_breach or _is_reminded(clock, draft.incident)]
    for item in said:
        _record_passed(draft, clock, item)
    _tell_passed(draft, clock, [item for item in said if draft.now - item.at <= clocks.TOO_OLD_TO_TELL])
    return after


def _is_reminded(clock: Clock, incident: Incident | None) -> bool:
    is_answered = incident is not None and incident.state is IncidentState.ACKNOWLEDGED
    return clock.kind is ClockKind.RESPONSE or is_answered


def _record_passed(draft: Draft, clock: Clock, item: clocks.Passed) -> None:
    data: dict[str, Any] = {
        "clock": clock.kind,
        "share": item.share,
        "due_at": clock.due_at.isoformat(),
        "severity": clock.severity,
    }
    if draft.now - item.at > clocks.LATE_AFTER:
        data["detected_at"] = draft.now.isoformat()
    draft.record("clock_breached" if item.is_breach else "clock_reminded", TOCSIN, data, at=item.at)


def _tell_passed(draft: Draft, clock: Clock, items: Sequence[clocks.Passed]) -> None:
    if not items:
        return
    last = items[-1]
    is_late = draft.now - items[0].at > clocks.LATE_AFTER
    data: dict[str, Any] = {"clock": clock.kind, "due_at": clock.due_at.isoformat(), "late": is_late}
    has_breach = any(item.is_breach for item in items)
    # After a reopening, a rise, or an answer that was taken back, the same share of the same kind of clock is another fact.
    mark = f"v{draft.case_version}:{clock.kind}:{clock.severity}:{clock.started_at.timestamp():.0f}:{last.share}"
    if len(items) > 1:
        listed = [{"share": i.share, "at": i.at.isoformat(), "breach": i.is_breach} for i in items]
        event, data = "late_summary", {**data, "items": listed}
    elif has_breach:
        event = "breached"
    else:
        event, data = "reminder", {**data, "share": last.share}
    # A deadline that passes must ring; an edit or a thread line rings nobody's phone. A missing update is between whoever is on it and
    # the thread.
    is_update = clock.kind is ClockKind.UPDATE
    rings = not is_update and (
        has_breach or (draft.incident is not None and draft.incident.state is IncidentState.OPEN)
    )
    kind = NoticeKind.BROADCAST if rings else NoticeKind.REPLY
    draft.tell(kind, event, data, priority=None if has_breach else Priority.REPEAT, mark=mark)
    draft.tell(NoticeKind.EDIT, event, {}, mark=mark)


# --- as data --------------------------------------------------------------------------------------------------------


def current(all_clocks: Sequence[Clock]) -> list[Clock]:
    return [clock for clock in all_clocks if clock.superseded_at is None]


def _title_of(system: System, check: FailingCheck) -> str:
    return f"{in_language(system.title, 'en') or system.name} is {check.status}"


def _text_of(check: FailingCheck) -> str:
    return f"{check.name}: {check.text}" if check.text else f"{check.name} is {check.status}"


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
