"""From `people:`, `teams:` and `channels:` to those who are told, and the ways to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tocsin.config.channels import CHANNELS, EXAMPLES, Rule, pace_of
from tocsin.config.context import Context
from tocsin.config.document import Path
from tocsin.config.duty import QuietRule
from tocsin.config.entries import Entries
from tocsin.config.oncall import hours_of
from tocsin.config.scalars import SecretName
from tocsin.config.schema import PersonRule, TeamRule, kinds_in
from tocsin.config.words import suggestion
from tocsin.config.zones import parse_zone
from tocsin.core.calendar import Calendar
from tocsin.core.pace import PACES
from tocsin.core.policy import ChannelSpec, Person, Team

DEFAULT_CHANNEL = "slack"
"""The name of the channel that the settings make."""


class PeopleBuilder:
    def __init__(self, entries: Entries, context: Context) -> None:
        self._entries = entries
        self._context = context
        self._findings = context.findings

    def people(self) -> dict[str, Person]:
        people = {name: self._person(name, rule) for name, rule in self._entries.of("people", PersonRule)}
        for key in ("slack", "login"):
            self._refuse_shared(people, key)
        return people

    def _person(self, name: str, rule: PersonRule) -> Person:
        return Person(
            id=name,
            name=rule.name or name,
            slack=rule.slack or "",
            email=rule.email or "",
            login=rule.login or "",
            language=rule.language or "",
            quiet=self._quiet(name, rule.quiet),
        )

    def _quiet(self, name: str, rule: QuietRule | None) -> Calendar | None:
        if rule is None:
            return None
        path: Path = ("people", name, "quiet")
        zone = self._context.settings.timezone
        try:
            zone = zone if rule.timezone is None else parse_zone(rule.timezone)
        except ValueError as error:
            self._findings.error((*path, "timezone"), str(error))
        return hours_of(self._context, f"quiet hours of {name}", rule.hours, zone, path)

    def _refuse_shared(self, people: Mapping[str, Person], key: str) -> None:
        """An account that is two people's would record the one's acts as the other's."""
        seen: dict[str, str] = {}
        for person in people.values():
            account = getattr(person, key)
            if account and account in seen:
                text = f'{key} "{account}" is already that of {seen[account]}'
                self._findings.error(("people", person.id, key), text)
            seen.setdefault(account, person.id)

    def teams(self, people: dict[str, Person], channels: Mapping[str, ChannelSpec]) -> dict[str, Team]:
        teams = {}
        for name, rule in self._entries.of("teams", TeamRule):
            for at, member in enumerate(rule.members):
                self._context.known(member, people, "person", ("teams", name, "members", at), section="people")
            if name in people:
                self._findings.error(("teams", name), f'"{name}" is the name of a person already', at_key=True)
            if rule.channel is not None:
                self._context.known(rule.channel, channels, "channel", ("teams", name, "channel"), section="channels")
            teams[name] = Team(name, rule.title or {"": name}, tuple(rule.members), rule.channel or "")
        return teams

    def channels(self) -> dict[str, ChannelSpec]:
        channels = {}
        default = self._context.settings.slack.channel
        if default is not None:
            channels[DEFAULT_CHANNEL] = ChannelSpec(
                DEFAULT_CHANNEL,
                "slack",
                {"channel": default},
                fallback=self._context.settings.slack.fallback or "",
                pace=PACES["slack"],
            )
        for name, raw in self._entries.named("channels"):
            path = ("channels", name)
            if name == DEFAULT_CHANNEL:
                text = 'the name "slack" is taken: it is slack.channel of the settings'
                self._findings.error(path, text, at_key=True)
            elif (spec := self._channel(name, raw, path)) is not None:
                channels[name] = spec
        for name, spec in channels.items():
            if spec.fallback == name:
                self._findings.error(("channels", name, "fallback"), f"{name} cannot stand in for itself")
            elif spec.fallback:
                self._context.known(
                    spec.fallback, channels, "channel", ("channels", name, "fallback"), section="channels"
                )
        return channels

    def _channel(self, name: str, raw: Any, path: Path) -> ChannelSpec | None:
        kinds = kinds_in(raw, CHANNELS) if isinstance(raw, dict) else []
        if len(kinds) != 1:
            if path not in self._findings.refused:
                text = f"{name} must have one kind: {EXAMPLES}"
                self._findings.error(path, text, at_key=True)
            return None
        rule: Rule | None = self._findings.validated(CHANNELS[kinds[0]], raw, path)
        if rule is None:
            return None
        options = {key: self._resolved(value, (*path, key)) for key, value in rule.options().items()}
        pace = pace_of(kinds[0], rule)
        return ChannelSpec(name, kinds[0], options, rule.language or "", rule.fallback or "", pace)

    def _resolved(self, value: Any, path: Path) -> Any:
        return self._context.resolved(value, path) if isinstance(value, SecretName) else value

    def alarms_to(self, channels: Mapping[str, ChannelSpec]) -> tuple[str, ...]:
        settings = self._context.settings
        for name in settings.alarms_to:
            if name not in channels:
                text = f'alarms_to: unknown channel "{name}"{suggestion(name, list(channels))}'
                self._findings.add([settings.problem("alarms_to", text)])
        default = (DEFAULT_CHANNEL,) if DEFAULT_CHANNEL in channels else ()
        return tuple(settings.alarms_to) or default
