"""Ladders: when each step is due, and whom its targets reach at the moment at which it runs.

A target is "person:li.na", "oncall:erp", "team:erp-ops" or "channel:managers". People are reached by a channel of their own
("person:li.na" in the outbox) where they have a Slack id or an address and there is a mail server, else in their team's or the
system's channel, by a mention.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from tocsin.core.calendar import Calendar, due, measure
from tocsin.core.model import NoticeKind, Pause, Reminder, Severity
from tocsin.core.oncall import ends_at, who
from tocsin.core.policy import ResponsePolicy, Rulebook

PERSON = "person:"
MAIL = "mail:"
"""A person's mail where the first way to them is another."""
KINDS = ("person", "oncall", "team", "channel")
LOUD = frozenset(("escalated", "rose", "reopened", "severity_changed", "acknowledgement_expired"))
"""What people are told directly, beside the page itself: what must ring; everything else stands in the thread of the team."""


class Detour(StrEnum):
    """Why somebody is not told where they would be."""

    NO_SLACK = "no_slack"
    NOBODY_ON_CALL = "nobody_on_call"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Way:
    """One way to somebody: the channel (empty: there is none) and the people who are called there by name."""

    target: str
    channel: str
    people: tuple[str, ...] = ()
    detour: Detour | None = None


# --- when -------------------------------------------------------------------------------------------------------------


def plan(
    policy: ResponsePolicy, calendar: Calendar, at: datetime, pauses: tuple[Pause, ...] = ()
) -> tuple[Reminder, ...]:
    """The steps of a policy's ladder on a clock that starts at `at`. A step at 0m is due at once, at any hour."""
    return tuple(_planned(policy, calendar, number, at, pauses) for number in range(1, len(policy.ladder) + 1))


def _planned(
    policy: ResponsePolicy, calendar: Calendar, number: int, at: datetime, pauses: tuple[Pause, ...]
) -> Reminder:
    step = policy.ladder[number - 1]
    span = offset(step.at, policy.acknowledge)
    due_at = at if not span else due(calendar, at, span, pauses)
    return Reminder(span / policy.acknowledge, due_at, step.tell, number, step.repeat)


def offset(at: float | timedelta, target: timedelta) -> timedelta:
    return at if isinstance(at, timedelta) else target * at


def again(step: Reminder, calendar: Calendar, now: datetime) -> Reminder | None:
    """The next time a step that repeats runs: after `now`, in whole repeats of working time from its own instant."""
    if step.repeat is None:
        return None
    count = measure(calendar, step.at, now) // step.repeat + 1
    at = due(calendar, step.at, count * step.repeat)
    return Reminder(step.share, at, step.tell, step.step, step.repeat)


def in_order(reminders: Iterable[Reminder]) -> tuple[Reminder, ...]:
    return tuple(sorted(reminders, key=lambda r: (r.at, r.share, r.step)))


# --- whom -------------------------------------------------------------------------------------------------------------


def ways(rulebook: Rulebook, system: str, targets: Iterable[str], at: datetime) -> tuple[Way, ...]:
    """Whom targets reach at an instant, each channel once with all who are called there."""
    found: dict[tuple[str, Detour | None], Way] = {}
    for target in targets:
        for way in _ways_to(rulebook, system, target, at):
            key = (way.channel, way.detour)
            known = found.get(key)
            people = way.people if known is None else tuple(dict.fromkeys((*known.people, *way.people)))
            found[key] = Way(way.target if known is None else known.target, way.channel, people, way.detour)
    return tuple(found.values())


def _ways_to(rulebook: Rulebook, system: str, target: str, at: datetime) -> Sequence[Way]:
    kind, _, name = target.partition(":")
    match kind:
        case "channel" if name in rulebook.channels:
            return (Way(target, name),)
        case "person" if name in rulebook.people:
            return (_way_to_person(rulebook, system, target, name),)
        case "team" if name in rulebook.teams:
            team = rulebook.teams[name]
            if team.channel:
                return (Way(target, team.channel, team.members),)
            return tuple(_way_to_person(rulebook, system, target, member) for member in team.members)
        case "oncall" if name in rulebook.oncall:
            person = who(rulebook.oncall[name], at)
            if person is None:
                return (Way(target, _fallback(rulebook, system), (), Detour.NOBODY_ON_CALL),)
            return (_way_to_person(rulebook, system, target, person),)
        case _:
            return (Way(target, _fallback(rulebook, system), (), Detour.UNKNOWN),)


def _way_to_person(rulebook: Rulebook, system: str, target: str, name: str) -> Way:
    person = rulebook.people.get(name)
    if person is not None and (person.slack or (person.email and rulebook.has_mail)):
        return Way(target, f"{PERSON}{name}", (name,))
    return Way(target, team_channel(rulebook, name) or _fallback(rulebook, system), (name,), Detour.NO_SLACK)


def team_channel(rulebook: Rulebook, person: str) -> str:
    """The channel of the first team of a person that has one."""
    return next((team.channel for team in rulebook.teams.values() if team.channel and person in team.members), "")


def _fallback(rulebook: Rulebook, system: str) -> str:
    known = rulebook.systems.get(system)
    channels = rulebook.channels_of(known) if known is not None else ()
    return next(iter(channels), rulebook.default_channel or "")


# --- how --------------------------------------------------------------------------------------------------------------


def hears(channel: str, kind: NoticeKind, event: str) -> bool:
    """Whether a channel is told of something: a person directly only what rings, and how the page stands now."""
    if not channel.startswith(PERSON):
        return True
    return kind in (NoticeKind.PAGE, NoticeKind.EDIT) or (kind is NoticeKind.BROADCAST and event in LOUD)


def quiet_until(rulebook: Rulebook, channel: str, severity: Severity | None, at: datetime) -> datetime | None:
    """The end of somebody's quiet hours, when `at` lies in them; None when they may be told now. P1 is told at any hour."""
    person = rulebook.people.get(channel.removeprefix(PERSON)) if channel.startswith(PERSON) else None
    if person is None or person.quiet is None or severity is Severity.P1:
        return None
    end = ends_at(person.quiet, at)
    return end if end > at else None
