"""How many connections the machine lets us have."""

from __future__ import annotations

import resource
from contextlib import suppress
from dataclasses import dataclass

WANTED = 65_536
MOST_AT_ONCE = 8192
LEAST = 8


@dataclass(frozen=True, slots=True)
class Room:
    """Connections under way at once, and kept open between probes."""

    at_once: int
    idle: int


def raise_limit() -> int:
    """Lift the soft limit of open files towards the hard one, which is there to be used. Return what holds now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    wanted = WANTED if hard == unlimited else min(WANTED, hard)
    if soft != unlimited and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    return WANTED if soft == unlimited else soft


def room(limit: int) -> Room:
    """Share out a limit: an eighth (at least 64) stays for pages, store and logs; of the rest half for what is under way.

    A probe holds more than one for moments only, while it races addresses or a kept connection is replaced.
    """
    ours = max(2 * LEAST, limit - max(64, limit // 8))
    at_once = max(LEAST, min(MOST_AT_ONCE, ours // 2))
    return Room(at_once, max(LEAST, ours - at_once))
