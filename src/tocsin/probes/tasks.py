"""Probes that are coroutines: each a task with the check's own time limit, that ends in exactly one observation."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic

from tocsin.core.model import Observation, Reason, TransportFailure
from tocsin.core.policy import Check
from tocsin.log import get_log
from tocsin.ports import Done

log = get_log(__name__)


class Progress:
    """Where a probe is: named in the text of a timeout."""

    __slots__ = ("phase",)

    def __init__(self) -> None:
        self.phase = "connecting"


Probe = Callable[[Check, Progress], Awaitable[Observation]]


class Tasks:
    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, check: Check, done: Done) -> None:
        task = asyncio.get_running_loop().create_task(self._run(check, done), name=f"probe {check.id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, check: Check, done: Done) -> None:
        began, progress = monotonic(), Progress()
        timeout_s = check.timeout.total_seconds()
        try:
            async with asyncio.timeout(timeout_s):
                observation = await self._probe(check, progress)
        except TimeoutError:
            text = f"no answer within {check.timeout.total_seconds():g} s, while {progress.phase}"
            observation = Observation(monotonic() - began, TransportFailure(Reason.TIMEOUT, text))
        except Exception as error:
            # A fault of ours must not be told as the service's.
            log.exception("A probe failed by itself", action="probe_failed", check=check.id)
            observation = Observation(monotonic() - began, TransportFailure(Reason.INTERNAL, type(error).__name__))
        done(observation)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
