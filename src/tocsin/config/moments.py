"""Moments as people write them into rules: with an offset, or local in a zone. One that does not exist or exists twice is refused."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from tocsin.core.local_time import first_showing

_ADVICE = "write '2026-12-24 09:00', local, or '2026-12-24T09:00+08:00'"


def parse_moment(value: object, zone: str) -> datetime:
    """Return the instant, in UTC. Raises ValueError with words for people."""
    if not isinstance(value, str) or len(value) < len("2026-12-24T09:00"):
        raise ValueError(f'"{value}" is no moment ({_ADVICE})')
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError:
        raise ValueError(f'"{value}" is no moment ({_ADVICE})') from None
    if not 1970 <= moment.year < 2200:
        raise ValueError(f"{value} is not between the years 1970 and 2199")
    return moment.astimezone(UTC) if moment.tzinfo is not None else _local(moment, value, zone)


def _local(moment: datetime, text: str, zone: str) -> datetime:
    place = ZoneInfo(zone)
    first, second = (moment.replace(tzinfo=place, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first == second:
        return first
    if first.astimezone(place).replace(tzinfo=None) != moment:
        after = first_showing(place, moment).astimezone(place).isoformat()
        raise ValueError(
            f"{text} does not exist in {zone}: the clocks are put forward (the first moment after it is {after})"
        )
    both = " or ".join(at.astimezone(place).isoformat() for at in (first, second))
    raise ValueError(f"{text} exists twice in {zone}: the clocks are put back (write {both})")


def parse_day(value: object) -> date:
    """Return the day. Raises ValueError with words for people."""
    try:
        return date.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError(f'"{value}" is no day (write 2026-12-24)') from None
