"""The body of an answer: taken in within bounds, before and after it is unpacked."""

from __future__ import annotations

import zlib
from typing import Protocol

from tocsin.core.model import Reason
from tocsin.probes.failures import ProbeFailed

GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
RAW_DEFLATE = -zlib.MAX_WBITS
MEMBERS = 1000


class Body(Protocol):
    """Takes a body in piece by piece; both verbs raise ProbeFailed."""

    def add(self, data: bytes) -> None: ...
    def whole(self) -> bytes: ...


class Skipped:
    """A body that no condition looks at: counted, not kept."""

    def __init__(self, limit: int) -> None:
        self._left = limit
        self._limit = limit

    def add(self, data: bytes) -> None:
        self._left -= len(data)
        if self._left < 0:
            raise too_large(self._limit)

    def whole(self) -> bytes:
        return b""


class Kept:
    def __init__(self, limit: int) -> None:
        self._pieces: list[bytes] = []
        self._left = limit
        self._limit = limit

    def add(self, data: bytes) -> None:
        self._left -= len(data)
        if self._left < 0:
            raise too_large(self._limit)
        self._pieces.append(data)

    def whole(self) -> bytes:
        return self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)


class Unpacked:
    """gzip or deflate. Never unpacks more than one byte beyond the limit."""

    def __init__(self, limit: int, coding: str) -> None:
        self._kept = Kept(limit)
        self._packed = Skipped(limit)
        self._limit = limit
        self._coding = coding
        self._unpacked = 0
        self._members = 0
        self._is_begun = False
        self._stream = zlib.decompressobj(GZIP_OR_ZLIB)

    def add(self, data: bytes) -> None:
        self._packed.add(data)
        while data:
            data = self._step(data)

    def whole(self) -> bytes:
        if self._is_begun and not self._stream.eof:
            raise ProbeFailed(Reason.PROTOCOL, f"the {self._coding} body ends in the middle")
        return self._kept.whole()

    def _step(self, data: bytes) -> bytes:
        """Unpack some; return what is left to unpack."""
        if self._stream.eof:
            return self._next_member(data)
        piece = self._unpack(data)
        self._is_begun = True
        self._unpacked += len(piece)
        if self._unpacked > self._limit:
            raise too_large(self._limit)
        if piece:
            self._kept.add(piece)
        return self._stream.unconsumed_tail or self._stream.unused_data

    def _unpack(self, data: bytes) -> bytes:
        room = self._limit - self._unpacked + 1
        try:
            return self._stream.decompress(data, room)
        except zlib.error:
            if self._is_begun or self._coding != "deflate":
                raise ProbeFailed(Reason.PROTOCOL, f"the body is not valid {self._coding}") from None
        # Some servers say deflate and leave out zlib's wrapping, as old browsers wanted it.
        self._stream = zlib.decompressobj(RAW_DEFLATE)
        try:
            return self._stream.decompress(data, room)
        except zlib.error:
            raise ProbeFailed(Reason.PROTOCOL, f"the body is not valid {self._coding}") from None

    def _next_member(self, data: bytes) -> bytes:
        """gzip may be followed by more gzip, or by padding, which counts for nothing."""
        self._members += 1
        if self._coding != "gzip" or not data.startswith(b"\x1f\x8b") or self._members > MEMBERS:
            return b""
        self._stream = zlib.decompressobj(GZIP_OR_ZLIB)
        return data


def body_for(needs_body: bool, limit: int, coding: str, unpacks: bool) -> Body:
    """What to do with a body in this coding, the value of Content-Encoding."""
    if not needs_body:
        return Skipped(limit)
    coding = coding.strip().lower()
    if unpacks and coding in ("gzip", "x-gzip", "deflate"):
        return Unpacked(limit, coding.removeprefix("x-"))
    return Kept(limit)


def too_large(limit: int) -> ProbeFailed:
    return ProbeFailed(Reason.TOO_LARGE, f"the body is larger than max_body ({_size(limit)})")


def _size(limit: int) -> str:
    for unit, size in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if limit >= size and limit % size == 0:
            return f"{limit // size} {unit}"
    return f"{limit} bytes"
