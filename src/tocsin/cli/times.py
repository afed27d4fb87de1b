"""Instants and spans as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tocsin.errors import UsageError

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


def read_span(text: str) -> timedelta:
    """`500ms`, `90s`, `1h30m`, `2w`; `0` is allowed without a unit."""
    import re

    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|[smhdw])", text)
    if text.strip() == "0":
        return timedelta(0)
    if not parts or "".join(number + unit for number, unit in parts) != text.strip():
        raise UsageError(f"'{text}' is not a span of time (write 90s, 4h, 1h30m or 7d)")
    try:
        return timedelta(seconds=sum(float(number) * UNITS[unit] for number, unit in parts))
    except OverflowError as error:
        raise UsageError(f"'{text}' is longer than any clock can run") from error


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
