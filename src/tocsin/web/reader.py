"""Who reads a page: the language, the zone, and the instant at which it is said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from tocsin.core.policy import in_language
from tocsin.words import words

NEVER = "–"


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant as a page shows it: for machines, shortly, and in full."""

    iso: str
    short: str
    full: str


@dataclass(frozen=True, slots=True)
class Reader:
    language: str
    zone: ZoneInfo
    now: datetime

    @property
    def html_language(self) -> str:
        return "zh-Hans" if self.language == "zh_CN" else "en"

    def say(self, key: str, **filled: object) -> str:
        return words("web", self.language)(key, **filled)

    def say_or(self, key: str, otherwise: str) -> str:
        """The words of a key that another version may have written."""
        try:
            return self.say(key)
        except KeyError:
            return otherwise

    def title(self, text: Mapping[str, str] | str | None, name: str) -> str:
        if isinstance(text, str):
            return text or name
        return in_language(text or {}, self.language) or name

    def span(self, seconds: float) -> str:
        """About how long: `42 s`, `12 min`, `3 h 05 min`, `2 d 4 h`. The page's script says the same."""
        whole = max(0, int(seconds))
        if whole < 60:
            return self.say("unit.s", n=whole)
        if whole < 3600:
            return self.say("unit.min", n=whole // 60)
        if whole < 48 * 3600:
            return f"{self.say('unit.h', n=whole // 3600)} {self.say('unit.min', n=f'{whole % 3600 // 60:02d}')}"
        return f"{self.say('unit.d', n=whole // 86400)} {self.say('unit.h', n=whole % 86400 // 3600)}"

    def since(self, text: str | None) -> str:
        """How long it has been so; nothing when nobody knows."""
        return "" if text is None else self.span((self.now - instant(text)).total_seconds())

    def moment(self, text: str) -> Moment:
        at = instant(text)
        local = at.astimezone(self.zone)
        today = self.now.astimezone(self.zone).date()
        short = f"{local:%H:%M}" if local.date() == today else f"{local:%m-%d %H:%M}"
        return Moment(f"{at:%Y-%m-%dT%H:%M:%SZ}", short, f"{local:%Y-%m-%d %H:%M:%S} {self.zone.key}")

    def actor(self, text: str | None) -> str:
        """`person:li.na` as people say it. For whom a root account acted stands with it."""
        if not text:
            return NEVER
        if " for " in text:
            by, _, whom = text.partition(" for ")
            return self.say("actor.for", by=self.actor(by), whom=self.actor(whom))
        if text in ("local", "tocsin"):
            return self.say(f"actor.{text}")
        return text.partition(":")[2] or text


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def countdown(seconds: float) -> str:
    """What is left, to the second: `52:07`, `3:52:07`, `51:00:09`."""
    whole = max(0, int(seconds))
    hours, minutes = whole // 3600, whole % 3600 // 60
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes:02d}:{whole % 60:02d}"


def milliseconds(seconds: float | None) -> str:
    if seconds is None:
        return NEVER
    if seconds < 0.9995:
        return f"{seconds * 1000:.{1 if seconds < 0.00995 else 0}f} ms"
    return f"{seconds:.2f} s"
