"""HTTP checks through httpx, one client per origin and set of options: the reference, and for what the wire client does not speak."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import httpx

from tocsin.core.model import Certificate, Observation, Phases, Reason, TransportFailure
from tocsin.core.policy import Check, HttpTarget
from tocsin.ports import Done
from tocsin.probes.certificates import certificate_of
from tocsin.probes.failures import cause_of, failure_of
from tocsin.probes.tasks import Progress, Tasks
from tocsin.probes.tls import context_for

HEADER_LIMIT = 200
AGENT = "tocsin"
LONGEST_S = 3600.0
"""No limit of the library's: the check's own timeout holds for all of a probe."""

Key = tuple[object, ...]

_PHASE_OF = {
    "connection.connect_tcp.started": "connecting",
    "connection.start_tls.started": "in the TLS handshake",
    "http11.send_request_headers.started": "sending the request",
    "http11.receive_response_headers.started": "waiting for the answer",
    "http11.receive_response_body.started": "reading the answer",
}


class LibraryClient:
    def __init__(self) -> None:
        self._clients: dict[Key, tuple[httpx.AsyncClient, float]] = {}
        self._tasks = Tasks(self._probe)
        self._closing: set[asyncio.Task[None]] = set()

    def start(self, check: Check, done: Done) -> None:
        self._tasks.start(check, done)

    def forget(self, check: Check) -> None:
        assert isinstance(check.target, HttpTarget)
        kept = self._clients.pop(_key_of(check.target), None)
        if kept is not None:
            self._close_later(kept[0])

    def _close_later(self, client: httpx.AsyncClient) -> None:
        task = asyncio.get_running_loop().create_task(_close(client))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        await self._tasks.close()
        await asyncio.gather(*self._closing, *(_close(client) for client, _ in self._clients.values()))
        self._clients.clear()

    # --- one probe ---

    async def _probe(self, check: Check, progress: Progress) -> Observation:
        target = check.target
        assert isinstance(target, HttpTarget)
        began = monotonic()
        trace = _Trace(progress)
        try:
            return await self._fetch(target, trace, began)
        except httpx.TooManyRedirects:
            text = f"more than {target.redirects} redirects"
            failure = TransportFailure(Reason.REDIRECT, text)
        except httpx.ProxyError as error:
            failure = TransportFailure(Reason.PROXY, f"the proxy refused: {error}")
        except (httpx.RemoteProtocolError, httpx.DecodingError, httpx.LocalProtocolError) as error:
            failure = TransportFailure(Reason.PROTOCOL, f"not understood as HTTP: {error}")
        except httpx.UnsupportedProtocol:
            failure = TransportFailure(Reason.REDIRECT, "redirected to something that is neither http nor https")
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            failure = failure_of(cause_of(error))
        except _TooLargeError as error:
            failure = TransportFailure(Reason.TOO_LARGE, str(error))
        return Observation(monotonic() - began, failure, trace.phases(), url=target.url)

    async def _fetch(self, target: HttpTarget, trace: _Trace, began: float) -> Observation:
        client = self._client(target)
        request = client.build_request(
            target.method,
            target.url,
            headers=_headers(target),
            content=target.body or None,
            extensions={"trace": trace, **_server_name(target)},
        )
        auth = httpx.BasicAuth(*target.basic) if target.basic is not None else None
        response = await client.send(request, stream=True, auth=auth, follow_redirects=target.redirects > 0)
        try:
            if len(response.headers) > HEADER_LIMIT:
                raise _TooLargeError(f"more than {HEADER_LIMIT} header lines")
            certificate = _certificate(response)
            body = await _read(response, target.max_body)
        finally:
            await response.aclose()
        latency_s = monotonic() - began
        return Observation(
            latency_s=latency_s,
            phases=trace.phases(),
            status=response.status_code,
            http_version=response.http_version.removeprefix("HTTP/"),
            url=str(response.url),
            headers={name.lower(): value for name, value in response.headers.items()},
            body=body,
            charset=response.charset_encoding or "utf-8",
            certificate=certificate,
        )

    def _client(self, target: HttpTarget) -> httpx.AsyncClient:
        """The client of this origin; a fresh one when its connections are as old as they may become."""
        key, now = _key_of(target), monotonic()
        kept = self._clients.get(key)
        if kept is not None and (target.fresh is None or now - kept[1] < target.fresh.total_seconds()):
            return kept[0]
        if kept is not None:
            self._close_later(kept[0])
        client = _new_client(target)
        self._clients[key] = (client, now)
        return client


class _TooLargeError(Exception):
    pass


class _Trace:
    """Notes when each phase began and ended, as httpcore tells it."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._at: dict[str, float] = {}

    async def __call__(self, name: str, info: Mapping[str, Any]) -> None:
        del info
        self._at[name] = monotonic()
        self._progress.phase = _PHASE_OF.get(name, self._progress.phase)

    def phases(self) -> Phases:
        return Phases(
            connect=self._span("connection.connect_tcp"),
            tls=self._span("connection.start_tls"),
            first_byte=self._between("http11.send_request_headers.started", "http11.receive_response_headers.complete"),
            transfer=self._span("http11.receive_response_body"),
        )

    def _span(self, name: str) -> float | None:
        return self._between(f"{name}.started", f"{name}.complete")

    def _between(self, start: str, end: str) -> float | None:
        if start not in self._at or end not in self._at:
            return None
        return max(0.0, self._at[end] - self._at[start])


def _key_of(target: HttpTarget) -> Key:
    parts = urlsplit(target.url)
    return (parts.scheme, parts.netloc, target.tls, target.proxy, target.ip, target.redirects, target.fresh)


def _new_client(target: HttpTarget) -> httpx.AsyncClient:
    any_address = {"4": "0.0.0.0", "6": "::"}.get(target.ip)  # noqa: S104  # the local side of an outgoing connection
    transport = httpx.AsyncHTTPTransport(
        verify=context_for(target.tls),
        local_address=any_address,
        proxy=target.proxy,
        limits=httpx.Limits(max_connections=20, max_keepalive_connections=0 if _is_always_fresh(target) else 2),
        trust_env=False,
    )
    return httpx.AsyncClient(
        transport=transport, max_redirects=target.redirects or 1, timeout=LONGEST_S, trust_env=False
    )


def _is_always_fresh(target: HttpTarget) -> bool:
    return target.fresh is not None and not target.fresh


def _headers(target: HttpTarget) -> list[tuple[str, str]]:
    given = {name.lower() for name, _ in target.headers}
    defaults = [("User-Agent", AGENT), ("Accept", "*/*")]
    if not target.compression:
        defaults.append(("Accept-Encoding", "identity"))
    return [(name, value) for name, value in defaults if name.lower() not in given] + list(target.headers)


def _server_name(target: HttpTarget) -> dict[str, str]:
    return {"sni_hostname": target.tls.server_name} if target.tls.server_name else {}


def _certificate(response: httpx.Response) -> Certificate | None:
    stream = response.extensions.get("network_stream")
    return certificate_of(stream.get_extra_info("ssl_object")) if stream is not None else None


async def _read(response: httpx.Response, limit: int) -> bytes:
    """The decoded body, at most `limit` bytes of it, compressed or not."""
    body = bytearray()
    async for piece in response.aiter_bytes(64 * 1024):
        body += piece
        if len(body) > limit or response.num_bytes_downloaded > limit:
            raise _TooLargeError(f"the answer is larger than {limit} bytes (max_body)")
    return bytes(body)


async def _close(client: httpx.AsyncClient) -> None:
    with suppress(Exception):
        async with asyncio.timeout(2.0):
            await client.aclose()
