"""From an address to an open connection, each step timed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

from tocsin.core.policy import Tls
from tocsin.probes.dial import peer_name, race
from tocsin.probes.failures import of_os_error
from tocsin.probes.line import Line, SecureLine
from tocsin.probes.progress import Progress, Stage, plus
from tocsin.probes.resolver import Address, Resolver
from tocsin.probes.tls import Contexts, TlsSession

L = TypeVar("L", bound=Line)


class Opener:
    """Opens connections. Its parts are shared by all probers."""

    def __init__(self, resolver: Resolver, contexts: Contexts, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.resolver = resolver
        self.contexts = contexts
        self.monotonic = monotonic

    async def plain(self, host: str, port: int, ip: str, progress: Progress) -> Line:
        """Raises ProbeFailed. Cancelled, it leaves nothing open."""
        return await self._open(host, port, ip, progress, Line)

    async def secure(
        self,
        host: str,
        port: int,
        ip: str,
        progress: Progress,
        tls: Tls,
        alpn: tuple[str, ...],
        known: TlsSession | None = None,
    ) -> SecureLine:
        """Raises ProbeFailed. Cancelled, it leaves nothing open."""
        progress.stage = Stage.PREPARING
        context = await self.contexts.get(tls, alpn)
        session = known.session if known is not None and known.context is context else None
        name = tls.server_name or host
        line = await self._open(host, port, ip, progress, lambda peer: SecureLine(peer, context, name, session))
        started = self.monotonic()
        progress.stage = Stage.TLS
        try:
            await line.secured
        except BaseException:
            line.abort()
            raise
        progress.tls = plus(progress.tls, self.monotonic() - started)
        return line

    async def _open(self, host: str, port: int, ip: str, progress: Progress, make: Callable[[str], L]) -> L:
        started = self.monotonic()
        progress.stage, progress.peer, progress.lookup = Stage.DNS, host, None
        addresses = await self.resolver.resolve(host, ip, progress.waits_for)
        resolved = self.monotonic()
        progress.dns = plus(progress.dns, resolved - started)
        peer = peer_name(host, port)
        progress.stage, progress.peer = Stage.CONNECT, peer
        loop = asyncio.get_running_loop()

        async def attempt(address: Address) -> L:
            try:
                # The loop's own connecting: with uvloop half as dear as handing over a connected socket.
                _, line = await loop.create_connection(lambda: make(peer), address.host, port, family=address.family)
            except OSError as error:
                raise of_os_error(error, peer_name(address.ip, port)) from error
            return line

        line = await race(addresses, attempt, Line.abort)
        progress.connect = plus(progress.connect, self.monotonic() - resolved)
        return line
