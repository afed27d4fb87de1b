"""What a person reads, in plain text, for every channel without blocks of its own: a headline, what happened, facts, where to look.

Pure. Each channel puts it into its own markup and escapes it there. Whatever a notice's data holds, something readable comes of it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from tocsin.channels.golive_text import is_golive
from tocsin.channels.golive_text import told as golive_told
from tocsin.channels.slack import times
from tocsin.core.bundle import EVENT as BUNDLE
from tocsin.core.model import Clock, ClockKind, Incident, IncidentState, NoticeKind, Resolution
from tocsin.core.policy import in_language
from tocsin.ports import Message
from tocsin.words import Words, words

TEXT_MAX = 1200
WHY_MAX = 400
LINE_MAX = 300
LISTED = 20
ESSENTIAL = frozenset(
    (
        "acknowledged",
        "unacknowledged",
        "recovered",
        "resolved",
        "withdrawn",
        "acknowledgement_expired",
        "alarm",
        "alarm_over",
    )
)
"""Lines that are told although they ring nobody, where there are no threads to put the others into."""
COLOURS: Mapping[str, str] = {
    "🚨": "red",
    "🔴": "red",
    "🟠": "orange",
    "🟡": "yellow",
    "🔵": "blue",
    "🟢": "green",
    "⚪": "grey",
}


@dataclass(frozen=True, slots=True)
class Link:
    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Told:
    """`body` is one paragraph a line. `facts` are label and text. `colour` is one of COLOURS' values."""

    headline: str
    body: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    remarks: tuple[str, ...]
    links: tuple[Link, ...]
    colour: str
    subject: str
    is_over: bool = False

    def lines(self) -> list[str]:
        """All of it as plain lines, the headline left out."""
        told = [*self.body, *(f"{label}: {text}" for label, text in self.facts), *self.remarks]
        return [*told, *(f"{link.label}: {link.url}" for link in self.links)]


def hears(kind: NoticeKind, event: str) -> bool:
    """What is told where there are neither edits nor threads: what rings, and what changes whether somebody has to act."""
    match kind:
        case NoticeKind.EDIT:
            return False
        case NoticeKind.REPLY:
            return event in ESSENTIAL
        case _:
            return True


def tell(message: Message) -> Told:
    """Find the words for a message."""
    teller = _Teller(message)
    return teller.of_incident(message.incident) if message.incident is not None else teller.of_itself()


def remarks(message: Message) -> tuple[str, ...]:
    """Why a message comes late, and why it comes here."""
    return _Teller(message).remarks()


def bundle_lines(message: Message) -> list[str]:
    """What many messages that waited were about."""
    return _Teller(message).bundle()


def clean(value: object, limit: int) -> str:
    """Text of data on one line, without what would rearrange it, and not longer than a reader needs."""
    kept = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in str(value))
    text = " ".join(kept.split())
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}…"


