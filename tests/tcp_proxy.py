"""A small TCP proxy before a PostgreSQL server: it can refuse, cut, and lose the answer to one statement."""

from __future__ import annotations

import re
import socket
import threading
from contextlib import suppress


class Proxy:
    """Threads of its own, so that a test may block."""

    def __init__(self, port: int) -> None:
        self._behind = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._lock = threading.Lock()
        self._first: bytes | None = None
        self._word: bytes | None = None
        self._delivers = self._then_refuses = self._refuses = False
        self.cuts = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, database: str) -> str:
        return re.sub(r":\d+/", f":{self.port}/", database)

    def refuse(self) -> None:
        """Close each new connection at once."""
        self._refuses = True

    def accept(self) -> None:
        self._refuses = False

    def cut(self) -> None:
        """Close every connection, on both sides."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                _close(end)

    def cut_at(self, word: bytes, *, delivers: bool, then_refuses: bool = False) -> None:
        """Cut the connection at the next message that holds a word: after the server has done it, or before it hears of it."""
        self._word, self._delivers, self._then_refuses = word, delivers, then_refuses

    def cut_at_end_of(self, first: bytes, word: bytes) -> None:
        """Lose the answer to the next `word` that comes after a message with `first`."""
        self._first = first
        self.cut_at(word, delivers=True)

    def close(self) -> None:
        _close(self._listener)
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if self._refuses:
                _close(near)
                continue
            try:
                far = socket.create_connection(("127.0.0.1", self._behind))
            except OSError:
                _close(near)
                continue
            with self._lock:
                self._pairs.append((near, far))
            threading.Thread(target=self._carry_out, args=(near, far), daemon=True).start()
            threading.Thread(target=self._carry_back, args=(far, near), daemon=True).start()

    def _carry_out(self, near: socket.socket, far: socket.socket) -> None:
        with suppress(OSError):
            while data := near.recv(65536):
                if self._first is not None and self._first in data:
                    self._first = None
                elif self._first is None and self._word is not None and self._word in data:
                    self._lose(data, near, far)
                    return
                far.sendall(data)
        _close(near)
        _close(far)

    def _lose(self, data: bytes, near: socket.socket, far: socket.socket) -> None:
        self._word = None
        self.cuts += 1
        self._refuses = self._then_refuses
        _close(near)
        if self._delivers:
            far.sendall(data)
            # The end of the session comes only after the statement: the server has done it when it closes.
            far.shutdown(socket.SHUT_WR)
        else:
            _close(far)

    def _carry_back(self, far: socket.socket, near: socket.socket) -> None:
        with suppress(OSError):
            while data := far.recv(65536):
                with suppress(OSError):
                    near.sendall(data)
        _close(near)
        _close(far)


def _close(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
