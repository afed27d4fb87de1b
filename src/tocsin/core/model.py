"""The values that every decision is made of. Plain facts: no behaviour beyond naming and ordering.

Instants (`*_at`, `*_since`) are aware datetimes in UTC. Spans are timedeltas, except on the probe's hot path, where a
`*_s` is a float of seconds from the monotonic clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """What a check or a system is now; also what one sample says."""

    UP = "up"
    DEGRADED = "degraded"
    DOWN = "down"
    UNOBSERVED = "unobserved"

    @property
    def is_failing(self) -> bool:
        return self in (Status.DEGRADED, Status.DOWN)


BADNESS: Mapping[Status, int] = {Status.UNOBSERVED: -1, Status.UP: 0, Status.DEGRADED: 1, Status.DOWN: 2}


class Reason(StrEnum):
    """Why a sample is what it is: a closed list, so that rules can compare with it."""

    OK = "ok"
    TIMEOUT = "timeout"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    RESET = "reset"
    DNS = "dns"
    TLS = "tls"
    CERTIFICATE = "certificate"
    PROTOCOL = "protocol"
    PROXY = "proxy"
    REDIRECT = "redirect"
    TOO_LARGE = "too_large"
    STATUS = "status"
    EXPECTATION = "expectation"
    DEGRADED = "degraded"
    SECRET = "secret"  # noqa: S105
    LATE = "late"
    INTERNAL = "internal"


class Severity(StrEnum):
    P1 = "P1"
    P2 = "P2"
    P3 = "P3"
    P4 = "P4"

    def is_graver_than(self, other: Severity) -> bool:
        return self.value < other.value


@dataclass(frozen=True, slots=True)
class Phases:
    """Seconds spent in each phase of a probe; None when the phase did not happen (a reused connection has no connect)."""

    dns: float | None = None
    connect: float | None = None
    tls: float | None = None
    first_byte: float | None = None
    transfer: float | None = None

    def as_dict(self) -> dict[str, float | None]:
        return {
            "dns": self.dns,
            "connect": self.connect,
            "tls": self.tls,
            "first_byte": self.first_byte,
            "transfer": self.transfer,
        }


NO_PHASES = Phases()


@dataclass(frozen=True, slots=True)
class Certificate:
    """What the peer showed in the TLS handshake."""

    expires_at: datetime
    issuer: str


@dataclass(frozen=True, slots=True)
class TransportFailure:
    """The probe did not get an answer that could be judged."""

    reason: Reason
    text: str


@dataclass(slots=True)
class Observation:
    """What one probe saw, before anybody judged it. `failure` set means that nothing further is judged.

    `latency_s` runs from the start of the probe (redirects included) to the last byte read.
    Header names are in lower case. `body` holds what was read, decoded from its content encoding, at most `max_body`.
    """

    latency_s: float
    failure: TransportFailure | None = None
    phases: Phases = NO_PHASES
    status: int = 0
    http_version: str = ""
    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    charset: str = "utf-8"
    certificate: Certificate | None = None


Value = float | str | bool


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement of a check, judged. `status` is up (good), degraded or down (bad), or unobserved."""

    at: datetime
    status: Status
    reason: Reason
    duration_s: float
    text: str = ""
    phases: Phases = NO_PHASES
    values: Mapping[str, Value] = field(default_factory=dict)
    certificate: Certificate | None = None


class IncidentState(StrEnum):
    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class Resolution(StrEnum):
    """How an incident ended."""

    RECOVERED = "recovered"
    BY_HAND = "by_hand"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class RuleReference:
    """Which rule gave a severity, where it stands, and its `when`."""

    name: str
    file: str
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Incident:
    """Something wrong that people must answer. `version` counts writes: every write names the one that it read.

    `checks` are those that fail now, `channels` who was told at the opening. `rule_severity` is the gravest that rules gave so far:
    after a person set the severity, only a graver one than that lets it rise by rule again.
    """

    id: int
    system: str
    key: str
    severity: Severity
    state: IncidentState
    title: str
    rule: RuleReference
    text: str
    failing_since: datetime
    opened_at: datetime
    severity_at: datetime
    rule_severity: Severity
    checks: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    assignee: str | None = None
    resolved_at: datetime | None = None
    resolved_by: str | None = None
    resolution: Resolution | None = None
    reopened: int = 0
    version: int = 0

    @property
    def is_unresolved(self) -> bool:
        return self.state is not IncidentState.RESOLVED