class _Teller:
    def __init__(self, message: Message) -> None:
        self.message = message
        self.say: Words = words("told", message.language)
        self.zone: ZoneInfo = times.zone_of(message.timezone)
        self.now: datetime = message.now or message.at

    # --- an incident ---

    def of_incident(self, incident: Incident) -> Told:
        emoji, state = self._standing(incident)
        subject = self.say("head.subject", severity=incident.severity, title=self.title(), incident=incident.id)
        filled = {"emoji": emoji, "severity": incident.severity, "state": state, "title": self.title()}
        return Told(
            headline=self.say("head.incident", incident=incident.id, **filled),
            body=tuple(self.line().split("\n")),
            facts=tuple(self._facts(incident)),
            remarks=self.remarks(),
            links=tuple(self._links(incident)),
            colour=COLOURS.get(emoji, "grey"),
            subject=subject,
            is_over=not incident.is_unresolved,
        )

    def title(self) -> str:
        system, incident = self.message.system, self.message.incident
        named = in_language(system.title, self.message.language) if system is not None else ""
        return clean(named or (incident.system if incident is not None else ""), 100)

    def _standing(self, incident: Incident) -> tuple[str, str]:
        match incident.state:
            case IncidentState.OPEN if self._is_overdue(ClockKind.RESPONSE):
                emoji, state = "🚨", "overdue"
            case IncidentState.OPEN:
                emoji, state = {"P1": "🔴", "P2": "🟠"}.get(incident.severity, "🟡"), "open"
            case IncidentState.ACKNOWLEDGED if self._is_overdue(ClockKind.RESOLUTION):
                emoji, state = "🚨", "late"
            case IncidentState.ACKNOWLEDGED:
                emoji, state = "🔵", "acknowledged"
            case IncidentState.RESOLVED if incident.resolution is Resolution.WITHDRAWN:
                emoji, state = "⚪", "withdrawn"
            case IncidentState.RESOLVED:
                emoji, state = "🟢", "recovered" if incident.resolution is Resolution.RECOVERED else "resolved"
        return emoji, self.say(f"state.{state}")

    def _clock(self, kind: ClockKind) -> Clock | None:
        return next((c for c in self.message.clocks if c.kind is kind and c.superseded_at is None), None)

    def _is_overdue(self, kind: ClockKind) -> bool:
        clock = self._clock(kind)
        if clock is None or not clock.is_running:
            return False
        return clock.breached_at is not None or (clock.due_at <= self.now and not clock.is_paused)

    def _facts(self, incident: Incident) -> list[tuple[str, str]]:
        say = self.say
        label = say("fact.what_fails" if incident.is_unresolved else "fact.what_failed")
        facts = [(label, clean(incident.text, TEXT_MAX))]
        if not incident.is_unresolved:
            return facts
        facts += self._dues(incident)
        facts.append((say("fact.owner"), self._owner()))
        if incident.assignee:
            facts.append((say("fact.assignee"), self.actor(incident.assignee)))
        facts.append((say("fact.failing_since"), self.when(incident.failing_since)))
        if incident.checks:
            facts.append((say("fact.checks"), clean(say("line.and").join(incident.checks), LINE_MAX)))
        facts.append((say("fact.why", severity=incident.severity), clean(incident.rule.name, 200)))
        return facts

    def _dues(self, incident: Incident) -> list[tuple[str, str]]:
        wanted = [(ClockKind.RESOLUTION, "resolution"), (ClockKind.UPDATE, "update")]
        if incident.state is IncidentState.OPEN:
            wanted.insert(0, (ClockKind.RESPONSE, "answer"))
        return [due for kind, word in wanted if (due := self._due(kind, word)) is not None]

    def _due(self, kind: ClockKind, word: str) -> tuple[str, str] | None:
        clock = self._clock(kind)
        if clock is None or not clock.is_running:
            return None
        is_overdue = self._is_overdue(kind) and kind is not ClockKind.UPDATE
        when = times.with_zone(self.say, clock.due_at, self.zone)
        text = self.say("fact.paused", when=when) if clock.is_paused else when
        return self.say(f"fact.{word}_overdue" if is_overdue else f"fact.{word}"), text

    def _owner(self) -> str:
        message = self.message
        if message.owner is not None:
            return clean(message.owner.name, 200)
        return clean(message.system.owner, 100) if message.system is not None else self.say("line.nobody")

    def _links(self, incident: Incident) -> list[Link]:
        system, links = self.message.system, []
        if system is not None and system.runbook and incident.is_unresolved:
            links.append(Link(self.say("fact.runbook_label"), system.runbook))
        if self.message.link:
            links.append(Link(self.say("fact.link", incident=incident.id), self.message.link))
        return links

    # --- everything else ---

    def of_itself(self) -> Told:
        message = self.message
        if is_golive(message.event):
            return self._golive()
        headline = self._headline()
        body = tuple(self.bundle()) if message.event == BUNDLE else tuple(self.line().split("\n"))
        links = (Link(self.say("fact.list_link"), message.link),) if message.link else ()
        return Told(headline, body, (), self.remarks(), links, _colour_of(message), headline)

    def _golive(self) -> Told:
        message = self.message
        said = golive_told(message.event, message.data, message.language, self.zone, message.people, self.now)
        body = tuple(clean(text, TEXT_MAX) for text in (said.line, *said.facts) if text)
        links = (Link(said.head, message.link),) if message.link else ()
        return Told(clean(said.head, LINE_MAX), body, (), self.remarks(), links, _colour_of(message), said.head)

    def _headline(self) -> str:
        match self.message.event:
            case "alarm" | "alarm_over" as event:
                return self.say(f"head.{event}", alarm=self._text("alarm"))
            case "handover":
                return self.say("head.handover", oncall=self._text("oncall"))
            case "test":
                return self.say("head.test")
            case "bundle":
                return self.say("head.bundle", count=self._text("incidents"))
            case event:
                return self.say("head.other", what=clean(event.replace("_", " "), 100))

    def remarks(self) -> tuple[str, ...]:
        message, told = self.message, []
        if instead := self._get("instead_of"):
            why = clean(self._get("because") or "?", WHY_MAX)
            told.append(self.say("remark.instead", channel=clean(instead, 80), why=why))
        if message.late_by is not None:
            span = times.span(self.say, message.late_by)
            why = clean(message.late_because, WHY_MAX)
            told.append(
                self.say("remark.late", span=span, why=why) if why else self.say("remark.late_waiting", span=span)
            )
        return tuple(told)

    def bundle(self) -> list[str]:
        data = self.message.data
        found = data.get("severities")
        counts = found.items() if isinstance(found, Mapping) else ()
        graded = self.say("line.and").join(f"{clean(count, 8)} {clean(severity, 4)}" for severity, count in counts)
        numbers = {name: clean(data.get(name, "?"), 8) for name in ("notices", "incidents", "unresolved")}
        head = self.say(
            "line.bundle",
            notices=numbers["notices"],
            count=numbers["incidents"],
            unresolved=numbers["unresolved"],
            severities=f"{self.say('line.and').strip()} {graded}" if graded else "",
        )
        listed = [one for one in data.get("listed") or () if isinstance(one, Mapping)]
        lines = [f"• {self._brief(one)}" for one in listed[:LISTED]]
        count = data.get("incidents")
        if isinstance(count, int) and count > len(lines):
            lines.append(f"• {self.say('line.more', count=count - len(lines))}")
        return [head, *lines]

    def _brief(self, one: Mapping[str, Any]) -> str:
        state = one.get("state")
        known = state if state in ("open", "acknowledged", "resolved") else "open"
        return self.say(
            "line.bundle_one",
            severity=clean(one.get("severity", "?"), 4),
            title=clean(one.get("title", "?"), 120),
            incident=clean(one.get("id", "?"), 12),
            state=self.say(f"state.{known}"),
        )

    # --- one line ---

    def line(self) -> str:
        told = _LINES.get(self.message.event, _Teller._other)(self)
        return (
            f"{told}{self.say('line.told_late')}" if self._get("late") and self.message.event in _MAY_BE_LATE else told
        )

    def _get(self, key: str) -> Any:
        return self.message.data.get(key)

    def _text(self, key: str, limit: int = 200) -> str:
        value = self._get(key)
        return "?" if value is None else clean(value, limit)

    def when(self, at: datetime) -> str:
        return times.when(self.say, at, self.zone)

    def _at(self, key: str) -> str:
        at = times.read_instant(self._get(key))
        return self._text(key, 40) if at is None else self.when(at)

    def actor(self, actor: object) -> str:
        """Say who an actor is, in words."""
        text = str(actor)
        if text in ("tocsin", "local"):
            return self.say(f"actor.{text}")
        account, spoken_for, person = text.partition(" for ")
        if spoken_for:
            name = clean(account.partition(":")[2] or account, 100)
            return self.say("actor.as_person", name=name, person=self.actor(person))
        kind, _, name = text.partition(":")
        match kind:
            case "person":
                people = self.message.people
                return clean(people[name].name if name in people else name, 100)
            case "user":
                return self.say("actor.account", name=clean(name, 100))
            case "token" | "slack":
                return self.say(f"actor.{kind}", name=clean(name, 100))
            case _:
                return clean(text, 100) or self.say("actor.unknown")

    def _actor(self) -> str:
        return self.actor(self._get("actor") or "")

    def _reason(self, key: str = "reason") -> str:
        value = self._get(key)
        return self.say("line.reason", text=clean(value, TEXT_MAX)) if value else ""

    def _list(self, key: str) -> str:
        value = self._get(key)
        if not isinstance(value, Sequence) or isinstance(value, str):
            return "?"
        return clean(self.say("line.and").join(str(one) for one in value), LINE_MAX)

    def _opened(self) -> str:
        incident = self.message.incident
        return self.say("line.opened", severity=incident.severity if incident is not None else "?")

    def _acknowledged(self) -> str:
        incident, at = self.message.incident, times.read_instant(self._get("at"))
        took = ""
        if incident is not None and at is not None:
            took = self.say("line.took", span=times.span(self.say, at - incident.opened_at))
        return self.say("line.acknowledged", actor=self._actor(), at=self._at("at"), took=took)

    def _severity_changed(self) -> str:
        filled = {"from": self._text("from", 10), "to": self._text("to", 10)}
        return self.say("line.severity_changed", actor=self._actor(), reason=self._reason(), **filled)

    def _rose(self) -> str:
        rule = self._get("rule")
        name = clean(rule.get("name", "?") if isinstance(rule, Mapping) else rule or "?", 200)
        return self.say("line.rose", rule=name, **{"from": self._text("from", 10), "to": self._text("to", 10)})

    def _reopened(self) -> str:
        if str(self._get("actor") or "tocsin") != "tocsin":
            return self.say("line.reopened_by_hand", actor=self._actor(), reason=self._reason())
        return self.say("line.reopened")

    def _resolved(self) -> str:
        if self._get("still_failing"):
            checks = self._list("still_failing")
            return self.say("line.resolved_anyway", actor=self._actor(), checks=checks, reason=self._reason("note"))
        return self.say("line.resolved", actor=self._actor(), reason=self._reason("note"))

    def _kind(self) -> str:
        kind = str(self._get("clock"))
        return kind if any(kind == known.value for known in ClockKind) else ClockKind.RESPONSE.value

    def _reminder(self) -> str:
        share = self._get("share")
        return self.say(
            f"line.reminder_{self._kind()}", share=f"{share:.0%}" if isinstance(share, int | float) else "?"
        )

    def _breached(self) -> str:
        return self.say(f"line.breached_{self._kind()}", due=self._at("due_at"))

    def _late_summary(self) -> str:
        items = self._get("items")
        listed = items if isinstance(items, list | tuple) else ()
        is_breach = any(isinstance(one, Mapping) and one.get("breach") for one in listed)
        return self.say("line.late_summary" if is_breach else "line.late_summary_quiet", due=self._at("due_at"))

    def _escalated(self) -> str:
        listed = self._get("people")
        names = [self.actor(f"person:{one}") for one in listed[:10]] if isinstance(listed, list | tuple) else []
        who = self.say("line.and").join(names) or clean(str(self._get("target") or "?").partition(":")[2], 80)
        note = str(self._get("detour") or "")
        detour = self.say(f"line.detour_{note}") if note in ("no_slack", "nobody_on_call", "unknown") else ""
        if self._get("actor"):
            return self.say("line.called", actor=self._actor(), who=who, detour=detour)
        return self.say("line.escalated", step=self._text("step", 10), who=who, detour=detour)

    def _handover(self) -> str:
        until = self._at("until") if self._get("until") else self.say("line.until_open")
        person = self.actor(f"person:{self._get('person')}")
        head = self.say("line.handover", person=person, oncall=self._text("oncall", 80), until=until)
        listed = [one for one in self._get("incidents") or () if isinstance(one, Mapping)]
        lines = [f"• {self._brief(one)}" for one in listed[:LISTED]]
        count = self._get("count")
        if isinstance(count, int) and count > len(lines):
            lines.append(f"• {self.say('line.more', count=count - len(lines))}")
        return "\n".join([head, *(lines or [self.say("line.nothing_open")])])

    def _with_check(self) -> str:
        text = clean(self._get("text") or "", LINE_MAX)
        key = f"line.{self.message.event}"
        return (
            self.say(key, check=self._text("check"), text=text)
            if self.message.event == "check_joined"
            else (self.say(key, check=self._text("check")))
        )

    def _with_reason(self) -> str:
        return self.say(f"line.{self.message.event}", actor=self._actor(), reason=self._reason())

    def _noted(self) -> str:
        return self.say("line.noted", actor=self._actor(), text=clean(self._get("text") or "", TEXT_MAX))

    def _assigned(self) -> str:
        return self.say("line.assigned", actor=self._actor(), to=self.actor(self._get("to") or "?"))

    def _expired(self) -> str:
        return self.say("line.acknowledgement_expired", actor=self._actor())

    def _alarm(self) -> str:
        return self.say(f"line.{self.message.event}", text=clean(self._get("text") or "", TEXT_MAX))

    def _plain(self) -> str:
        return self.say(f"line.{self.message.event}")

    def _other(self) -> str:
        facts = self.say("line.and").join(f"{clean(k, 40)}: {clean(v, 150)}" for k, v in self.message.data.items())
        event = clean(self.message.event.replace("_", " "), 100)
        return self.say("line.other", event=event, facts=f" ({clean(facts, LINE_MAX)})" if facts else "")


