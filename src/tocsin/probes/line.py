"""One connection to a peer, plain or in TLS, and whoever reads from it at the moment."""

from __future__ import annotations

import asyncio
import ssl
from typing import Protocol, cast

from tocsin.core.model import Reason
from tocsin.probes.failures import ProbeFailed, cut_in_handshake, of_os_error, of_tls_error

RECORD = 16_384
EARLY_LIMIT = 512 * 1024


class Reader(Protocol):
    def received(self, data: bytes) -> None:
        """Take what came. Never raises."""

    def lost(self, failure: ProbeFailed | None) -> None:
        """The connection is gone; None: the peer closed it in good order. Comes once, and nothing comes after it."""


class Nobody:
    """Reads from a connection that is being closed."""

    def received(self, data: bytes) -> None: ...
    def lost(self, failure: ProbeFailed | None) -> None: ...


NOBODY = Nobody()


class Early:
    """Keeps what comes before somebody listens: a mail server speaks first."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._pieces: list[bytes] = []
        self._room = EARLY_LIMIT
        self._ending: tuple[ProbeFailed | None] | None = None

    def received(self, data: bytes) -> None:
        self._room -= len(data)
        if self._room >= 0:
            self._pieces.append(data)
        else:
            self._ending = (ProbeFailed(Reason.PROTOCOL, f"{self._line.peer} sent too much before it was asked"),)
            self._line.abort()

    def lost(self, failure: ProbeFailed | None) -> None:
        self._ending = (failure,)

    def hand_over(self, reader: Reader) -> None:
        if self._pieces:
            reader.received(b"".join(self._pieces))
        if self._ending is not None and self._line.reader is reader:
            self._line.reader = NOBODY
            reader.lost(*self._ending)


class Line(asyncio.Protocol):
    """Plain TCP. A peer that closes its half has closed the connection: a probe has nothing more to say then."""

    def __init__(self, peer: str) -> None:
        self.peer = peer
        self.reader: Reader = Early(self)
        self.is_open = False
        self._transport: asyncio.Transport | None = None

    def listen(self, reader: Reader) -> None:
        """From now on `reader` reads, beginning with what came already."""
        early, self.reader = self.reader, reader
        if isinstance(early, Early):
            early.hand_over(reader)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.is_open = True

    def data_received(self, data: bytes) -> None:
        self.reader.received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._lose(of_os_error(exc, self.peer) if isinstance(exc, OSError) else None)

    def write(self, data: bytes) -> None:
        if self.is_open and self._transport is not None:
            self._transport.write(data)

    def close(self) -> None:
        """Say goodbye."""
        self._leave()
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Hang up: what is still on its way does not matter."""
        self._leave()
        if self._transport is not None:
            self._transport.abort()

    def _leave(self) -> None:
        self.is_open = False
        if not isinstance(self.reader, Early):
            self.reader = NOBODY

    def _lose(self, failure: ProbeFailed | None) -> None:
        reader = self.reader
        self._leave()
        reader.lost(failure)


class SecureLine(Line):
    """TLS over two memory buffers: sessions can be resumed on any loop, and the handshake is timed apart.

    It closes as TCP does, without TLS's own goodbye: the answer told its end, and the goodbye would cost a packet each way.
    """

    def __init__(self, peer: str, context: ssl.SSLContext, name: str, session: ssl.SSLSession | None) -> None:
        super().__init__(peer)
        self.secured: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._name = name
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        try:
            self.tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name, session=session)
        except ValueError:
            raise ProbeFailed(Reason.TLS, f"{name} is no name that TLS could ask for") from None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._shake_hands()

    def data_received(self, data: bytes) -> None:
        self._incoming.write(data)
        if not self.secured.done():
            self._shake_hands()
        if self.is_open and self.secured.done():
            self._read()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.secured.done():
            self._refuse(cut_in_handshake(self._name))
        super().connection_lost(exc)

    def write(self, data: bytes) -> None:
        try:
            self.tls.write(data)
        except ssl.SSLError as error:
            self._break(error)
            return
        self._flush()

    def _shake_hands(self) -> None:
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
        except ssl.SSLError as error:
            self._flush()
            self._refuse(of_tls_error(error, self._name))
            self.close()
        else:
            if not self.secured.done():
                self.secured.set_result(None)
            # After whoever waited has written: the end of the handshake and the request leave as one packet.
            asyncio.get_running_loop().call_soon(self._flush)

    def _refuse(self, failure: ProbeFailed) -> None:
        if not self.secured.done():
            self.secured.set_exception(failure)
            # Whoever gave up waiting shall not make asyncio complain.
            self.secured.exception()

    def _read(self) -> None:
        tls, incoming = self.tls, self._incoming
        try:
            while self.is_open:
                data = tls.read(RECORD)
                if not data:
                    self._end()
                    return
                self.reader.received(data)
                if not incoming.pending and not tls.pending():
                    break
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            self._break(error)
            return
        if self._outgoing.pending:
            self._flush()

    def _end(self) -> None:
        """The peer said goodbye in TLS; its TCP follows, or not."""
        reader = self.reader
        self.close()
        reader.lost(None)

    def _break(self, error: ssl.SSLError) -> None:
        reader = self.reader
        self.abort()
        reader.lost(of_tls_error(error, self._name))

    def _flush(self) -> None:
        data = self._outgoing.read()
        if data:
            super().write(data)
