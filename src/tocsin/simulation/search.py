"""Plays seeds and says which promise was not kept, with the shortest script that still breaks it."""

from __future__ import annotations

import asyncio
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from random import Random
from typing import Any

from tocsin.core.model import Status
from tocsin.simulation.at_rest import at_rest
from tocsin.simulation.invariants import always
from tocsin.simulation.picture import take_picture
from tocsin.simulation.rules import EVERY
from tocsin.simulation.script import CHECK_IDS, Fail, Step, describe, write_script
from tocsin.simulation.store import Disk
from tocsin.simulation.world import REAL_PARTS, Broken, Parts, World
from tocsin.store.journal import digest

ROUNDS_UNTIL_DECIDED = 6
WAITS_UNTIL_TOLD = 30
LONG_AFTER = timedelta(hours=30)
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Failure:
    """A seed that broke a promise. `script` is what is left of its script when everything needless was taken out.

    `point` names where the one power failure of a sweep was.
    """

    seed: int
    why: str
    script: tuple[Step, ...]
    point: str = ""

    def __str__(self) -> str:
        where = f", power failure {self.point}" if self.point else ""
        return f"seed {self.seed}{where}: {self.why}\n{describe(self.script)}"


@dataclass(slots=True)
class Tally:
    """What a search played: `passed` and `failed` count the points at which the power could fail, and did.

    `digest` is of what was told and when: the same seeds give the same, on any machine.
    """

    seeds: int = 0
    crashes: int = 0
    incidents: int = 0
    messages: int = 0
    digest: str = ""
    passed: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)


