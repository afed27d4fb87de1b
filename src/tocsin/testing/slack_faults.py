"""What the Slack double can be told to do instead of answering well."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

PORTAL = "<!doctype html><title>Sign in</title><h1>Please sign in to the network</h1>"
SORRY = "<!doctype html><title>Slack</title><h1>We're very sorry, but something's wrong.</h1>"


class FaultKind(StrEnum):
    ANSWER = "answer"
    HANG = "hang"
    RESET = "reset"


@dataclass(frozen=True, slots=True)
class Fault:
    """One scripted answer. `acts`: the request takes effect all the same (the message is posted), and only the answer is wrong."""

    kind: FaultKind
    acts: bool = False
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    body: str = ""

    @staticmethod
    def limited(retry_after: str | None = "1") -> Fault:
        """429, with any Retry-After, or none."""
        headers = {} if retry_after is None else {"Retry-After": retry_after}
        return Fault(FaultKind.ANSWER, status=429, headers=headers, body='{"ok":false,"error":"ratelimited"}')

    @staticmethod
    def broken(status: int = 503, *, acts: bool = False) -> Fault:
        """A 5xx with a page of HTML."""
        return Fault(FaultKind.ANSWER, acts, status, content_type="text/html", body=SORRY)

    @staticmethod
    def garbled(body: str = '{"ok":tru', *, content_type: str = "application/json", acts: bool = True) -> Fault:
        """200 with a body that is not what Slack sends."""
        return Fault(FaultKind.ANSWER, acts, content_type=content_type, body=body)

    @staticmethod
    def portal() -> Fault:
        """A network's sign-in page in place of Slack."""
        return Fault(FaultKind.ANSWER, content_type="text/html", body=PORTAL)

    @staticmethod
    def refused(error: str, **more: Any) -> Fault:
        """`ok: false` with an error of Slack's own."""
        import json

        return Fault(FaultKind.ANSWER, body=json.dumps({"ok": False, "error": error, **more}))

    @staticmethod
    def hang(*, acts: bool = False) -> Fault:
        """No answer for as long as the caller waits."""
        return Fault(FaultKind.HANG, acts)

    @staticmethod
    def reset(*, acts: bool = False) -> Fault:
        """The connection is reset, before or after the request took effect."""
        return Fault(FaultKind.RESET, acts)
