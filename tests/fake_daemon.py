"""The server's side of the daemon's socket, by hand: scripted answers, and what was asked."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

Answer = Callable[[Mapping[str, Any]], Sequence[bytes | Mapping[str, Any]]]


def result(value: Any) -> Sequence[Mapping[str, Any]]:
    return [{"ok": True, "result": value}]


def refusal(kind: str, *messages: str) -> Sequence[Mapping[str, Any]]:
    return [{"ok": False, "kind": kind, "errors": [{"message": message} for message in messages]}]


class FakeDaemon:
    """Answers each request with the lines that `answers` has for its verb. An empty list closes without an answer."""

    def __init__(self, path: Path, answers: Mapping[str, Any] | Answer) -> None:
        self.path = path
        self.requests: list[dict[str, Any]] = []
        self._answers = answers
        self._server = socket.socket(socket.AF_UNIX)
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._server.bind(str(self.path))
        self._server.listen()
        self._thread.start()
        return self

    def __exit__(self, _k: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None) -> None:
        # A closed listener does not end a blocked accept: a last connection does.
        with socket.socket(socket.AF_UNIX) as last:
            last.connect(str(self.path))
            last.sendall(b'{"do": "end of test"}\n')
            self._thread.join(5)
        self._server.close()
        assert not self._thread.is_alive()

    def _serve(self) -> None:
        while True:
            connection, _ = self._server.accept()
            with connection, connection.makefile("rb") as lines:
                line = lines.readline()
                if not line:
                    continue
                request = json.loads(line)
                if request["do"] == "end of test":
                    return
                self.requests.append(request)
                for answer in self._lines(request):
                    connection.sendall(answer if isinstance(answer, bytes) else json.dumps(answer).encode() + b"\n")

    def _lines(self, request: Mapping[str, Any]) -> Sequence[bytes | Mapping[str, Any]]:
        if callable(self._answers):
            return self._answers(request)
        return result(self._answers[request["do"]])
