"""`tcp:` checks: connect, perhaps TLS, perhaps send, perhaps expect."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Sequence
from contextlib import suppress
from time import monotonic
from typing import Any

from tocsin.core.model import Observation, Phases, Reason, TransportFailure
from tocsin.core.policy import Check, TcpTarget
from tocsin.ports import Done
from tocsin.probes.certificates import certificate_of
from tocsin.probes.failures import failure_of
from tocsin.probes.tasks import Progress, Tasks
from tocsin.probes.tls import context_for

ANSWER_LIMIT = 64 * 1024


class TcpClient:
    """Through asyncio streams; each probe a connection of its own."""

    def __init__(self) -> None:
        self._tasks = Tasks(probe)

    def start(self, check: Check, done: Done) -> None:
        self._tasks.start(check, done)

    def forget(self, check: Check) -> None:
        """Nothing is kept open between probes."""

    async def close(self) -> None:
        await self._tasks.close()


async def probe(check: Check, progress: Progress) -> Observation:
    target = check.target
    assert isinstance(target, TcpTarget)
    began = monotonic()
    loop = asyncio.get_running_loop()
    progress.phase = "resolving the name"
    try:
        found = await loop.getaddrinfo(target.host, target.port, type=1)
        resolved = monotonic()
        progress.phase = "connecting"
        reader, writer = await _connect(found)
    except OSError as error:
        return Observation(monotonic() - began, failure_of(error))
    connected = secured = monotonic()
    try:
        if target.tls is not None:
            progress.phase = "in the TLS handshake"
            await writer.start_tls(context_for(target.tls), server_hostname=target.tls.server_name or target.host)
            secured = monotonic()
        progress.phase = "waiting for the answer"
        failure = await _converse(target, reader, writer)
        certificate = certificate_of(writer.get_extra_info("ssl_object"))
    except (OSError, ssl.SSLError) as error:
        return Observation(monotonic() - began, failure_of(error))
    finally:
        writer.close()
        with suppress(OSError, ssl.SSLError, TimeoutError):
            async with asyncio.timeout(0.2):
                await writer.wait_closed()
    ended = monotonic()
    phases = Phases(
        dns=resolved - began,
        connect=connected - resolved,
        tls=secured - connected if target.tls is not None else None,
        first_byte=ended - secured if target.expect is not None else None,
    )
    return Observation(
        ended - began, failure, phases, certificate=certificate, url=f"tcp://{target.host}:{target.port}"
    )


async def _connect(found: Sequence[Sequence[Any]]) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Try the addresses (rows of getaddrinfo) in order; the last error counts when none answers."""
    last: OSError | None = None
    for family, _, _, _, address in found:
        try:
            return await asyncio.open_connection(address[0], address[1], family=family, limit=ANSWER_LIMIT)
        except OSError as error:
            last = error
    raise last if last is not None else OSError("the name has no address")


async def _converse(
    target: TcpTarget, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> TransportFailure | None:
    if target.send:
        writer.write(target.send)
        await writer.drain()
    if target.expect is None:
        return None
    wanted, heard = re.compile(target.expect.encode()), b""
    while len(heard) < ANSWER_LIMIT:
        piece = await reader.read(4096)
        if not piece:
            break
        heard += piece
        if wanted.search(heard):
            return None
    shown = heard[:80].decode(errors="replace")
    return TransportFailure(Reason.EXPECTATION, f"expect {target.expect!r} (answer = {shown!r})")
