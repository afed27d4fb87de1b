"""The Web API methods that the double knows, with the refusals that Slack gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil
from time import monotonic
from typing import Any

from tocsin.testing import slack_checks
from tocsin.testing.slack_workspace import BOT, BOT_USER, TEAM, Channel, Posted, Workspace

SCOPES = (
    *("chat:write", "channels:history", "groups:history", "im:history", "channels:read", "groups:read", "im:write"),
    *("users:read", "metadata.message:read"),
)
NEEDED = {
    "chat.postMessage": "chat:write",
    "chat.postEphemeral": "chat:write",
    "chat.update": "chat:write",
    "conversations.history": "channels:history",
    "conversations.replies": "channels:history",
    "conversations.info": "channels:read",
    "conversations.open": "im:write",
    "users.info": "users:read",
}
LARGEST_PAGE = 999


class DeclinedError(Exception):
    """An answer with `ok: false`. `retry_after` makes it a 429."""

    def __init__(self, error: str, *, retry_after: int | None = None, **more: Any) -> None:
        super().__init__(error)
        self.answer = {"ok": False, "error": error, **more}
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast one channel takes messages: Slack allows about one a second, and short bursts."""

    per_second: float = 1.0
    burst: int = 4


class Methods:
    """Answers a method with what Slack would. `scopes` is what the app was granted."""

    def __init__(self, workspace: Workspace, pace: Pace | None) -> None:
        self.workspace = workspace
        self.pace = pace
        self.scopes = set(SCOPES)
        self.views: list[dict[str, Any]] = []
        self._budgets: dict[str, tuple[float, float]] = {}
        self._methods: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
            "auth.test": self._auth_test,
            "chat.postMessage": self._post_message,
            "chat.postEphemeral": self._post_ephemeral,
            "chat.update": self._update,
            "conversations.history": self._history,
            "conversations.info": self._info,
            "conversations.open": self._open_direct,
            "conversations.replies": self._replies,
            "users.info": self._user,
            "views.open": self._open_view,
        }

    def call(self, method: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        known = self._methods.get(method)
        if known is None:
            raise DeclinedError("unknown_method", req_method=method)
        needed = NEEDED.get(method)
        if needed is not None and needed not in self.scopes:
            raise DeclinedError("missing_scope", needed=needed, provided=",".join(sorted(self.scopes)))
        return {"ok": True, **known(arguments)}

    # --- posting ---

    def _auth_test(self, _: Mapping[str, Any]) -> dict[str, Any]:
        return {"url": "https://demo.slack.com/", "team": "Demo", "user": "tocsin", "team_id": TEAM} | {
            "user_id": BOT_USER,
            "bot_id": BOT,
        }

    def _post_message(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        channel = self._writable(arguments)
        self._spend(channel.id)
        self._check(arguments)
        thread = arguments.get("thread_ts")
        if thread is not None and self.workspace.find(channel.id, str(thread)) is None:
            raise DeclinedError("thread_not_found")
        posted = Posted(
            channel.id,
            self.workspace.stamp(),
            str(arguments.get("text") or ""),
            list(arguments.get("blocks") or ()),
            arguments.get("metadata"),
            str(thread) if thread is not None else None,
            bool(thread is not None and arguments.get("reply_broadcast")),
        )
        self.workspace.post(posted)
        return {"channel": channel.id, "ts": posted.ts, "message": posted.as_slack(with_metadata=False)}

    def _update(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        channel = self._writable(arguments)
        posted = self.workspace.find(channel.id, str(arguments.get("ts")))
        if posted is None:
            raise DeclinedError("message_not_found")
        self._check(arguments)
        posted.text, posted.blocks = str(arguments.get("text") or ""), list(arguments.get("blocks") or ())
        if "metadata" in arguments:
            posted.metadata = arguments["metadata"] or None
        posted.edits += 1
        self.workspace.version += 1
        return {"channel": channel.id, "ts": posted.ts, "text": posted.text}

    def _post_ephemeral(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        channel = self._writable(arguments)
        user = str(arguments.get("user"))
        if user not in self.workspace.users:
            raise DeclinedError("user_not_in_channel")
        self._check(arguments)
        return {"message_ts": self.workspace.tell_privately(channel.id, user, str(arguments.get("text") or ""))}

    def _check(self, arguments: Mapping[str, Any]) -> None:
        refusal = slack_checks.refusal(arguments)
        if refusal is not None:
            error, problems = refusal
            raise DeclinedError(error, errors=problems, response_metadata={"messages": problems})

    def _spend(self, channel: str) -> None:
        """Take one message out of the channel's budget, or say when there will be one."""
        if self.pace is None:
            return
        now = monotonic()
        left, at = self._budgets.get(channel, (float(self.pace.burst), now))
        left = min(float(self.pace.burst), left + (now - at) * self.pace.per_second)
        if left < 1:
            self._budgets[channel] = (left, now)
            raise DeclinedError("ratelimited", retry_after=max(1, ceil((1 - left) / self.pace.per_second)))
        self._budgets[channel] = (left - 1, now)

    # --- reading ---

    def _history(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        channel = self._readable(arguments)
        shown = [m for m in channel.messages if not m.is_reply or m.is_broadcast]
        return _page(arguments, list(reversed(shown)))

    def _replies(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        channel = self._readable(arguments)
        root = self.workspace.find(channel.id, str(arguments.get("ts")))
        if root is None:
            raise DeclinedError("thread_not_found")
        return _page(arguments, [m for m in channel.messages if m is root or m.thread_ts == root.ts], root)

    def _info(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        channel = self._known(arguments)
        shown = {"id": channel.id, "name": channel.name, "is_channel": True, "is_private": False}
        return {"channel": {**shown, "is_archived": channel.is_archived, "is_member": channel.is_member}}

    def _user(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        identity = str(arguments.get("user"))
        if identity not in self.workspace.users:
            raise DeclinedError("user_not_found")
        name = self.workspace.users[identity]
        return {"user": {"id": identity, "team_id": TEAM, "real_name": name, "name": name.lower().replace(" ", "")}}

    def _open_view(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        if not arguments.get("trigger_id"):
            raise DeclinedError("invalid_trigger_id")
        view = {"id": f"V{next(self.workspace.numbers)}", **dict(arguments.get("view") or {})}
        self.views = [*self.views[-49:], view]
        return {"view": view}

    def _open_direct(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        user = str(arguments.get("users"))
        if user not in self.workspace.users:
            raise DeclinedError("users_not_found")
        return {"channel": {"id": self.workspace.direct(user).id}}

    def _known(self, arguments: Mapping[str, Any]) -> Channel:
        named = str(arguments.get("channel"))
        # Slack takes a person's id for their conversation with the app where something is posted.
        is_posted = "text" in arguments and "ts" not in arguments
        channel = self.workspace.direct(named) if named in self.workspace.users and is_posted else None
        channel = channel or self.workspace.channels.get(named)
        if channel is None:
            raise DeclinedError("channel_not_found")
        return channel

    def _readable(self, arguments: Mapping[str, Any]) -> Channel:
        channel = self._known(arguments)
        if not channel.is_member:
            raise DeclinedError("not_in_channel")
        return channel

    def _writable(self, arguments: Mapping[str, Any]) -> Channel:
        channel = self._readable(arguments)
        if channel.is_archived:
            raise DeclinedError("is_archived")
        return channel


def _page(arguments: Mapping[str, Any], found: list[Posted], root: Posted | None = None) -> dict[str, Any]:
    """One page of messages between `oldest` and `latest`; a thread's root comes with every first page."""
    oldest, latest = str(arguments.get("oldest") or "0"), str(arguments.get("latest") or "9" * 12)
    chosen = [m for m in found if m is root or float(oldest) <= float(m.ts) <= float(latest)]
    start, limit = _whole(arguments.get("cursor"), 0), max(1, min(LARGEST_PAGE, _whole(arguments.get("limit"), 100)))
    with_metadata = str(arguments.get("include_all_metadata", "0")).lower() in ("1", "true")
    shown = [m.as_slack(with_metadata=with_metadata) for m in chosen[start : start + limit]]
    has_more = start + limit < len(chosen)
    return {
        "messages": shown,
        "has_more": has_more,
        "response_metadata": {"next_cursor": str(start + limit) if has_more else ""},
    }


def _whole(value: Any, otherwise: int) -> int:
    return int(value) if str(value or "").isdecimal() else otherwise
