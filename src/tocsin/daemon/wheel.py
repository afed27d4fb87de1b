"""A timer wheel for all checks: one slot every 10 ms, one entry a check, a few microseconds a turn however many there are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")

TICK_S = 0.01
SLOTS = 4096


class Wheel(Generic[T]):
    """Entries are kept by the tick they are due in; those of a later round stay in their slot until it comes."""

    def __init__(self, now: float) -> None:
        self._slots: list[list[tuple[int, T]]] = [[] for _ in range(SLOTS)]
        self._tick = int(now / TICK_S)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, at: float, entry: T) -> None:
        """Enter something due at `at` (seconds on the same clock as `now`); what is past is due at the next turn."""
        tick = max(self._tick + 1, -int(-at // TICK_S))
        self._slots[tick % SLOTS].append((tick, entry))
        self._count += 1

    def turn(self, now: float) -> Iterator[T]:
        """Take out everything due up to `now`, in order of ticks."""
        # A hair more, since 29 * 0.01 / 0.01 is less than 29: `next_at` handed back must find its entry.
        until = int(now / TICK_S + 1e-6)
        if until - self._tick >= SLOTS:
            yield from self._sweep(until)
            return
        while self._tick < until:
            self._tick += 1
            slot = self._slots[self._tick % SLOTS]
            if slot:
                yield from self._take(self._tick % SLOTS, self._tick)

    def _take(self, index: int, until: int) -> Iterator[T]:
        due = [entry for tick, entry in self._slots[index] if tick <= until]
        if due:
            self._slots[index] = [item for item in self._slots[index] if item[0] > until]
            self._count -= len(due)
            yield from due

    def _sweep(self, until: int) -> Iterator[T]:
        """After a pause longer than a whole round every slot is looked at once."""
        self._tick = until
        for index in range(SLOTS):
            yield from self._take(index, until)

    def next_at(self) -> float | None:
        """When the wheel should be turned next (at the latest after half a round); None when it is empty."""
        if not self._count:
            return None
        for ahead in range(1, SLOTS // 2):
            tick = self._tick + ahead
            if any(due <= tick for due, _ in self._slots[tick % SLOTS]):
                return tick * TICK_S
        return (self._tick + SLOTS // 2) * TICK_S
