"""A Slack to test against and to look at, without an account: the Web API, Socket Mode, signed requests, and a page with the channel.

It refuses what Slack refuses (shapes, limits, pace, tokens) and can be told to fail in every way that networks and Slack fail.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import time
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Self
from urllib.parse import urlencode

from aiohttp import web

from tocsin.testing.slack_faults import Fault, FaultKind
from tocsin.testing.slack_methods import DeclinedError, Methods, Pace
from tocsin.testing.slack_page import Page
from tocsin.testing.slack_sockets import Sockets
from tocsin.testing.slack_workspace import APP, CHANNELS, TEAM, USERS, Posted, Private, Workspace

__all__ = ["Call", "Fault", "FaultKind", "Pace", "Posted", "Private", "SignedRequest", "SlackDouble"]

CALLS_KEPT = 5000
LARGEST_REQUEST = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Call:
    """A request that arrived. `at` is the loop's time."""

    method: str
    at: float
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """What Slack would post to the app's request URL."""

    headers: Mapping[str, str]
    body: bytes


class SlackDouble:
    """Use it as `async with SlackDouble() as slack`; then `slack.api_url` stands in for https://slack.com/api/."""

    bot_token = "xoxb-double"
    app_token = "xapp-double"
    signing_secret = "double-signing-secret"

    def __init__(
        self,
        *,
        port: int = 0,
        channels: Mapping[str, str] = CHANNELS,
        users: Mapping[str, str] = USERS,
        pace: Pace | None = None,
    ) -> None:
        self.workspace = Workspace(channels, users)
        self.methods = Methods(self.workspace, pace)
        self.sockets = Sockets()
        self.calls: deque[Call] = deque(maxlen=CALLS_KEPT)
        self.is_revoked = False
        self._port = port
        self._scripts: dict[str, deque[Fault | None]] = defaultdict(deque)
        self._released = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self._address = ""

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=LARGEST_REQUEST)
        app.router.add_route("*", "/api/{method}", self._api)
        app.router.add_get("/link", self.sockets.serve)
        app.router.add_post("/answer/{channel}/{user}", self._answer)
        Page(self).add_to(app)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self._address = f"127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._released.set()
        await self.sockets.close()
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def api_url(self) -> str:
        return f"http://{self._address}/api/"

    @property
    def page_url(self) -> str:
        return f"http://{self._address}/"

    @property
    def channel(self) -> str:
        """The id of the first channel."""
        return next(iter(self.workspace.channels))

    # --- what a test looks at and sets up ---

    def script(self, method: str, faults: Iterable[Fault | None]) -> None:
        """Let the next calls of a method go wrong, in this order; None is a good answer."""
        self._scripts[method].extend(faults)

    def messages(self, channel: str | None = None) -> list[Posted]:
        """The messages of a channel as they stand now, oldest first, replies among them."""
        return list(self.workspace.channels[channel or self.channel].messages)

    def roots(self, channel: str | None = None) -> list[Posted]:
        return [m for m in self.messages(channel) if not m.is_reply]

    def private(self, user: str | None = None) -> list[Private]:
        """What was said to one user only."""
        return [p for p in self.workspace.private if user in (None, p.user)]

    def calls_of(self, method: str) -> list[Call]:
        return [call for call in self.calls if call.method == method]

    # --- what a user does ---

    async def click(
        self, action: str, incident: int | str, *, user: str = "U0LINA", copies: int = 1, within_s: float = 3.0
    ) -> float:
        """Press a button, over Socket Mode; returns how long the answer took. Raises TimeoutError when there was none."""
        payload = self.click_payload(action, incident, user=user)
        return await self.sockets.deliver("interactive", payload, copies=copies, within_s=within_s)

    def signed_click(self, action: str, incident: int | str, *, user: str = "U0LINA") -> SignedRequest:
        """Press a button, as the signed request that Slack would send to the app's address."""
        return self.signed_form({"payload": json.dumps(self.click_payload(action, incident, user=user))})

    def signed_form(self, fields: Mapping[str, str], *, at: float | None = None) -> SignedRequest:
        body = urlencode(fields).encode()
        return SignedRequest(self.sign(body, "application/x-www-form-urlencoded", at=at), body)

    def sign(self, body: bytes, content_type: str, *, at: float | None = None) -> dict[str, str]:
        """The headers of a request that Slack signed at `at` (now)."""
        timestamp = str(int(time.time() if at is None else at))
        digest = hmac.new(self.signing_secret.encode(), f"v0:{timestamp}:".encode() + body, sha256).hexdigest()
        signature = {"X-Slack-Request-Timestamp": timestamp, "X-Slack-Signature": f"v0={digest}"}
        return {"Content-Type": content_type, **signature}

    def click_payload(self, action: str, incident: int | str, *, user: str = "U0LINA") -> dict[str, Any]:
        """What Slack delivers for a button that stands in some message now. Raises LookupError where none does."""
        for channel in self.workspace.channels.values():
            for message in reversed(channel.messages):
                for block, button in message.buttons():
                    if button.get("action_id") == action and button.get("value") == str(incident):
                        return self.payload_of(message, block, button, user)
        raise LookupError(f"no button {action} for {incident} is shown")

    def payload_of(self, message: Posted, block: str, button: Mapping[str, Any], user: str) -> dict[str, Any]:
        name = self.workspace.users.get(user, user)
        pressed = {"block_id": block, "action_ts": f"{time.time():.6f}"}
        shown = {key: button[key] for key in ("type", "action_id", "text", "value", "style") if key in button}
        return {
            "type": "block_actions",
            "user": {"id": user, "username": name.lower().replace(" ", ""), "name": name, "team_id": TEAM},
            "api_app_id": APP,
            "token": "deprecated",
            "container": {
                "type": "message",
                "message_ts": message.ts,
                "channel_id": message.channel,
                "is_ephemeral": False,
            },
            "trigger_id": f"{next(self.workspace.numbers)}.1.trigger",
            "team": {"id": TEAM, "domain": "demo"},
            "channel": {"id": message.channel, "name": self.workspace.channels[message.channel].name},
            "message": message.as_slack(with_metadata=True),
            "response_url": f"http://{self._address}/answer/{message.channel}/{user}",
            "actions": [{**shown, **pressed}],
        }

    # --- the wire ---

    async def _api(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        arguments = await _arguments(request)
        self.calls.append(Call(method, asyncio.get_running_loop().time(), arguments))
        script = self._scripts[method]
        fault = script.popleft() if script else None
        if fault is None or fault.acts:
            answer = self._perform(method, arguments, _token(request, arguments))
            if fault is None:
                return answer
        return await self._fail(request, fault)

    def _perform(self, method: str, arguments: Mapping[str, Any], token: str) -> web.Response:
        try:
            self._admit(method, token)
            if method == "apps.connections.open":
                address = f"ws://{self._address}/link?ticket={self.sockets.ticket()}"
                return web.json_response({"ok": True, "url": address})
            scopes = {"X-OAuth-Scopes": ",".join(sorted(self.methods.scopes))}
            return web.json_response(self.methods.call(method, arguments), headers=scopes)
        except DeclinedError as error:
            if error.retry_after is None:
                return web.json_response(error.answer)
            headers = {"Retry-After": str(error.retry_after)}
            return web.json_response(error.answer, status=429, headers=headers)

    def _admit(self, method: str, token: str) -> None:
        if not token:
            raise DeclinedError("not_authed")
        if token not in (self.bot_token, self.app_token):
            raise DeclinedError("invalid_auth")
        if self.is_revoked:
            raise DeclinedError("token_revoked")
        if (token == self.app_token) != (method == "apps.connections.open"):
            raise DeclinedError("not_allowed_token_type")

    async def _fail(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        match fault.kind:
            case FaultKind.ANSWER:
                headers = {**fault.headers, "Content-Type": f"{fault.content_type}; charset=utf-8"}
                return web.Response(body=fault.body.encode(), status=fault.status, headers=headers)
            case FaultKind.HANG:
                await self._released.wait()
            case FaultKind.RESET:
                pass
        if request.transport is not None:
            request.transport.abort()
        return web.Response()

    async def _answer(self, request: web.Request) -> web.Response:
        """A `response_url`: what the app says in answer to a click."""
        body = await request.json()
        self.workspace.tell_privately(request.match_info["channel"], request.match_info["user"], str(body.get("text")))
        return web.Response(text="ok")


async def _arguments(request: web.Request) -> dict[str, Any]:
    """The arguments of a call, from the query, a form or JSON: Slack takes all three."""
    arguments: dict[str, Any] = dict(request.query)
    if request.content_type == "application/json":
        text = await request.text()
        arguments |= json.loads(text) if text else {}
    elif request.can_read_body:
        arguments |= dict(await request.post())
    return arguments


def _token(request: web.Request, arguments: Mapping[str, Any]) -> str:
    header = request.headers.get("Authorization", "")
    return header.removeprefix("Bearer ") if header else str(arguments.get("token") or "")
