"""`tcp:` checks: connect, perhaps TLS, perhaps send, perhaps expect. Each probe is a connection of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tocsin.core.model import Certificate, Observation, Reason
from tocsin.core.policy import Check, TcpTarget
from tocsin.ports import Done
from tocsin.probes.dial import peer_name
from tocsin.probes.failures import ProbeFailed
from tocsin.probes.line import Line, SecureLine
from tocsin.probes.opening import Opener
from tocsin.probes.progress import Progress, Stage
from tocsin.probes.tasks import Tasks
from tocsin.probes.tls import Certificates

LIMIT = 64 * 1024
SHORT = 4096
"""Up to here every piece is looked at as it comes; beyond, only when there is an eighth more, or a pause."""
PAUSE_S = 0.02
SHOWN = 80

Found = Callable[[bytes], bool]


class TcpProber:
    def __init__(self, opener: Opener, certificates: Certificates) -> None:
        self._opener = opener
        self._certificates = certificates
        self._tasks = Tasks(self._probe, opener.monotonic)
        self._patterns: dict[str, tuple[str, Found]] = {}

    def start(self, check: Check, done: Done) -> None:
        self._tasks.start(check, done)

    def forget(self, check: Check) -> None:
        self._patterns.pop(check.id, None)

    async def close(self) -> None:
        await self._tasks.close()

    async def _probe(self, check: Check, progress: Progress) -> Observation:
        target = check.target
        assert isinstance(target, TcpTarget)
        monotonic, started = self._opener.monotonic, self._opener.monotonic()
        line = await self._open(target, progress)
        try:
            certificate = self._certificate(line)
            if target.send:
                line.write(target.send)
            if target.expect is not None:
                asked = monotonic()
                await self._expect(check.id, target.expect, line, progress)
                progress.first_byte = monotonic() - asked
        except BaseException:
            line.abort()
            raise
        line.close()
        return Observation(
            monotonic() - started,
            phases=progress.phases(),
            url=f"tcp://{peer_name(target.host, target.port)}",
            certificate=certificate,
        )

    async def _open(self, target: TcpTarget, progress: Progress) -> Line:
        if target.tls is None:
            return await self._opener.plain(target.host, target.port, "any", progress)
        return await self._opener.secure(target.host, target.port, "any", progress, target.tls, ())

    def _certificate(self, line: Line) -> Certificate | None:
        return self._certificates.of(line.tls) if isinstance(line, SecureLine) else None

    async def _expect(self, check: str, pattern: str, line: Line, progress: Progress) -> None:
        progress.stage = Stage.EXPECT
        listener = _Listener(self._found(check, pattern))
        line.listen(listener)
        try:
            await listener.heard
        finally:
            listener.close()
        if not listener.has_matched:
            raise ProbeFailed(Reason.EXPECTATION, f"expect {pattern!r} (answer = {listener.shown()})")

    def _found(self, check: str, pattern: str) -> Found:
        known = self._patterns.get(check)
        if known is None or known[0] != pattern:
            # RE2, by way of CEL: loaded only where a check needs it.
            from tocsin.expressions.regex import compile_regex

            known = self._patterns[check] = pattern, compile_regex(pattern)
        return known[1]


class _Listener:
    """Collects an answer until the pattern is found in it, the peer closes, or it is too long."""

    def __init__(self, found: Found) -> None:
        self.heard: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.has_matched = False
        self._found = found
        self._answer = bytearray()
        self._looked_at = 0
        self._timer: asyncio.TimerHandle | None = None

    def received(self, data: bytes) -> None:
        self._answer += data[: LIMIT - len(self._answer)]
        size = len(self._answer)
        if size <= SHORT or size >= LIMIT or size >= self._looked_at * 9 // 8:
            self._look()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(PAUSE_S, self._look)

    def lost(self, failure: ProbeFailed | None) -> None:
        if self.heard.done():
            return
        if failure is not None and not self.has_match():
            self.heard.set_exception(failure)
        else:
            self.has_match()
            self.heard.set_result(None)

    def has_match(self) -> bool:
        self._looked_at = len(self._answer)
        self.has_matched = self.has_matched or self._found(bytes(self._answer))
        return self.has_matched

    def shown(self) -> str:
        text = bytes(self._answer[:SHOWN]).decode("utf-8", "replace")
        shown = "".join(c if c.isprintable() else "�" for c in text.rstrip())
        return f'"{shown}{"…" if len(self._answer) > SHOWN else ""}"' if self._answer else "nothing"

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        self._timer = None
        if not self.heard.done() and (self.has_match() or len(self._answer) >= LIMIT):
            self.heard.set_result(None)
