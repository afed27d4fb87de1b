"""One probe of the wire client under way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from tocsin.core.model import Observation
from tocsin.ports import Done
from tocsin.probes.failures import ProbeFailed, of_own_fault
from tocsin.probes.http.answer import Answer
from tocsin.probes.http.links import Link, Post
from tocsin.probes.http.redirect import Redirects
from tocsin.probes.http.request import Origin, Request
from tocsin.probes.line import SecureLine
from tocsin.probes.progress import Progress, Stage, plus
from tocsin.probes.tls import TlsSession


class Client(Protocol):
    """What a probe needs of its client."""

    monotonic: Callable[[], float]

    async def open(self, post: Post, origin: Origin, progress: Progress) -> Link:
        """Raises ProbeFailed. Cancelled, it leaves nothing open."""

    def ended(self, probe: WireProbe) -> None: ...


class WireProbe:
    """One probe under way: it reads from its connection, follows redirects, and says once how it ended."""

    __slots__ = (
        "_answer",
        "_client",
        "_done",
        "_first_at",
        "_is_over",
        "_is_reused",
        "_link",
        "_opening",
        "_post",
        "_progress",
        "_redirects",
        "_request",
        "_sent_at",
        "_started_at",
        "_timer",
    )

    def __init__(self, client: Client, post: Post, done: Done) -> None:
        self._client = client
        self._post = post
        self._done = done
        self._progress = Progress()
        self._redirects: Redirects | None = None
        self._link: Link | None = None
        self._opening: asyncio.Task[None] | None = None
        self._is_over = False
        self._is_reused = False
        self._started_at = self._sent_at = self._first_at = 0.0

    def start(self) -> None:
        post = self._post
        self._started_at = self._client.monotonic()
        self._timer = asyncio.get_running_loop().call_later(post.timeout_s, self._time_is_up)
        if post.request is None:
            assert post.trouble is not None
            self.fail(ProbeFailed(post.trouble.reason, post.trouble.text))
        else:
            self._ask(post.request)

    def _ask(self, request: Request) -> None:
        self._request = request
        link = self._post.take(request.origin, self._client.monotonic())
        if link is None:
            self._open()
        else:
            self._send(link)

    def _open(self) -> None:
        self._opening = asyncio.get_running_loop().create_task(self._opened())

    async def _opened(self) -> None:
        try:
            link = await self._client.open(self._post, self._request.origin, self._progress)
            self._opening = None
            self._send(link)
        except Exception as error:  # noqa: BLE001
            self._opening = None
            self._stumble(error)

    def _send(self, link: Link) -> None:
        self._link = link
        self._is_reused = not link.is_new
        link.is_new = False
        post, request = self._post, self._request
        follows = post.target.redirects > 0
        self._answer = Answer(
            request.method,
            needs_body=post.needs_body,
            max_body=post.target.max_body,
            unpacks=post.target.compression,
            follows=follows,
        )
        progress = self._progress
        progress.stage = Stage.FIRST_BYTE
        self._sent_at = self._client.monotonic()
        link.line.listen(self)
        # Over already: the server spoke before it was asked.
        if link is self._link:
            link.line.write(request.raw)

    # --- as the reader of its connection ---

    def received(self, data: bytes) -> None:
        answer = self._answer
        if not answer.has_begun:
            self._first_at = self._client.monotonic()
        try:
            answer.feed(data)
            if answer.is_redirect:
                self._follow()
            elif answer.is_complete:
                self._complete()
            else:
                self._progress.stage = Stage.TRANSFER if answer.has_head else Stage.HEADERS
        except Exception as error:  # noqa: BLE001
            self._stumble(error)

    def lost(self, failure: ProbeFailed | None) -> None:
        if self._is_reused and not self._answer.has_begun:
            # The peer gave up the kept connection in the moment in which we used it: nothing is wrong with the peer.
            self._link = None
            self._open()
            return
        try:
            if failure is not None:
                raise failure
            self._answer.end()
            self._complete()
        except Exception as error:  # noqa: BLE001
            self._stumble(error)

    # --- ends ---

    def _follow(self) -> None:
        self._clock_answer()
        answer = self._answer
        if self._redirects is None:
            self._redirects = Redirects(self._request, self._post.target.redirects)
        following = self._redirects.follow(answer.status, answer.headers)
        self._release()
        self._ask(following)

    def _complete(self) -> None:
        ended_at = self._clock_answer()
        answer, link = self._answer, self._link
        body = answer.body()
        observation = Observation(
            ended_at - self._started_at,
            None,
            self._progress.phases(),
            answer.status,
            answer.http_version,
            self._request.url,
            answer.headers,
            body,
            answer.headers.charset() if body else "utf-8",
            link.certificate if link is not None else None,
        )
        self._release()
        self._end(observation)

    def fail(self, failed: ProbeFailed) -> None:
        if self._is_over:
            return
        link, self._link = self._link, None
        if link is not None:
            link.line.abort()
        certificate = link.certificate if link is not None else None
        took_s = self._client.monotonic() - self._started_at
        phases = self._progress.phases()
        self._end(Observation(took_s, failed.failure, phases, url=self._url(), certificate=certificate))

    def _stumble(self, error: Exception) -> None:
        """A fault of ours must not be told as the service's."""
        self.fail(error if isinstance(error, ProbeFailed) else of_own_fault(error, self._post.check.id))

    def _time_is_up(self) -> None:
        self.fail(self._progress.timed_out(self._post.timeout_s))

    def _end(self, observation: Observation) -> None:
        self._is_over = True
        self._timer.cancel()
        if self._opening is not None:
            self._opening.cancel()
        self._client.ended(self)
        self._done(observation)

    def _clock_answer(self) -> float:
        now, progress = self._client.monotonic(), self._progress
        progress.first_byte = plus(progress.first_byte, self._first_at - self._sent_at)
        progress.transfer = plus(progress.transfer, now - self._first_at)
        return now

    def _release(self) -> None:
        """Give the connection back, or up."""
        link, self._link = self._link, None
        if link is None:
            return
        if isinstance(link.line, SecureLine) and not self._is_reused:
            self._keep_session(link, link.line)
        if self._answer.keeps_alive:
            self._post.keep(link)
        else:
            link.line.close()

    def _keep_session(self, link: Link, line: SecureLine) -> None:
        """After the first answer: TLS 1.3 sends its tickets after the handshake."""
        if line.tls.session_reused or not self._post.wants_session(link.origin):
            return
        session = line.tls.session
        if session is not None:
            self._post.remember(link.origin, TlsSession(line.tls.context, session, link.until, link.certificate))

    def _url(self) -> str:
        request = self._post.request if self._redirects is None else self._request
        return request.url if request is not None else ""
