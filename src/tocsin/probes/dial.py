"""Trying the addresses of a name: IPv6 first, the next one a quarter of a second later (RFC 8305)."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from itertools import chain, zip_longest
from typing import TypeVar

from tocsin.core.model import Reason
from tocsin.probes.failures import ProbeFailed
from tocsin.probes.resolver import Address

T = TypeVar("T")
STAGGER_S = 0.25
LEAST_TELLING = (Reason.UNREACHABLE,)


async def race(
    addresses: Sequence[Address], attempt: Callable[[Address], Awaitable[T]], discard: Callable[[T], object]
) -> T:
    """Return what the first attempt that succeeds returns; a second success in the same instant is discarded. Raises ProbeFailed."""
    if len(addresses) == 1:
        return await attempt(addresses[0])
    waiting = deque(interleaved(addresses))
    running: set[asyncio.Task[T]] = set()
    failures: list[ProbeFailed] = []
    won: list[T] = []
    try:
        while (waiting or running) and not won:
            if waiting:
                running.add(asyncio.ensure_future(attempt(waiting.popleft())))
            done, running = await asyncio.wait(
                running, timeout=STAGGER_S if waiting else None, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                _sort(task, won, failures)
    finally:
        _call_off(running, discard)
        for spare in won[1:]:
            discard(spare)
    if won:
        return won[0]
    raise next((f for f in failures if f.failure.reason not in LEAST_TELLING), failures[-1])


def interleaved(addresses: Sequence[Address]) -> list[Address]:
    """IPv6, IPv4, IPv6 …, each family in the order of the system (RFC 6724)."""
    six = [a for a in addresses if a.family == socket.AF_INET6]
    four = [a for a in addresses if a.family != socket.AF_INET6]
    return [a for a in chain.from_iterable(zip_longest(six, four)) if a is not None]


def peer_name(ip: str, port: int) -> str:
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"


def _sort(task: asyncio.Task[T], won: list[T], failures: list[ProbeFailed]) -> None:
    error = task.exception()
    if error is None:
        won.append(task.result())
    elif isinstance(error, ProbeFailed):
        failures.append(error)
    else:
        failures.append(ProbeFailed(Reason.INTERNAL, f"connecting failed: {type(error).__name__}"))


def _call_off(running: set[asyncio.Task[T]], discard: Callable[[T], object]) -> None:
    for task in running:
        task.cancel()
    for task in running:
        task.add_done_callback(lambda done: None if done.cancelled() or done.exception() else discard(done.result()))
