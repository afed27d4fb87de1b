"""Channels that behave like Slack: what they accepted stays there whatever happens to the daemon, and answers get lost."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from random import Random
from typing import Any, assert_never

from tocsin.core.model import NoticeKind
from tocsin.errors import DeliveryError
from tocsin.ports import Message, Reference
from tocsin.simulation.clock import SimulatedClock
from tocsin.simulation.power import Power

HANG = timedelta(seconds=30)
ON_THE_WIRE = 5
"""How much longer an answer takes than a commit, in turns that others get."""


class Trouble(StrEnum):
    """What can become of one call. LOST: accepted, and the answer never came. UNSURE: not accepted, and nobody can tell.

    FAULT: the channel's own code fails in a way that nobody thought of.
    """

    RATE_LIMITED = "rate_limited"
    TRANSIENT = "transient"
    LOST = "lost"
    UNSURE = "unsure"
    HANG_ACCEPTED = "hang_accepted"
    HANG_REFUSED = "hang_refused"
    PERMANENT = "permanent"
    FAULT = "fault"


@dataclass(slots=True)
class Posted:
    """A message as it stands in a channel. `shows` is what its last edit (or its posting) showed of the incident."""

    place: str
    message: str
    at: datetime
    key: str
    kind: NoticeKind
    thread: str | None
    shows: Mapping[str, Any] | None


@dataclass(slots=True)
class Workspace:
    """All channels' messages, and what is scripted to go wrong. Survives the daemon."""

    posted: list[Posted] = field(default_factory=list)
    troubles: deque[Trouble] = field(default_factory=deque)
    failing_lookups: int = 0
    failed_lookups: Counter[str] = field(default_factory=Counter)
    refused: set[str] = field(default_factory=set)

    def at(self, reference: Reference) -> Posted | None:
        places = (reference.place, reference.message)
        return next((one for one in self.posted if (one.place, one.message) == places), None)

    def accept(self, place: str, message: Message, now: datetime) -> Reference:
        thread = thread_of(message)
        reference = Reference(place, f"{len(self.posted) + 1:06d}")
        self.posted.append(Posted(place, reference.message, now, message.key, message.kind, thread, shown(message)))
        return reference

    def edit(self, message: Message) -> Reference:
        assert message.root is not None
        posted = self.at(message.root)
        if posted is None:
            raise DeliveryError("message_not_found", permanent=True)
        posted.shows = shown(message)
        return message.root


class SimulatedChannel:
    """Implements `ports.Channel` for one life of the daemon."""

    def __init__(self, place: str, workspace: Workspace, power: Power, clock: SimulatedClock, random: Random) -> None:
        self._place = place
        self._workspace = workspace
        self._power = power
        self._clock = clock
        self._random = random

    def is_told_by_edits(self) -> bool:
        return True

    def hears(self, kind: NoticeKind, event: str) -> bool:  # noqa: ARG002  # the port's own names
        return True

    async def send(self, message: Message) -> Reference | None:
        await self._power.let_others()
        self._clock.advance(timedelta(seconds=self._random.choice((0.05, 0.1, 0.3, 2.0))))
        trouble = self._workspace.troubles.popleft() if self._workspace.troubles else None
        if trouble is not None:
            self._fail(trouble, message)
        self._power.point(f"before {message.kind} was accepted")
        reference = self._accept(message)
        self._power.point(f"after {message.kind} was accepted")
        await self._power.let_others(ON_THE_WIRE)
        return reference

    def _accept(self, message: Message) -> Reference:
        if message.kind is NoticeKind.EDIT:
            return self._workspace.edit(message)
        return self._workspace.accept(self._place, message, self._clock.now())

    def _fail(self, trouble: Trouble, message: Message) -> None:
        match trouble:
            case Trouble.RATE_LIMITED:
                seconds = self._random.choice((1, 5, 30, 90))
                raise DeliveryError("ratelimited", retry_after=timedelta(seconds=seconds))
            case Trouble.TRANSIENT:
                raise DeliveryError("HTTP 503")
            case Trouble.LOST:
                self._accept(message)
                raise DeliveryError("connection reset", unknown=True)
            case Trouble.UNSURE:
                raise DeliveryError("connection reset", unknown=True)
            case Trouble.HANG_ACCEPTED | Trouble.HANG_REFUSED:
                if trouble is Trouble.HANG_ACCEPTED:
                    self._accept(message)
                self._clock.advance(HANG)
                raise TimeoutError
            case Trouble.FAULT:
                raise RuntimeError("a fault in the channel's code")
            case Trouble.PERMANENT:
                self._workspace.refused.add(message.key)
                raise DeliveryError("channel_not_found", permanent=True)
            case _:
                assert_never(trouble)

    async def find(self, message: Message, *, since: datetime) -> Reference | None:
        """Look in the thread that the message belongs in, or among what stands in the channel itself."""
        await self._power.let_others()
        self._power.point("before a look-up")
        if self._workspace.failing_lookups > 0:
            self._workspace.failing_lookups -= 1
            self._workspace.failed_lookups[message.key] += 1
            raise DeliveryError("cannot look the message up: HTTP 503", unknown=True)
        thread = thread_of(message)
        for posted in self._workspace.posted:
            is_here = posted.place == self._place and posted.thread == thread and posted.at >= since
            if is_here and posted.key == message.key:
                return Reference(posted.place, posted.message)
        return None

    async def close(self) -> None:
        """Nothing is open."""


def thread_of(message: Message) -> str | None:
    return None if message.kind is NoticeKind.PAGE or message.root is None else message.root.message


def shown(message: Message) -> Mapping[str, Any] | None:
    """What a root message says of its incident."""
    incident = message.incident
    if incident is None or message.kind not in (NoticeKind.PAGE, NoticeKind.EDIT):
        return None
    return {
        "state": incident.state.value,
        "severity": incident.severity.value,
        "acknowledged_by": incident.acknowledged_by,
        "due": sorted((clock.kind.value, clock.due_at) for clock in message.clocks),
    }
