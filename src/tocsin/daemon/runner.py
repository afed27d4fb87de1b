"""Runs the loops: one round each when it wants or is woken, and a stamp after it, which the watchdog and /readyz look at."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime

from tocsin.daemon.alarms import Alarms
from tocsin.errors import StoreError
from tocsin.log import get_log
from tocsin.ports import WallClock

log = get_log(__name__)

TURNS_WITHIN_S = 60.0
SLEEPS_AT_MOST = 0.25
"""Of the time in which a loop has to turn, so that one which only sleeps is never late."""
AFTER_FAULT_S = 1.0

Step = Callable[[datetime], Awaitable[datetime | None]]


@dataclass(slots=True)
class Loop:
    """One loop of the daemon. `turned_at` is the monotonic instant of its last completed round."""

    name: str
    step: Step
    event: asyncio.Event = field(default_factory=asyncio.Event)
    turned_at: float = 0.0

    def wake(self) -> None:
        self.event.set()


class Runner:
    """Calls each loop's step until the daemon drains. A round that fails is an alarm; the loop goes on."""

    def __init__(self, clock: WallClock, alarms: Alarms, turns_within_s: float = TURNS_WITHIN_S) -> None:
        self._clock = clock
        self._alarms = alarms
        self.turns_within_s = turns_within_s
        self._longest_sleep_s = turns_within_s * SLEEPS_AT_MOST
        self._loops: list[Loop] = []
        self._others: dict[str, Callable[[], float]] = {}
        self._faulty: dict[str, str] = {}
        self._is_stopping = False

    def add(self, name: str, step: Step) -> Loop:
        loop = Loop(name, step, turned_at=self._clock.monotonic())
        self._loops.append(loop)
        return loop

    def stop(self) -> None:
        self._is_stopping = True
        for loop in self._loops:
            loop.wake()

    def late(self) -> list[str]:
        """Loops that have not completed a round for `turns_within_s`."""
        now = self._clock.monotonic()
        turned = {loop.name: loop.turned_at for loop in self._loops}
        turned |= {name: turned_at() for name, turned_at in self._others.items()}
        return [name for name, at in turned.items() if now - at > self.turns_within_s]

    def watch(self, name: str, turned_at: Callable[[], float]) -> None:
        """Look after something that turns by itself as well; it says when it last did (monotonic)."""
        self._others[name] = turned_at

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for loop in self._loops:
                group.create_task(self._turn(loop), name=f"loop {loop.name}")

    async def _turn(self, loop: Loop) -> None:
        while not self._is_stopping:
            loop.event.clear()
            wait_s = await self._round(loop)
            loop.turned_at = self._clock.monotonic()
            if wait_s > 0.0 and not self._is_stopping:
                try:
                    async with asyncio.timeout(wait_s):
                        await loop.event.wait()
                except TimeoutError:
                    pass

    async def _round(self, loop: Loop) -> float:
        """One round; returns for how long the loop may sleep."""
        now = self._clock.now()
        try:
            next_at = await loop.step(now)
        except StoreError as error:
            self._alarms.raise_("storage", str(error))
            return AFTER_FAULT_S
        except Exception as error:
            log.exception("A loop's round failed", action="loop_failed", loop=loop.name)
            self._faulty[loop.name] = f"the loop {loop.name} failed: {error!r} (it goes on; please report this)"
            self._alarms.raise_("loop_failed", self._faulty[loop.name])
            return AFTER_FAULT_S
        if self._faulty.pop(loop.name, None) is not None and not self._faulty:
            self._alarms.clear("loop_failed")
        if next_at is None:
            return self._longest_sleep_s
        return min(self._longest_sleep_s, (next_at - self._clock.now()).total_seconds())
