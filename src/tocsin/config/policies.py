"""From `calendars:` and `response:` to when clocks run, and how long."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from tocsin.config.context import Context, digest
from tocsin.config.document import Path
from tocsin.config.entries import Entries
from tocsin.config.ladders import Ladder
from tocsin.config.scalars import parse_severity
from tocsin.config.schema import PolicyRule
from tocsin.core.calendar import ALWAYS, Calendar
from tocsin.core.model import Severity
from tocsin.core.policy import ResponsePolicy

DEFAULT_TARGETS = {Severity.P1: timedelta(hours=1), Severity.P2: timedelta(hours=4)}
"""The policies of a configuration without a section `response`."""


class PolicyBuilder:
    def __init__(self, entries: Entries, context: Context) -> None:
        self._entries = entries
        self._context = context
        self._findings = context.findings

    def calendars(self) -> dict[str, Calendar]:
        calendars = {ALWAYS.name: ALWAYS}
        for name, raw in self._entries.named("calendars"):
            calendar = self._calendar(name, raw, ("calendars", name))
            if calendar is not None:
                calendars[name] = calendar
        return calendars

    def _calendar(self, name: str, raw: Any, path: Path) -> Calendar | None:
        from tocsin.config.calendars import CalendarProblems, from_mapping

        if not isinstance(raw, dict):
            self._findings.error(path, f"{name} must be a mapping with hours")
            return None
        try:
            return from_mapping(name, raw, self._context.settings.timezone)
        except CalendarProblems as error:
            for problem in error.problems:
                self._findings.error((*path, *problem.path), problem.message, at_key=problem.at_key)
            return None

    def response(
        self, calendars: Mapping[str, Calendar], ladders: Mapping[str, Ladder]
    ) -> dict[Severity, ResponsePolicy]:
        policies = self._policies(calendars, ladders) if "response" in self._entries.raw else _built_in()
        self._warn_of_missing(policies)
        return policies

    def _policies(
        self, calendars: Mapping[str, Calendar], ladders: Mapping[str, Ladder]
    ) -> dict[Severity, ResponsePolicy]:
        policies = {}
        for name, entry in (self._entries.raw["response"] or {}).items():
            path = ("response", name)
            try:
                severity = parse_severity(name)
            except ValueError as error:
                self._findings.error(path, str(error), at_key=True)
                continue
            rule = self._findings.validated(PolicyRule, entry, path, stand_in={"acknowledge": "1h"})
            if rule is not None:
                self._check(rule, path, calendars)
                if rule.escalate is not None:
                    self._context.known(rule.escalate, ladders, "ladder", (*path, "escalate"), section="escalation")
                policies[severity] = _policy(severity, rule, ladders.get(rule.escalate or "", ()))
        return policies

    def _check(self, rule: PolicyRule, path: Path, calendars: Mapping[str, Calendar]) -> None:
        self._context.known(rule.calendar, calendars, "calendar", (*path, "calendar"), section="calendars")
        if rule.resolve is not None and rule.resolve < rule.acknowledge:
            self._findings.warn((*path, "resolve"), "resolve is sooner than acknowledge")

    def _warn_of_missing(self, policies: Mapping[Severity, ResponsePolicy]) -> None:
        for at, entry in enumerate(self._entries.raw.get("severity") or []):
            severity = entry.get("is") if isinstance(entry, dict) else None
            if severity in tuple(Severity) and severity not in policies:
                text = f"{severity} has no policy under response: its incidents have no clocks and are told once"
                self._findings.warn(("severity", at, "is"), text)


def _built_in() -> dict[Severity, ResponsePolicy]:
    rules = {severity: PolicyRule(acknowledge=target) for severity, target in DEFAULT_TARGETS.items()}
    return {severity: _policy(severity, rule) for severity, rule in rules.items()}


def _policy(severity: Severity, rule: PolicyRule, ladder: Ladder = ()) -> ResponsePolicy:
    return ResponsePolicy(
        severity=severity,
        acknowledge=rule.acknowledge,
        resolve=rule.resolve,
        update=rule.update,
        calendar=rule.calendar,
        remind=tuple(rule.remind),
        escalate=rule.escalate or "",
        ladder=ladder,
        acknowledge_for=rule.acknowledge_for,
        version=digest([severity, rule.model_dump(), [[step.at, step.tell, step.repeat] for step in ladder]]),
    )
