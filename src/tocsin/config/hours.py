"""Working hours as people write them: `09:00-17:00`, `22:00-06:00`, and the days that they are for: `mon`, `mon-fri`, `sat-mon`."""

from __future__ import annotations

import re

from tocsin.core.calendar import DAY_S, Span

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_HOURS = re.compile(r"(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})")
_ADVICE = "write hours as 09:00-17:00, a night as 22:00-06:00, the whole day as 00:00-24:00"


def parse_hours(text: object) -> Span:
    """Return the hours; those that end before they start end on the next day. Raises ValueError with words for people."""
    match = _HOURS.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f'"{text}" is no working time ({_ADVICE})')
    start, end = _seconds(match[1], match[2]), _seconds(match[3], match[4])
    if start is None or end is None or start == DAY_S:
        raise ValueError(f'"{text}" has a time that no clock shows ({_ADVICE})')
    if start == end:
        raise ValueError(f'"{text}" has no length (the whole day is 00:00-24:00)')
    if match[3] == "23" and match[4] == "59":
        raise ValueError(f'"{text}" leaves out the last minute of the day (write {match[1]}:{match[2]}-24:00)')
    return Span(start, end if end > start else end + DAY_S)


def _seconds(hour: str, minute: str) -> int | None:
    """The second of the day, 24:00 included; None when there is no such time."""
    second = int(hour) * 3600 + int(minute) * 60
    return second if int(minute) < 60 and second <= DAY_S else None


def days_named(key: object) -> tuple[int, ...]:
    """Return the days of `mon`, `mon-fri` or `sat-mon` (over the end of the week), Monday is 0. Raises ValueError."""
    first, dash, last = key.partition("-") if isinstance(key, str) else (str(key), "", "")
    for day in (first, last) if dash else (first,):
        if day not in DAYS:
            meant = day.lower()[:3]
            advice = f'did you mean "{meant}"?' if meant in DAYS else f"write {', '.join(DAYS)}, or a range as mon-fri"
            raise ValueError(f'unknown day "{day}" ({advice})')
    start, end = DAYS.index(first), DAYS.index(last or first)
    if dash and start == end:
        raise ValueError(f'"{key}" is one day (write {first})')
    return tuple((start + step) % 7 for step in range((end - start) % 7 + 1))
