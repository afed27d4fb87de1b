"""What Slack would refuse in a message: Block Kit's shapes and limits, and those of text and metadata.

Source: docs.slack.dev, "Block Kit reference" and "chat.postMessage". Each problem is a sentence; an empty list means that Slack takes it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

TEXT_MAX = 40_000
METADATA_MAX = 8_000
BLOCKS_MAX = 50
ID_MAX = 255


def refusal(arguments: Mapping[str, Any]) -> tuple[str, list[str]] | None:
    """The error code with which Slack refuses a message, and why; None when it takes it."""
    text, blocks, metadata = arguments.get("text"), arguments.get("blocks"), arguments.get("metadata")
    if not text and not blocks:
        return "no_text", []
    if text is not None and len(str(text)) > TEXT_MAX:
        return "msg_too_long", []
    if blocks and (problems := list(block_problems(blocks))):
        return "invalid_blocks", problems
    return _metadata_refusal(metadata) if metadata else None


def _metadata_refusal(metadata: Any) -> tuple[str, list[str]] | None:
    is_formed = isinstance(metadata, Mapping) and isinstance(metadata.get("event_type"), str)
    if not is_formed or not isinstance(metadata.get("event_payload"), Mapping):
        return "invalid_metadata_format", []
    if len(json.dumps(metadata)) > METADATA_MAX:
        return "metadata_too_large", []
    return None


def block_problems(blocks: Any) -> Iterator[str]:
    """Everything that is wrong with a message's blocks."""
    if not isinstance(blocks, list):
        yield "blocks must be an array"
        return
    if len(blocks) > BLOCKS_MAX:
        yield f"no more than {BLOCKS_MAX} items allowed"
    ids = [block.get("block_id") for block in blocks if isinstance(block, Mapping) and block.get("block_id")]
    if len(ids) != len(set(ids)):
        yield "block_id must be unique"
    for number, block in enumerate(blocks):
        for problem in _block(block):
            yield f"{problem} [/blocks/{number}]"


def _block(block: Any) -> Iterator[str]:
    if not isinstance(block, Mapping):
        yield "must be an object"
        return
    check = BLOCKS.get(str(block.get("type")))
    if check is None:
        yield f"unsupported type: {block.get('type')}"
        return
    if len(str(block.get("block_id", ""))) > ID_MAX:
        yield f"block_id longer than {ID_MAX}"
    yield from check(block)


def _section(block: Mapping[str, Any]) -> Iterator[str]:
    yield from _unknown(block, "text", "fields", "accessory", "expand")
    if "text" not in block and "fields" not in block:
        yield "missing text or fields"
    if "text" in block:
        yield from _text(block["text"], 3000)
    if "fields" in block:
        yield from _some(block["fields"], 10, lambda field: _text(field, 2000))


def _header(block: Mapping[str, Any]) -> Iterator[str]:
    yield from _unknown(block, "text")
    yield from _text(block.get("text"), 150, only_plain=True)


def _context(block: Mapping[str, Any]) -> Iterator[str]:
    yield from _unknown(block, "elements")
    yield from _some(block.get("elements"), 10, lambda element: _text(element, 3000))


def _actions(block: Mapping[str, Any]) -> Iterator[str]:
    yield from _unknown(block, "elements")
    yield from _some(block.get("elements"), 25, _button)
    elements = block.get("elements")
    ids = [e.get("action_id") for e in elements if isinstance(e, Mapping)] if isinstance(elements, list) else []
    if len(ids) != len(set(ids)):
        yield "action_id must be unique"


def _divider(block: Mapping[str, Any]) -> Iterator[str]:
    yield from _unknown(block)


def _button(element: Any) -> Iterator[str]:
    if not isinstance(element, Mapping) or element.get("type") != "button":
        yield "only buttons are known here"
        return
    yield from _unknown(element, "action_id", "text", "value", "url", "style", "confirm", "accessibility_label")
    yield from _text(element.get("text"), 75, only_plain=True)
    for key, limit in (("action_id", ID_MAX), ("value", 2000), ("url", 3000)):
        if len(str(element.get(key, ""))) > limit:
            yield f"{key} longer than {limit}"
    if element.get("style", "primary") not in ("primary", "danger"):
        yield "style must be primary or danger"
    if "confirm" in element:
        yield from _confirm(element["confirm"])


def _confirm(confirm: Any) -> Iterator[str]:
    if not isinstance(confirm, Mapping):
        yield "confirm must be an object"
        return
    for key, limit in (("title", 100), ("text", 300), ("confirm", 30), ("deny", 30)):
        yield from _text(confirm.get(key), limit, only_plain=key != "text")


BLOCKS: Mapping[str, Callable[[Mapping[str, Any]], Iterator[str]]] = {
    "section": _section,
    "header": _header,
    "context": _context,
    "actions": _actions,
    "divider": _divider,
}


def _text(found: Any, limit: int, *, only_plain: bool = False) -> Iterator[str]:
    if not isinstance(found, Mapping):
        yield "missing text object"
        return
    kind, text = found.get("type"), found.get("text")
    if kind != "plain_text" and (only_plain or kind != "mrkdwn"):
        yield f"text of type {kind} not allowed"
    if not isinstance(text, str) or not text:
        yield "text must not be empty"
        return
    # UTF-16 units: the strictest of the counts that Slack might make.
    units = len(text.encode("utf-16-le", "surrogatepass")) // 2
    if units > limit:
        yield f"must be less than {limit + 1} characters, is {units}"
    known = {"type", "text", "emoji"} if kind == "plain_text" else {"type", "text", "verbatim"}
    if extra := set(found) - known:
        yield f"additional property: {', '.join(sorted(extra))}"


def _some(items: Any, limit: int, check: Callable[[Any], Iterator[str]]) -> Iterator[str]:
    if not isinstance(items, list) or not items:
        yield "must have at least one item"
        return
    if len(items) > limit:
        yield f"no more than {limit} items allowed"
    for item in items:
        yield from check(item)


def _unknown(found: Mapping[str, Any], *known: str) -> Iterator[str]:
    if extra := set(found) - {"type", "block_id", *known}:
        yield f"additional property: {', '.join(sorted(extra))}"
