"""Who is on call: rotations with hand-overs in local time, layers of which the first that covers wins, overrides before all.

Everything is a pure function of the schedule and an instant. A hand-over is the first instant at which the wall clock of the layer's zone
shows its time or a later one, so it stays at 09:00 when the clocks change. Instants are aware and come back in UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from tocsin.core.calendar import ALWAYS, Calendar, working
from tocsin.core.local_time import first_showing, zone_named
from tocsin.core.stretches import Stretch, without

NOTHING = timedelta(0)
BY_OVERRIDE = "override"
LONGEST_STRETCH = timedelta(days=400)


@dataclass(frozen=True, slots=True)
class Layer:
    """Members who take turns. `first` is the wall-clock time at which the first member's turn begins; turns lie before it as well.

    `hours` are when the layer covers; None: always.
    """

    name: str
    zone: str
    members: tuple[str, ...]
    length: timedelta
    first: datetime
    hours: Calendar | None = None


@dataclass(frozen=True, slots=True)
class Override:
    """Somebody else is on call for a while. Of several at the same instant the last one in the list wins."""

    person: str
    start: datetime
    end: datetime
    actor: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class OnCall:
    """`needed` is when somebody has to be on call: only there a gap is one."""

    name: str
    layers: tuple[Layer, ...]
    overrides: tuple[Override, ...] = ()
    needed: Calendar = ALWAYS


@dataclass(frozen=True, slots=True)
class Shift:
    """One person from one instant to another. Person None is a gap; `why` names the layer, or is "override"."""

    start: datetime
    end: datetime
    person: str | None
    why: str = ""


def who(oncall: OnCall, at: datetime) -> str | None:
    """The person on call at an instant; None when there is nobody."""
    return _on(oncall, at)[0]


def _on(oncall: OnCall, at: datetime) -> tuple[str | None, str]:
    for override in reversed(oncall.overrides):
        if override.start <= at < override.end:
            return override.person, BY_OVERRIDE
    for layer in oncall.layers:
        if covers(layer, at):
            return member(layer, at), layer.name
    return None, ""


def covers(layer: Layer, at: datetime) -> bool:
    return layer.hours is None or any(True for _ in working(layer.hours, at, at + timedelta(microseconds=1)))


def member(layer: Layer, at: datetime) -> str:
    """Whose turn it is in a layer, whether it covers the instant or not."""
    return layer.members[turn(layer, at) % len(layer.members)]


def turn(layer: Layer, at: datetime) -> int:
    """The number of the turn that an instant lies in; the first member's first one is 0."""
    wall = at.astimezone(zone_named(layer.zone)).replace(tzinfo=None)
    number = (wall - layer.first) // layer.length
    while handover(layer, number + 1) <= at:
        number += 1
    while handover(layer, number) > at:
        number -= 1
    return number


def handover(layer: Layer, number: int) -> datetime:
    """The instant at which a turn begins."""
    return first_showing(zone_named(layer.zone), layer.first + number * layer.length)


def shifts(oncall: OnCall, start: datetime, end: datetime) -> tuple[Shift, ...]:
    """Who is on call from `start` to `end`, without holes: gaps are shifts of nobody. At most 400 days."""
    start, end = start.astimezone(UTC), min(end.astimezone(UTC), start.astimezone(UTC) + LONGEST_STRETCH)
    if start >= end:
        return ()
    edges = sorted({start, end, *(at for at in _edges(oncall, start, end) if start < at < end)})
    parts = (Shift(a, b, *_on(oncall, a)) for a, b in pairwise(edges))
    return tuple(_joined(parts))


def _edges(oncall: OnCall, start: datetime, end: datetime) -> Iterator[datetime]:
    """Every instant at which it may become somebody else."""
    for override in oncall.overrides:
        yield from (override.start, override.end)
    for layer in oncall.layers:
        number = turn(layer, start)
        while (at := handover(layer, number)) < end:
            yield at
            number += 1
        if layer.hours is not None:
            for opens, closes in working(layer.hours, start, end):
                yield from (opens, closes)


def _joined(parts: Iterable[Shift]) -> Iterator[Shift]:
    """Make neighbours of the same person, for the same reason, one."""
    last: Shift | None = None
    for part in parts:
        if last is not None and (last.person, last.why) == (part.person, part.why):
            last = replace(last, end=part.end)
            continue
        if last is not None:
            yield last
        last = part
    if last is not None:
        yield last


def gaps(oncall: OnCall, start: datetime, end: datetime) -> tuple[Stretch, ...]:
    """When somebody is needed and nobody is on call."""
    covered = [(shift.start, shift.end) for shift in shifts(oncall, start, end) if shift.person is not None]
    return tuple(_merged(without(working(oncall.needed, start, end), covered)))


def _merged(stretches: Iterable[Stretch]) -> Iterator[Stretch]:
    last: Stretch | None = None
    for begin, end in stretches:
        if last is not None and last[1] >= begin:
            last = (last[0], max(last[1], end))
            continue
        if last is not None:
            yield last
        last = (begin, end)
    if last is not None:
        yield last


def ends_at(calendar: Calendar, at: datetime) -> datetime:
    """The end of the stretch of a calendar's hours in which `at` lies; `at` itself outside of them."""
    reached = at
    for begin, end in working(calendar, at, at + timedelta(days=8)):
        if begin > reached:
            break
        reached = end
    return reached


def stays_until(turns: Sequence[Shift]) -> datetime:
    """How long the first of some shifts' person stays, for whatever reason."""
    end = turns[0].end
    for turn in turns[1:]:
        if turn.person != turns[0].person:
            break
        end = turn.end
    return end
