"""The power that keeps a simulated daemon alive, and every point at which it can fail."""

from __future__ import annotations

import asyncio
from collections import Counter
from random import Random


class Crash(BaseException):  # not an error that anybody may handle: it is the end of the process
    """The daemon's process ended here. It unwinds everything; what was not committed or accepted is gone."""


class Power:
    """Counts the points that the daemon passes, and fails at the one that was chosen.

    Once it failed, everything that the dead daemon still tries fails too. `passed` and `failed` count points by name, so that a search
    can say where it crashed and where it never did.
    """

    def __init__(self, random: Random, *, fail_at: int | None = None) -> None:
        self._random = random
        self._fail_at = fail_at
        self._fail_in = ""
        self.count = 0
        self.is_on = True
        self.passed: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()

    def fail_after(self, points: int) -> None:
        """Fail at the point that lies so many ahead, unless one that comes sooner was chosen already."""
        chosen = self.count + max(points, 1)
        self._fail_at = chosen if self._fail_at is None or self._fail_at <= self.count else min(chosen, self._fail_at)

    def fail_in(self, name: str) -> None:
        """Fail at the next point that has this in its name."""
        self._fail_in = name

    def never_fail(self) -> None:
        self._fail_at, self._fail_in = None, ""

    def restore(self) -> None:
        self.is_on = True

    def need(self) -> None:
        """Nothing happens any more in a daemon that is dead."""
        if not self.is_on:
            raise Crash

    def point(self, name: str) -> None:
        """Pass a point, or fail at it."""
        self.need()
        self.count += 1
        self.passed[name] += 1
        if self.count == self._fail_at or (self._fail_in and self._fail_in in name):
            self._fail_in = ""
            self.is_on = False
            self.failed[name] += 1
            raise Crash(name)

    async def let_others(self, patience: int = 1) -> None:
        """Let whatever else runs go on for a moment: a seeded choice of the order in which answers are heard."""
        for _ in range(patience * self._random.choice((0, 0, 0, 1, 2, 4))):
            await asyncio.sleep(0)
        self.need()
