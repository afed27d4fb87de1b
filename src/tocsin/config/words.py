"""Small words of error texts."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

MAX_COMPARED = 1000
"""Comparing costs: a list with thousands of names gets no more than a look at the first."""


def suggestion(word: str, known: Sequence[str], *, fallback: str | None = None) -> str:
    """` (did you mean "title"?)`, else the fallback, else all that is known."""
    near = get_close_matches(word, known[:MAX_COMPARED], 1)
    if near:
        return f' (did you mean "{near[0]}"?)'
    if fallback is not None:
        return fallback
    return f" (known here: {', '.join(known[:30])})" if known else ""
