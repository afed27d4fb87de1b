"""From the joined entries to the rulebook: names resolved, conditions compiled, secrets read, all that is wrong noted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, TypeVar

from pydantic import BaseModel

from tocsin.config import later
from tocsin.config.checks import CheckBuilder
from tocsin.config.context import Context, digest
from tocsin.config.joined import Joined
from tocsin.config.scalars import parse_name, parse_severity, parse_system_name
from tocsin.config.schema import (
    CHANNELS,
    Defaults,
    HttpOptions,
    PersonRule,
    PolicyRule,
    SlackChannel,
    SystemRule,
    TeamRule,
    WebhookChannel,
    kinds_in,
)
from tocsin.config.severities import SeverityBuilder
from tocsin.config.words import suggestion
from tocsin.config.yaml_positions import Path
from tocsin.core.calendar import ALWAYS, Calendar
from tocsin.core.model import Severity
from tocsin.core.policy import ChannelSpec, Check, Person, ResponsePolicy, Rulebook, System

DEFAULT_CHANNEL = "slack"
"""The name of the channel that the settings make."""

DEFAULT_TARGETS = {Severity.P1: timedelta(hours=1), Severity.P2: timedelta(hours=4)}
DEFAULT_SHARES = (0.5, 1.0)

M = TypeVar("M", bound=BaseModel)


class Builder:
    """Builds one rulebook. What is wrong stands in the context's findings; the result then is of no use."""

    def __init__(self, joined: Joined, context: Context) -> None:
        self._joined = joined
        self._context = context
        self._findings = context.findings
        self._raw = later.refuse(joined.sections, later.RULES, self._findings)

    def build(self) -> Rulebook:
        people = self._people()
        teams = dict(self._entries("teams", TeamRule))
        self._check_members(teams, people)
        channels = self._channels()
        calendars = self._calendars()
        systems = self._systems({**people, **teams}, channels, calendars)
        severity = SeverityBuilder(self._joined, self._context).build(self._raw.get("severity"), systems)
        response = self._response(calendars)
        self._warn_of_missing_policies(response)
        default = DEFAULT_CHANNEL if DEFAULT_CHANNEL in channels else None
        self._warn_of_silence(systems, default)
        return Rulebook(
            systems=systems,
            severity=severity,
            response=response,
            calendars=calendars,
            people=people,
            channels=channels,
            reopen_within=self._context.settings.reopen_within,
            alarms_to=self._alarms_to(channels, default),
            default_channel=default,
            version=self._version(systems, calendars, response),
        )

    # --- people and ways to them --------------------------------------------------------------------------------

    def _entries(self, section: str, model: type[M]) -> Iterator[tuple[str, M]]:
        for name, raw in self._named(section):
            entry = self._findings.validated(model, raw, (section, name))
            if entry is not None:
                yield name, entry

    def _named(self, section: str) -> Iterator[tuple[str, Any]]:
        """The entries of a section whose names can be names."""
        for name, raw in (self._raw.get(section) or {}).items():
            try:
                parse_system_name(name) if section == "systems" else parse_name(name)
            except ValueError as error:
                self._findings.error((section, name), str(error), at_key=True)
                continue
            yield name, raw

    def _people(self) -> dict[str, Person]:
        people = {}
        for name, rule in self._entries("people", PersonRule):
            people[name] = Person(
                name,
                rule.name or name,
                rule.slack or "",
                rule.email or "",
                rule.login or "",
                rule.language or "",
            )
        for key in ("slack", "login"):
            self._refuse_shared(people, key)
        return people

    def _refuse_shared(self, people: Mapping[str, Person], key: str) -> None:
        """An account that is two people's would record the one's acts as the other's."""
        seen: dict[str, str] = {}
        for person in people.values():
            account = getattr(person, key)
            if account and account in seen:
                self._findings.error(
                    ("people", person.id, key), f'{key} "{account}" is already that of {seen[account]}'
                )
            seen.setdefault(account, person.id)

    def _check_members(self, teams: Mapping[str, TeamRule], people: dict[str, Person]) -> None:
        for name, team in teams.items():
            for at, member in enumerate(team.members):
                self._context.known(member, people, "person", ("teams", name, "members", at), section="people")
            if name in people:
                self._findings.error(("teams", name), f'"{name}" is the name of a person already', at_key=True)

    def _channels(self) -> dict[str, ChannelSpec]:
        channels = {}
        default = self._context.settings.slack.channel
        if default is not None:
            channels[DEFAULT_CHANNEL] = ChannelSpec(DEFAULT_CHANNEL, "slack", {"channel": default})
        for name, raw in self._named("channels"):
            if name == DEFAULT_CHANNEL:
                self._findings.error(
                    ("channels", name), 'the name "slack" is taken: it is slack.channel of the settings', at_key=True
                )
                continue
            spec = self._channel(name, raw, ("channels", name))
            if spec is not None:
                channels[name] = spec
        return channels

    def _channel(self, name: str, raw: Any, path: Path) -> ChannelSpec | None:
        kinds = kinds_in(raw, CHANNELS) if isinstance(raw, dict) else []
        if len(kinds) != 1:
            if path not in self._findings.refused:
                self._findings.error(
                    path, f"{name} must have one kind: slack: C0123ABCD or webhook: https://…", at_key=True
                )
            return None
        rule = self._findings.validated(CHANNELS[kinds[0]], raw, path)
        match rule:
            case SlackChannel():
                return ChannelSpec(name, "slack", {"channel": rule.slack}, rule.language or "")
            case WebhookChannel():
                url = self._context.resolved(rule.webhook, (*path, "webhook"))
                secret = self._context.resolved(rule.secret, (*path, "secret"))
                return ChannelSpec(name, "webhook", {"url": url, "secret": secret}, rule.language or "")
            case _:
                return None

    def _alarms_to(self, channels: dict[str, ChannelSpec], default: str | None) -> tuple[str, ...]:
        named = self._context.settings.alarms_to
        for name in named:
            if name not in channels:
                near = suggestion(name, list(channels))
                self._findings.add(
                    [self._context.settings.problem("alarms_to", f'alarms_to: unknown channel "{name}"{near}')]
                )
        return tuple(named) or ((default,) if default else ())

    # --- time ---------------------------------------------------------------------------------------------------

    def _calendars(self) -> dict[str, Calendar]:
        calendars = {ALWAYS.name: ALWAYS}
        for name, raw in self._named("calendars"):
            path = ("calendars", name)
            if name == ALWAYS.name:
                self._findings.error(
                    path, f"{ALWAYS.name} is always there and always open: choose another name", at_key=True
                )
                continue
            if not isinstance(raw, dict):
                self._findings.error(path, f"{name} must be a mapping with hours")
                continue
            calendar = self._calendar(name, raw, path)
            if calendar is not None:
                calendars[name] = calendar
        return calendars

    def _calendar(self, name: str, raw: dict[str, Any], path: Path) -> Calendar | None:
        from tocsin.config.calendars import CalendarProblems, from_mapping

        try:
            return from_mapping(name, raw, self._context.settings.timezone)
        except CalendarProblems as found:
            for problem in found.problems:
                self._findings.error((*path, *problem.path), problem.message, at_key=problem.at_key)
            return None

    def _response(self, calendars: dict[str, Calendar]) -> dict[Severity, ResponsePolicy]:
        if "response" not in self._raw:
            return {
                severity: _policy(severity, PolicyRule(acknowledge=target))
                for severity, target in DEFAULT_TARGETS.items()
            }
        policies = {}
        for name, raw in (self._raw["response"] or {}).items():
            path = ("response", name)
            try:
                severity = parse_severity(name)
            except ValueError as error:
                self._findings.error(path, str(error), at_key=True)
                continue
            rule = self._findings.validated(PolicyRule, raw, path, stand_in={"acknowledge": "1h"})
            if rule is not None:
                self._context.known(
                    rule.calendar, dict(calendars), "calendar", (*path, "calendar"), section="calendars"
                )
                if rule.resolve is not None and rule.resolve < rule.acknowledge:
                    self._findings.warn((*path, "resolve"), "resolve is sooner than acknowledge")
                policies[severity] = _policy(severity, rule)
        return policies

    def _warn_of_missing_policies(self, response: Mapping[Severity, ResponsePolicy]) -> None:
        for at, entry in enumerate(self._raw.get("severity") or []):
            severity = entry.get("is") if isinstance(entry, dict) else None
            if severity in tuple(Severity) and severity not in response:
                text = f"{severity} has no policy under response: its incidents have no clocks and are told once"
                self._findings.warn(("severity", at, "is"), text)

    # --- what is watched ------------------------------------------------------------------------------------------

    def _systems(
        self, owners: dict[str, Any], channels: dict[str, ChannelSpec], calendars: dict[str, Calendar]
    ) -> dict[str, System]:
        builder = CheckBuilder(self._context, self._default_options())
        systems = {}
        for name, raw in self._named("systems"):
            path = ("systems", name)
            if not isinstance(raw, dict):
                self._findings.error(path, f"{name} must be a mapping with an owner and checks", at_key=True)
                continue
            checks = self._checks(builder, name, raw.get("checks"), path)
            head = {key: value for key, value in raw.items() if key != "checks"}
            rule = self._findings.validated(SystemRule, head, path, stand_in={"owner": "nobody"})
            if rule is not None:
                self._check_names(rule, path, owners, channels, calendars)
                systems[name] = _system(name, rule, checks)
        return systems

    def _default_options(self) -> HttpOptions:
        defaults = self._findings.validated(Defaults, self._raw.get("defaults") or {}, ("defaults",))
        return (defaults or Defaults.model_validate({})).check

    def _checks(self, builder: CheckBuilder, system: str, raw: Any, path: Path) -> tuple[Check, ...]:
        path = (*path, "checks")
        if not raw:
            self._findings.error(
                path, f"{system} has no checks (at least one, as health: {{http: https://…}})", at_key=True
            )
            return ()
        if not isinstance(raw, dict):
            self._findings.error(path, "checks must be a mapping of names to checks")
            return ()
        built = []
        for name, entry in raw.items():
            try:
                built.append(builder.build(system, parse_name(name), entry, (*path, name)))
            except ValueError as error:
                self._findings.error((*path, name), str(error), at_key=True)
        return tuple(check for check in built if check is not None)

    def _check_names(
        self,
        rule: SystemRule,
        path: Path,
        owners: dict[str, Any],
        channels: dict[str, ChannelSpec],
        calendars: dict[str, Calendar],
    ) -> None:
        is_written = rule.owner == self._raw["systems"][path[-1]].get("owner")
        if is_written and (owners or self._raw.get("people") or self._raw.get("teams")):
            self._context.known(rule.owner, owners, "owner", (*path, "owner"), section="people")
        for at, channel in enumerate(rule.notify or []):
            self._context.known(channel, channels, "channel", (*path, "notify", at), section="channels")
        if rule.calendar is not None:
            self._context.known(rule.calendar, calendars, "calendar", (*path, "calendar"), section="calendars")

    def _warn_of_silence(self, systems: Mapping[str, System], default: str | None) -> None:
        mute = [name for name, system in systems.items() if not system.notify]
        if mute and default is None:
            names = ", ".join(mute[:3]) + (f" and {len(mute) - 3} more" if len(mute) > 3 else "")
            text = f"nobody is told about {names}: set slack.channel, or notify for each system"
            self._findings.warn_of(self._context.settings.problem("slack", text))

    def _version(
        self,
        systems: Mapping[str, System],
        calendars: Mapping[str, Calendar],
        response: Mapping[Severity, ResponsePolicy],
    ) -> str:
        settings = self._context.settings
        return digest(
            [
                self._joined.as_document(),
                [check.version for system in systems.values() for check in system.checks],
                {name: calendar.version for name, calendar in calendars.items()},
                {severity: policy.version for severity, policy in response.items()},
                [settings.slack.channel, settings.alarms_to, settings.reopen_within],
            ]
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


def _policy(severity: Severity, rule: PolicyRule) -> ResponsePolicy:
    return ResponsePolicy(
        severity=severity,
        acknowledge=rule.acknowledge,
        resolve=rule.resolve,
        update=rule.update,
        calendar=rule.calendar,
        remind=tuple(rule.remind),
        version=digest([severity, rule.model_dump()]),
    )
