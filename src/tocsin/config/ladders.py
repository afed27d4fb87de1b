"""From `escalation:` to ladders: targets that exist, steps in order, and nobody left without a way to be told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

from tocsin.config.context import Context
from tocsin.config.document import Path
from tocsin.config.duty import StepRule
from tocsin.config.entries import Entries
from tocsin.config.spans import show_span
from tocsin.core.escalation import offset
from tocsin.core.model import Severity
from tocsin.core.oncall import OnCall
from tocsin.core.policy import ChannelSpec, Person, ResponsePolicy, Step, System, Team

Ladder = tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """Whom steps may tell."""

    people: Mapping[str, Person]
    teams: Mapping[str, Team]
    channels: Mapping[str, ChannelSpec]
    oncall: Mapping[str, OnCall]


class LadderBuilder:
    def __init__(self, entries: Entries, context: Context, known: Known) -> None:
        self._entries = entries
        self._context = context
        self._findings = context.findings
        self._known = known
        self._sections = {
            "person": (known.people, "people"),
            "oncall": (known.oncall, "oncall"),
            "team": (known.teams, "teams"),
            "channel": (known.channels, "channels"),
        }

    def build(self) -> dict[str, Ladder]:
        ladders: dict[str, Ladder] = {}
        for name, raw in self._entries.named("escalation"):
            path: Path = ("escalation", name)
            ladders[name] = ()
            if not isinstance(raw, list):
                self._findings.error(path, f"{name} must be a list of steps, as - {{at: 0m, tell: {{person: li.na}}}}")
            elif not raw:
                self._findings.error(path, f"{name} reaches nobody: it has no step (write - {{at: 0m, tell: …}})")
            else:
                made = (self._step(entry, (*path, at)) for at, entry in enumerate(raw))
                ladders[name] = tuple(step for step in made if step is not None)
                self._check_order(ladders[name], timedelta(hours=1), path, "", only_alike=True)
        return ladders

    def _step(self, raw: object, path: Path) -> Step | None:
        rule = self._findings.validated(StepRule, raw, path)
        if rule is None:
            return None
        is_list = isinstance(raw, dict) and isinstance(raw.get("tell"), list)
        for at, target in enumerate(rule.tell):
            kind, _, name = target.partition(":")
            names, section = self._sections[kind]
            place = (*path, "tell", at, kind) if is_list else (*path, "tell", kind)
            self._context.known(name, names, _THINGS[kind], place, section=section)
        return Step(rule.at, tuple(rule.tell), rule.repeat)

    def _check_order(self, ladder: Ladder, target: timedelta, path: Path, where: str, *, only_alike: bool) -> None:
        """Shares and spans in one ladder can be compared only for a target."""
        for at, (before, after) in enumerate(pairwise(ladder), start=1):
            if only_alike is not (isinstance(before.at, timedelta) is isinstance(after.at, timedelta)):
                continue
            if offset(after.at, target) <= offset(before.at, target):
                text = (
                    f"{_shown(after.at)} stands behind {_shown(before.at)}{where}: write the steps in order, each once"
                )
                self._findings.error((*path, at, "at"), text)

    def check(
        self,
        ladders: Mapping[str, Ladder],
        response: Mapping[Severity, ResponsePolicy],
        systems: Mapping[str, System],
        default: str | None,
    ) -> None:
        """What can be said only when policies and systems are known too."""
        used = {policy.escalate for policy in response.values()}
        has_fallback = default is not None or (bool(systems) and all(system.notify for system in systems.values()))
        for name, ladder in ladders.items():
            path: Path = ("escalation", name)
            if name not in used:
                self._findings.warn(path, f"no policy under response escalates by {name}", at_key=True)
            for at, step in enumerate(ladder):
                if not has_fallback and not any(self._reaches(target) for target in step.tell):
                    text = f"reaches nobody: {', '.join(step.tell)} has no Slack id and no channel (give one, or set slack.channel)"
                    self._findings.error((*path, at, "tell"), text)
        for policy in response.values():
            ladder = ladders.get(policy.escalate, ())
            where = f" (of the {show_span(policy.acknowledge)} of {policy.severity})"
            self._check_order(ladder, policy.acknowledge, ("escalation", policy.escalate), where, only_alike=False)

    def _reaches(self, target: str) -> bool:
        kind, _, name = target.partition(":")
        match kind:
            case "channel":
                return name in self._known.channels
            case "team":
                team = self._known.teams.get(name)
                return team is not None and (bool(team.channel) or any(map(self._has_way, team.members)))
            case "oncall":
                schedule = self._known.oncall.get(name)
                layers = schedule.layers if schedule is not None else ()
                return any(self._has_way(member) for layer in layers for member in layer.members)
            case _:
                return self._has_way(name)

    def _has_way(self, name: str) -> bool:
        person = self._known.people.get(name)
        in_team = any(team.channel and name in team.members for team in self._known.teams.values())
        return in_team or (person is not None and bool(person.slack))


_THINGS = {"person": "person", "oncall": "on-call schedule", "team": "team", "channel": "channel"}


def _shown(at: float | timedelta) -> str:
    return show_span(at) if isinstance(at, timedelta) else f"{at * 100:g}%"
