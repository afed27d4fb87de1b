"""A clock that moves only when it is told to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

START = datetime(2026, 11, 2, 6, 0, tzinfo=UTC)


class SimulatedClock:
    """Wall clock and monotonic clock in one; neither ever steps back."""

    def __init__(self, start: datetime = START) -> None:
        self._start = start
        self._now = start

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return (self._now - self._start).total_seconds()

    def advance(self, span: timedelta) -> None:
        self._now += max(span, timedelta(0))

    def advance_to(self, instant: datetime) -> None:
        self._now = max(self._now, instant)
