"""The few small things that the daemon needs from outside, as it sees them. Adapters live in their own rooms."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from tocsin.core.case import Case, Decision
from tocsin.core.golive import GoLive, GoLiveDecision
from tocsin.core.model import (
    NO_PHASES,
    Clock,
    Entry,
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
    """Where a message stands in its channel. Slack: place is the channel's id, message is its `ts`.

    `at` is when it was noted that it stands there, where that is known.
    """

    place: str
    message: str
    at: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Message:
    """A notice with all that a channel needs to find words for it, as of the moment of sending.

    `root` is the incident's own message in this channel (None until it was sent, and for a channel without messages to edit).
    `late_by` is how much later than promised it goes out, None when in time; `late_because` is the channel's last failure, if any.
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
    late_by: timedelta | None = None
    late_because: str = ""


class Channel(Protocol):
    """A way out. Raises `DeliveryError` and nothing else."""

    def is_told_by_edits(self) -> bool:
        """Whether EDIT notices mean anything here (a webhook has nothing to edit)."""

    def hears(self, kind: NoticeKind, event: str) -> bool:
        """Whether a line other than an edit is told here at all: where there are no threads, what rings nobody is left out."""

    async def send(self, message: Message) -> Reference | None:
        """Deliver, or edit. Returns where the message stands (None where the channel has no such place)."""

    async def find(self, message: Message, *, since: datetime) -> Reference | None:
        """Look for a message whose sending had an unknown outcome. None: it is not there. Raises when it cannot be known."""

    async def close(self) -> None: ...


# --- keeping -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StoredCheck:
    """A check as the store knows it: its decided status, and what its last bad sample said."""

    system: str
    name: str
    kind: str
    status: str
    since: datetime | None = None
    failing_since: datetime | None = None
    reason: str = ""
    text: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    is_held: bool = False


@dataclass(frozen=True, slots=True)
class PendingNotice:
    """A notice in the outbox. `is_unknown`: it may have been sent already, so it is looked up first."""

    id: int
    notice: Notice
    attempts: int
    is_unknown: bool
    next_at: datetime | None
    error: str | None = None


class Transaction(Protocol):
    """One unit of work inside the store; `tocsin.store.transaction` says what each verb promises."""

    def case(self, system: str, key: str = "") -> Case: ...
    def case_of(self, incident: int) -> Case | None: ...
    def has_other_unresolved(self, incident: Incident) -> int | None: ...
    def unresolved_incidents(self) -> list[Incident]: ...
    def commit_decision(self, before: Case, decision: Decision) -> Case: ...
    def incidents_to_wake(self, now: datetime, limit: int) -> list[int]: ...
    def next_wake(self) -> datetime | None: ...
    def push_wake(self, incident: int, until: datetime) -> None: ...
    def stored_checks(self, system: str | None = None) -> dict[tuple[str, str], StoredCheck]: ...
    def save_check(self, check: StoredCheck) -> None: ...
    def save_checks(self, many: Sequence[StoredCheck]) -> None: ...
    def hold_checks(self, system: str, names: Iterable[str]) -> None: ...
    def release_checks(self, system: str) -> None: ...
    def forget_check(self, system: str, name: str) -> None: ...
    def append(self, entries: Sequence[Entry]) -> None: ...
    def promise(self, promised: Sequence[Notice]) -> None: ...
    def is_promised(self, key: str) -> bool: ...
    def unconfirmed(self, limit: int) -> list[tuple[int, datetime]]: ...
    def pending_notice(self, notice: int) -> PendingNotice | None: ...
    def count_waiting(self, channel: str, now: datetime) -> tuple[int, int]: ...
    def bundleable(self, channel: str, now: datetime, limit: int, *, gravest: bool) -> list[PendingNotice]: ...
    def settle_notices(self, listed: Sequence[int], state: str, at: datetime, error: str | None = None) -> None: ...
    def incidents_of(self, listed: Iterable[int]) -> dict[int, Incident]: ...
    def pending_notices(self, channel: str, now: datetime, limit: int) -> list[PendingNotice]: ...
    def channels_with_pending(self) -> list[tuple[str, datetime | None]]: ...
    def settle_notice(self, notice: int, state: str, at: datetime, error: str | None = None) -> None: ...
    def cover_edits(self, channel: str, incident: int, up_to: int, at: datetime) -> None: ...
    def last_notice_id(self) -> int: ...
    def postpone_notice(self, notice: int, next_at: datetime, error: str, *, is_unknown: bool) -> None: ...
    def doubt_pending(self) -> None: ...
    def retry_notices(self, notice: int | None) -> int: ...
    def reference(self, channel: str, subject: str) -> Reference | None: ...
    def keep_reference(self, channel: str, subject: str, reference: Reference, at: datetime) -> None: ...
    def forget_reference(self, channel: str, subject: str) -> None: ...
    def last_configuration(self) -> tuple[str, str] | None: ...
    def keep_configuration(self, version: str, document: str, actor: str, at: datetime) -> None: ...
    def get_fact(self, key: str) -> str | None: ...
    def put_fact(self, key: str, value: str) -> None: ...
    def last_run(self, job: str) -> datetime | None: ...
    def ran(self, job: str, at: datetime) -> None: ...
    def next_golive(self) -> int: ...
    def golive(self, number: int) -> GoLive | None: ...
    def golives(self) -> list[GoLive]: ...
    def commit_golive(self, before: GoLive | None, decision: GoLiveDecision) -> None: ...
    def cases_between(self, systems: Sequence[str], start: datetime, end: datetime) -> list[Case]: ...
    def keep_rollups(self, rows: Sequence[Mapping[str, Any]]) -> None: ...
    def keep_failures(self, rows: Sequence[Mapping[str, Any]]) -> None: ...
    def keep_transition(self, row: Mapping[str, Any]) -> bool: ...
    def keep_transitions(self, rows: Sequence[Mapping[str, Any]]) -> set[tuple[str, str]]: ...
    def prune(self, table: str, before: datetime, limit: int) -> int: ...
    def compact(self, hour: datetime, checks_of_it: Sequence[tuple[str, str]]) -> int: ...
    def prune_journal(self, through: int, limit: int) -> int: ...


