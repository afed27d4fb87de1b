"""What a message is written from: the notice, its incident as it stands at the moment of sending, and the reader's words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from tocsin.channels.slack import times
from tocsin.channels.slack.text import inline, mention, plain
from tocsin.core.model import Clock, ClockKind, Incident, IncidentState, Resolution
from tocsin.core.policy import Person, in_language
from tocsin.ports import Message
from tocsin.words import Words, words

NAME_MAX = 100


@dataclass(frozen=True, slots=True)
class View:
    message: Message
    say: Words
    zone: ZoneInfo
    now: datetime

    def when(self, at: datetime) -> str:
        return times.when(self.say, at, self.zone)

    def deadline(self, at: datetime) -> str:
        return times.with_zone(self.say, at, self.zone)

    def span(self, length: timedelta) -> str:
        return times.span(self.say, length)

    def actor(self, actor: object) -> str:
        """The name of who did something. Never a mention: being named in a line is no reason for a phone to ring."""
        return inline(name_of(actor, self.message.people, self.say), NAME_MAX)

    def person(self, identity: str) -> str:
        """Call a person (one that an account spoke for, too), by a mention where their Slack id is known."""
        person = self.message.people.get(identity.rpartition("person:")[2])
        return self.actor(identity) if person is None else mention(person.slack, person.name)

    def clock(self, kind: ClockKind) -> Clock | None:
        """The clock of a kind that counts."""
        return next((c for c in self.message.clocks if c.kind is kind and c.superseded_at is None), None)

    def is_overdue(self, kind: ClockKind) -> bool:
        clock = self.clock(kind)
        if clock is None or not clock.is_running:
            return False
        return clock.breached_at is not None or (clock.due_at <= self.now and not clock.is_paused)

    def title(self) -> str:
        """What the system is called, on one line; not escaped."""
        system, incident = self.message.system, self.message.incident
        named = in_language(system.title, self.message.language) if system is not None else ""
        return plain(named or (incident.system if incident is not None else ""), NAME_MAX)


def view_of(message: Message) -> View:
    say = words("slack", message.language)
    return View(message, say, times.zone_of(message.timezone), message.now or message.at)


def name_of(actor: object, people: Mapping[str, Person], say: Words) -> str:
    """Say who an actor is, in words."""
    text = str(actor)
    if text in ("tocsin", "local"):
        return say(f"actor.{text}")
    account, spoken_for, person = text.partition(" for ")
    if spoken_for:
        return say("actor.as_person", name=account.partition(":")[2] or account, person=name_of(person, people, say))
    kind, _, name = text.partition(":")
    match kind:
        case "person":
            return people[name].name if name in people else name
        case "user":
            return say("actor.account", name=name)
        case "token" | "slack":
            return say(f"actor.{kind}", name=name)
        case _:
            return text or say("actor.unknown")


OPEN_EMOJI = {"P1": "🔴", "P2": "🟠"}


def standing(view: View, incident: Incident) -> tuple[str, str]:
    """The emoji and the words for the state of an incident."""
    match incident.state:
        case IncidentState.OPEN if view.is_overdue(ClockKind.RESPONSE):
            emoji, state = "🚨", "overdue"
        case IncidentState.OPEN:
            emoji, state = OPEN_EMOJI.get(incident.severity, "🟡"), "open"
        case IncidentState.ACKNOWLEDGED if view.is_overdue(ClockKind.RESOLUTION):
            emoji, state = "🚨", "late"
        case IncidentState.ACKNOWLEDGED:
            emoji, state = "🔵", "acknowledged"
        case IncidentState.RESOLVED:
            emoji, state = _ending(incident)
    return emoji, view.say(f"state.{state}")


def _ending(incident: Incident) -> tuple[str, str]:
    match incident.resolution:
        case Resolution.RECOVERED:
            return "🟢", "recovered"
        case Resolution.WITHDRAWN:
            return "⚪", "withdrawn"
        case Resolution.BY_HAND | None:
            return "🟢", "resolved"
