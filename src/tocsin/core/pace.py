"""How fast a channel takes messages, and from when on what waits there is told in one message instead.

A pace is kept with one instant, the one at which everything sent so far would have been sent at an even pace (the generic cell rate
algorithm): what runs ahead of it by less than the burst may go at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

GRAVEST_WAITS = timedelta(seconds=5)
OTHERS_WAIT = timedelta(minutes=1)
"""What would take longer than this to be told one by one is told in one message."""


@dataclass(frozen=True, slots=True)
class Pace:
    """`count` messages in each `per`, `burst` of them at once. `bundles`: people read there, so many waiting ones become one."""

    count: int
    per: timedelta
    burst: int = 1
    bundles: bool = True

    @property
    def every(self) -> timedelta:
        return self.per / self.count


PACES: Mapping[str, Pace] = {
    "slack": Pace(1, timedelta(seconds=1), burst=5),
    "dingtalk": Pace(15, timedelta(minutes=1), burst=5),
    "wecom": Pace(15, timedelta(minutes=1), burst=5),
    "feishu": Pace(90, timedelta(minutes=1), burst=5),
    "teams": Pace(60, timedelta(minutes=1), burst=4),
    "pagerduty": Pace(120, timedelta(minutes=1), burst=30, bundles=False),
    "opsgenie": Pace(60, timedelta(minutes=1), burst=20, bundles=False),
}
"""What each kind of channel takes, by its maker's documents (docs/channels.md names them); a kind that is not here has no pace.

DingTalk and WeCom take 20 messages in a minute, and DingTalk then none for ten minutes: burst and pace together stay below.
"""


def paced(pace: Pace, level: datetime | None, now: datetime) -> datetime:
    """The level after one more message was sent."""
    return max(level or now, now) + pace.every


def free_at(pace: Pace, level: datetime) -> datetime:
    """When the next message may be sent."""
    return level - pace.every * (pace.burst - 1)


def is_tight(pace: Pace, level: datetime | None, now: datetime) -> bool:
    """Whether the burst is used up, so that what waits goes one by one from here on."""
    return level is not None and level - now > pace.every * (pace.burst - 2)


def most_waiting(pace: Pace, *, gravest: bool) -> int:
    """How many may wait for their turn, each as a message of its own."""
    return max(2, int((GRAVEST_WAITS if gravest else OTHERS_WAIT) / pace.every))
