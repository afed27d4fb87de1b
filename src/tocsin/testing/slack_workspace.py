"""The double's workspace: its people, channels and messages. Bounded: the oldest messages of a channel are forgotten."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

MESSAGES_KEPT = 2000
PRIVATE_KEPT = 200

BOT_USER, BOT, APP, TEAM = "U0TOCSIN", "B0TOCSIN", "A0TOCSIN", "T0DEMO"
USERS: Mapping[str, str] = {"U0LINA": "Li Na", "U0WANG": "Wang Wei", "U0GUEST": "Guest"}
CHANNELS: Mapping[str, str] = {"C0DEMO": "incidents"}


@dataclass(slots=True)
class Posted:
    """A message as it stands now. `edits` counts how often it was changed."""

    channel: str
    ts: str
    text: str
    blocks: list[dict[str, Any]]
    metadata: dict[str, Any] | None
    thread_ts: str | None = None
    is_broadcast: bool = False
    edits: int = 0

    @property
    def is_reply(self) -> bool:
        return self.thread_ts is not None and self.thread_ts != self.ts

    @property
    def key(self) -> str | None:
        """The key that the sender wrote into the metadata."""
        payload = (self.metadata or {}).get("event_payload", {})
        return str(payload["key"]) if "key" in payload else None

    def buttons(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Each button with the id of its block."""
        for block in self.blocks:
            if block.get("type") == "actions":
                for element in block["elements"]:
                    yield str(block.get("block_id", "")), element

    def as_slack(self, *, with_metadata: bool) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "type": "message",
            "user": BOT_USER,
            "bot_id": BOT,
            "app_id": APP,
            "team": TEAM,
            "ts": self.ts,
            "text": self.text,
            "blocks": self.blocks,
        }
        if self.thread_ts is not None:
            shown["thread_ts"] = self.thread_ts
        if self.is_broadcast:
            shown["subtype"] = "thread_broadcast"
        if self.edits:
            shown["edited"] = {"user": BOT_USER, "ts": self.ts}
        if with_metadata and self.metadata is not None:
            shown["metadata"] = self.metadata
        return shown


@dataclass(frozen=True, slots=True)
class Private:
    """Something that only one user sees."""

    channel: str
    user: str
    text: str
    ts: str


@dataclass(slots=True)
class Channel:
    id: str
    name: str
    is_archived: bool = False
    is_member: bool = True
    messages: deque[Posted] = field(default_factory=lambda: deque(maxlen=MESSAGES_KEPT))


class Workspace:
    """What the methods work on. `version` grows with each change, for the page."""

    def __init__(self, channels: Mapping[str, str], users: Mapping[str, str]) -> None:
        self.channels = {identity: Channel(identity, name) for identity, name in channels.items()}
        self.users = dict(users)
        self.private: deque[Private] = deque(maxlen=PRIVATE_KEPT)
        self.version = 0
        self._last_us = 0
        self.numbers = count(1)

    def stamp(self) -> str:
        """A timestamp that no message had before; Slack's are unique in a channel and name the message."""
        self._last_us = max(self._last_us + 1, time.time_ns() // 1000)
        return f"{self._last_us // 1_000_000}.{self._last_us % 1_000_000:06d}"

    def direct(self, user: str) -> Channel:
        """A user's conversation with the app, made when it is first needed."""
        identity = f"D{user[1:]}"
        return self.channels.setdefault(identity, Channel(identity, f"@{self.users[user]}"))

    def find(self, channel: str, ts: str) -> Posted | None:
        known = self.channels.get(channel)
        return next((m for m in known.messages if m.ts == ts), None) if known else None

    def post(self, posted: Posted) -> None:
        self.channels[posted.channel].messages.append(posted)
        self.version += 1

    def delete(self, channel: str, ts: str) -> None:
        """Take a message out, as a person does in Slack."""
        found = self.find(channel, ts)
        if found is not None:
            self.channels[channel].messages.remove(found)
            self.version += 1

    def tell_privately(self, channel: str, user: str, text: str) -> str:
        ts = self.stamp()
        self.private.append(Private(channel, user, text, ts))
        self.version += 1
        return ts
