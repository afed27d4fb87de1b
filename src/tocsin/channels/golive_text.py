"""What is told of a go-live watch, in the reader's language and in plain text: each channel puts it into its own markup.

Pure. Whatever a notice's data holds, something readable comes of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tocsin.core.policy import Person
from tocsin.words import Words, words

PREFIX = "golive_"
CARD = "golive_card"
LISTED = 6
EMOJI = {
    "planned": "🗓️",
    "watching": "🚀",
    "extended": "🚀",
    "in_review": "📝",
    "signed_off": "✅",
    "cancelled": "⚪",
    "rolled_back": "⏪",
}
MEASURED = ("golive_checkpoint", "golive_status", "golive_handover", CARD)
FIGURES = ("concurrency", "error_rate", "p95_s", "availability")
NAMED = ("golive_breached", "golive_escalated", "golive_reviewed")
"""What calls people by name."""

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class GoLiveText:
    """`head` names the watch and its state, `line` says what happened, `facts` how it stands. `people` are called by name."""

    head: str
    line: str
    facts: tuple[str, ...]
    people: tuple[str, ...]


def is_golive(event: str) -> bool:
    return event.startswith(PREFIX)


def told(
    event: str, data: Json, language: str, timezone: ZoneInfo, people: Mapping[str, Person], now: datetime
) -> GoLiveText:
    teller = _Teller(data, words("golive", language), timezone, people, now)
    line = "" if event == CARD else teller.line(event)
    facts = teller.facts() if event in MEASURED or "systems" in data else teller.card_facts()
    called = tuple(str(one) for one in _list(data.get("people"))) if event in NAMED else ()
    return GoLiveText(teller.head(), line, tuple(facts), called)


def _list(value: object) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()


class _Teller:
    def __init__(self, data: Json, say: Words, zone: ZoneInfo, people: Mapping[str, Person], now: datetime) -> None:
        self.data = data
        found = data.get("golive")
        self.card: Json = found if isinstance(found, Mapping) else {}
        self.say = say
        self.zone = zone
        self.people = people
        self.now = now

    # --- the head and the facts of a watch ---

    def head(self) -> str:
        state = str(self.card.get("state", "watching"))
        known = state if state in EMOJI else "watching"
        return self.say(
            "card.head",
            emoji=EMOJI[known],
            systems=self.say("line.and").join(str(name).upper() for name in _list(self.card.get("systems"))),
            version=self.card.get("version", "?"),
            state=self.say(f"state.{known}"),
            id=self.card.get("id", "?"),
        )

    def card_facts(self) -> list[str]:
        return [self._review(), self.say("card.owner", who=self.person(str(self.card.get("owner", "?"))))]

    def _review(self) -> str:
        card, due = self.card, self.at(self.card.get("review_due_at"))
        if card.get("ended_at"):
            return self.say("card.ended", at=self.at(card["ended_at"]), who=self.actor(card.get("ended_by")))
        if card.get("reviewed"):
            signed = set(_list(card.get("signed")))
            left = [self.person(str(one)) for one in _list(card.get("signers")) if one not in signed]
            return self.say("card.reviewed", people=self.say("line.and").join(left) or "–")
        if card.get("state") == "planned":
            return self.say("card.starts", at=self.at(card.get("starts_at")), due=due)
        return self.say("card.overdue" if card.get("overdue") else "card.review", due=due)

    def facts(self) -> list[str]:
        criteria = [one for one in _list(self.data.get("exit")) if isinstance(one, Mapping)]
        told = self.card_facts()
        told += [self._figures(one) for one in _list(self.data.get("systems")) if isinstance(one, Mapping)]
        if criteria:
            met = sum(bool(one.get("met")) for one in criteria)
            told.append(self.say("card.exit", met=met, all=len(criteria)))
            told.append(self._open())
        return told

    def _open(self) -> str:
        listed = [one for one in _list(self.data.get("incidents")) if isinstance(one, Mapping)]
        unresolved = [one for one in listed if one.get("state") != "resolved"]
        named = [
            self.say("card.incident", severity=i.get("severity", "?"), id=i.get("id", "?"), title=i.get("title", "?"))
            for i in unresolved[:LISTED]
        ]
        return (
            self.say("card.open", incidents=self.say("line.and").join(named)) if named else self.say("card.none_open")
        )

    def _figures(self, one: Json) -> str:
        live, before = one.get("live"), one.get("before")
        parts = [self._figure(name, live, before) for name in FIGURES] if isinstance(live, Mapping) else []
        shown = self.say("figure.join").join(part for part in parts if part) or self.say("figure.nothing")
        return self.say("figure.line", system=str(one.get("system", "?")).upper(), figures=shown)

    def _figure(self, name: str, live: Json, before: Any) -> str:
        if live.get(name) is None:
            return ""
        then = before.get(name) if isinstance(before, Mapping) else None
        compared = "" if then is None else self.say("figure.before", value=figure(name, then))
        return self.say(f"figure.{name}", live=figure(name, live[name]), before=compared)

    # --- what happened ---

    def line(self, event: str) -> str:
        found = _LINES.get(event.removeprefix(PREFIX))
        told = found(self) if found is not None else event.replace("_", " ")
        return f"{told}{self.say('line.late')}" if self.data.get("late") else told

    def _planned(self) -> str:
        return self.say("line.planned", actor=self._actor(), at=self.at(self.card.get("starts_at")))

    def _started(self) -> str:
        actor = str(self.data.get("actor", "tocsin"))
        by = "" if actor == "tocsin" else self.say("line.started_by", actor=self.actor(actor))
        return self.say("line.started", by=by, due=self.at(self.data.get("due_at")))

    def _checkpoint(self) -> str:
        kind = str(self.data.get("kind"))
        known = kind if kind in ("opening", "regular", "asked") else "regular"
        told = self.say(f"line.{known}", actor=self._actor()) if known == "asked" else self.say(f"line.{known}")
        if missed := self.data.get("missed"):
            told += self.say("line.missed", n=missed)
        text = str(self.data.get("text") or "")
        return f"{told} {text}".rstrip()

    def _status(self) -> str:
        return self.say("line.status")

    def _handover(self) -> str:
        names = {name: self._named(self.data.get(name)) for name in ("person", "previous")}
        return self.say("line.handover", oncall=self.data.get("oncall", "?"), **names)

    def _named(self, person: object) -> str:
        return self.person(str(person)) if person else self.say("line.nobody")

    def _noted(self) -> str:
        kind = str(self.data.get("kind"))
        key = {"handover": "note_handover"}.get(
            kind, kind if kind in ("decision", "change", "rollback_call") else "note"
        )
        return self.say(f"line.{key}", actor=self._actor(), text=self.data.get("text", ""))

    def _reminder(self) -> str:
        share = self.data.get("share")
        shown = f"{share:.0%}" if isinstance(share, int | float) else "?"
        return self.say("line.reminder", share=shown, due=self.at(self.data.get("due_at")))

    def _due(self, key: str) -> str:
        return self.say(f"line.{key}", due=self.at(self.data.get("due_at")))

    def _escalated(self) -> str:
        return self.say("line.escalated", due=self.at(self.data.get("due_at")), people=self._people())

    def _people(self) -> str:
        return self.say("line.and").join(self.person(str(one)) for one in _list(self.data.get("people"))) or "–"

    def _extended(self) -> str:
        due = self.at(self.data.get("due_at"))
        return self.say("line.extended", actor=self._actor(), due=due, reason=self.data.get("reason", ""))

    def _reviewed(self) -> str:
        verdict = self.say("line.go" if self.data.get("verdict") == "go" else "line.extend")
        text = self.data.get("text") or ""
        told = self.say("line.reviewed", actor=self._actor(), verdict=verdict, text=text).rstrip()
        return f"{told} {self.say('line.must_sign', people=self._people())}" if self.data.get("people") else told

    def _signed_off(self) -> str:
        told = [self.say("line.signed_off", actor=self._actor(), text=self.data.get("text") or "").rstrip()]
        if overruled := _list(self.data.get("overruled")):
            told.append(self.say("line.overruled", rules=self.say("line.and").join(str(one) for one in overruled)))
        if self.data.get("last"):
            told.append(self.say("line.all_signed"))
        elif self.data.get("people"):
            told.append(self.say("line.must_sign", people=self._people()))
        return " ".join(told)

    def _with_reason(self, key: str) -> str:
        return self.say(f"line.{key}", actor=self._actor(), reason=self.data.get("reason", ""))

    # --- names and times ---

    def _actor(self) -> str:
        return self.actor(self.data.get("actor"))

    def actor(self, actor: object) -> str:
        text = str(actor or "tocsin")
        if text in ("tocsin", "local"):
            return self.say(f"actor.{text}")
        account, spoken_for, whom = text.partition(" for ")
        if spoken_for:
            return self.say("actor.as_person", name=account.partition(":")[2] or account, person=self.actor(whom))
        kind, _, name = text.partition(":")
        if kind == "person":
            return self.person(name)
        return self.say("actor.account", name=name or text)

    def person(self, name: str) -> str:
        return self.people[name].name if name in self.people else name

    def at(self, text: object) -> str:
        try:
            local = datetime.fromisoformat(str(text)).astimezone(self.zone)
        except ValueError:
            return "?"
        is_near = abs(local - self.now) < timedelta(hours=20) and local.date() == self.now.astimezone(self.zone).date()
        return f"{local:%H:%M}" if is_near else f"{local:%m-%d %H:%M}"


def figure(name: str, value: float) -> str:
    """A figure as people read it, the same in both languages."""
    if name.endswith("_s"):
        return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"
    if name == "concurrency":
        return f"{value:,.0f}"
    return f"{value:.2%}"


_LINES: Mapping[str, Callable[[_Teller], str]] = {
    "planned": _Teller._planned,
    "started": _Teller._started,
    "checkpoint": _Teller._checkpoint,
    "status": _Teller._status,
    "handover": _Teller._handover,
    "noted": _Teller._noted,
    "reminder": _Teller._reminder,
    "breached": lambda teller: teller._due("breached"),
    "escalated": _Teller._escalated,
    "extended": _Teller._extended,
    "reviewed": _Teller._reviewed,
    "signed_off": _Teller._signed_off,
    "cancelled": lambda teller: teller._with_reason("cancelled"),
    "rolled_back": lambda teller: teller._with_reason("rolled_back"),
}