def _colour_of(message: Message) -> str:
    return {"alarm": "orange", "alarm_over": "green", BUNDLE: "red"}.get(message.event, "grey")


_MAY_BE_LATE = ("breached", "escalated")
_LINES: Mapping[str, Callable[[_Teller], str]] = {
    "opened": _Teller._opened,
    "acknowledged": _Teller._acknowledged,
    "unacknowledged": _Teller._with_reason,
    "noted": _Teller._noted,
    "severity_changed": _Teller._severity_changed,
    "rose": _Teller._rose,
    "reopened": _Teller._reopened,
    "resolved": _Teller._resolved,
    "recovered": _Teller._plain,
    "withdrawn": _Teller._plain,
    "reminder": _Teller._reminder,
    "breached": _Teller._breached,
    "late_summary": _Teller._late_summary,
    "assigned": _Teller._assigned,
    "paused": _Teller._with_reason,
    "resumed": _Teller._with_reason,
    "replanned": _Teller._with_reason,
    "excluded": _Teller._with_reason,
    "escalated": _Teller._escalated,
    "acknowledgement_expired": _Teller._expired,
    "check_joined": _Teller._with_check,
    "check_left": _Teller._with_check,
    "no_longer_watched": _Teller._with_check,
    "alarm": _Teller._alarm,
    "alarm_over": _Teller._alarm,
    "handover": _Teller._handover,
    "test": _Teller._plain,
}
