"""What lies under httpx: a pool on our own resolver and dialling, and its exceptions in our words."""

from __future__ import annotations

import asyncio
import math
import ssl
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

import httpcore
import httpx

from tocsin.core.model import Reason
from tocsin.core.policy import HttpTarget, Tls
from tocsin.probes.dial import peer_name, race
from tocsin.probes.failures import ProbeFailed, cut_in_handshake, of_os_error, of_tls_error
from tocsin.probes.http.headers import MAX_HEAD, check_start, too_large_headers
from tocsin.probes.http.request import PORTS, Origin
from tocsin.probes.opening import Opener
from tocsin.probes.progress import Progress, Stage, plus
from tocsin.probes.resolver import Address
from tocsin.probes.tls import for_another_origin

ALPN = ("http/1.1",)
CONNECTIONS = 4


class Network(httpx.AsyncBaseTransport):
    """The connections of one check's client: to its own origin with its TLS options, to others without its identity."""

    def __init__(self, target: HttpTarget, origin: Origin, opener: Opener) -> None:
        self.progress = Progress()
        self.has_connected = False
        self.head_room = math.inf
        self._target = target
        self._origin = origin
        self._opener = opener
        self._pools: dict[tuple[str, bool], httpcore.AsyncConnectionPool] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        self.has_connected = False
        # An answer that never gets to its body would keep the parser busy until the timeout.
        self.head_room = 2 * MAX_HEAD
        pool = await self._pool(url.scheme, (url.scheme, url.host, url.port or PORTS[url.scheme]) == self._origin)
        assert isinstance(request.stream, httpx.AsyncByteStream)
        answer = await pool.handle_async_request(
            httpcore.Request(
                request.method,
                httpcore.URL(
                    scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=request.extensions["target"]
                ),
                headers=request.headers.raw,
                content=request.stream,
                extensions={"trace": request.extensions["trace"]},
            )
        )
        self.head_room = math.inf
        # Without its headers: httpx would follow them, into errors of its own and cookies that outlive the probe.
        extensions = {**answer.extensions, "raw_headers": answer.headers}
        return httpx.Response(answer.status, stream=_Body(answer.stream), extensions=extensions)

    async def aclose(self) -> None:
        for pool in self._pools.values():
            await pool.aclose()

    async def _pool(self, scheme: str, is_own: bool) -> httpcore.AsyncConnectionPool:
        pool = self._pools.get((scheme, is_own))
        if pool is None:
            tls = self._target.tls if is_own else for_another_origin(self._target.tls)
            self.progress.stage = Stage.PREPARING
            context = await self._opener.contexts.get(tls, ALPN) if scheme == "https" else None
            backend = _Backend(self, self._opener, self._target, tls)
            pool = self._pools[scheme, is_own] = await self._new_pool(context, backend)
        return pool

    async def _new_pool(self, context: ssl.SSLContext | None, backend: _Backend) -> httpcore.AsyncConnectionPool:
        if self._target.proxy is None:
            return httpcore.AsyncConnectionPool(
                ssl_context=context, network_backend=backend, max_connections=CONNECTIONS
            )
        parts = urlsplit(self._target.proxy)
        auth = (unquote(parts.username), unquote(parts.password or "")) if parts.username is not None else None
        is_secure = parts.scheme.lower() == "https"
        return httpcore.AsyncHTTPProxy(
            proxy_url=httpcore.URL(scheme=parts.scheme.lower(), host=parts.hostname or "", port=parts.port, target="/"),
            proxy_auth=auth,
            ssl_context=context,
            proxy_ssl_context=await self._opener.contexts.get(Tls(), ALPN) if is_secure else None,
            network_backend=backend,
            max_connections=CONNECTIONS,
        )


def failure_of(error: Exception) -> ProbeFailed | None:
    """The same words as the wire client's, as far as the library's tell; None for what is no trouble on the way."""
    said = str(error)
    match error:
        case ProbeFailed():
            return error
        case httpcore.ProxyError():
            return ProbeFailed(Reason.PROXY, f"the proxy refused: {said[:80]}")
        case httpcore.RemoteProtocolError() if "too long" in said:
            return too_large_headers()
        case httpcore.RemoteProtocolError() if "without sending a response" in said:
            return ProbeFailed(Reason.RESET, "the connection was closed without an answer")
        case httpcore.RemoteProtocolError() if "closed" in said or "disconnected" in said:
            return ProbeFailed(Reason.RESET, "the connection was closed in the middle of the answer")
        case httpcore.ProtocolError():
            return ProbeFailed(Reason.PROTOCOL, f"the answer is not valid HTTP: {said[:120]}")
        case httpcore.NetworkError():
            return ProbeFailed(Reason.RESET, "the connection was lost")
        case _:
            return None


