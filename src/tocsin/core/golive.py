"""A go-live watch: the closely watched period after a system goes live, ending in a review that named people sign.

planned ──► watching ──► in_review ──► signed_off
               │  ▲           │
               ▼  │           ▼
            extended ◄────────┘         cancelled, rolled_back: from any state that has not ended

A decision is the watch afterwards, journal entries, notices. Nothing is done here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from tocsin.core import escalation
from tocsin.core.model import Clock, Entry, Notice, NoticeKind, Priority
from tocsin.core.policy import Rulebook

TOCSIN = "tocsin"


class Phase(StrEnum):
    PLANNED = "planned"
    WATCHING = "watching"
    EXTENDED = "extended"
    IN_REVIEW = "in_review"
    SIGNED_OFF = "signed_off"
    CANCELLED = "cancelled"
    ROLLED_BACK = "rolled_back"

    @property
    def is_running(self) -> bool:
        return self in (Phase.WATCHING, Phase.EXTENDED, Phase.IN_REVIEW)

    @property
    def has_ended(self) -> bool:
        return self in (Phase.SIGNED_OFF, Phase.CANCELLED, Phase.ROLLED_BACK)


@dataclass(frozen=True, slots=True)
class SignOff:
    person: str
    at: datetime
    actor: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class GoLive:
    """`clocks` are its review clocks, the one that counts last; an extension starts another. `revision` counts writes.

    `exit`, `signers` and `channels` are those of the rules at the start, `duty` who was on call when that was last looked at.
    `opening_at` is when the opening checkpoint was written. `starts_at` is the planned start, `started_at` the one that was.
    """

    id: int
    systems: tuple[str, ...]
    version: str
    owner: str
    phase: Phase
    created_at: datetime
    created_by: str
    starts_at: datetime
    watch_for: timedelta
    checkpoint_every: timedelta
    exit: tuple[str, ...] = ()
    signers: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    started_at: datetime | None = None
    opening_at: datetime | None = None
    ended_at: datetime | None = None
    ended_by: str | None = None
    clocks: tuple[Clock, ...] = ()
    next_checkpoint_at: datetime | None = None
    next_status_at: datetime | None = None
    duty: Mapping[str, str | None] = field(default_factory=dict)
    duty_until: datetime | None = None
    sign_offs: tuple[SignOff, ...] = ()
    revision: int = 0

    @property
    def clock(self) -> Clock | None:
        return self.clocks[-1] if self.clocks else None

    @property
    def review_due_at(self) -> datetime:
        return self.clocks[-1].due_at if self.clocks else self.starts_at + self.watch_for

    @property
    def unsigned(self) -> tuple[str, ...]:
        """Who must still sign."""
        signed = {one.person for one in self.sign_offs}
        return tuple(person for person in self.signers if person not in signed)

    @property
    def wake_at(self) -> datetime | None:
        """The earliest instant at which time has something to do with it."""
        if self.phase is Phase.PLANNED:
            return self.starts_at
        if not self.phase.is_running:
            return None
        clock = self.clock.wake_at if self.clock is not None else None
        # Without an opening checkpoint it waits for a sample, not for an instant.
        opening = self.started_at if self.opening_at is None else None
        instants = (clock, opening, self.next_checkpoint_at, self.next_status_at, self.duty_until)
        return min((at for at in instants if at is not None), default=None)


@dataclass(frozen=True, slots=True)
class GoLiveDecision:
    """`refused` says why nothing was done."""

    golive: GoLive
    entries: tuple[Entry, ...] = ()
    notices: tuple[Notice, ...] = ()
    refused: str | None = None


def refuse(golive: GoLive, why: str) -> GoLiveDecision:
    return GoLiveDecision(golive, refused=why)


class GoLiveDraft:
    """Collects what one decision asks for. `drawn` is what stands in the root message: figures, incidents, criteria as they are now."""

    def __init__(
        self, golive: GoLive, rulebook: Rulebook, now: datetime, drawn: Mapping[str, Any] | None = None
    ) -> None:
        self.before = golive
        self.golive = golive
        self.rulebook = rulebook
        self.now = now
        self.drawn = drawn or {}
        self.entries: list[Entry] = []
        self.notices: list[Notice] = []

    def record(self, action: str, actor: str, data: Mapping[str, Any], at: datetime | None = None) -> None:
        self.entries.append(Entry(at or self.now, actor, action, f"golive:{self.golive.id}", data))

    def tell(
        self,
        event: str,
        data: Mapping[str, Any],
        *,
        kind: NoticeKind = NoticeKind.REPLY,
        mark: str = "",
        priority: Priority = Priority.ANSWER,
    ) -> None:
        """One line in the watch's thread of each of its channels."""
        for channel in self.golive.channels:
            self.tell_one(channel, event, data, kind=kind, mark=mark, priority=priority)

    def tell_one(
        self,
        channel: str,
        event: str,
        data: Mapping[str, Any],
        *,
        kind: NoticeKind = NoticeKind.REPLY,
        mark: str = "",
        priority: Priority = Priority.ANSWER,
    ) -> None:
        """The key names the fact, so the same fact is one message. `thread` is whose lines stand together."""
        thread = f"golive:{self.golive.id}"
        key = f"{thread}:{mark or f'v{self.before.revision}'}:{event}:{kind}:{channel}"
        rings = kind in (NoticeKind.PAGE, NoticeKind.BROADCAST)
        later = escalation.quiet_until(self.rulebook, channel, None, self.now) if rings else None
        said = {**data, "thread": thread, "golive": card(self.golive)}
        self.notices.append(Notice(key, channel, kind, priority, event, self.now, None, said, later))

    def show(self, mark: str = "") -> None:
        """Bring the root message up to date."""
        self.tell("golive_card", self.drawn, kind=NoticeKind.EDIT, mark=mark)

    def done(self) -> GoLiveDecision:
        golive = self.golive
        if golive != self.before or self.entries:
            golive = replace(golive, revision=self.before.revision + 1)
        return GoLiveDecision(golive, tuple(self.entries), tuple(self.notices))


def card(golive: GoLive) -> dict[str, Any]:
    """What every message about a watch says of it."""
    return {
        "id": golive.id,
        "systems": list(golive.systems),
        "version": golive.version,
        "owner": golive.owner,
        "state": golive.phase.value,
        "starts_at": golive.starts_at.isoformat(),
        "started_at": None if golive.started_at is None else golive.started_at.isoformat(),
        "ended_at": None if golive.ended_at is None else golive.ended_at.isoformat(),
        "ended_by": golive.ended_by,
        "review_due_at": golive.review_due_at.isoformat(),
        "reviewed": golive.clock is not None and golive.clock.met_at is not None,
        "overdue": golive.clock is not None and golive.clock.is_running and golive.clock.breached_at is not None,
        "signers": list(golive.signers),
        "signed": [one.person for one in golive.sign_offs],
    }
