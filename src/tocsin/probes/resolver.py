"""Names to addresses, in threads of its own with a bound, so that a dead DNS holds up nobody else's probes."""

from __future__ import annotations

import asyncio
import math
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from tocsin.core.model import TransportFailure
from tocsin.probes.failures import ProbeFailed, no_address, of_lookup_error
from tocsin.probes.workers import Workers

V = TypeVar("V")
Key = tuple[str, str]

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

    @property
    def host(self) -> str:
        """As a text that needs no lookup."""
        return f"{self.ip}%{self.scope}" if self.scope else self.ip

    def at(self, port: int) -> tuple[str, int] | tuple[str, int, int, int]:
        return (self.ip, port, 0, self.scope) if self.family == socket.AF_INET6 else (self.ip, port)


Look = Callable[[str, str], Sequence[Address]]


def look_up(host: str, ip: str) -> Sequence[Address]:
    """Ask the system. Blocks, for as long as its resolver likes. Raises OSError, UnicodeError."""
    found = socket.getaddrinfo(host, None, family=FAMILIES[ip], type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return _addresses(found)


@dataclass(slots=True)
class Lookup:
    """One question to the system, shared by all who ask the same. Not started: it still waits for a thread of ours."""

    is_started: bool = False
    took_s: float = 0.0


@dataclass(frozen=True, slots=True)
class _Known:
    until: float
    addresses: tuple[Address, ...]
    failure: TransportFailure | None = None


class Resolver:
    """Remembers answers for half a minute, failures for a second. Names that were slow have to share a few threads."""

    def __init__(self, look: Look = look_up, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._look = look
        self._monotonic = monotonic
        self._quick = Workers("lookup", QUICK_THREADS)
        self._slow = Workers("slow-lookup", SLOW_THREADS)
        self._known: dict[Key, _Known] = {}
        self._asked: dict[Key, tuple[Lookup, asyncio.Future[Sequence[Address]]]] = {}
        self._slow_names: dict[Key, bool] = {}

    async def resolve(self, host: str, ip: str, waiting: Callable[[Lookup], None] | None = None) -> tuple[Address, ...]:
        """Return at least one address. `waiting` is told of the question that has to be waited for. Raises ProbeFailed."""
        key = (host, ip)
        known = _literal(host, ip) or self._known.get(key)
        if known is None or known.until <= self._monotonic():
            lookup, future = self._asked.get(key) or self._ask(key)
            if waiting is not None:
                waiting(lookup)
            # Not awaited directly: whoever gives up must not take the answer from the others.
            await asyncio.wait([future])
            known = self._known[key]
        if known.failure is not None:
            raise ProbeFailed(known.failure.reason, known.failure.text)
        return known.addresses

    def close(self) -> None:
        self._quick.close()
        self._slow.close()

    def _ask(self, key: Key) -> tuple[Lookup, asyncio.Future[Sequence[Address]]]:
        lookup = Lookup()

        def work() -> Sequence[Address]:
            lookup.is_started = True
            started = self._monotonic()
            try:
                return self._look(*key)
            finally:
                lookup.took_s = self._monotonic() - started

        future = (self._slow if key in self._slow_names else self._quick).submit(work)
        future.add_done_callback(lambda done: self._answered(key, lookup, done))
        self._asked[key] = lookup, future
        return lookup, future

    def _answered(self, key: Key, lookup: Lookup, done: asyncio.Future[Sequence[Address]]) -> None:
        del self._asked[key]
        error, now = done.exception(), self._monotonic()
        if isinstance(error, Exception):
            known = _Known(now + BAD_FOR_S, (), of_lookup_error(error, *key).failure)
        elif addresses := tuple(done.result())[:ADDRESSES]:
            known = _Known(now + GOOD_FOR_S, addresses)
        else:
            known = _Known(now + BAD_FOR_S, (), no_address(*key).failure)
        _keep(self._known, key, known)
        if lookup.took_s >= SLOW_S:
            _keep(self._slow_names, key, True)
        else:
            self._slow_names.pop(key, None)


def _keep(table: dict[Key, V], key: Key, value: V) -> None:
    """Put in last, and drop the oldest where the table grew too long."""
    table.pop(key, None)
    table[key] = value
    if len(table) > NAMES:
        del table[next(iter(table))]


def _literal(host: str, ip: str) -> _Known | None:
    """An address instead of a name needs no lookup."""
    family, scope = socket.AF_INET, 0
    if ":" in host:
        family = socket.AF_INET6
        host, _, interface = host.partition("%")
        scope = _index(interface)
    try:
        packed = socket.inet_pton(family, host)
    except (OSError, ValueError):
        return None
    if FAMILIES[ip] not in (socket.AF_UNSPEC, family):
        return _Known(math.inf, (), no_address(host, ip).failure)
    return _Known(math.inf, (Address(family, socket.inet_ntop(family, packed), scope),))


def _index(interface: str) -> int:
    try:
        return socket.if_nametoindex(interface) if interface else 0
    except OSError:
        return int(interface) if interface.isdecimal() else 0


def _addresses(found: Sequence[tuple[int, int, int, str, tuple[object, ...]]]) -> list[Address]:
    addresses = [
        Address(family, str(where[0]), int(str(where[3])) if family == socket.AF_INET6 else 0)
        for family, _, _, _, where in found
        if family in (socket.AF_INET, socket.AF_INET6)
    ]
    return list(dict.fromkeys(addresses))
