"""One Slack channel as a way out: post, edit, reply, and find again what may have been posted already."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from tocsin.channels.slack.api import SlackApi
from tocsin.channels.slack.failures import RateLimitError
from tocsin.channels.slack.render import EVENT_TYPE, metadata, render
from tocsin.channels.slack.text import metadata_key
from tocsin.core.model import NoticeKind
from tocsin.errors import DeliveryError
from tocsin.ports import Message, Reference

PAGE_SIZE = 200
PAGES_AT_MOST = 20
LONGEST_UNTOLD_PAUSE_S = 60.0


class SlackChannel:
    """Tells one channel. What is posted carries the notice's key in its metadata, so a lost answer is looked up, not repeated."""

    def __init__(self, api: SlackApi, channel: str) -> None:
        self._api = api
        self._channel = channel
        self._pause_s = 1.0

    def is_told_by_edits(self) -> bool:
        return True

    def hears(self, kind: NoticeKind, event: str) -> bool:  # noqa: ARG002  # the port's own names
        return True

    async def send(self, message: Message) -> Reference | None:
        """Deliver, or edit. Returns where the message stands."""
        try:
            reference = await (self._edit(message) if message.kind is NoticeKind.EDIT else self._post(message))
        except RateLimitError as error:
            raise self._with_pause(error) from error
        self._pause_s = 1.0
        return reference

    async def find(self, message: Message, *, since: datetime) -> Reference | None:
        """Look for the message by its key. An edit is nothing to look for: repeating it does no harm.

        Where it cannot be known, that is never permanent: the notice is not lost because the look-up is.
        """
        if message.kind is NoticeKind.EDIT:
            return None
        key = metadata_key(message.key)
        try:
            async for posted in self._posted(_thread_of(message), since):
                if _key_of(posted) == key:
                    return Reference(self._channel, str(posted["ts"]))
        except DeliveryError as error:
            after = self._with_pause(error).retry_after if isinstance(error, RateLimitError) else error.retry_after
            raise DeliveryError(
                f"cannot look the message up: {error}",
                unknown=True,
                retry_after=after,
                is_root_gone=error.is_root_gone,
            ) from error
        return None

    async def close(self) -> None:
        """Nothing of its own is open: the connection belongs to the workspace's `SlackApi`."""

    # --- sending ---

    async def _post(self, message: Message) -> Reference:
        thread = _thread_of(message)
        arguments = {**self._content(message), "channel": self._channel, "metadata": metadata(message)}
        if thread is not None:
            arguments |= {"thread_ts": thread, "reply_broadcast": message.kind is NoticeKind.BROADCAST}
        answer = await self._api.post("chat.postMessage", arguments)
        stands_at = answer.get("ts")
        if not isinstance(stands_at, str):
            raise DeliveryError("Slack took chat.postMessage and did not say where it stands", unknown=True)
        return Reference(str(answer.get("channel") or self._channel), stands_at)

    async def _edit(self, message: Message) -> Reference:
        if message.root is None:
            raise DeliveryError("there is no message to edit: it was never posted here", permanent=True)
        place = {"channel": message.root.place, "ts": message.root.message}
        try:
            # Metadata is left out on purpose: Slack then keeps the key of the page.
            await self._api.post("chat.update", {**self._content(message), **place})
        except RateLimitError:
            raise
        except DeliveryError as error:
            # An edit says how things stand: done twice it says the same, so it is never in doubt.
            raise DeliveryError(
                str(error),
                permanent=error.permanent,
                retry_after=error.retry_after,
                is_root_gone=error.is_root_gone,
            ) from error
        return message.root

    def _content(self, message: Message) -> dict[str, Any]:
        rendered = render(message)
        quiet = {"unfurl_links": False, "unfurl_media": False} if message.kind is not NoticeKind.EDIT else {}
        return {"text": rendered.text, "blocks": rendered.blocks, "link_names": False, "parse": "none", **quiet}

    def _with_pause(self, error: RateLimitError) -> RateLimitError:
        """Where Slack did not say how long to wait: a second, then twice as long each time, at most a minute."""
        if error.retry_after is not None:
            return error
        pause, self._pause_s = self._pause_s, min(self._pause_s * 2, LONGEST_UNTOLD_PAUSE_S)
        return RateLimitError(f"{error}; waiting {pause:g} s", retry_after=timedelta(seconds=pause))

    # --- looking up ---

    async def _posted(self, thread: str | None, since: datetime) -> AsyncIterator[Mapping[str, Any]]:
        """What stands in the channel, or in a thread, since then."""
        method = "conversations.history" if thread is None else "conversations.replies"
        arguments: dict[str, Any] = {
            "channel": self._channel,
            "oldest": f"{since.timestamp():.6f}",
            "inclusive": 1,
            "include_all_metadata": 1,
            "limit": PAGE_SIZE,
            **({} if thread is None else {"ts": thread}),
        }
        for _ in range(PAGES_AT_MOST):
            answer = await self._api.get(method, arguments)
            for posted in answer.get("messages") or ():
                if isinstance(posted, Mapping):
                    yield posted
            cursor = (answer.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                return
            arguments["cursor"] = cursor
        raise DeliveryError(f"more than {PAGE_SIZE * PAGES_AT_MOST} messages were posted since")


def _thread_of(message: Message) -> str | None:
    """The message whose thread it belongs in; None for what stands in the channel itself."""
    if message.kind is NoticeKind.PAGE or message.root is None:
        return None
    return message.root.message


def _key_of(posted: Mapping[str, Any]) -> object:
    described = posted.get("metadata")
    if not isinstance(described, Mapping) or described.get("event_type") != EVENT_TYPE:
        return None
    payload = described.get("event_payload")
    return payload.get("key") if isinstance(payload, Mapping) else None
