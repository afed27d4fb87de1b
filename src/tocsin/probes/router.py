"""Which client probes which check, and how many at once: never more than descriptors allow, never many at one host."""

from __future__ import annotations

import resource
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Protocol
from urllib.parse import urlsplit

from tocsin.core.model import Observation, Reason, TransportFailure
from tocsin.core.policy import Check, HttpTarget, TcpTarget
from tocsin.ports import Done

PER_HOST = 20
SPARE_DESCRIPTORS = 128
MOST_AT_ONCE = 4096


class Client(Protocol):
    """One kind's client. Its `start` calls `done` exactly once and never raises."""

    def start(self, check: Check, done: Done) -> None: ...
    def forget(self, check: Check) -> None: ...
    async def close(self) -> None: ...


@dataclass(slots=True)
class _Waiting:
    check: Check
    done: Done
    since: float


def most_at_once() -> int:
    """How many probes may be under way, from the limit of open files."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(8, min(MOST_AT_ONCE, soft - SPARE_DESCRIPTORS))


class Probes:
    """Implements `ports.Prober`. A probe that would wait longer than its own timeout is late: that is our trouble, not the service's."""

    def __init__(self, *, at_once: int | None = None, per_host: int = PER_HOST) -> None:
        self._at_once = at_once if at_once is not None else most_at_once()
        self._per_host = per_host
        self._running = 0
        self._by_host: dict[str, int] = {}
        self._queue: deque[_Waiting] = deque()
        self._clients: dict[str, Client] = {}
        self._hosts: dict[str, str] = {}
        self._is_closed = False

    def start(self, check: Check, done: Done) -> None:
        host = self._host_of(check)
        if self._has_room(host):
            self._launch(check, host, done)
        else:
            self._queue.append(_Waiting(check, done, monotonic()))

    def _has_room(self, host: str) -> bool:
        return self._running < self._at_once and self._by_host.get(host, 0) < self._per_host

    def _launch(self, check: Check, host: str, done: Done) -> None:
        self._running += 1
        self._by_host[host] = self._by_host.get(host, 0) + 1

        def ended(observation: Observation) -> None:
            self._running -= 1
            left = self._by_host[host] - 1
            if left:
                self._by_host[host] = left
            else:
                del self._by_host[host]
            done(observation)
            if self._queue:
                self._admit()

        self._client_for(check).start(check, ended)

    def _admit(self) -> None:
        """Start what waits and has room now, in order; what waited too long is told to be late."""
        now = monotonic()
        for _ in range(len(self._queue)):
            waiting = self._queue.popleft()
            host = self._host_of(waiting.check)
            if now - waiting.since > waiting.check.timeout.total_seconds():
                waiting.done(_late(now - waiting.since))
            elif self._has_room(host):
                self._launch(waiting.check, host, waiting.done)
            else:
                self._queue.append(waiting)
            if self._running >= self._at_once:
                return

    def _host_of(self, check: Check) -> str:
        match check.target:
            case HttpTarget(url=url):
                host = self._hosts.get(url)
                if host is None:
                    host = self._hosts[url] = urlsplit(url).netloc.rpartition("@")[2]
                return host
            case TcpTarget(host=host, port=port):
                return f"{host}:{port}"

    def _client_for(self, check: Check) -> Client:
        kind = "http" if isinstance(check.target, HttpTarget) else "tcp"
        client = self._clients.get(kind)
        if client is None:
            client = self._clients[kind] = MAKERS[kind]()
        return client

    def forget(self, check: Check) -> None:
        if isinstance(check.target, HttpTarget):
            self._hosts.pop(check.target.url, None)
        for client in self._clients.values():
            client.forget(check)

    async def close(self) -> None:
        self._queue.clear()
        for client in self._clients.values():
            await client.close()


def _late(waited_s: float) -> Observation:
    text = f"waited {waited_s:.1f} s for its turn: too much is probed at once"
    return Observation(0.0, TransportFailure(Reason.LATE, text))


def _http() -> Client:
    from tocsin.probes.http.library import LibraryClient

    return LibraryClient()


def _tcp() -> Client:
    from tocsin.probes.tcp import TcpClient

    return TcpClient()


MAKERS: dict[str, Callable[[], Client]] = {"http": _http, "tcp": _tcp}
