"""Spans of time as people write them: `500ms`, `90s`, `1h30m`, `30d`, `2w`."""

from __future__ import annotations

import re
from datetime import timedelta

_UNITS = {
    "w": timedelta(weeks=1),
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
}
_SPAN = re.compile("".join(rf"(?:(?P<{unit}>[0-9]{{1,9}}){unit})?" for unit in _UNITS))
_ADVICE = "write a span with its units, as 500ms, 90s, 1h30m, 30d or 2w"


def parse_span(text: object) -> timedelta:
    """Return the span. Raises ValueError with words for people."""
    if isinstance(text, bool) or not isinstance(text, str | int | float):
        raise ValueError(_ADVICE)
    if not isinstance(text, str):
        raise ValueError(f"{text} has no unit: {_ADVICE}")
    match = _SPAN.fullmatch(text)
    if not match or not text:
        raise ValueError(f'"{text}" is no span: {_ADVICE}')
    counts = {unit: int(count) for unit, count in match.groupdict().items() if count}
    try:
        return sum((_UNITS[unit] * count for unit, count in counts.items()), timedelta())
    except OverflowError:
        raise ValueError(f'"{text}" is too long a span') from None


def show_span(span: timedelta) -> str:
    """Write a span so that `parse_span` reads it: the largest units first, `0s` for none."""
    rest, parts = span, []
    for unit, size in _UNITS.items():
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
