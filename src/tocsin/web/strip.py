"""The status strip: one bar a minute, drawn as one path a status. Height says the same as colour."""

from __future__ import annotations

from functools import lru_cache

WIDTH, BAR, HEIGHT = 3.0, 2.2, 20
HEIGHTS = {"up": 10, "degraded": 15, "down": 20, "unobserved": 4}
RANKS = {"down": 0, "degraded": 1, "up": 2, "unobserved": 3}
GRAVEST_FIRST = ("down", "degraded", "unobserved", "up")
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


@lru_cache(maxsize=2048)
def counts(minutes: tuple[str, ...]) -> dict[str, int]:
    """How many minutes of each status that occurs, the gravest first."""
    return {status: n for status in GRAVEST_FIRST if (n := minutes.count(status))}


@lru_cache(maxsize=2048)
def worst(strips: tuple[tuple[str, ...], ...]) -> tuple[str, ...]:
    """The worst of several strips, minute by minute: what was not observed counts only when nothing was."""
    return tuple(min(at_once, key=RANKS.__getitem__) for at_once in zip(*strips, strict=False))
