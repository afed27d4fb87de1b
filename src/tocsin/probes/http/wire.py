"""The client of the hot path: HTTP/1.1 on asyncio's protocols, no task and no coroutine for a probe on a kept connection."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from tocsin.core.model import Certificate, Reason
from tocsin.core.policy import Check, HttpTarget, Tls
from tocsin.ports import Done
from tocsin.probes.failures import ProbeFailed
from tocsin.probes.http.links import Idle, Link, Post
from tocsin.probes.http.request import Origin
from tocsin.probes.http.wire_probe import WireProbe
from tocsin.probes.line import Line, SecureLine
from tocsin.probes.opening import Opener
from tocsin.probes.progress import Progress
from tocsin.probes.tls import Certificates, for_another_origin

ALPN = ("http/1.1",)


class WireProber:
    """Probes `HttpTarget`s. At most `max_idle` connections are kept open between probes."""

    def __init__(
        self,
        opener: Opener,
        certificates: Certificates,
        max_idle: int = 1000,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.monotonic = monotonic
        self._opener = opener
        self._certificates = certificates
        self._idle = Idle(max_idle)
        self._posts: dict[str, Post] = {}
        self._running: set[WireProbe] = set()

    @property
    def idle(self) -> int:
        """How many connections wait for their next probe."""
        return self._idle.count

    def start(self, check: Check, done: Done) -> None:
        post = self._posts.get(check.id)
        if post is None or post.check is not check:
            post = self._renew(check, post)
        probe = WireProbe(self, post, done)
        self._running.add(probe)
        probe.start()

    def forget(self, check: Check) -> None:
        post = self._posts.pop(check.id, None)
        if post is not None:
            post.close()

    async def close(self) -> None:
        for probe in list(self._running):
            probe.fail(ProbeFailed(Reason.INTERNAL, "not probed: the daemon is stopping"))
        for post in self._posts.values():
            post.close()
        self._posts.clear()
        # Two turns of the loop, in which the transports really close.
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    def ended(self, probe: WireProbe) -> None:
        self._running.discard(probe)

    async def open(self, post: Post, origin: Origin, progress: Progress) -> Link:
        """Raises ProbeFailed. Cancelled, it leaves nothing open."""
        ip = post.target.ip
        if origin.scheme == "http":
            line: Line = await self._opener.plain(origin.host, origin.port, ip, progress)
            return Link(line, origin, post.until(self.monotonic()), None)
        known = post.session(origin, self.monotonic())
        secure = await self._opener.secure(origin.host, origin.port, ip, progress, _tls_for(post, origin), ALPN, known)
        if known is not None and secure.tls.session_reused:
            return Link(secure, origin, known.until, known.certificate)
        return Link(secure, origin, post.until(self.monotonic()), self._certificate(secure))

    def _certificate(self, line: SecureLine) -> Certificate | None:
        try:
            return self._certificates.of(line.tls)
        except ValueError:
            # A certificate that nobody verified may be any bytes.
            return None

    def _renew(self, check: Check, before: Post | None) -> Post:
        assert isinstance(check.target, HttpTarget)
        if before is not None:
            # A reload makes all checks anew: those that stay keep their connections.
            if before.adopt(check):
                return before
            before.close()
        post = self._posts[check.id] = Post(check, check.target, self._idle)
        return post


def _tls_for(post: Post, origin: Origin) -> Tls:
    assert post.request is not None
    own = post.target.tls
    return own if origin == post.request.origin else for_another_origin(own)
