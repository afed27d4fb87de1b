"""From `oncall:` to schedules: turns anchored at a date, so that who is on call is the same whenever it is asked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

from tocsin.config.context import Context
from tocsin.config.document import Path
from tocsin.config.duty import DAY, LayerRule, OnCallRule, OverrideRule, TurnsRule, parse_handover, parse_rotation
from tocsin.config.entries import Entries
from tocsin.config.moments import parse_day, parse_moment
from tocsin.config.zones import parse_zone
from tocsin.core.calendar import ALWAYS, Calendar
from tocsin.core.oncall import Layer, OnCall, Override
from tocsin.core.policy import Person

ANCHOR = date(2024, 1, 1)
"""A Monday: the day from which turns are counted where nothing else is said."""
WEEK = 7 * DAY
_OWN = ("rotation", "handover", "since", "members", "hours")


class OnCallBuilder:
    def __init__(
        self, entries: Entries, context: Context, people: Mapping[str, Person], calendars: Mapping[str, Calendar]
    ) -> None:
        self._entries = entries
        self._context = context
        self._findings = context.findings
        self._people = people
        self._calendars = calendars

    def build(self) -> dict[str, OnCall]:
        return {name: self._schedule(name, rule) for name, rule in self._entries.of("oncall", OnCallRule)}

    def _schedule(self, name: str, rule: OnCallRule) -> OnCall:
        path: Path = ("oncall", name)
        zone = self._zone(rule.timezone, self._context.settings.timezone, (*path, "timezone"))
        self._context.known(rule.calendar, self._calendars, "calendar", (*path, "calendar"), section="calendars")
        return OnCall(
            name=name,
            layers=self._layers(name, rule, zone, path),
            overrides=self._overrides(rule.overrides, zone, (*path, "overrides")),
            needed=self._calendars.get(rule.calendar, ALWAYS),
        )

    def _zone(self, named: str | None, otherwise: str, path: Path) -> str:
        if named is None:
            return otherwise
        try:
            return parse_zone(named)
        except ValueError as error:
            self._findings.error(path, str(error))
            return otherwise

    # --- layers ---

    def _layers(self, name: str, rule: OnCallRule, zone: str, path: Path) -> tuple[Layer, ...]:
        if rule.layers is None:
            return tuple(one for one in (self._layer(name, rule, zone, path),) if one is not None)
        for key in _OWN:
            if getattr(rule, key) is not None:
                text = f"{key} stands beside layers (write it into the layers, or leave the layers out)"
                self._findings.error((*path, key), text, at_key=True)
        made = (self._named_layer(at, layer, zone, (*path, "layers", at)) for at, layer in enumerate(rule.layers))
        return tuple(layer for layer in made if layer is not None)

    def _named_layer(self, at: int, rule: LayerRule, zone: str, path: Path) -> Layer | None:
        own = self._zone(rule.timezone, zone, (*path, "timezone"))
        return self._layer(rule.name or f"layer {at + 1}", rule, own, path)

    def _layer(self, name: str, rule: TurnsRule, zone: str, path: Path) -> Layer | None:
        if not rule.members:
            text = "a rotation with nobody: name its people, as members: [li.na, wang.wei]"
            self._findings.error((*path, "members") if rule.members is not None else path, text, at_key=True)
            return None
        for at, member in enumerate(rule.members):
            self._context.known(member, self._people, "person", (*path, "members", at), section="people")
        length = self._length(rule, path)
        first = self._first(rule, length, path)
        return Layer(name, zone, tuple(rule.members), length, first, self._hours(name, rule.hours, zone, path))

    def _length(self, rule: TurnsRule, path: Path) -> timedelta:
        try:
            return parse_rotation(rule.rotation if rule.rotation is not None else "weekly")
        except ValueError as error:
            self._findings.error((*path, "rotation"), str(error))
            return WEEK

    def _first(self, rule: TurnsRule, length: timedelta, path: Path) -> datetime:
        """The wall-clock time at which the first member's turn begins."""
        weekday, at = self._handover(rule, length, path)
        day = ANCHOR
        if rule.since is not None:
            try:
                day = parse_day(rule.since)
            except ValueError as error:
                self._findings.error((*path, "since"), str(error))
        if weekday is not None:
            day += timedelta(days=(weekday - day.weekday()) % 7)
        return datetime.combine(day, time()) + at

    def _handover(self, rule: TurnsRule, length: timedelta, path: Path) -> tuple[int | None, timedelta]:
        is_weekly = not length % WEEK
        written = rule.handover if rule.handover is not None else "mon 09:00" if is_weekly else "09:00"
        try:
            weekday, at = parse_handover(written)
        except ValueError as error:
            self._findings.error((*path, "handover"), str(error))
            return None, timedelta(hours=9)
        if is_weekly and weekday is None:
            self._findings.error((*path, "handover"), f"on which day? (write 'mon {written}')")
        elif not is_weekly and weekday is not None:
            text = (
                f"turns of {rule.rotation} do not begin on the same day each week (write '{written[4:]}', and since:)"
            )
            self._findings.error((*path, "handover"), text)
        return weekday, at

    def _hours(self, name: str, raw: dict[str, Any] | None, zone: str, path: Path) -> Calendar | None:
        return None if raw is None else hours_of(self._context, f"{name}, hours", raw, zone, path)

    # --- overrides ---

    def _overrides(self, rules: list[OverrideRule], zone: str, path: Path) -> tuple[Override, ...]:
        made = (self._override(rule, zone, (*path, at)) for at, rule in enumerate(rules))
        return tuple(override for override in made if override is not None)

    def _override(self, rule: OverrideRule, zone: str, path: Path) -> Override | None:
        self._context.known(rule.person, self._people, "person", (*path, "person"), section="people")
        found: list[datetime] = []
        for key, text in (("from", rule.from_), ("to", rule.to)):
            try:
                found.append(parse_moment(text, zone))
            except ValueError as error:
                self._findings.error((*path, key), str(error))
        if len(found) < 2:
            return None
        start, end = found
        if end <= start:
            text = f"the override ends before it starts: {rule.to} is not after {rule.from_} (swap from and to)"
            self._findings.error((*path, "to"), text)
            return None
        return Override(rule.person, start, end, source="rules")


def hours_of(context: Context, name: str, raw: Mapping[str, Any], zone: str, path: Path) -> Calendar | None:
    """Hours of a week as a calendar without holidays; what is wrong with them is noted."""
    from tocsin.config.calendars import CalendarProblems, from_mapping

    try:
        return from_mapping(name, {"timezone": zone, "hours": raw}, zone)
    except CalendarProblems as error:
        for problem in error.problems:
            context.findings.error((*path, *problem.path), problem.message, at_key=problem.at_key)
        return None
