"""Small words of error texts."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches


def suggestion(word: str, known: Sequence[str], *, fallback: str | None = None) -> str:
    """` (did you mean "title"?)`, else the fallback, else all that is known."""
    near = get_close_matches(word, known, 1)
    if near:
        return f' (did you mean "{near[0]}"?)'
    if fallback is not None:
        return fallback
    return f" (known here: {', '.join(known)})" if known else ""
