"""From a message to what Slack is sent: blocks, the text for notifications, and the metadata by which it is found again. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tocsin.channels.golive_text import is_golive
from tocsin.channels.slack.blocks import Block, context, fallback, page, section
from tocsin.channels.slack.golive import blocks_of as golive_blocks
from tocsin.channels.slack.lines import alarm_day, line
from tocsin.channels.slack.text import escaped, metadata_key
from tocsin.channels.slack.view import view_of
from tocsin.channels.told import remarks
from tocsin.core.model import NoticeKind
from tocsin.ports import Message

EVENT_TYPE = "tocsin_notice"


@dataclass(frozen=True, slots=True)
class Rendered:
    text: str
    blocks: list[Block]


def render(message: Message) -> Rendered:
    """Find the words for a message. Never raises on data, whatever is in it."""
    rendered = _rendered(message)
    if not (said := remarks(message)):
        return rendered
    return Rendered(rendered.text, [*rendered.blocks, context(*(escaped(one, 900) for one in said))])


def _rendered(message: Message) -> Rendered:
    view, incident = view_of(message), message.incident
    if incident is not None and is_page(message):
        blocks = page(view, incident)
        # A line that found no thread to stand in goes out with the page.
        if message.kind is not NoticeKind.EDIT and message.event != "opened":
            blocks.append(context(line(view)))
        return Rendered(fallback(view, incident), blocks)
    if is_golive(message.event):
        return Rendered(*golive_blocks(view))
    told = line(view)
    if message.kind is NoticeKind.ALARM and message.root is None and message.event != "alarm_day":
        return Rendered(told, [section(alarm_day(view)), section(told)])
    return Rendered(told, [section(told)])


def is_page(message: Message) -> bool:
    """Whether the message shows a whole incident: its page, the edit of it, and a line that has no thread yet."""
    match message.kind:
        case NoticeKind.PAGE | NoticeKind.EDIT:
            return message.incident is not None
        case NoticeKind.REPLY | NoticeKind.BROADCAST:
            return message.incident is not None and message.root is None
        case NoticeKind.ALARM:
            return False


def metadata(message: Message) -> dict[str, Any]:
    payload: dict[str, Any] = {"key": metadata_key(message.key)}
    if message.incident is not None:
        payload["incident"] = message.incident.id
    return {"event_type": EVENT_TYPE, "event_payload": payload}
