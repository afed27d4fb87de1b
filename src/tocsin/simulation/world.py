"""Plays a script: lives of the daemon one after the other on the same disk and channels, with people, samples, troubles and crashes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any, assert_never

from tocsin.core.model import Reason, Sample, Status
from tocsin.daemon.dispatch import Dispatcher
from tocsin.daemon.timekeeper import Timekeeper
from tocsin.errors import StoreError
from tocsin.simulation.channel import SimulatedChannel, Workspace
from tocsin.simulation.clock import SimulatedClock
from tocsin.simulation.life import Ground, Life
from tocsin.simulation.people import People
from tocsin.simulation.power import Crash, Power
from tocsin.simulation.record import Record
from tocsin.simulation.rules import CHANNELS, EVERY, STAND_IN
from tocsin.simulation.script import (
    CHECK_IDS,
    Act,
    Action,
    Bother,
    Fail,
    Probe,
    RefuseWrites,
    Reload,
    Restart,
    Sleep,
    Step,
    Wait,
)
from tocsin.simulation.store import Disk, SimulatedStore

VISITS_AT_MOST = 400
STARTS_AT_MOST = 10
LAZY = ("history", "heartbeat")
"""Loops that promise nothing to anybody: they get a turn now and then, which leaves time for more seeds."""
LAZY_CHANCE = 0.2
BETWEEN_SAMPLES = 4
"""How long it is until the next sample, in turns that others get."""


class Broken(Exception):
    """A promise was not kept. The text says which."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the daemon is built of, so that a test can build it without one of its safeguards."""

    make_store: Callable[[Disk, Power], SimulatedStore] = SimulatedStore
    make_dispatcher: Callable[..., Dispatcher] = Dispatcher
    make_timekeeper: Callable[..., Timekeeper] = Timekeeper


REAL_PARTS = Parts()


@dataclass(slots=True)
class _Outage:
    """What follows the next power failure."""

    down_s: float = 3.0
    again: int = 0
    unheard: list[Act] = field(default_factory=list)


