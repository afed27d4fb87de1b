"""The few small things that the daemon needs from outside, as it sees them. Adapters live in their own rooms."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeVar

from tocsin.core.model import (
    Clock,
    Incident,
    Notice,
    NoticeKind,
    Observation,
    Phases,
    Sample,
    Status,
)
from tocsin.core.policy import Check, Person, System

T = TypeVar("T")


class WallClock(Protocol):
    """The one reader of clocks. `now` is aware UTC; `monotonic` is seconds from an arbitrary point and never steps back."""

    def now(self) -> datetime: ...
    def monotonic(self) -> float: ...


# --- probing -------------------------------------------------------------------------------------------------------

Done = Callable[[Observation], None]


class Prober(Protocol):
    """Starts probes of one kind. Callbacks instead of coroutines: a wire client needs no task for each probe."""

    def start(self, check: Check, done: Done) -> None:
        """Probe once and call `done` exactly once, within `check.timeout` (plus the loop's own delay). Never raises."""

    def forget(self, check: Check) -> None:
        """Close what is kept open for a check that went away."""

    async def close(self) -> None: ...


# --- telling -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a message stands in its channel. Slack: place is the channel's id, message is its `ts`."""

    place: str
    message: str


@dataclass(frozen=True, slots=True)
class Message:
    """A notice with all that a channel needs to find words for it, as of the moment of sending.

    `root` is the incident's own message in this channel (None until it was sent, and for a channel without messages to edit).
    """

    key: str
    kind: NoticeKind
    event: str
    at: datetime
    language: str
    data: Mapping[str, Any] = field(default_factory=dict)
    incident: Incident | None = None
    clocks: tuple[Clock, ...] = ()
    system: System | None = None
    owner: Person | None = None
    people: Mapping[str, Person] = field(default_factory=dict)
    root: Reference | None = None
    link: str = ""
    now: datetime | None = None
    timezone: str = "UTC"
    promised_at: datetime | None = None


class Channel(Protocol):
    """A way out. Raises `DeliveryError` and nothing else."""

    def is_told_by_edits(self) -> bool:
        """Whether EDIT notices mean anything here (a webhook has nothing to edit)."""

    async def send(self, message: Message) -> Reference | None:
        """Deliver, or edit. Returns where the message stands (None where the channel has no such place)."""

    async def find(self, message: Message, *, since: datetime) -> Reference | None:
        """Look for a message whose sending had an unknown outcome. None: it is not there. Raises when it cannot be known."""

    async def close(self) -> None: ...


# --- keeping -------------------------------------------------------------------------------------------------------


class Transaction(Protocol):
    """One unit of work inside the store; see `tocsin.store.transaction` for what each verb promises."""


class Store(Protocol):
    """Where promises are kept. Work is a plain function of the transaction: nothing awaits inside it."""

    async def write(self, work: Callable[[Any], T], *, bulk: bool = False) -> T:
        """Run `work` in one committed transaction; raise `StoreError` when it was not. Bulk work waits behind promises."""

    async def read(self, work: Callable[[Any], T]) -> T:
        """Run `work` on a read-only connection, in a thread."""

    async def close(self) -> None: ...


# --- asking the daemon ----------------------------------------------------------------------------------------------


class Desk(Protocol):
    """The daemon's verbs, handed to the page, the API, the socket and Slack: the one way to ask and to act.

    Verbs and their arguments stand in one table, `daemon/commands.py: VERBS`. Results are JSON values in the shapes of
    docs/json.md. Raises `Refused`, `NotFound`, `UsageError`, `StoreError`.
    """

    async def call(
        self, verb: str, arguments: Mapping[str, Any], *, actor: str, at: datetime | None = None
    ) -> Any: ...

    def changes(self) -> AsyncIterator[int]:
        """Yield a growing number at once and after each change worth showing, until the daemon drains."""


@dataclass(slots=True)
class CheckView:
    """A check as it is now, for the page and /metrics. Mutable: the poller owns it, everybody else only reads."""

    check: Check
    status: Status = Status.UNOBSERVED
    since: datetime | None = None
    failing_since: datetime | None = None
    last: Sample | None = None
    success: bool = False
    duration_s: float = 0.0
    phases: Phases = Phases()
    tls_expires_at: datetime | None = None
    probes: dict[str, int] = field(default_factory=lambda: {"up": 0, "degraded": 0, "down": 0, "unobserved": 0})


class Live(Protocol):
    """The live state that /metrics reads without asking the store."""

    def checks(self) -> Iterable[CheckView]: ...

    def latency_buckets(self, system: str) -> tuple[Sequence[float], Sequence[int], float]:
        """Upper edges (seconds), counts per bucket (one more than edges, the last is +Inf), and the sum of seconds."""
