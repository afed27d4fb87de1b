"""Probes that are coroutines: each a task with the check's own time limit, ending in exactly one observation."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from tocsin.core.model import Observation, Reason
from tocsin.core.policy import Check
from tocsin.ports import Done
from tocsin.probes.failures import ProbeFailed, of_own_fault
from tocsin.probes.progress import Progress

Probe = Callable[[Check, Progress], Awaitable[Observation]]


class Tasks:
    """Runs `probe` for each start. It raises ProbeFailed; what else it raises is a fault of ours."""

    def __init__(self, probe: Probe, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._probe = probe
        self._monotonic = monotonic
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, check: Check, done: Done) -> None:
        task = asyncio.get_running_loop().create_task(self._run(check, done))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Call off what is under way; each still ends in its observation."""
        running = list(self._tasks)
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running, timeout=5.0)

    async def _run(self, check: Check, done: Done) -> None:
        started, progress = self._monotonic(), Progress()
        try:
            observation = await self._observe(check, progress)
        except ProbeFailed as failed:
            observation = Observation(self._monotonic() - started, failed.failure, progress.phases())
        except asyncio.CancelledError:
            stopping = ProbeFailed(Reason.INTERNAL, "not probed: the daemon is stopping")
            observation = Observation(self._monotonic() - started, stopping.failure)
        except Exception as error:  # noqa: BLE001
            own = of_own_fault(error, check.id)
            observation = Observation(self._monotonic() - started, own.failure)
        done(observation)

    async def _observe(self, check: Check, progress: Progress) -> Observation:
        timeout_s = check.timeout.total_seconds()
        try:
            async with asyncio.timeout(timeout_s):
                return await self._probe(check, progress)
        except TimeoutError as error:
            raise progress.timed_out(timeout_s) from error
