"""Instants and spans as people read them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tocsin.errors import UsageError


def read_span(text: str) -> timedelta:
    """A span as it is written in the rules: `500ms`, `90s`, `1h30m`, `2w`."""
    from tocsin.config.spans import parse_span

    try:
        return parse_span(text)
    except ValueError as error:
        raise UsageError(str(error)) from error


def read_instant(text: str) -> datetime:
    """An instant as this program writes it."""
    return datetime.fromisoformat(text).astimezone(UTC)


def local(text: str | None) -> str:
    """An instant in this machine's local time, to the second."""
    if text is None:
        return "-"
    return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")


def span(seconds: float) -> str:
    """The two largest units of a span: `1d 4h`, `59m 12s`, `8s`."""
    whole = int(abs(seconds))
    days, hours, minutes = whole // 86400, whole % 86400 // 3600, whole % 3600 // 60
    if days:
        return f"{days}d {hours}h"
    if hours:
        return f"{hours}h {minutes:02d}m"
    if minutes:
        return f"{minutes}m {whole % 60:02d}s"
    return f"{whole}s"


def milliseconds(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"


def left(due_at: str, now: datetime) -> tuple[str, str]:
    """How much time is left until an instant, and the word for its colour."""
    remaining = (read_instant(due_at) - now).total_seconds()
    if remaining < 0:
        return f"{span(remaining)} over", "late"
    return f"{span(remaining)} left", "soon" if remaining < 900 else ""


def left_of(clock: Mapping[str, Any], now: datetime) -> tuple[str, str]:
    """How much time is left on a clock as the daemon answers it. One that is paused has no deadline, only time left."""
    paused = clock.get("paused")
    if paused is None:
        return left(clock["due_at"], now)
    remaining = (read_instant(clock["due_at"]) - read_instant(paused["since"])).total_seconds()
    return f"paused, {span(remaining)} {'left' if remaining >= 0 else 'over'}", ""


def read_moment(text: str, zone: ZoneInfo) -> datetime:
    """A moment that somebody typed: with its offset, or local in `zone`. One that does not exist or exists twice is refused."""
    try:
        moment = datetime.fromisoformat(text.strip())
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
        first, second = (moment.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    except (ValueError, OverflowError) as error:
        raise UsageError(f"'{text}' is not a moment (write 2026-12-04T22:00, or 2026-12-04T22:00+08:00)") from error
    if first == second:
        return first
    if first.astimezone(zone).replace(tzinfo=None) != moment:
        after = first.astimezone(zone).isoformat()
        raise UsageError(
            f"{text} does not exist in {zone.key}: the clocks were put forward (write it with its offset: {after})"
        )
    both = " or ".join(at.astimezone(zone).isoformat() for at in (first, second))
    raise UsageError(f"{text} exists twice in {zone.key}: the clocks were put back (write {both})")
