"""Local time of zones, as far as calendars need it: where a wall-clock time lies in UTC, and the fingerprint of a zone's rules."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

_SECOND = timedelta(seconds=1)
_WEEK = timedelta(weeks=1)
_RULES_FROM = datetime(2000, 1, 1, tzinfo=UTC)
_RULES_TO = datetime(2061, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=256)
def zone_named(name: str) -> ZoneInfo:
    """The zone, kept: the standard library drops all but eight and reads their files again."""
    return ZoneInfo(name)


def first_showing(zone: ZoneInfo, wall: datetime) -> datetime:
    """Return the first instant at which the zone's wall clock shows `wall` (naive) or a later time.

    A time that exists twice is its first occurrence; one that was skipped is the first instant after the gap. So a later wall time
    never lies at an earlier instant, whatever the zone does.
    """
    first, second = wall.replace(tzinfo=zone), wall.replace(tzinfo=zone, fold=1)
    if _offset(first) >= _offset(second):
        return first.astimezone(UTC)
    before, after = wall - _offset(second), wall - _offset(first)
    return _change(zone, before.replace(tzinfo=UTC), after.replace(tzinfo=UTC))


def _offset(moment: datetime) -> timedelta:
    return moment.utcoffset() or timedelta(0)


def _change(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """Return the first instant in (before, after] with the offset of `after`, to the second."""
    new = _offset(after.astimezone(zone))
    while after - before > _SECOND:
        middle = before + (after - before) // _SECOND // 2 * _SECOND
        if _offset(middle.astimezone(zone)) == new:
            after = middle
        else:
            before = middle
    return after


@lru_cache(maxsize=256)
def rules_digest(name: str) -> str:
    """Hash what a zone's clocks do in the years that calendars cover.

    Offsets and their changes, not the bytes of the zone's file: the same rules come packed in many ways, and another packing must not
    look like another calendar.
    """
    lines = (f"{at.isoformat()} {offset.total_seconds():.0f}" for at, offset in _changes(zone_named(name)))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _changes(zone: ZoneInfo) -> Iterator[tuple[datetime, timedelta]]:
    """Yield each change of the offset. No zone keeps an offset for less than a week, so looking weekly misses none."""
    at, offset = _RULES_FROM, _offset(_RULES_FROM.astimezone(zone))
    yield at, offset
    while at < _RULES_TO:
        following = at + _WEEK
        new = _offset(following.astimezone(zone))
        if new != offset:
            yield _change(zone, at, following), new
        at, offset = following, new
