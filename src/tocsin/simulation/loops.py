"""The daemon's loops without sleeping: a round when one is woken or its time has come, never two at once."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from tocsin.daemon.alarms import Alarms
from tocsin.daemon.runner import Step
from tocsin.errors import StoreError
from tocsin.simulation.clock import SimulatedClock

RETRY_AFTER = timedelta(seconds=1)
ROUNDS_AT_MOST = 400


class NeverAtRest(Exception):
    """The loops wake each other, or themselves, without end."""


class Loop:
    """A loop of the daemon, turned by `daemon/runner.py`'s rules: a round when it is woken or its time has come, never two at once.

    A store that refuses is an alarm, and the loop comes again (`has_failed`). `rounds` counts, so that a loop without rest is found.
    """

    def __init__(self, name: str, step: Step, clock: SimulatedClock, alarms: Alarms) -> None:
        self.name = name
        self.next_at: datetime | None = None
        self.has_failed = False
        self.is_held = True
        self.rounds = 0
        self.completed: list[datetime] = []
        self._step = step
        self._clock = clock
        self._alarms = alarms
        self._is_woken = True
        self._is_running = False

    def wake(self) -> None:
        self._is_woken = True
        self.start_if_due()

    def start_if_due(self) -> None:
        now = self._clock.now()
        is_due = self._is_woken or (self.next_at is not None and self.next_at <= now)
        if is_due and not self._is_running and not self.is_held:
            self._is_running = self._is_woken = True
            asyncio.get_running_loop().create_task(self._turn(), name=f"loop {self.name}")

    async def _turn(self) -> None:
        while self._is_woken:
            self._is_woken = False
            self.rounds += 1
            if self.rounds > ROUNDS_AT_MOST:
                raise NeverAtRest(f"the loop {self.name} turned {self.rounds} times at {self._clock.now()}")
            await self._round(self._clock.now())
        self._is_running = False

    async def _round(self, now: datetime) -> None:
        try:
            self.next_at = await self._step(now)
        except StoreError as error:
            self._alarms.raise_("storage", str(error))
            self.next_at, self.has_failed = self._clock.now() + RETRY_AFTER, True
        else:
            self.has_failed = False
            self.completed.append(now)
