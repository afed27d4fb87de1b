"""Which client probes which check, and how many at once: never more than descriptors allow, never many at one origin."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import assert_never
from urllib.parse import urlsplit

from tocsin.core.model import Observation
from tocsin.core.policy import Check, HttpTarget, TcpTarget
from tocsin.ports import Done, Prober
from tocsin.probes.failures import late

PER_ORIGIN = 20


class Turns:
    """Lets at most `limit` run at once, the others in the order in which they came."""

    __slots__ = ("_limit", "_queue", "running")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._queue: deque[_Job] = deque()
        self.running = 0

    @property
    def is_unused(self) -> bool:
        return not self.running and not self._queue

    def take(self) -> bool:
        if self.running >= self._limit:
            return False
        self.running += 1
        return True

    def queue(self, job: _Job) -> None:
        self._queue.append(job)

    def give_back(self) -> None:
        """Hand the turn to whoever waits longest and still wants it."""
        self.running -= 1
        while self._queue:
            job = self._queue.popleft()
            if not job.is_over:
                self.running += 1
                job.turn_came()
                return


class Probes:
    """Implements `ports.Prober` over a client a kind.

    What waits for its turn longer than its own timeout is late: that is our trouble, not the service's. So `done` is called
    within twice the timeout.
    """

    def __init__(
        self, wire: Prober, tcp: Prober, library: Callable[[], Prober], at_once: int, per_origin: int = PER_ORIGIN
    ) -> None:
        self._wire = wire
        self._tcp = tcp
        self._make_library = library
        self._library: Prober | None = None
        self._per_origin = per_origin
        self._all = Turns(at_once)
        self._origins: dict[str, Turns] = {}
        self._places: dict[str, tuple[Check, str, Prober]] = {}
        self._waiting: set[_Job] = set()

    @property
    def running(self) -> int:
        """How many probes are under way."""
        return self._all.running

    @property
    def waiting(self) -> int:
        """How many probes wait for their turn."""
        return len(self._waiting)

    def start(self, check: Check, done: Done) -> None:
        place = self._places.get(check.id)
        if place is None or place[0] is not check:
            place = self._places[check.id] = (check, _origin_of(check), self._client_for(check))
        _, name, client = place
        origin = self._origins.get(name)
        if origin is None:
            origin = self._origins[name] = Turns(self._per_origin)
        _Job(self, check, client, name, origin, done).start()

    def forget(self, check: Check) -> None:
        place = self._places.pop(check.id, None)
        if place is not None:
            place[2].forget(check)

    async def close(self) -> None:
        for job in list(self._waiting):
            job.end(Observation(0.0, late("not probed: the daemon is stopping").failure))
        for client in (self._wire, self._tcp, self._library):
            if client is not None:
                await client.close()

    def take_all(self, job: _Job) -> bool:
        """A turn among all; else the job waits for one."""
        if self._all.take():
            return True
        self._all.queue(job)
        return False

    def waits(self, job: _Job) -> None:
        self._waiting.add(job)

    def waits_no_more(self, job: _Job) -> None:
        self._waiting.discard(job)

    def ended(self, name: str, origin: Turns) -> None:
        self._all.give_back()
        self.left(name, origin)

    def left(self, name: str, origin: Turns) -> None:
        origin.give_back()
        if origin.is_unused:
            self._origins.pop(name, None)

    def _client_for(self, check: Check) -> Prober:
        match check.target:
            case HttpTarget(proxy=None):
                return self._wire
            case HttpTarget():
                if self._library is None:
                    self._library = self._make_library()
                return self._library
            case TcpTarget():
                return self._tcp
            case _:
                assert_never(check.target)


class _Job:
    """One probe on its way through the queues: first its origin's, then that of all."""

    __slots__ = ("_all", "_check", "_client", "_done", "_has_origin", "_name", "_origin", "_timer", "is_over")

    def __init__(self, all_: Probes, check: Check, client: Prober, name: str, origin: Turns, done: Done) -> None:
        self._all = all_
        self._check = check
        self._client = client
        self._name = name
        self._origin = origin
        self._done = done
        self._has_origin = False
        self._timer: asyncio.TimerHandle | None = None
        self.is_over = False

    def start(self) -> None:
        if self._origin.take():
            self.turn_came()
        else:
            self._origin.queue(self)
            self._wait()

    def turn_came(self) -> None:
        """A turn was given: the origin's first, then the one among all."""
        if not self._has_origin:
            self._has_origin = True
            if not self._all.take_all(self):
                self._wait()
                return
        if self._timer is not None:
            self._timer.cancel()
            self._all.waits_no_more(self)
        self._client.start(self._check, self._ended)

    def end(self, observation: Observation) -> None:
        """End without having been probed."""
        self.is_over = True
        if self._timer is not None:
            self._timer.cancel()
        self._all.waits_no_more(self)
        if self._has_origin:
            self._all.left(self._name, self._origin)
        self._done(observation)

    def _wait(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._check.timeout.total_seconds(), self._is_late)
            self._all.waits(self)

    def _is_late(self) -> None:
        timeout_s = self._check.timeout.total_seconds()
        where = f"others at {self._name}" if not self._has_origin else "other probes"
        self.end(Observation(0.0, late(f"not probed: waited {timeout_s:g}s behind {where}").failure))

    def _ended(self, observation: Observation) -> None:
        self.is_over = True
        self._all.ended(self._name, self._origin)
        self._done(observation)


def _origin_of(check: Check) -> str:
    """Host and port, without what may be secret in a URL."""
    match check.target:
        case HttpTarget(url=url):
            return urlsplit(url).netloc.rpartition("@")[2].lower()
        case TcpTarget(host=host, port=port):
            return f"{host}:{port}"
        case _:
            assert_never(check.target)
