"""Where a notice goes when its channel cannot tell it: the channel's own `fallback:`, else the next of `alarms_to`.

The same fact on another channel has the same key but for the channel's name. So whoever was promised it already is not told twice,
and going on in a circle ends by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from tocsin.core.escalation import MAIL, PERSON, team_channel
from tocsin.core.model import Notice, NoticeKind, Priority
from tocsin.core.policy import Rulebook

RINGS = (NoticeKind.PAGE, NoticeKind.BROADCAST, NoticeKind.ALARM)
"""What must be heard; everything else waits until its channel comes back."""

LATE_AFTER = timedelta(minutes=1)
"""A message that goes out this much later than it was promised says so, and why."""

REASON_MAX = 300
KEY_MAX = 255


def due_at(notice: Notice) -> datetime:
    """When a notice was to be sent: at once, or when the quiet hours of whom it reaches end."""
    held = notice.data.get("not_before")
    return max(notice.at, datetime.fromisoformat(held)) if isinstance(held, str) else notice.at


def promised_at(notice: Notice) -> datetime:
    """When the fact was to be told first, on whichever channel."""
    first = notice.data.get("promised_at")
    return datetime.fromisoformat(first) if isinstance(first, str) else due_at(notice)


def next_channel(rulebook: Rulebook, notice: Notice) -> str | None:
    """The channel to try after this one; None when there is none left."""
    tried = (*tried_before(notice), notice.channel)
    for name in _candidates(rulebook, notice):
        if name and name not in tried:
            return name
    return None


def followers(rulebook: Rulebook, channel: str) -> tuple[str, ...]:
    """The channels that may have been told of an incident in place of this one."""
    return tuple(
        dict.fromkeys(name for name in (*_own(rulebook, channel), *rulebook.alarms_to) if name != channel and name)
    )


def tried_before(notice: Notice) -> tuple[str, ...]:
    """The channels that could not tell this fact before its present one."""
    listed = notice.data.get("tried")
    return tuple(str(name) for name in listed) if isinstance(listed, list | tuple) else ()


def _candidates(rulebook: Rulebook, notice: Notice) -> Sequence[str]:
    """Those who hear of Tocsin's own troubles hear what must be heard, too, and nothing else."""
    return (*_own(rulebook, notice.channel), *(rulebook.alarms_to if notice.kind in RINGS else ()))


def _own(rulebook: Rulebook, channel: str) -> Sequence[str]:
    """What stands behind a channel: its `fallback:`; behind a person their mail, then the channel of their team."""
    if channel in rulebook.channels:
        return (rulebook.channels[channel].fallback,)
    name = channel.removeprefix(PERSON).removeprefix(MAIL)
    person = rulebook.people.get(name)
    if person is None:
        return ()
    mail = f"{MAIL}{name}" if channel.startswith(PERSON) and person.slack and person.email and rulebook.has_mail else ""
    return (mail, team_channel(rulebook, name))


def key_in(notice: Notice, channel: str) -> str:
    """The key of the same fact on another channel."""
    return f"{notice.key.removesuffix(notice.channel)}{channel}"[:KEY_MAX]


def diverted(notice: Notice, to: str, why: str, now: datetime, *, has_root: bool) -> Notice:
    """The same fact for another channel, saying why it is told there. What rings goes out before everything else.

    A page joins the incident's message where there is one already.
    """
    kind = notice.kind
    if kind is NoticeKind.PAGE and has_root:
        kind = NoticeKind.BROADCAST
    data: dict[str, Any] = {key: value for key, value in notice.data.items() if key != "not_before"}
    data |= {
        "tried": [*tried_before(notice), notice.channel],
        "instead_of": notice.channel,
        "because": why[:REASON_MAX],
        "promised_at": promised_at(notice).isoformat(),
    }
    priority = Priority.P1 if kind in RINGS else notice.priority
    return replace(
        notice, key=key_in(notice, to), channel=to, kind=kind, priority=priority, at=now, data=data, not_before=None
    )
