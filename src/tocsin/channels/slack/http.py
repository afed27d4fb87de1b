"""Slack's signed requests (`/slack/events`): verified, answered at once, worked on afterwards."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

from tocsin.channels.slack.inbox import SlackInbox
from tocsin.log import get_log

log = get_log(__name__)

LARGEST_BODY = 1024 * 1024
TEXT, JSON = "text/plain; charset=utf-8", "application/json"

Answer = tuple[int, str, bytes]
"""Status, content type, body."""


class SlackEvents:
    """Answers Slack's requests. Without a valid signature nothing is read; an empty signing secret is refused at once."""

    def __init__(self, signing_secret: str, inbox: SlackInbox, now: Callable[[], datetime]) -> None:
        from slack_sdk.signature import Clock, SignatureVerifier

        class OurClock(Clock):
            def now(self) -> float:
                return now().timestamp()

        self._verifier = SignatureVerifier(signing_secret, OurClock())
        self._inbox = inbox
        self._now = now

    async def receive(self, headers: Mapping[str, str], body: bytes) -> Answer:
        """Take in one request and say how it is answered."""
        received_at = self._now()
        if len(body) > LARGEST_BODY:
            return 413, TEXT, b"too large\n"
        if not self._is_signed(headers, body):
            log.warning("A request to /slack/events was not signed by Slack", action="slack_unsigned")
            return 401, TEXT, b"not signed by Slack, or older than five minutes\n"
        payload = _payload(headers, body)
        if payload is None:
            return 400, TEXT, b"not understood\n"
        if payload.get("type") == "url_verification":
            return 200, JSON, json.dumps({"challenge": str(payload.get("challenge", ""))}).encode()
        if not self._inbox.has_room:
            return 503, TEXT, b"too much at once\n"
        self._inbox.accept(payload, received_at)
        return 200, TEXT, b""

    def _is_signed(self, headers: Mapping[str, str], body: bytes) -> bool:
        try:
            return bool(self._verifier.is_valid_request(body, dict(headers)))
        # The library raises on a timestamp that is no number, a signature that is not ASCII, a body that is not UTF-8.
        except (ValueError, TypeError, OverflowError):
            return False


def _payload(headers: Mapping[str, str], body: bytes) -> dict[str, Any] | None:
    """The JSON of a request: the body itself (events), or the form field `payload` (clicks). A form without it is empty."""
    kind = next((v for k, v in headers.items() if k.lower() == "content-type"), "")
    try:
        text = body.decode()
        if not kind.lower().startswith(JSON):
            text = parse_qs(text, max_num_fields=50).get("payload", ["{}"])[0]
        payload = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return payload if isinstance(payload, dict) else None
