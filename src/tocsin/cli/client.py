"""The client's side of the daemon's socket: one JSON line out, JSON lines back. Blocking, so that it starts fast."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tocsin.errors import DaemonUnreachable, NotFound, Refused, StoreError, UsageError

TIMEOUT_S = 10.0
MAX_REQUEST = 1_000_000
MAX_LINE = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Client:
    """Asks the daemon. `places` are tried in their order; the first that answers is asked."""

    places: tuple[Path, ...]
    timeout_s: float = TIMEOUT_S

    def call(self, verb: str, arguments: Mapping[str, Any] | None = None, *, actor: str | None = None) -> Any:
        """Ask once and return the result."""
        return next(self.stream(verb, arguments, actor=actor))

    def stream(
        self, verb: str, arguments: Mapping[str, Any] | None = None, *, actor: str | None = None
    ) -> Iterator[Any]:
        """Yield the results of a verb for as long as the daemon says that more will come."""
        line = _encoded({"do": verb, "arguments": dict(arguments or {}), "as": actor, "language": None})
        with self._connected() as connection, connection.makefile("rb") as answers:
            try:
                connection.sendall(line)
                more = True
                while more:
                    answer = _decoded(answers.readline(MAX_LINE + 1))
                    more = bool(answer.get("more"))
                    yield _result(answer)
            except OSError as error:
                raise DaemonUnreachable(_silence(error, self.timeout_s)) from error

    def _connected(self) -> socket.socket:
        tried = []
        for place in self.places:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.settimeout(self.timeout_s)
            try:
                connection.connect(str(place))
            except (OSError, ValueError) as error:
                connection.close()
                tried.append(f"  {place}: {_why(error)}")
            else:
                return connection
        raise DaemonUnreachable(_unreachable(tried))


def _encoded(request: Mapping[str, Any]) -> bytes:
    try:
        line = json.dumps(request, ensure_ascii=False).encode() + b"\n"
    except UnicodeEncodeError as error:
        raise UsageError("an argument is not valid UTF-8 (write it in a UTF-8 terminal)") from error
    if len(line) > MAX_REQUEST:
        raise UsageError(f"the request is longer than {MAX_REQUEST:,} bytes (shorten the text)")
    return line


def _decoded(line: bytes) -> dict[str, Any]:
    if not line:
        raise DaemonUnreachable("the daemon closed the connection without an answer (is it stopping? try again)")
    if len(line) > MAX_LINE:
        raise DaemonUnreachable(f"the daemon's answer is longer than {MAX_LINE // 1024 // 1024} MiB")
    try:
        answer = json.loads(line)
    except ValueError as error:
        raise DaemonUnreachable("what answers on the socket is no Tocsin daemon (see --socket)") from error
    if not isinstance(answer, dict):
        raise DaemonUnreachable("what answers on the socket is no Tocsin daemon (see --socket)")
    return answer


def _result(answer: Mapping[str, Any]) -> Any:
    if answer.get("ok"):
        return answer.get("result")
    text = "\n".join(str(error.get("message", "")) for error in answer.get("errors") or [{"message": "refused"}])
    match answer.get("kind"):
        case "usage":
            raise UsageError(text)
        case "not_found":
            raise NotFound(text)
        case "store":
            raise StoreError(text)
        case _:
            raise Refused(text)


def _why(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, PermissionError):
        return "permission denied (join the socket's group, or use sudo)"
    if isinstance(error, ConnectionRefusedError):
        return "nobody listens there any more"
    return (getattr(error, "strerror", None) or str(error)).lower()


def _unreachable(tried: list[str]) -> str:
    lines = ["the daemon cannot be reached; tried", *tried]
    lines.append(
        "Is it running? See 'systemctl status tocsin', start it with 'tocsin run', or name its socket with --socket."
    )
    return "\n".join(lines)


def _silence(error: OSError, timeout_s: float) -> str:
    if isinstance(error, TimeoutError):
        return f"the daemon did not answer within {timeout_s:g} s (see 'systemctl status tocsin' and its log)"
    return f"the connection to the daemon broke: {_why(error)} (is it stopping? try again)"