class World:
    """`restarted` is called after each start, when the daemon has come to rest."""

    def __init__(
        self,
        disk: Disk,
        random: Random,
        parts: Parts,
        *,
        restarted: Callable[[World], None] = lambda _: None,
        fail_at: int | None = None,
    ) -> None:
        self.disk = disk
        self.clock = SimulatedClock()
        self.power = Power(random, fail_at=fail_at)
        self.workspace = Workspace()
        self.record = Record(truth=dict.fromkeys(CHECK_IDS, Status.UP))
        self.dropped: set[str] = set()
        self._random = random
        self._parts = parts
        self._restarted = restarted
        self._people = People(self.clock, random, self.record)
        self._outage = _Outage()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._problems: list[BaseException] = []
        self.store: SimulatedStore
        self.life: Life

    # --- lives ---

    def _new_life(self) -> Life:
        self.store = self._parts.make_store(self.disk, self.power)
        channels = {
            name: SimulatedChannel(name, self.workspace, self.power, self.clock, self._random)
            for name in (*CHANNELS, STAND_IN)
        }
        ground = Ground(
            clock=self.clock,
            store=self.store,
            channels=channels,
            dropped=lambda: frozenset(self.dropped),
            heard=self.record.hear,
            make_dispatcher=self._parts.make_dispatcher,
            make_timekeeper=self._parts.make_timekeeper,
        )
        life = Life(ground)
        life.timekeeper.completed = self.record.kept
        return life

    async def begin(self) -> None:
        """The very first start."""
        asyncio.get_running_loop().set_task_factory(self._make_task)
        await self.start()

    async def start(self) -> None:
        """Start, and again if the power fails meanwhile, until the daemon runs and has come to rest."""
        for _ in range(STARTS_AT_MOST):
            self.power.restore()
            self.life = self._new_life()
            try:
                await self.turn(self.life.start())
                await self.turn()
            except Crash:
                self.record.crashes += 1
                self.clock.advance(timedelta(seconds=self._outage.down_s))
                continue
            self._restarted(self)
            return
        raise Broken(f"the daemon did not start in {STARTS_AT_MOST} attempts")

    async def _after_crash(self) -> None:
        self.record.crashes += 1
        outage, self._outage = self._outage, _Outage()
        self.clock.advance(timedelta(seconds=outage.down_s))
        self.power.never_fail()
        if outage.again:
            self.power.fail_after(outage.again)
        await self.start()
        # Who got no answer asks again: nobody knows whether it was done.
        for act in outage.unheard:
            await self.play_step((act,))

    def _make_task(self, loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=loop, **options)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        problem = None if task.cancelled() else task.exception()
        if problem is not None and not isinstance(problem, Crash | StoreError):
            self._problems.append(problem)

    async def turn(self, *works: Coroutine[Any, Any, None]) -> None:
        """Do these things, and let the daemon's loops run beside them, until nothing is due any more."""
        began = self.clock.now()
        loop = asyncio.get_running_loop()
        player = asyncio.current_task()
        self._tasks |= {loop.create_task(work) for work in works}
        for turned in self.life.loops:
            turned.rounds = 0
            if turned.name not in LAZY or self._random.random() < LAZY_CHANCE:
                turned.start_if_due()
        while running := self._tasks - {player}:
            await asyncio.wait(running)
        self.record.awake.append((began, self.clock.now()))
        if self._problems:
            raise self._problems[0]
        self.power.need()

    # --- steps ---

    async def play_step(self, step: Step) -> None:
        try:
            await self._do(step)
        except Crash:
            await self._after_crash()

    async def _do(self, step: Step) -> None:
        works: list[Coroutine[Any, Any, None]] = []
        for action in step:
            await self._begin_action(action, works)
        await self.turn(*works)

    async def _begin_action(self, action: Action, works: list[Coroutine[Any, Any, None]]) -> None:
        match action:
            case Probe():
                self.record.truth[action.check] = action.status
                works.append(self._probe(action))
            case Act():
                works.append(self._people.act(self.life.commands, action, self._outage.unheard))
            case Reload():
                self.dropped ^= {action.check}
                self.record.dropped_ever.add(action.check)
                works.append(self._people.reload(self.life.commands))
            case Wait():
                await self.wait(timedelta(seconds=action.seconds))
            case Sleep():
                self.clock.advance(timedelta(seconds=action.seconds))
            case Restart():
                await self._restart(action)
            case Fail():
                if action.at:
                    self.power.fail_in(action.at)
                else:
                    self.power.fail_after(action.points)
                self._outage.down_s, self._outage.again = action.down_s, action.again
            case Bother():
                self.workspace.troubles.extend(action.troubles)
                self.workspace.failing_lookups += action.lookups
            case RefuseWrites():
                self.store.refusals += action.times
            case _:
                assert_never(action)

    async def _probe(self, action: Probe) -> None:
        for _ in range(action.times):
            self.clock.advance(EVERY)
            self.feed([action.check])
            await self.power.let_others(BETWEEN_SAMPLES)

    def feed(self, checks: Iterable[str] = CHECK_IDS) -> None:
        """One sample of each check, as it truly is now."""
        for check in checks:
            system, _, name = check.partition("/")
            watched = self.life.live.watched.get(system, {}).get(name)
            if watched is None:
                continue
            status = self.record.feed(check, self.clock.now())
            reason = Reason.REFUSED if status.is_failing else Reason.OK
            self.life.poller.take(watched, Sample(self.clock.now(), status, reason, 0.02, f"it is {status}"))

    async def _restart(self, action: Restart) -> None:
        await self.turn(self._stop())
        self.clock.advance(timedelta(seconds=action.down_s))
        await self.start()

    async def _stop(self) -> None:
        try:
            await self.life.stop()
        except StoreError:
            return

    # --- time ---

    async def wait(self, span: timedelta) -> None:
        """Let time pass; the daemon has its turn at each instant at which something is due, and checks are probed then."""
        until = self.clock.now() + span
        for _ in range(VISITS_AT_MOST):
            self.clock.advance_to(min(self._next_instant(), until))
            self.feed()
            await self.turn()
            if self.clock.now() >= until:
                return
        raise Broken(f"more than {VISITS_AT_MOST} instants were due within {span}")

    def _next_instant(self) -> datetime:
        now = self.clock.now()
        loops = [loop.next_at for loop in self.life.loops if loop.has_failed or loop is self.life.dispatch]
        later = [at for at in (*loops, self.disk.next_instant()) if at is not None and at > now]
        return min(later, default=datetime.max.replace(tzinfo=now.tzinfo))
