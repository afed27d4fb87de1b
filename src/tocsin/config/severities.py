"""From the list under `severity:` to rules that can be asked."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from tocsin.config.context import Context
from tocsin.config.document import Path
from tocsin.config.joined import Joined
from tocsin.config.schema import SeverityEntry
from tocsin.config.words import MAX_COMPARED
from tocsin.core.model import Severity
from tocsin.core.policy import Predicate, SeverityRule, System
from tocsin.expressions import ExpressionError, compared_words, compile_decision

BUILT_IN_FILE = "built-in"
BUILT_IN = (
    ("core system down", 'system.tier == "core" && status == "down"', Severity.P1),
    ("anything else that fails", 'status == "down" || status == "degraded"', Severity.P2),
)
"""The rules of a configuration without a section `severity`."""


class SeverityBuilder:
    def __init__(self, joined: Joined, context: Context) -> None:
        self._joined = joined
        self._findings = context.findings
        self._names: dict[str, int] = {}
        self._conditions: dict[str, str] = {}

    def build(self, raw: list[Any] | None, systems: Mapping[str, System]) -> tuple[SeverityRule, ...]:
        if raw is None:
            return tuple(
                SeverityRule(name, when, severity, compile_decision(when), BUILT_IN_FILE, 0)
                for name, when, severity in BUILT_IN
            )
        rules = [self._rule(at, entry) for at, entry in enumerate(raw)]
        built = [rule for rule in rules if rule is not None]
        self._warn_of_near_misses(rules, systems)
        return tuple(built)

    def _rule(self, at: int, raw: Any) -> SeverityRule | None:
        path: Path = ("severity", at)
        entry = self._findings.validated(SeverityEntry, raw, path)
        when = raw.get("when") if isinstance(raw, dict) else None
        predicate = self._predicate(when, (*path, "when")) if isinstance(when, str) else None
        if entry is None or predicate is None:
            return None
        self._refuse_twice(entry.name, at)
        self._warn_of_shadow(entry, path)
        file, line = self._joined.rules[at]
        return SeverityRule(entry.name, entry.when, entry.is_, predicate, file, line)

    def _predicate(self, when: str, path: Path) -> Predicate | None:
        try:
            return compile_decision(when)
        except ExpressionError as error:
            self._findings.expression(path, when, error)
            return None

    def _refuse_twice(self, name: str, at: int) -> None:
        first = self._names.setdefault(name, at)
        if first != at:
            file, line = self._joined.rules[first]
            self._findings.error(
                ("severity", at, "name"), f'severity rule "{name}" stands twice (first in {file}:{line})'
            )

    def _warn_of_shadow(self, entry: SeverityEntry, path: Path) -> None:
        """A rule behind one with the same condition, or behind one that always matches, is never reached."""
        condition = " ".join(entry.when.split())
        earlier = self._conditions.get(condition) or self._conditions.get("true")
        if earlier:
            self._findings.warn((*path, "when"), f'is never reached: "{earlier}" before it matches first')
        self._conditions.setdefault(condition, entry.name)

    def _warn_of_near_misses(self, rules: list[SeverityRule | None], systems: Mapping[str, System]) -> None:
        """A rule for the tier "cor" is a misspelling where there is a tier "core"."""
        known = {
            "system.name": set(systems),
            "system.tier": {system.tier for system in systems.values()},
            "system.owner": {system.owner for system in systems.values()},
            "check.name": {check.name for system in systems.values() for check in system.checks},
        }
        for at, rule in enumerate(rules):
            for name, word in compared_words(rule.when) if rule else ():
                others = known.get(name, set())
                near = [] if word in others else get_close_matches(word, sorted(others)[:MAX_COMPARED], 1)
                if near:
                    self._findings.warn(("severity", at, "when"), f'no {name} is "{word}" (did you mean "{near[0]}"?)')
