"""Names to addresses, in threads of its own with a bound, so that a dead DNS holds up nobody else's probes."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tocsin.probes.failures import ProbeFailed, no_address, of_lookup_error
from tocsin.probes.workers import Workers

QUICK_THREADS = 16
SLOW_THREADS = 4
SLOW_S = 1.0
GOOD_FOR_S = 30.0
"""getaddrinfo tells no TTL; the system's own resolver honours it."""
BAD_FOR_S = 1.0
NAMES = 16_384
ADDRESSES = 8
FAMILIES = {"any": socket.AF_UNSPEC, "4": socket.AF_INET, "6": socket.AF_INET6}


class Address(NamedTuple):
    """`scope` is the index of the interface of a link-local IPv6 address."""

    family: int
    ip: str
    scope: int = 0

    def at(self, port: int) -> tuple[str, int] | tuple[str, int, int, int]:
        return (self.ip, port, 0, self.scope) if self.family == socket.AF_INET6 else (self.ip, port)


Look = Callable[[str, str], Sequence[Address]]


def look_up(host: str, ip: str) -> Sequence[Address]:
    """Ask the system. Blocks, for as long as its resolver likes. Raises OSError, UnicodeError."""
    found = socket.getaddrinfo(host, None, family=FAMILIES[ip], type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return _addresses(found)


@dataclass(slots=True)
class Lookup:
    """One question to the system, shared by all who ask the same. Not started: it waits for a thread of ours."""

    future: asyncio.Future[Sequence[Address]] | None = None
    is_started: bool = False
    is_late: bool = False


@dataclass(frozen=True, slots=True)
class _Known:
    until: float
    addresses: tuple[Address, ...]
    failure: ProbeFailed | None = None


class Resolver:
    """Remembers answers for half a minute, failures for a second. Names that were slow have to share a few threads."""

    def __init__(self, look: Look = look_up, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._look = look
        self._monotonic = monotonic
        self._quick = Workers("lookup", QUICK_THREADS)
        self._slow = Workers("slow-lookup", SLOW_THREADS)
        self._known: dict[tuple[str, str], _Known] = {}
        self._asked: dict[tuple[str, str], Lookup] = {}
        self._slow_names: dict[tuple[str, str], None] = {}

    async def resolve(self, host: str, ip: str, lookup: Lookup | None = None) -> tuple[Address, ...]:
        """Return at least one address. `lookup`, when given, is told whether the question is on its way. Raises ProbeFailed."""
        key = (host, ip)
        known = _literal(host, ip) or self._remembered(key)
        if known is None:
            known = await self._ask(key, lookup or Lookup())
        if known.failure is not None:
            raise ProbeFailed(known.failure.failure.reason, known.failure.failure.text)
        return known.addresses

    def close(self) -> None:
        self._quick.close()
        self._slow.close()

    def _remembered(self, key: tuple[str, str]) -> _Known | None:
        known = self._known.get(key)
        return known if known is not None and known.until > self._monotonic() else None

    async def _ask(self, key: tuple[str, str], own: Lookup) -> _Known:
        shared = self._asked.get(key)
        if shared is None:
            shared = self._asked[key] = Lookup()
            shared.future = self._submit(key, shared)
            shared.future.add_done_callback(lambda done: self._answered(key, done))
        own.future = shared.future
        own.is_late = True
        assert shared.future is not None
        try:
            # Whoever gives up must not take the answer from the others.
            await asyncio.wait([shared.future])
        finally:
            own.is_late = not shared.is_started
        return self._known[key]

    def _submit(self, key: tuple[str, str], shared: Lookup) -> asyncio.Future[Sequence[Address]]:
        def work() -> Sequence[Address]:
            shared.is_started = True
            return self._look(*key)

        started = self._monotonic()
        lane = self._slow if key in self._slow_names else self._quick
        future = lane.submit(work)
        future.add_done_callback(lambda _: self._timed(key, self._monotonic() - started))
        return future

    def _timed(self, key: tuple[str, str], took_s: float) -> None:
        if took_s >= SLOW_S:
            _keep(self._slow_names, key, None)
        else:
            self._slow_names.pop(key, None)

    def _answered(self, key: tuple[str, str], done: asyncio.Future[Sequence[Address]]) -> None:
        self._asked.pop(key, None)
        if done.cancelled():
            return
        host, ip = key
        error = done.exception()
        now = self._monotonic()
        if isinstance(error, Exception):
            known = _Known(now + BAD_FOR_S, (), of_lookup_error(error, host, ip))
        elif addresses := tuple(done.result())[:ADDRESSES]:
            known = _Known(now + GOOD_FOR_S, addresses)
        else:
            known = _Known(now + BAD_FOR_S, (), no_address(host, ip))
        _keep(self._known, key, known)


def _keep(table: dict[tuple[str, str], object] | dict[tuple[str, str], _Known], key: tuple[str, str], value: object) -> None:
    """Put in last, and drop the oldest where the table grew too long."""
    table.pop(key, None)
    table[key] = value  # type: ignore[assignment]
    if len(table) > NAMES:
        del table[next(iter(table))]


def _literal(host: str, ip: str) -> _Known | None:
    """An address instead of a name needs no lookup."""
    if not host or not (host[0].isdigit() or ":" in host):
        return None
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return None
    wanted = FAMILIES[ip]
    addresses = tuple(a for a in _addresses(found) if wanted in (socket.AF_UNSPEC, a.family))
    return _Known(0.0, addresses, None if addresses else no_address(host, ip))


def _addresses(found: Sequence[tuple[int, int, int, str, tuple[object, ...]]]) -> list[Address]:
    addresses = [
        Address(family, str(where[0]), int(str(where[3])) if family == socket.AF_INET6 else 0)
        for family, _, _, _, where in found
        if family in (socket.AF_INET, socket.AF_INET6)
    ]
    return list(dict.fromkeys(addresses))
