"""Instants and spans as a reader of Slack sees them. What is written once must stay true, so there is no "in 5 minutes" in it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from tocsin.words import Words


def zone_of(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return ZoneInfo("UTC")


def when(say: Words, at: datetime, zone: ZoneInfo) -> str:
    """The local time with its date: `04:12, Thu 10 Dec`."""
    local = at.astimezone(zone)
    return say(
        "time.when",
        clock=f"{local:%H:%M}",
        weekday=say("time.weekdays").split()[local.weekday()],
        day=local.day,
        month=say("time.months").split()[local.month - 1],
    )


def with_zone(say: Words, at: datetime, zone: ZoneInfo) -> str:
    return say("time.with_zone", when=when(say, at, zone), zone=zone.key)


def relative(at: datetime) -> str:
    """How far off `at` is, worked out by the reader's own client when it is shown: "in 59 minutes", later "2 minutes ago"."""
    utc = at.astimezone(UTC)
    return f"<!date^{int(utc.timestamp())}^{{ago}}|{utc:%Y-%m-%d %H:%M} UTC>"


def span(say: Words, length: timedelta) -> str:
    """The two largest units of a span."""
    whole = max(0, int(length.total_seconds()))
    days, hours, minutes, seconds = whole // 86400, whole % 86400 // 3600, whole % 3600 // 60, whole % 60
    units = (("days", days), ("hours", hours), ("minutes", minutes), ("seconds", seconds))
    first = next((i for i, (_, count) in enumerate(units) if count), 3)
    shown = [(unit, count) for unit, count in units[first : first + 2] if count]
    return say("span.join").join(say(f"span.{unit}", count=count) for unit, count in shown or [("seconds", 0)])


def read_instant(value: object) -> datetime | None:
    """An instant from a notice's data; None when it is none. Without an offset it is UTC."""
    if not isinstance(value, str):
        return None
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
