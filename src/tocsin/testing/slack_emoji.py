"""Emoji as small drawings. Slack brings its own pictures; a machine without an emoji font would show boxes on the double's page."""

from __future__ import annotations

import re
from collections.abc import Mapping

RED, ORANGE, YELLOW, GREEN, BLUE, GREY, DARK = (
    "#d92d3a",
    "#f08c1c",
    "#f5c518",
    "#2b9a4a",
    "#2f7fd6",
    "#b9bec4",
    "#8a93a0",
)


def _disc(colour: str) -> str:
    return f'<circle cx="12" cy="12" r="10" fill="{colour}"/>'


def _tile(colour: str, inside: str) -> str:
    return f'<rect x="2" y="2" width="20" height="20" rx="4" fill="{colour}"/>{_stroke("#fff", inside)}'


def _stroke(colour: str, path: str) -> str:
    return f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2.6" stroke-linecap="round" stroke-linejoin="round"/>'


def _shape(colour: str, path: str) -> str:
    return f'<path d="{path}" fill="{colour}"/>'


DRAWN: Mapping[str, str] = {
    "🔴": _disc(RED),
    "🟠": _disc(ORANGE),
    "🟡": _disc(YELLOW),
    "🟢": _disc(GREEN),
    "🔵": _disc(BLUE),
    "⚪": _disc(GREY),
    "🚨": _shape(RED, "M6 18v-6a6 6 0 0 1 12 0v6z")
    + _shape(DARK, "M3 18h18v4H3z")
    + _stroke(ORANGE, "M12 1v2M3.5 4.5l1.6 1.6M20.5 4.5l-1.6 1.6"),
    "⏰": _disc(BLUE) + '<circle cx="12" cy="12" r="7.4" fill="#fff"/>' + _stroke(DARK, "M12 7.5V12l3 2.5"),
    "🏁": _stroke(DARK, "M5 3v19") + _shape(DARK, "M6 3h4v4h4V3h5v4h-5v4h5v4h-5v-4h-4v4H6v-4h4V7H6z"),
    "✅": _tile(GREEN, "M7 12.5l3.5 3.5L17 8.5"),
    "❌": _stroke(RED, "M5 5l14 14M19 5L5 19"),
    "✋": _shape(
        YELLOW,
        "M6 11V6a1.5 1.5 0 0 1 3 0V3.5a1.5 1.5 0 0 1 3 0V4a1.5 1.5 0 0 1 3 0v2a1.5 1.5 0 0 1 3 0v9a7 7 0 0 1-13 3l-3-6a1.6 1.6 0 0 1 3-1z",
    ),
    "🔔": _shape(YELLOW, "M12 2a7 7 0 0 0-7 7v5l-2 4h18l-2-4V9a7 7 0 0 0-7-7zM9.5 19a2.5 2.5 0 0 0 5 0z"),
    "📝": _tile(GREY, "M7 8h10M7 12h10M7 16h6"),
    "⚖️": _stroke(DARK, "M12 3v17M7 20h10M5 6h14M5 6l-3 8h6zM19 6l-3 8h6z"),
    "🔺": _shape(RED, "M12 3l10 18H2z"),
    "🔁": _tile(BLUE, "M7 11V9h9l-2-2.5M17 13v2H8l2 2.5"),
    "↩️": _tile(BLUE, "M10 7l-4 4 4 4M6 11h8a4 4 0 0 1 4 4v1"),
    "👤": _shape(DARK, "M12 3a4.5 4.5 0 1 1 0 9 4.5 4.5 0 0 1 0-9zM3 21a9 7.5 0 0 1 18 0z"),
    "➕": _stroke(DARK, "M12 5v14M5 12h14"),
    "➖": _stroke(DARK, "M5 12h14"),
    "🛠️": _stroke(DARK, "M4 20L15 9M14 4l6 6M13 5l6 6-2.5 2.5-6-6z"),
    "⚠️": _shape(YELLOW, "M12 2l11 20H1z") + _stroke(DARK, "M12 9v6M12 18.5v.2"),
    "ℹ️": _tile(BLUE, "M12 11v6M12 7v.2"),
}
# Tags are matched first, so that nothing is drawn inside of one.
_ANY = re.compile("<[^>]*>|" + "|".join(sorted((re.escape(emoji) for emoji in DRAWN), key=len, reverse=True)))


def drawn(html: str) -> str:
    """Put the drawing in place of each emoji that is known; the rest is left to the reader's fonts."""
    return _ANY.sub(lambda found: _svg(found[0]) if found[0] in DRAWN else found[0], html)


def _svg(emoji: str) -> str:
    return f'<svg class="emoji" viewBox="0 0 24 24" role="img" aria-label="{emoji}">{DRAWN[emoji]}</svg>'
