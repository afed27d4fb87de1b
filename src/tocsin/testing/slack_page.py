"""The double's page: the channels as Slack would show them, with buttons that work. For people without a Slack account."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

from aiohttp import web

from tocsin.testing import slack_mrkdwn
from tocsin.testing.slack_emoji import drawn
from tocsin.testing.slack_workspace import Channel, Posted, Private

if TYPE_CHECKING:
    from tocsin.testing.slack import SlackDouble

SHOWN = 200
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'",
    "Cache-Control": "no-store",
}


class Page:
    def __init__(self, double: SlackDouble) -> None:
        self._double = double
        self._html = files(__package__).joinpath("slack_page.html").read_text(encoding="utf-8")

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/", self._show)
        app.router.add_get("/page/state", self._state)
        app.router.add_post("/page/click", self._click)

    async def _show(self, _: web.Request) -> web.Response:
        return web.Response(text=self._html.replace("🔔", drawn("🔔")), content_type="text/html", headers=HEADERS)

    async def _state(self, request: web.Request) -> web.Response:
        """Everything to show; 204 where the page has it already."""
        workspace, sockets = self._double.workspace, self._double.sockets
        version = f"{workspace.version}.{sockets.connected}"
        if request.query.get("have") == version:
            return web.Response(status=204)
        state = {
            "version": version,
            "connected": sockets.connected,
            "users": workspace.users,
            "channels": [self._channel(channel) for channel in workspace.channels.values()],
        }
        return web.json_response(state, headers={"Cache-Control": "no-store"})

    def _channel(self, channel: Channel) -> dict[str, Any]:
        messages = list(channel.messages)[-SHOWN:]
        private = [self._private(p) for p in self._double.workspace.private if p.channel == channel.id]
        return {
            "id": channel.id,
            "name": channel.name,
            "messages": [self._message(m) for m in messages],
            "private": private,
        }

    def _message(self, message: Posted) -> dict[str, Any]:
        users = self._double.workspace.users
        shown = (
            slack_mrkdwn.blocks(message.blocks, users) if message.blocks else slack_mrkdwn.mrkdwn(message.text, users)
        )
        thread = message.thread_ts if message.is_reply else None
        return {"ts": message.ts, "thread": thread, "broadcast": message.is_broadcast, "html": drawn(shown)}

    def _private(self, private: Private) -> dict[str, Any]:
        html = slack_mrkdwn.mrkdwn(private.text, self._double.workspace.users)
        return {"ts": private.ts, "user": private.user, "html": drawn(html)}

    async def _click(self, request: web.Request) -> web.Response:
        """Press a button as one of the users. JSON only, so that no other site's form can press it."""
        if request.content_type != "application/json":
            return web.json_response({"error": "send JSON"}, status=415)
        asked = await request.json()
        double = self._double
        message = double.workspace.find(str(asked.get("channel")), str(asked.get("ts")))
        buttons = message.buttons() if message is not None else ()
        pressed = next(((b, e) for b, e in buttons if e.get("action_id") == asked.get("action")), None)
        if message is None or pressed is None or asked.get("user") not in double.workspace.users:
            return web.json_response({"error": "that button is gone"}, status=404)
        try:
            took_s = await double.sockets.deliver(
                "interactive", double.payload_of(message, pressed[0], pressed[1], str(asked["user"]))
            )
        except (ConnectionError, TimeoutError):
            return web.json_response({"error": "Nobody answered the click: is Tocsin running?"}, status=502)
        return web.json_response({"took_ms": round(took_s * 1000)})
