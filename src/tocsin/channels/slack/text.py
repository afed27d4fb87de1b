"""Text that is safe in Slack: nothing from data becomes markup or a mention, and nothing is longer than Slack takes.

Slack's rules: docs.slack.dev, "Formatting message text" (escape & < >, mentions and dates stand in <…>) and the limits of "Block Kit".
Lengths are counted in UTF-16 units after escaping, which is never less than what Slack counts.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from hashlib import sha256
from urllib.parse import quote, urlsplit

ELLIPSIS = "…"
_LOUD = re.compile(r"@(?=here|channel|everyone|group)", re.IGNORECASE)
_ESCAPED = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_USER = re.compile(r"[UW][A-Z0-9]{1,20}")
_KEY_MAX = 500
_ADDRESS_MAX = 1500


def size(text: str) -> int:
    return len(text) + sum(1 for c in text if ord(c) > 0xFFFF)


def _is_kept(character: str) -> bool:
    # Control and format characters (bidirectional overrides among them) would let data rearrange what is read; surrogates have no UTF-8.
    return character in "\n\t" or unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Cn", "Co")


def clean(value: object) -> str:
    """What data says, without what is not text."""
    text = str(value).replace("\r\n", "\n").replace("\r", "\n")
    return text if text.isascii() and text.isprintable() else "".join(c for c in text if _is_kept(c))


def _clip(pieces: Iterable[str], limit: int) -> str:
    """Join pieces until the limit; a piece (an escaped character) is never cut."""
    kept: list[str] = []
    used = 0
    room = 0
    for piece in pieces:
        used += size(piece)
        if used > limit:
            return "".join(kept[:room]).rstrip() + ELLIPSIS
        kept.append(piece)
        if used <= limit - 1:
            room = len(kept)
    return "".join(kept)


def plain(value: object, limit: int) -> str:
    """For a plain_text object, on one line: Slack reads no markup there."""
    return _clip(" ".join(clean(value).split()), limit)


def escaped(value: object, limit: int) -> str:
    """For mrkdwn. `@here` and its kin lose their meaning, even where a client would link bare names."""
    # The loud names are broken up by a zero-width space after cleaning, which itself takes such characters out.
    text = _LOUD.sub("@\u200b", clean(value))
    return _clip((_ESCAPED.get(c, c) for c in text), limit)


def inline(value: object, limit: int) -> str:
    """For mrkdwn, on one line."""
    return escaped(" ".join(clean(value).split()), limit)


def code(value: object, limit: int) -> str:
    """A code span. Nothing in it is markup; a backtick of its own would end it."""
    text = inline(clean(value).replace("`", "ˋ"), limit - 2)
    return f"`{text}`" if text else ""


def code_block(value: object, limit: int) -> str:
    text = escaped(clean(value).replace("`", "ˋ").strip("\n"), limit - 8)
    return f"```\n{text}\n```" if text.strip() else ""


def is_link(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc)


def link(url: str, label: str) -> str:
    """A link, or the bare text where the address is no web address."""
    address = quote(clean(url), safe="%/:?#[]@!$&'()*+,;=~-._").replace("&", "&amp;")
    if not is_link(url) or len(address) > _ADDRESS_MAX:
        return inline(url, 500)
    return f"<{address}|{inline(label, 100).replace('|', '¦')}>"


def mention(user: str, name: str) -> str:
    """Call a person by their Slack id, which stands in the rules; an id that is none stays a name."""
    return f"<@{user}>" if _USER.fullmatch(user) else inline(name, 100)


def metadata_key(key: str) -> str:
    """The key as it is written into a message's metadata: itself, or its digest where it is long (8 KB for all of it)."""
    return (
        key
        if len(key) <= _KEY_MAX and key.isprintable()
        else f"sha256:{sha256(key.encode(errors='surrogatepass')).hexdigest()}"
    )
