"""Slack's markup and blocks as HTML, for the double's page. Whatever is in a message, only markup made here reaches the browser."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from html import escape, unescape
from typing import Any
from urllib.parse import urlsplit

_TOKEN = re.compile(r"```(?P<block>.+?)```|`(?P<code>[^`\n]+)`|<(?P<angle>[^<>\n]+)>", re.DOTALL)
_STYLES = (
    (re.compile(r"(?<![\w*])\*(?=\S)([^*\n]+?)(?<=\S)\*(?![\w*])"), r"<b>\1</b>"),
    (re.compile(r"(?<![\w_])_(?=\S)([^_\n]+?)(?<=\S)_(?![\w_])"), r"<i>\1</i>"),
    (re.compile(r"(?<![\w~])~(?=\S)([^~\n]+?)(?<=\S)~(?![\w~])"), r"<s>\1</s>"),
)
_DATE = re.compile(r"!date\^(?P<at>\d{1,12})\^(?P<format>[^|^]*)(?:\^[^|]*)?\|(?P<fallback>.*)")


def _safe(text: str) -> str:
    """Slack's own three entities are undone first: they are how data writes & < >."""
    return escape(unescape(text))


def mrkdwn(text: str, users: Mapping[str, str]) -> str:
    kept: list[str] = []

    def put_aside(found: re.Match[str]) -> str:
        kept.append(_token(found, users))
        return f"\ue000{len(kept) - 1}\ue001"

    plain = _safe(_TOKEN.sub(put_aside, text.replace("\ue000", "").replace("\ue001", "")))
    for pattern, replacement in _STYLES:
        plain = pattern.sub(replacement, plain)
    return re.sub("\ue000(\\d+)\ue001", lambda m: kept[int(m[1])], plain.replace("\n", "<br>"))


def _token(found: re.Match[str], users: Mapping[str, str]) -> str:
    if (block := found["block"]) is not None:
        lines = block.strip("\n")
        return f"<pre>{_safe(lines)}</pre>"
    if (code := found["code"]) is not None:
        return f"<code>{_safe(code)}</code>"
    return _angle(found["angle"], users)


def _angle(inner: str, users: Mapping[str, str]) -> str:
    if inner.startswith("@"):
        user = inner[1:].partition("|")[0]
        return f'<span class="mention">@{_safe(users.get(user, user))}</span>'
    if date := _DATE.fullmatch(inner):
        attributes = f'data-at="{date["at"]}" data-format="{_safe(date["format"])}"'
        return f"<time {attributes}>{_safe(date['fallback'])}</time>"
    if inner.startswith("!"):
        return f'<span class="mention loud">@{_safe(inner[1:].partition("|")[0])}</span>'
    url, _, label = inner.partition("|")
    if urlsplit(unescape(url)).scheme not in ("http", "https", "mailto"):
        return _safe(inner)
    return f'<a href="{_safe(url)}" target="_blank" rel="noopener noreferrer">{_safe(label or url)}</a>'


def blocks(found: list[dict[str, Any]], users: Mapping[str, str]) -> str:
    return "".join(RENDERED.get(str(block.get("type")), _nothing)(block, users) for block in found)


def _text(found: Mapping[str, Any], users: Mapping[str, str]) -> str:
    text = str(found.get("text", ""))
    return mrkdwn(text, users) if found.get("type") == "mrkdwn" else _safe(text)


def _section(block: Mapping[str, Any], users: Mapping[str, str]) -> str:
    text = f"<p>{_text(block['text'], users)}</p>" if "text" in block else ""
    fields = "".join(f"<div>{_text(field, users)}</div>" for field in block.get("fields", ()))
    return f'<div class="section">{text}{f"<div class=fields>{fields}</div>" if fields else ""}</div>'


def _header(block: Mapping[str, Any], users: Mapping[str, str]) -> str:
    return f"<h2>{_text(block['text'], users)}</h2>"


def _context(block: Mapping[str, Any], users: Mapping[str, str]) -> str:
    return f'<div class="context">{" ".join(f"<span>{_text(e, users)}</span>" for e in block["elements"])}</div>'


def _actions(block: Mapping[str, Any], users: Mapping[str, str]) -> str:
    return f'<div class="actions">{"".join(_button(e, users) for e in block["elements"])}</div>'


def _button(element: Mapping[str, Any], users: Mapping[str, str]) -> str:
    style = f" class={element['style']}" if element.get("style") in ("primary", "danger") else ""
    asked = element.get("confirm") or {}
    question = " ".join(str(asked.get(key, {}).get("text", "")) for key in ("title", "text")).strip()
    confirm = f' data-confirm="{_safe(question)}"' if question else ""
    action = f'data-action="{_safe(str(element.get("action_id", "")))}"'
    return f"<button{style} {action}{confirm}>{_text(element['text'], users)}</button>"


def _divider(block: Mapping[str, Any], users: Mapping[str, str]) -> str:
    return "<hr>"


def _nothing(block: Mapping[str, Any], users: Mapping[str, str]) -> str:
    return ""


RENDERED: Mapping[str, Callable[[Mapping[str, Any], Mapping[str, str]], str]] = {
    "section": _section,
    "header": _header,
    "context": _context,
    "actions": _actions,
    "divider": _divider,
}
