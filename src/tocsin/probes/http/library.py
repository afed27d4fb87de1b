"""HTTP checks through httpx: what the wire client does not speak, and the reference that it is compared with.

Each check has a client of its own, so its pool holds a connection or two. The only room in which probes import httpx, and
httpcore under it, is this file and `library_network.py` beside it.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from typing import Any

import httpx

from tocsin.core.model import Observation, Reason
from tocsin.core.policy import Check, HttpTarget
from tocsin.ports import Done
from tocsin.probes.failures import ProbeFailed
from tocsin.probes.http.body import body_for
from tocsin.probes.http.headers import MAX_FIELDS, MAX_HEAD, Headers, head_size, too_large_headers, too_many_headers
from tocsin.probes.http.library_network import Network, failure_of
from tocsin.probes.http.redirect import Redirects, is_redirect
from tocsin.probes.http.request import Origin, Request, first_request
from tocsin.probes.opening import Opener
from tocsin.probes.progress import Progress, Stage, plus
from tocsin.probes.tasks import Tasks
from tocsin.probes.tls import Certificates


class LibraryProber:
    def __init__(self, opener: Opener, certificates: Certificates) -> None:
        self._opener = opener
        self._certificates = certificates
        self._tasks = Tasks(self._probe, opener.monotonic)
        self._kept: dict[str, _Kept] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def start(self, check: Check, done: Done) -> None:
        self._tasks.start(check, done)

    def forget(self, check: Check) -> None:
        kept = self._kept.pop(check.id, None)
        if kept is not None:
            self._close_soon(kept)

    async def close(self) -> None:
        await self._tasks.close()
        for kept in self._kept.values():
            self._close_soon(kept)
        self._kept.clear()
        if self._closing:
            await asyncio.wait(self._closing, timeout=2.0)

    async def _probe(self, check: Check, progress: Progress) -> Observation:
        assert isinstance(check.target, HttpTarget)
        try:
            request = first_request(check.target)
        except ValueError as error:
            why = "" if isinstance(error, UnicodeError) else f": {error}"
            raise ProbeFailed(Reason.INTERNAL, f"not probed: this request cannot be sent{why}") from None
        kept = self._client(check, check.target, request.origin)
        return await _Visit(self, kept, check, request, progress).run()

    def _client(self, check: Check, target: HttpTarget, origin: Origin) -> _Kept:
        """The check's client; a new one when its connections are as old as they may become."""
        now = self._opener.monotonic()
        kept = self._kept.get(check.id)
        if kept is not None and kept.check is check and now < kept.until:
            return kept
        if kept is not None:
            self._close_soon(kept)
        fresh_s = math.inf if target.fresh is None else target.fresh.total_seconds()
        kept = self._kept[check.id] = _Kept(check, Network(target, origin, self._opener), now + fresh_s)
        return kept

    def _close_soon(self, kept: _Kept) -> None:
        task = asyncio.get_running_loop().create_task(kept.client.aclose())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    @property
    def certificates(self) -> Certificates:
        return self._certificates

    @property
    def opener(self) -> Opener:
        return self._opener


class _Kept:
    def __init__(self, check: Check, network: Network, until: float) -> None:
        self.check = check
        self.network = network
        self.until = until
        self.client = httpx.AsyncClient(transport=network, timeout=None, trust_env=False)  # noqa: S113


class _Visit:
    """One probe: a request, and those that redirects lead to."""

    def __init__(self, prober: LibraryProber, kept: _Kept, check: Check, request: Request, progress: Progress) -> None:
        assert isinstance(check.target, HttpTarget)
        self._prober = prober
        self._kept = kept
        self._needs_body = check.judge.needs_body
        self._target = check.target
        self._request = request
        self._progress = progress
        self._now = prober.opener.monotonic
        self._sent_at = self._first_at = 0.0

    async def run(self) -> Observation:
        started = self._now()
        redirects: Redirects | None = None
        while True:
            response = await self._send_again_if_stale()
            try:
                headers = _checked(response)
                if not self._follows(response.status_code, headers):
                    return await self._take(response, headers, started)
                redirects = redirects or Redirects(self._request, self._target.redirects)
                self._request = redirects.follow(response.status_code, headers)
            finally:
                await response.aclose()

    def _follows(self, status: int, headers: Headers) -> bool:
        return self._target.redirects > 0 and is_redirect(status) and "location" in headers

    async def _send_again_if_stale(self) -> httpx.Response:
        """A kept connection that is of no use any more says nothing about the peer: a fresh one decides."""
        try:
            return await self._send()
        except ProbeFailed as failed:
            if self._kept.network.has_connected or failed.failure.reason not in (Reason.RESET, Reason.PROTOCOL):
                raise
        return await self._send()

    async def _send(self) -> httpx.Response:
        asked = self._request
        self._kept.network.progress = self._progress
        self._progress.stage = Stage.FIRST_BYTE
        self._sent_at = self._now()
        request = httpx.Request(
            asked.method,
            asked.url,
            headers=list(asked.fields),
            content=asked.body or None,
            extensions={"trace": self._trace, "target": asked.path.encode("latin-1")},
        )
        try:
            response = await self._kept.client.send(request, stream=True, auth=None, follow_redirects=False)
        except Exception as error:
            if (failed := failure_of(error)) is None:
                raise
            raise failed from error
        if response.status_code == 407 and self._target.proxy is not None:
            await response.aclose()
            raise ProbeFailed(Reason.PROXY, "the proxy wants a user and password (407)")
        self._progress.first_byte = plus(self._progress.first_byte, self._now() - self._sent_at)
        self._first_at = self._now()
        return response

    async def _take(self, response: httpx.Response, headers: Headers, started: float) -> Observation:
        progress = self._progress
        progress.stage = Stage.TRANSFER
        target = self._target
        body = body_for(self._needs_body, target.max_body, headers.get("content-encoding", ""), target.compression)
        try:
            async for piece in response.aiter_raw():
                body.add(piece)
        except Exception as error:
            if (failed := failure_of(error)) is None:
                raise
            raise failed from error
        whole, ended = body.whole(), self._now()
        progress.transfer = plus(progress.transfer, ended - self._first_at)
        tls = response.extensions["network_stream"].get_extra_info("ssl_object")
        return Observation(
            ended - started,
            None,
            progress.phases(),
            response.status_code,
            response.http_version.removeprefix("HTTP/"),
            self._request.url,
            headers,
            whole,
            headers.charset() if whole else "utf-8",
            self._prober.certificates.of(tls) if tls is not None else None,
        )

    async def _trace(self, event: str, info: Mapping[str, Any]) -> None:  # noqa: ARG002
        if event == "http11.send_request_headers.started":
            self._progress.stage = Stage.FIRST_BYTE
            self._sent_at = self._now()


def _checked(response: httpx.Response) -> Headers:
    raw = response.extensions["raw_headers"]
    if len(raw) > MAX_FIELDS:
        raise too_many_headers()
    if head_size(raw) > MAX_HEAD:
        raise too_large_headers()
    return Headers(raw)
