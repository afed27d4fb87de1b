"""What becomes of an incident by what its checks say: it opens, rises, is joined and left, resolves, reopens, is withdrawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from tocsin.core import clock as clocks
from tocsin.core import ladder
from tocsin.core.case import TOCSIN, Case, Decision, Draft, FailingCheck, clock_as_data, rule_as_data
from tocsin.core.model import Incident, IncidentState, NoticeKind, Resolution, Severity
from tocsin.core.moves import end, open_again, replan
from tocsin.core.passing import note_passed_deadlines
from tocsin.core.policy import Facts, Rulebook, System, in_language
from tocsin.core.severity import Verdict, judge


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
    draft.clocks = clocks.start_clocks(rulebook, incident.id, incident.severity, draft.now, system=system.name)
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
    open_again(draft, rulebook, TOCSIN, checks, _text_of(lead), _title_of(system, lead))
    if draft.incident is not None and _rises(draft.incident, verdict.severity):
        _rise(draft, rulebook, verdict)


def _rises(incident: Incident, severity: Severity | None) -> bool:
    """After a person set the severity, only a rule's graver answer than the gravest so far raises it again."""
    if severity is None:
        return False
    return severity.is_graver_than(incident.severity) and severity.is_graver_than(incident.rule_severity)


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
    replan(draft, rulebook, verdict.severity, is_rise=True, by_rule=True)
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


def _recover(draft: Draft, rulebook: Rulebook, left: Sequence[str]) -> None:
    end(draft, rulebook, TOCSIN, Resolution.RECOVERED, "recovered", {"checks": list(left)})


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
        end(draft, rulebook, actor, Resolution.WITHDRAWN, "withdrawn", {"checks": names})
    return draft.done()


def _title_of(system: System, check: FailingCheck) -> str:
    return f"{in_language(system.title, 'en') or system.name} is {check.status}"


def _text_of(check: FailingCheck) -> str:
    return f"{check.name}: {check.text}" if check.text else f"{check.name} is {check.status}"
