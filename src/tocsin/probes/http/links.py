"""The connections that a check keeps between its probes, and when they have to be made anew."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from zlib import crc32

from tocsin.core.model import Certificate, Reason, TransportFailure
from tocsin.core.policy import Check, HttpTarget
from tocsin.probes.failures import ProbeFailed
from tocsin.probes.http.request import Origin, Request, first_request, keeps_alive
from tocsin.probes.line import Line
from tocsin.probes.tls import TlsSession

ORIGINS = 4


@dataclass(slots=True, eq=False)
class Link:
    """A connection with its age. While it is idle it reads itself: whatever comes then, it is of no more use."""

    line: Line
    origin: Origin
    until: float
    certificate: Certificate | None
    is_new: bool = True
    idle: Idle | None = None

    def received(self, data: bytes) -> None:  # noqa: ARG002
        self.line.close()
        self._leave()

    def lost(self, failure: ProbeFailed | None) -> None:  # noqa: ARG002
        self._leave()

    def _leave(self) -> None:
        """A connection that the peer closed holds no place any more."""
        if self.idle is not None:
            self.idle.discard(self)


class Idle:
    """Counts the connections of one client that wait for their next probe: each holds a descriptor."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._links: set[Link] = set()

    @property
    def count(self) -> int:
        return len(self._links)

    def has_room(self) -> bool:
        return len(self._links) < self._limit

    def add(self, link: Link) -> None:
        link.idle = self
        self._links.add(link)

    def discard(self, link: Link) -> None:
        self._links.discard(link)


class Post:
    """What is kept for one check."""

    def __init__(self, check: Check, target: HttpTarget, idle: Idle) -> None:
        self.check = check
        self.target = target
        self.timeout_s = check.timeout.total_seconds()
        self.needs_body = check.judge.needs_body
        self.request: Request | None = None
        self.trouble: TransportFailure | None = None
        self._idle = idle
        self._keeps = keeps_alive(target)
        self._fresh_s = math.inf if target.fresh is None else target.fresh.total_seconds()
        # The first connections are renewed spread over the rhythm: all were made in the same few seconds.
        self._age_s = self._fresh_s * (0.1 + 0.9 * crc32(check.id.encode()) / 2**32)
        self._links: dict[Origin, Link] = {}
        self._sessions: dict[Origin, TlsSession] = {}
        try:
            self.request = first_request(target)
        except ValueError as error:
            why = "" if isinstance(error, UnicodeError) else f": {error}"
            self.trouble = TransportFailure(Reason.INTERNAL, f"not probed: this request cannot be sent{why}")

    def take(self, origin: Origin, now: float) -> Link | None:
        """Return a kept connection that is open and young enough."""
        link = self._links.pop(origin, None)
        if link is None:
            return None
        self._idle.discard(link)
        if not link.line.is_open:
            return None
        if now >= link.until:
            link.line.close()
            self._age_s = self._fresh_s
            return None
        return link

    def keep(self, link: Link) -> None:
        """Keep a connection for the next probe, or close it."""
        has_place = self._keeps and link.line.is_open and link.origin not in self._links and len(self._links) < ORIGINS
        if not has_place or not self._idle.has_room():
            link.line.close()
            return
        link.line.reader = link
        self._links[link.origin] = link
        self._idle.add(link)

    def until(self, now: float) -> float:
        """How long what was made now may be used."""
        return now + self._age_s

    def session(self, origin: Origin, now: float) -> TlsSession | None:
        """The TLS session to resume, while the last look at the certificate is young enough and it is valid."""
        known = self._sessions.get(origin)
        if known is None:
            return None
        is_expired = known.certificate is not None and known.certificate.expires_at <= datetime.now(UTC)
        if now < known.until and not is_expired:
            return known
        del self._sessions[origin]
        self._age_s = self._fresh_s
        return None

    def wants_session(self, origin: Origin) -> bool:
        """Whether the session of a new connection is worth asking for, which costs as much as a probe in plain HTTP."""
        return self._fresh_s > 0 and (origin in self._sessions or len(self._sessions) < ORIGINS)

    def remember(self, origin: Origin, session: TlsSession) -> None:
        self._sessions[origin] = session

    def adopt(self, check: Check) -> bool:
        """Go on for the same check as it was read again; False when it asks for something else now."""
        if check.target != self.target:
            return False
        self.check = check
        self.timeout_s = check.timeout.total_seconds()
        self.needs_body = check.judge.needs_body
        return True

    def close(self) -> None:
        """Keep nothing any more, nor what a probe under way will bring back."""
        self._keeps = False
        for link in self._links.values():
            self._idle.discard(link)
            link.line.close()
        self._links.clear()
        self._sessions.clear()