class ClockKind(StrEnum):
    RESPONSE = "response"
    UPDATE = "update"
    RESOLUTION = "resolution"
    REVIEW = "review"


class ClockOutcome(StrEnum):
    MET = "met"
    BREACHED = "breached"
    VOID = "void"


@dataclass(frozen=True, slots=True)
class Reminder:
    """A planned reminder of a clock: `share` of the target (0.5 is 50%), and its instant.

    With `tell` it is a step of the ladder, the `step`-th from 1: these are told, whoever they are by then. `repeat` is working time.
    """

    share: float
    at: datetime
    tell: tuple[str, ...] = ()
    step: int = 0
    repeat: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Pause:
    """Time that a clock does not count: from, to (None while it lasts), why and who."""

    start: datetime
    end: datetime | None
    reason: str
    actor: str


@dataclass(frozen=True, slots=True)
class Clock:
    """A running target on an incident.

    `plan` is what is still to be told (the breach itself is not in it: `due_at` is). `wake_at` is the earliest instant at which the
    timekeeper has something to do, None when never. Outcome None while it runs; `breached` stays, even when answered later.
    While its last pause lasts nothing is due, and `due_at` is what it was when that began.
    `ran` are the steps of the ladder that ran, with their instants. `held_until`: when the answer that ended it expires.
    """

    incident: int
    kind: ClockKind
    severity: Severity
    calendar: str
    policy_version: str
    calendar_version: str
    target: timedelta
    started_at: datetime
    due_at: datetime
    plan: tuple[Reminder, ...] = ()
    outcome: ClockOutcome | None = None
    met_at: datetime | None = None
    breached_at: datetime | None = None
    detected_late: bool = False
    ended_at: datetime | None = None
    superseded_at: datetime | None = None
    pauses: tuple[Pause, ...] = ()
    exclusion: Mapping[str, Any] | None = None
    ran: tuple[Reminder, ...] = ()
    held_until: datetime | None = None
    id: int | None = None

    @property
    def is_running(self) -> bool:
        """Whether somebody still owes something: neither ended nor replaced. A breached clock runs on until it is met."""
        return self.ended_at is None and self.superseded_at is None

    @property
    def is_paused(self) -> bool:
        return bool(self.pauses) and self.pauses[-1].end is None

    @property
    def paused_since(self) -> datetime | None:
        """When the pause that lasts began; one that a new plan interrupted for no time is one pause."""
        if not self.is_paused:
            return None
        first = self.pauses[-1]
        for pause in reversed(self.pauses[:-1]):
            if (pause.end, pause.reason, pause.actor) != (first.start, first.reason, first.actor):
                break
            first = pause
        return first.start

    @property
    def wake_at(self) -> datetime | None:
        if not self.is_running:
            return self.held_until if self.superseded_at is None else None
        if self.is_paused:
            return None
        instants = [self.plan[0].at] if self.plan else []
        if self.breached_at is None:
            instants.append(self.due_at)
        return min(instants) if instants else None


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the journal before it got its place in the chain. `data` holds JSON values only."""

    at: datetime
    actor: str
    action: str
    subject: str
    data: Mapping[str, Any] = field(default_factory=dict)


class NoticeKind(StrEnum):
    """PAGE: a new root message. EDIT: the root message shows the present state. REPLY: a thread line. BROADCAST: a
    thread line that rings the channel. ALARM: a line about Tocsin itself, in the thread of that day's alarm message."""

    PAGE = "page"
    EDIT = "edit"
    REPLY = "reply"
    BROADCAST = "broadcast"
    ALARM = "alarm"


class Priority(StrEnum):
    """Sorted by `PRIORITY_ORDER`: pages of P1 before all, acknowledgements (edits) before repeats."""

    P1 = "p1"
    PAGE = "page"
    ANSWER = "answer"
    REPEAT = "repeat"


PRIORITY_ORDER: Mapping[Priority, int] = {Priority.P1: 0, Priority.PAGE: 1, Priority.ANSWER: 2, Priority.REPEAT: 3}


@dataclass(frozen=True, slots=True)
class Notice:
    """A message that someone must get. `key` is deterministic: the same fact promised twice is one row.

    `event` names what happened (the channel finds words for it in the reader's language), `data` holds its facts, JSON only.
    `not_before`: it is not sent sooner, since whom it would reach is not to be woken.
    """

    key: str
    channel: str
    kind: NoticeKind
    priority: Priority
    event: str
    at: datetime
    incident: int | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    not_before: datetime | None = None