class Queries(Protocol):
    """What pages, commands and figures read, in the shapes of docs/json.md; each on a read-only connection."""

    def incidents(
        self, *, everything: bool = False, limit: int = 200, before: int | None = None
    ) -> list[dict[str, Any]]: ...
    def incident(self, incident: int) -> dict[str, Any] | None: ...
    def timeline(self, incident: int) -> list[dict[str, Any]]: ...
    def notices(self, *, state: str | None, incident: int | None, limit: int) -> list[dict[str, Any]]: ...
    def strips(self, since: datetime, minutes: int) -> dict[tuple[str, str], list[str]]: ...
    def history(self, system: str, check: str | None, start: datetime, end: datetime) -> list[dict[str, Any]]: ...
    def hours(self, system: str, start: datetime, end: datetime) -> list[dict[str, Any]]: ...
    def minutes(self, system: str, start: datetime, end: datetime) -> list[dict[str, Any]]: ...
    def golives(self, limit: int) -> list[GoLive]: ...
    def golive(self, number: int) -> GoLive | None: ...
    def golives_over(self, system: str, start: datetime, end: datetime | None) -> list[int]: ...
    def golive_floor(self) -> datetime | None: ...
    def cases_between(self, systems: Sequence[str], start: datetime, end: datetime) -> list[Case]: ...
    def journal_of(self, subject: str, limit: int = 20_000) -> list[dict[str, Any]]: ...
    def journal_between(self, actions: Sequence[str], start: datetime, end: datetime) -> list[dict[str, Any]]: ...
    def outbox(self, now: datetime) -> dict[str, tuple[int, float]]: ...
    def figures(self, now: datetime) -> dict[str, Any]: ...
    def journal_after(self, sequence: int, limit: int) -> list[dict[str, Any]]: ...
    def journal_tail(self, count: int) -> list[dict[str, Any]]: ...
    def journal_until(self, before: datetime) -> tuple[int, str] | None: ...
    def hour_to_compact(self, before: datetime) -> tuple[datetime, list[tuple[str, str]]] | None: ...
    def used_bytes(self) -> int | None: ...


class Store(Protocol):
    """Where promises are kept. Work is a plain function of the transaction: nothing awaits inside it."""

    async def write(self, work: Callable[[Transaction], T], *, bulk: bool = False) -> T:
        """Run `work` in one committed transaction; raise `StoreError` when it was not. Bulk work waits behind promises."""

    async def read(self, work: Callable[[Queries], T]) -> T:
        """Run `work` on a read-only connection, in a thread."""

    async def close(self) -> None: ...


# --- asking the daemon ----------------------------------------------------------------------------------------------


class Desk(Protocol):
    """The daemon's verbs, handed to the page, the API, the socket and Slack: the one way to ask and to act.

    Verbs and their arguments stand in one table, `daemon/commands.py: VERBS`. Results are JSON values in the shapes of
    docs/json.md. Raises `Refused`, `NotFound`, `UsageError`, `StoreError`.
    """

    async def call(self, verb: str, arguments: Mapping[str, Any], *, actor: str, at: datetime | None = None) -> Any: ...

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
    phases: Phases = NO_PHASES
    tls_expires_at: datetime | None = None
    probes: dict[str, int] = field(default_factory=lambda: {"up": 0, "degraded": 0, "down": 0, "unobserved": 0})


class Live(Protocol):
    """The live state that /metrics reads without asking the store."""

    def checks(self) -> Iterable[CheckView]: ...

    def latency_buckets(self, system: str) -> tuple[Sequence[float], Sequence[int], float]:
        """Upper edges (seconds), counts per bucket (one more than edges, the last is +Inf), and the sum of seconds."""
