"""From `systems:` to what is watched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tocsin.config.checks import CheckBuilder
from tocsin.config.context import Context
from tocsin.config.document import Path
from tocsin.config.entries import Entries
from tocsin.config.scalars import parse_name
from tocsin.config.schema import Defaults, HttpOptions, SystemRule
from tocsin.core.calendar import ALWAYS
from tocsin.core.policy import Check, System


@dataclass(frozen=True, slots=True)
class Known:
    """The names that a system may refer to. `owners` is None where nobody is declared: then any name will do."""

    owners: Mapping[str, Any] | None
    channels: Mapping[str, Any]
    calendars: Mapping[str, Any]


class SystemBuilder:
    def __init__(self, entries: Entries, context: Context, known: Known) -> None:
        self._entries = entries
        self._context = context
        self._findings = context.findings
        self._known = known

    def build(self) -> dict[str, System]:
        checks = CheckBuilder(self._context, self._default_options())
        built = {name: self._system(checks, name, raw) for name, raw in self._entries.named("systems")}
        return {name: system for name, system in built.items() if system is not None}

    def _default_options(self) -> HttpOptions:
        raw = self._entries.raw.get("defaults") or {}
        defaults = self._findings.validated(Defaults, raw, ("defaults",))
        return (defaults or Defaults.model_validate({})).check

    def _system(self, builder: CheckBuilder, name: str, raw: Any) -> System | None:
        path = ("systems", name)
        if not isinstance(raw, dict):
            self._findings.error(path, f"{name} must be a mapping with an owner and checks", at_key=True)
            return None
        checks = self._checks(builder, name, raw.get("checks"), (*path, "checks"))
        head = {key: value for key, value in raw.items() if key != "checks"}
        rule = self._findings.validated(SystemRule, head, path, stand_in={"owner": "nobody"})
        if rule is None:
            return None
        if rule.owner == raw.get("owner") and self._known.owners is not None:
            self._context.known(rule.owner, self._known.owners, "owner", (*path, "owner"), section="people")
        self._check_names(rule, path)
        return _system(name, rule, checks)

    def _checks(self, builder: CheckBuilder, system: str, raw: Any, path: Path) -> tuple[Check, ...]:
        if not raw:
            text = f"{system} has no checks (at least one, as health: {{http: https://…}})"
            self._findings.error(path, text, at_key=True)
            return ()
        if not isinstance(raw, dict):
            self._findings.error(path, "checks must be a mapping of names to checks")
            return ()
        built = [self._check(builder, system, name, entry, (*path, name)) for name, entry in raw.items()]
        return tuple(check for check in built if check is not None)

    def _check(self, builder: CheckBuilder, system: str, name: str, raw: Any, path: Path) -> Check | None:
        try:
            parse_name(name)
        except ValueError as error:
            self._findings.error(path, str(error), at_key=True)
            return None
        return builder.build(system, name, raw, path)

    def _check_names(self, rule: SystemRule, path: Path) -> None:
        for at, channel in enumerate(rule.notify or []):
            self._context.known(channel, self._known.channels, "channel", (*path, "notify", at), section="channels")
        if rule.calendar is not None:
            self._context.known(
                rule.calendar, self._known.calendars, "calendar", (*path, "calendar"), section="calendars"
            )


def _system(name: str, rule: SystemRule, checks: tuple[Check, ...]) -> System:
    return System(
        name=name,
        title=rule.title or {"": name},
        owner=rule.owner,
        checks=checks,
        tier=rule.tier or "",
        runbook=rule.runbook or "",
        notify=tuple(rule.notify or ()),
        calendar=rule.calendar or ALWAYS.name,
    )
