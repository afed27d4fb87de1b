"""One life of the daemon, from start to crash: the real loops and verbs, wired as `daemon/build.py` does it, on simulated ground."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from tocsin.core.case import Decision
from tocsin.core.policy import Check, Rulebook
from tocsin.daemon.alarms import Alarms
from tocsin.daemon.answers import Answers
from tocsin.daemon.apply import Applier
from tocsin.daemon.commands import Changes, Commands, Tools
from tocsin.daemon.configure import Configurator, Read, Sources
from tocsin.daemon.dispatch import Context, Dispatcher
from tocsin.daemon.heartbeat import Heartbeat
from tocsin.daemon.history import History
from tocsin.daemon.live import LiveState
from tocsin.daemon.poll import Poller
from tocsin.daemon.runner import Step
from tocsin.daemon.timekeeper import Timekeeper
from tocsin.ports import Done
from tocsin.simulation.channel import SimulatedChannel
from tocsin.simulation.clock import SimulatedClock
from tocsin.simulation.loops import Loop
from tocsin.simulation.rules import rulebook
from tocsin.simulation.store import SimulatedStore

BLIND_AFTER = timedelta(minutes=2)


class NoProber:
    """Samples come from the script, so nothing is ever probed."""

    def start(self, check: Check, done: Done) -> None:
        """Start nothing."""

    def forget(self, check: Check) -> None:
        """Nothing was kept open."""

    async def close(self) -> None:
        """Nothing is open."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What a life stands on, and what it must not take with it when it ends."""

    clock: SimulatedClock
    store: SimulatedStore
    channels: Mapping[str, SimulatedChannel]
    dropped: Callable[[], frozenset[str]]
    heard: Callable[[Decision], None]
    make_dispatcher: Callable[..., Dispatcher] = field(default=Dispatcher)
    make_timekeeper: Callable[..., Timekeeper] = field(default=Timekeeper)


class Life:
    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        clock, store = ground.clock, ground.store
        self.live = LiveState(Rulebook())
        self.alarms = Alarms(store, clock, lambda: self.live.rulebook.alarms_to)
        self.history = History(store, clock.now())
        self.applier = Applier(self.live, store, clock, self.alarms, self._committed)
        self.poller = Poller(self.live, NoProber(), self.history, clock, self.applier.consider)
        context = Context(lambda: self.live.rulebook, "en", "UTC", "")
        dispatcher = ground.make_dispatcher(store, clock, self.alarms, lambda: ground.channels, context)
        timekeeper = ground.make_timekeeper(store, self.alarms, self.applier.remember, lambda: self.live.rulebook)
        self._heartbeat = Heartbeat(store, self.alarms, clock, self.poller)
        self._configurator = Configurator(
            Sources(lambda: read(ground.dropped()), restore, _no_change),
            self.live,
            self.poller,
            self.applier,
            store,
            self.alarms,
            clock,
        )
        apply_loop, alarm_loop = self._loop("apply", self.applier.step), self._loop("alarms", self.alarms.step)
        self.timekeeper = self._loop("timekeeper", timekeeper.step)
        self.dispatch = self._loop("dispatch", dispatcher.step)
        others = (self._loop("history", self.history.step), self._loop("heartbeat", self._heartbeat.step))
        self.loops = (apply_loop, self.timekeeper, self.dispatch, alarm_loop, *others)
        self.applier.wake, dispatcher.wake = apply_loop.wake, self.dispatch.wake
        self.alarms.wake, self.alarms.promised = alarm_loop.wake, self.dispatch.wake
        self.commands = self._commands()

    def _loop(self, name: str, step: Step) -> Loop:
        return Loop(name, step, self._ground.clock, self.alarms)

    def _commands(self) -> Commands:
        ground = self._ground
        answers = Answers(
            self.live,
            ground.store,
            ground.clock,
            self.alarms,
            self.history,
            lambda: ground.channels,
            {"language": "en"},
        )
        return Commands(
            Tools(
                self.live,
                ground.store,
                ground.clock,
                self.alarms,
                self.applier,
                answers,
                Changes(),
                lambda: ground.channels,
                self._configurator.reload,
                self.dispatch.wake,
            )
        )

    def _committed(self, decision: Decision) -> None:
        self._ground.heard(decision)
        if decision.notices:
            self.dispatch.wake()
        self.timekeeper.wake()

    async def start(self) -> None:
        """What `daemon/serve.py` does before READY."""
        await self._heartbeat.start(self._ground.clock.now(), "simulated", BLIND_AFTER)
        await self._configurator.start(strict=False)
        for loop in self.loops:
            loop.is_held = False

    async def stop(self) -> None:
        """What a drain writes last."""
        now = self._ground.clock.now()
        await self.history.flush(now)
        await self._heartbeat.stop(now, "stopped")


def read(dropped: frozenset[str]) -> Read:
    return Read(rulebook(dropped), json.dumps(sorted(dropped)))


def restore(document: str) -> Rulebook:
    return rulebook(frozenset(json.loads(document)))


async def _no_change(_: Rulebook) -> None:
    await asyncio.sleep(0)