class _Inline(ThreadPoolExecutor):
    """Does what is meant for a thread at once, so that a seed is the same each time."""

    def submit(self, work: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(work(*arguments, **named))
        except Exception as error:  # noqa: BLE001  # handed on to whoever waits
            future.set_exception(error)
        return future


class Search:
    """Plays seeds, one world each, on one disk."""

    def __init__(self, parts: Parts = REAL_PARTS, *, shorten: bool = True) -> None:
        self._parts = parts
        self._shortens = shorten
        self._disk = Disk()
        self._inline = _Inline(1)
        self.tally = Tally()

    def close(self) -> None:
        self._disk.close()
        self._inline.shutdown()

    def run(self, seeds: Iterable[int], *, stop_at: int = 1) -> Tally:
        """Play seeds until so many have failed."""
        for seed in seeds:
            failure = self.try_seed(seed)
            if failure is not None:
                self.tally.failures.append(failure)
            if len(self.tally.failures) >= stop_at:
                break
        return self.tally

    def try_seed(self, seed: int) -> Failure | None:
        return self.try_script(seed, write_script(seed))

    def try_script(self, seed: int, script: list[Step]) -> Failure | None:
        """Play a script; the seed only chooses who hears what first."""
        why = self._why_broken(seed, script)
        self.tally.seeds += 1
        if why is None:
            return None
        if self._shortens:
            script, why = self._shorten(seed, script, why)
        return Failure(seed, why, tuple(script))

    def sweep(self, seed: int, script: Sequence[Step]) -> list[Failure]:
        """Play a script again and again with one power failure, at each point that it passes in turn."""
        script = [step for step in map(_without_failures, script) if step]
        failures: list[Failure] = []
        fail_at = 0
        while True:
            fail_at += 1
            world, why = self._play(seed, script, fail_at)
            self.tally.seeds += 1
            if why is not None:
                failures.append(Failure(seed, why, tuple(script), " ".join(world.power.failed)))
            if world.record.crashes == 0:
                return failures

    def _shorten(self, seed: int, script: list[Step], why: str) -> tuple[list[Step], str]:
        """Take out steps, then single actions, as long as what is left is still broken."""
        for shorten in (_without_step, _without_action):
            place = 0
            while (shorter := shorten(script, place)) is not None:
                still = self._why_broken(seed, shorter)
                if still is None:
                    place += 1
                else:
                    script, why = shorter, still
        return script, why

    def _why_broken(self, seed: int, script: Sequence[Step]) -> str | None:
        return self._play(seed, script, None)[1]

    def _play(self, seed: int, script: Sequence[Step], fail_at: int | None) -> tuple[World, str | None]:
        """Play a script to its quiet end; returns the world, and the promise that it broke if it did."""
        self._disk.wipe()
        random = Random(seed)  # noqa: S311  # chance that can be repeated is the point
        world = World(self._disk, random, self._parts, restarted=_check, fail_at=fail_at)
        try:
            with asyncio.Runner() as runner:
                runner.get_loop().set_default_executor(self._inline)
                runner.run(_life_of(world, script))
        except Broken as broken:
            return world, str(broken)
        except Exception:  # noqa: BLE001  # whatever it is, it is what this seed found
            return world, traceback.format_exc()
        self._count(world)
        return world, None

    def _count(self, world: World) -> None:
        told = [(posted.at.isoformat(), posted.key) for posted in world.workspace.posted]
        self.tally.digest = digest(self.tally.digest, world.power.count, told)
        self.tally.crashes += world.record.crashes
        self.tally.incidents += len(world.record.versions)
        self.tally.messages += len(world.workspace.posted)
        self.tally.passed += world.power.passed
        self.tally.failed += world.power.failed


async def _life_of(world: World, script: Sequence[Step]) -> None:
    await world.begin()
    for step in script:
        await world.play_step(step)
    await _come_to_rest(world)
    _check_at_rest(world)
    world.record.truth = dict.fromkeys(CHECK_IDS, Status.UP)
    await _decide(world)
    await world.wait(LONG_AFTER)
    await _until_told(world)
    _check_at_rest(world)


async def _come_to_rest(world: World) -> None:
    """No more troubles: mend everything, start once more, let each check be decided and everything be told."""
    world.power.never_fail()
    world.workspace.troubles.clear()
    world.workspace.failing_lookups = 0
    await world.start()
    if world.workspace.refused:
        await world.turn(_retry(world))
    await _decide(world)
    await _until_told(world)


async def _retry(world: World) -> None:
    await world.life.commands.call("notices_retry", {}, actor="user:root")


async def _decide(world: World) -> None:
    """Probe each check often enough that its truth is decided."""
    for _ in range(ROUNDS_UNTIL_DECIDED):
        world.clock.advance(EVERY)
        world.feed()
    await world.turn()


async def _until_told(world: World) -> None:
    for _ in range(WAITS_UNTIL_TOLD):
        if not world.disk.has_pending():
            return
        await world.wait(timedelta(minutes=2))


def _check(world: World) -> None:
    picture = take_picture(world.disk)
    _demand([*always(picture, world.record, world.workspace), *world.store.faults])


def _check_at_rest(world: World) -> None:
    picture = take_picture(world.disk)
    wrong = [*always(picture, world.record, world.workspace), *world.store.faults]
    _demand([*wrong, *at_rest(picture, world.record, world.workspace, world.life, world.clock.now())])


def _demand(wrong: list[str]) -> None:
    if wrong:
        more = f"\n  and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        raise Broken("\n  ".join(islice(wrong, SHOWN)) + more)


def _without_failures(step: Step) -> Step:
    return tuple(action for action in step if not isinstance(action, Fail))


def _without_step(script: list[Step], place: int) -> list[Step] | None:
    """The script without the step at a place, counted from the end; None when there is no such place."""
    at = len(script) - 1 - place
    return script[:at] + script[at + 1 :] if at >= 0 else None


def _without_action(script: list[Step], place: int) -> list[Step] | None:
    """The script without one action of a step with several."""
    places = [(n, m) for n, step in enumerate(script) if len(step) > 1 for m in range(len(step))]
    if place >= len(places):
        return None
    n, m = places[place]
    return [*script[:n], script[n][:m] + script[n][m + 1 :], *script[n + 1 :]]
