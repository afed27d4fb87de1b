"""systemd's end of sd_notify, played by a test: what the program says, and when."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self


@dataclass(frozen=True, slots=True)
class Said:
    """One datagram: its assignments, and the monotonic second of its arrival."""

    at: float
    facts: dict[str, str]


class Notified:
    """A notify socket, at a path or (with a leading @) an abstract name; `environ` is what systemd would give the program."""

    def __init__(self, address: str, *, watchdog_s: float | None = None) -> None:
        self.address = address
        self.said: list[Said] = []
        self.environ = {"NOTIFY_SOCKET": address}
        if watchdog_s is not None:
            self.environ["WATCHDOG_USEC"] = str(int(watchdog_s * 1_000_000))

    def __enter__(self) -> Self:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind("\0" + self.address[1:] if self.address.startswith("@") else self.address)
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self._socket.close()

    async def hear(self, within_s: float) -> Said | None:
        """The next datagram, or None when there was none in this time."""
        try:
            async with asyncio.timeout(within_s):
                text = (await asyncio.get_running_loop().sock_recv(self._socket, 4096)).decode()
        except TimeoutError:
            return None
        said = Said(time.monotonic(), dict(line.split("=", 1) for line in text.splitlines()))
        self.said.append(said)
        return said

    def forget(self) -> None:
        """Pass over what was said and not yet heard."""
        with suppress(BlockingIOError):
            while self._socket.recv(4096):
                pass

    async def until(self, name: str, within_s: float = 15.0) -> Said:
        """The next datagram that has this assignment; others are passed over."""
        end = time.monotonic() + within_s
        while (left_s := end - time.monotonic()) > 0:
            said = await self.hear(left_s)
            if said is not None and name in said.facts:
                return said
        raise AssertionError(f"{name} was not said within {within_s} s, but {[said.facts for said in self.said]}")