class _Body(httpx.AsyncByteStream):
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._stream:
            yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()


class _Backend(httpcore.AsyncNetworkBackend):
    """Names are looked up and addresses tried as the wire client does it; what is connected is the library's own."""

    def __init__(self, network: Network, opener: Opener, target: HttpTarget, tls: Tls) -> None:
        self._network = network
        self._opener = opener
        self._ip = target.ip
        self._has_proxy = target.proxy is not None
        self._server_name = tls.server_name
        self._inner = httpcore.AnyIOBackend()
        self._discarding: set[asyncio.Task[None]] = set()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002, ASYNC109
        local_address: str | None = None,  # noqa: ARG002
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,  # noqa: ARG002
    ) -> httpcore.AsyncNetworkStream:
        self._network.has_connected = True
        try:
            stream = await self._connect(host, port)
        except ProbeFailed as failed:
            if not self._has_proxy or failed.failure.reason in (Reason.LATE, Reason.INTERNAL):
                raise
            raise ProbeFailed(Reason.PROXY, f"the proxy cannot be used: {failed.failure.text}") from failed
        return _Connection(stream, self._network, peer_name(host, port), self._server_name, self._opener)

    async def _connect(self, host: str, port: int) -> httpcore.AsyncNetworkStream:
        progress, monotonic = self._network.progress, self._opener.monotonic
        started = monotonic()
        progress.stage, progress.peer, progress.lookup = Stage.DNS, host, None
        addresses = await self._opener.resolver.resolve(host, self._ip, progress.waits_for)
        resolved = monotonic()
        progress.dns = plus(progress.dns, resolved - started)
        progress.stage, progress.peer = Stage.CONNECT, peer_name(host, port)

        async def attempt(address: Address) -> httpcore.AsyncNetworkStream:
            try:
                return await self._inner.connect_tcp(address.host, port)
            except httpcore.NetworkError as error:
                raise _of_cause(error, peer_name(address.ip, port)) from error

        stream = await race(addresses, attempt, self._discard)
        progress.connect = plus(progress.connect, monotonic() - resolved)
        return stream

    def _discard(self, stream: httpcore.AsyncNetworkStream) -> None:
        task = asyncio.ensure_future(stream.aclose())
        self._discarding.add(task)
        task.add_done_callback(self._discarding.discard)


class _Connection(httpcore.AsyncNetworkStream):
    """The library's connection, its exceptions translated where they arise."""

    def __init__(
        self,
        inner: httpcore.AsyncNetworkStream,
        network: Network,
        peer: str,
        server_name: str | None,
        opener: Opener,
    ) -> None:
        self._inner = inner
        self._network = network
        self._peer = peer
        self._server_name = server_name
        self._opener = opener
        self._has_read = False

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        try:
            data = await self._inner.read(max_bytes, timeout)
        except httpcore.NetworkError as error:
            raise _of_cause(error, self._peer) from error
        self._network.head_room -= len(data)
        if self._network.head_room < 0:
            raise too_large_headers()
        if not self._has_read and data:
            self._has_read = True
            check_start(data)
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        # Its errors are left alone: httpcore reads on, because the peer may have answered before it hung up.
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore.AsyncNetworkStream:
        progress, monotonic = self._network.progress, self._opener.monotonic
        name = self._server_name or server_hostname or ""
        progress.stage = Stage.TLS
        started = monotonic()
        try:
            stream = await self._inner.start_tls(ssl_context, name, timeout)
        except (httpcore.NetworkError, ValueError) as error:
            raise _of_tls_cause(error, name) from error
        except BaseException:
            # Called off: anyio leaves it open then.
            await self._inner.aclose()
            raise
        progress.tls = plus(progress.tls, monotonic() - started)
        return _Connection(stream, self._network, self._peer, self._server_name, self._opener)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _of_cause(error: BaseException, peer: str) -> ProbeFailed:
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLError):
            return of_tls_error(cause, peer)
        if isinstance(cause, OSError) and cause.errno is not None:
            return of_os_error(cause, peer)
    return ProbeFailed(Reason.RESET, f"the connection to {peer} was lost")


def _of_tls_cause(error: BaseException, name: str) -> ProbeFailed:
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            return of_tls_error(cause, name)
    return cut_in_handshake(name)
