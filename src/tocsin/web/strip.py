"""The status strip: one bar a minute, drawn as one path a status. Height says the same as colour."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from tocsin.core.model import BADNESS, Status

WIDTH, BAR, HEIGHT = 3.0, 2.2, 20
HEIGHTS = {"up": 10, "degraded": 15, "down": 20, "unobserved": 4}
Paths = tuple[tuple[str, str], ...]


@lru_cache(maxsize=2048)
def paths(minutes: tuple[str, ...]) -> Paths:
    """(status, path) for each status that occurs. Most strips are alike, so few are drawn."""
    found = []
    for status, height in HEIGHTS.items():
        bars = [i for i, word in enumerate(minutes) if word == status]
        if bars:
            top = HEIGHT - height
            found.append((status, "".join(f"M{i * WIDTH:g} {top}h{BAR}v{height}h-{BAR}z" for i in bars)))
    return tuple(found)


def counts(minutes: Sequence[str]) -> dict[str, int]:
    """How many minutes of each status that occurs, the gravest first."""
    order = ("down", "degraded", "unobserved", "up")
    return {status: n for status in order if (n := minutes.count(status))}


def worst(strips: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """The worst of several strips, minute by minute: what was not observed counts only when nothing was."""
    return tuple(max(at_once, key=lambda word: BADNESS[Status(word)]) for at_once in zip(*strips, strict=False))
