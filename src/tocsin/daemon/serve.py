"""Starting in order, running, draining in order: every wait with a limit, ten seconds in all."""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from tocsin.daemon import systemd
from tocsin.daemon.commands import Changes
from tocsin.daemon.configure import Configurator
from tocsin.daemon.dispatch import Dispatcher
from tocsin.daemon.gate import Gate
from tocsin.daemon.heartbeat import Heartbeat
from tocsin.daemon.history import History
from tocsin.daemon.housekeeping import Housekeeping
from tocsin.daemon.ops_log import OpsLog
from tocsin.daemon.poll import Poller
from tocsin.daemon.runner import Runner
from tocsin.errors import Refused, TocsinError
from tocsin.log import get_log
from tocsin.ports import WallClock

log = get_log(__name__)

DRAIN_S = {"web": 2.0, "dispatch": 3.0, "rest": 3.0}


class Listener(Protocol):
    async def start(self) -> None: ...
    async def stop(self) -> None: ...


@dataclass(slots=True)
class Servants:
    """The parts that are started and stopped. `inbox` is a task that listens to people (Socket Mode), if there is one."""

    poller: Poller
    runner: Runner
    dispatcher: Dispatcher
    history: History
    ops_log: OpsLog
    heartbeat: Heartbeat
    housekeeping: Housekeeping
    gate: Gate
    configurator: Configurator
    changes: Changes
    listeners: Sequence[Listener]
    inbox: Callable[[], Awaitable[None]] | None
    ready: Callable[[], list[str]]
    clock: WallClock
    version: str
    blind_after: timedelta


class Service:
    def __init__(self, servants: Servants) -> None:
        self._of = servants
        self._stop = asyncio.Event()
        self._why = "stopped"
        self._tasks: set[asyncio.Task[None]] = set()

    def stop(self, why: str) -> None:
        self._why = why
        self._stop.set()

    async def run(self, *, strict: bool) -> None:
        """Start, say READY, run until asked to stop, drain."""
        of = self._of
        opened: list[Listener] = []
        try:
            await of.gate.open()
            for listener in of.listeners:
                await listener.start()
                opened.append(listener)
            # The first store write comes before READY: systemd must not believe in a daemon that cannot keep anything.
            await of.heartbeat.start(of.clock.now(), of.version, of.blind_after)
            await of.configurator.start(strict=strict)
        except BaseException:
            await self._close(opened)
            raise
        self._on_signals()
        _settle_memory()
        of.poller.start()
        running = asyncio.create_task(of.runner.run(), name="loops")
        await of.housekeeping.start()
        inbox = asyncio.ensure_future(of.inbox()) if of.inbox is not None else None
        self._start_watchdog()
        systemd.notify("READY=1\nSTATUS=Watching")
        log.info("Ready", action="ready", version=of.version)
        try:
            await self._until_stopped(running)
        finally:
            await self._drain(running, inbox, opened)

    async def _until_stopped(self, running: asyncio.Task[None]) -> None:
        stopped = asyncio.create_task(self._stop.wait())
        await asyncio.wait({stopped, running}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if running.done() and not self._stop.is_set():
            running.result()
            raise TocsinError("the daemon's loops ended by themselves (please report this)")

    def _on_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop, signal.Signals(number).name)
        loop.add_signal_handler(signal.SIGHUP, self._reload)

    def _reload(self) -> None:
        task = asyncio.create_task(self._reload_now(), name="reload")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _reload_now(self) -> None:
        systemd.reloading()
        try:
            await self._of.configurator.reload("tocsin")
        except Refused as error:
            log.error("Reload refused", action="configuration_refused", text=str(error))
        except TocsinError:
            log.exception("Reload failed", action="reload_failed")
        finally:
            systemd.notify("READY=1")

    def _start_watchdog(self) -> None:
        every_s = systemd.watchdog_every_s()
        if every_s is None:
            return
        task = asyncio.create_task(self._feed_watchdog(every_s), name="watchdog")
        self._tasks.add(task)

    async def _feed_watchdog(self, every_s: float) -> None:
        """Feed the watchdog only on proven progress: loops turn. A store that is gone is an alarm, not a reason to die."""
        stands_still: list[str] = []
        while True:
            late = self._of.runner.late()
            if not late:
                systemd.notify("WATCHDOG=1")
            elif late != stands_still:
                log.error("The watchdog is not fed", action="watchdog_starved", loops=late)
            stands_still = late
            await asyncio.sleep(every_s)

    async def _drain(
        self, running: asyncio.Task[None], inbox: asyncio.Future[None] | None, opened: Sequence[Listener]
    ) -> None:
        of = self._of
        systemd.notify("STOPPING=1")
        log.info("Draining", action="draining", why=self._why)
        of.poller.stop()
        of.housekeeping.stop()
        of.changes.end()
        of.runner.stop()
        for task in self._tasks:
            task.cancel()
        if inbox is not None:
            inbox.cancel()
        await self._within(
            "rest", asyncio.gather(running, *self._tasks, *([inbox] if inbox else []), return_exceptions=True)
        )
        await self._within("dispatch", of.dispatcher.close(DRAIN_S["dispatch"] - 0.5))
        await self._within("rest", self._last_writes())
        await self._close(opened)

    async def _last_writes(self) -> None:
        of, now = self._of, self._of.clock.now()
        with suppress(TocsinError):
            await of.history.flush(now)
            await of.heartbeat.stop(now, self._why)
            await of.ops_log.step(now)

    async def _close(self, opened: Sequence[Listener]) -> None:
        for listener in opened:
            await self._within("web", listener.stop())
        await self._within("rest", self._of.gate.close())

    async def _within(self, part: str, work: Awaitable[object]) -> None:
        try:
            async with asyncio.timeout(DRAIN_S[part]):
                await work
        except TimeoutError:
            log.warning("Draining took too long", action="drain_cut", part=part)


def _settle_memory() -> None:
    """What the start made stays: a collection that walks over ten thousand checks would hold up the probes for a fifth of a second."""
    gc.collect()
    gc.freeze()
