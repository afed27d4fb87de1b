"""A signed webhook: every notice as JSON to an address of the user's own.

The receiver tells repeats apart by `Idempotency-Key` (a lost answer is sent again), and strangers by the signature: HMAC-SHA256 with the
shared secret over `<X-Tocsin-Timestamp>.<body>`.
"""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from tocsin.core.model import Clock, Incident, NoticeKind
from tocsin.errors import DeliveryError
from tocsin.ports import Message, Reference

if TYPE_CHECKING:
    import httpx

WITHIN_S = 10.0
LARGEST_ANSWER = 4096
LONGEST_PAUSE_S = 300.0
AGAIN = (408, 425, 429)


class WebhookChannel:
    """Posts to one address. The client is made at the first message. Redirects are not followed: they would carry the text elsewhere."""

    def __init__(
        self,
        url: str,
        secret: str,
        now: Callable[[], datetime],
        *,
        client: Callable[[], httpx.AsyncClient] | None = None,
    ) -> None:
        self._url = url
        self._secret = secret.encode()
        self._now = now
        self._make_client = client or _new_client
        self._client: httpx.AsyncClient | None = None

    def is_told_by_edits(self) -> bool:
        return False

    def hears(self, kind: NoticeKind, event: str) -> bool:  # noqa: ARG002  # the port's own names
        return True

    async def send(self, message: Message) -> Reference | None:
        """Post the notice. It has arrived when the answer is 2xx."""
        body = json.dumps(document(message), separators=(",", ":"), default=str).encode()
        status, headers, said = await self._post(body, self._headers(message, body))
        if not 200 <= status < 300:
            raise _refusal(status, headers, said)
        return None

    async def find(self, message: Message, *, since: datetime) -> Reference | None:  # noqa: ARG002  # the port's own names
        """There is nothing to look in: the receiver knows a repeat by its key."""
        return None

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def _headers(self, message: Message, body: bytes) -> dict[str, str]:
        timestamp = str(int(self._now().timestamp()))
        return {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "tocsin",
            "Idempotency-Key": json.dumps(message.key)[1:-1],
            "X-Tocsin-Timestamp": timestamp,
            "X-Tocsin-Signature": sign(self._secret, timestamp, body),
        }

    async def _post(self, body: bytes, headers: Mapping[str, str]) -> tuple[int, Mapping[str, str], str]:
        import httpx

        if self._client is None:
            self._client = self._make_client()
        try:
            async with (
                asyncio.timeout(WITHIN_S),
                self._client.stream("POST", self._url, content=body, headers=dict(headers)) as answer,
            ):
                return answer.status_code, answer.headers, await _beginning(answer)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError, httpx.UnsupportedProtocol) as error:
            raise DeliveryError(f"the webhook cannot be reached: {_text(error)}") from error
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError, ValueError) as error:
            raise DeliveryError(f"the webhook's answer was lost: {_text(error)}", unknown=True) from error


def sign(secret: bytes, timestamp: str, body: bytes) -> str:
    """The signature that a receiver works out for itself and compares."""
    return f"v1={hmac.new(secret, timestamp.encode() + b'.' + body, sha256).hexdigest()}"


def document(message: Message) -> dict[str, Any]:
    """The notice in JSON; `incident` has the shape that the API and `incident list --json` use."""
    incident = message.incident
    return {
        "version": 1,
        "key": message.key,
        "event": message.event,
        "kind": message.kind.value,
        "at": _instant(message.at),
        "incident": incident_document(incident, message.clocks) if incident is not None else None,
        "link": message.link or None,
        "data": dict(message.data),
    }


def incident_document(incident: Incident, clocks: tuple[Clock, ...]) -> dict[str, Any]:
    rule = incident.rule
    return {
        "id": incident.id,
        "system": incident.system,
        "key": incident.key,
        "severity": incident.severity.value,
        "state": incident.state.value,
        "title": incident.title,
        "reason": rule.name,
        "rule": {"name": rule.name, "file": rule.file, "line": rule.line, "text": rule.text},
        "text": incident.text,
        "checks": list(incident.checks),
        "failing_since": _instant(incident.failing_since),
        "opened_at": _instant(incident.opened_at),
        "acknowledged_at": _instant(incident.acknowledged_at),
        "acknowledged_by": incident.acknowledged_by,
        "assignee": incident.assignee,
        "resolved_at": _instant(incident.resolved_at),
        "resolved_by": incident.resolved_by,
        "resolution": incident.resolution.value if incident.resolution is not None else None,
        "reopened": incident.reopened,
        "clocks": [_clock(clock) for clock in clocks if clock.superseded_at is None],
        "superseded": [_clock(clock) for clock in clocks if clock.superseded_at is not None],
    }


def _clock(clock: Clock) -> dict[str, Any]:
    return {
        "clock": clock.kind.value,
        "due_at": _instant(clock.due_at),
        "outcome": clock.outcome.value if clock.outcome is not None else None,
        "met_at": _instant(clock.met_at),
        "breached_at": _instant(clock.breached_at),
        "detected_late": clock.detected_late,
    }


def _instant(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _new_client() -> httpx.AsyncClient:
    import httpx

    limits = httpx.Limits(max_connections=4, max_keepalive_connections=1, keepalive_expiry=15)
    return httpx.AsyncClient(timeout=WITHIN_S, follow_redirects=False, limits=limits)


async def _beginning(answer: httpx.Response) -> str:
    """The first bytes of an answer, to quote from; the rest is not read."""
    read = b""
    async for piece in answer.aiter_raw(LARGEST_ANSWER):
        read += piece
        if len(read) >= LARGEST_ANSWER:
            break
    return " ".join(read[:LARGEST_ANSWER].decode(errors="replace").split())[:200]


def _refusal(status: int, headers: Mapping[str, str], said: str) -> DeliveryError:
    quoted = f": {said}" if said else ""
    if 300 <= status < 400:
        target = headers.get("location", "another address")
        return DeliveryError(f"the webhook answered {status}, to {target}: give the final address", permanent=True)
    text = f"the webhook answered {status}{quoted}"
    if status in AGAIN or status >= 500:
        return DeliveryError(text, retry_after=_pause(headers.get("retry-after")))
    return DeliveryError(text, permanent=True)


def _pause(text: str | None) -> timedelta | None:
    """Retry-After in seconds, at most five minutes; None where it says nothing that can be used."""
    if text is None or not text.strip().isdecimal():
        return None
    return timedelta(seconds=max(1.0, min(float(text), LONGEST_PAUSE_S)))


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": ")[:300]
