"""What a configuration means, once it has been read: the values that decisions are asked with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

from tocsin.core.calendar import ALWAYS, Calendar
from tocsin.core.golive_policy import GoLivePolicy, Tightened
from tocsin.core.model import Observation, Severity, Value
from tocsin.core.oncall import OnCall
from tocsin.core.pace import PACES, Pace

Text = Mapping[str, str]
"""A text by language ({"en": …, "zh_CN": …}); a plain string in the file stands under "" and serves every language."""


def in_language(text: Text, language: str) -> str:
    return text.get(language) or text.get("") or text.get("en") or next(iter(text.values()), "")


@dataclass(frozen=True, slots=True)
class Judged:
    """What a check's own conditions say of one observation. None means that nothing is wrong.

    The texts hold the failing condition with its resolved values: `json.status == "UP" (json.status = "DOWN")`.
    """

    failed: str | None = None
    degraded: str | None = None
    values: Mapping[str, Value] = field(default_factory=dict)
    is_default_status: bool = False


class Judge(Protocol):
    """All conditions of one check, compiled. `needs_body` is False when no condition looks at json or body."""

    needs_body: bool

    def __call__(self, observation: Observation) -> Judged: ...


@dataclass(frozen=True, slots=True)
class Tls:
    ca: str | None = None
    cert: str | None = None
    key: str | None = None
    server_name: str | None = None
    verify: bool = True


@dataclass(frozen=True, slots=True)
class HttpTarget:
    """An `http:` check. `headers` and `basic` hold resolved secrets: never log or store them."""

    url: str
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)
    basic: tuple[str, str] | None = field(default=None, repr=False)
    redirects: int = 10
    tls: Tls = Tls()
    proxy: str | None = field(default=None, repr=False)
    ip: str = "any"
    max_body: int = 1024 * 1024
    compression: bool = True
    fresh: timedelta | None = timedelta(minutes=5)
    """How old a connection may become; zero: a fresh one for each probe; None: kept as long as the peer keeps it."""


@dataclass(frozen=True, slots=True)
class TcpTarget:
    """A `tcp:` check. `send` is written after connecting; `expect` is a regular expression (RE2-safe subset) for the answer."""

    host: str
    port: int
    send: bytes = b""
    expect: str | None = None
    tls: Tls | None = None


Target = HttpTarget | TcpTarget


@dataclass(frozen=True, slots=True)
class Threshold:
    """`count` bad samples among the last `window` observed. `fail_after: 3` is 3 of 3: in a row."""

    count: int
    window: int


@dataclass(frozen=True, slots=True)
class Check:
    system: str
    name: str
    kind: str
    target: Target
    judge: Judge
    every: timedelta = timedelta(seconds=30)
    timeout: timedelta = timedelta(seconds=5)
    fail_after: Threshold = Threshold(3, 3)
    recover_after: int = 2
    confirm_every: timedelta = timedelta(seconds=10)
    values: tuple[str, ...] = ()
    version: str = ""
    """Hash of all that is measured; a reload that leaves it the same leaves the check alone."""

    @property
    def id(self) -> str:
        return f"{self.system}/{self.name}"


@dataclass(frozen=True, slots=True)
class System:
    name: str
    title: Text
    owner: str
    checks: tuple[Check, ...]
    tier: str = ""
    runbook: str = ""
    notify: tuple[str, ...] = ()
    calendar: str = "24x7"


@dataclass(frozen=True, slots=True)
class Facts:
    """The decision vocabulary: what a severity rule is asked about, for one failing check."""

    system_name: str
    system_tier: str
    system_owner: str
    check_name: str
    check_kind: str
    status: str
    reason: str
    text: str
    down_for: timedelta
    values: Mapping[str, Value]
    failing: int
    checks: int


@dataclass(frozen=True, slots=True)
class CannotJudge:
    """A condition that could not be judged, and why."""

    because: str


class Predicate(Protocol):
    def __call__(self, facts: Facts) -> bool | CannotJudge: ...


@dataclass(frozen=True, slots=True)
class SeverityRule:
    name: str
    when: str
    severity: Severity
    predicate: Predicate
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a ladder: `at` is a share of the response target (0.25) or a span of working time.

    Targets are "person:li.na", "oncall:erp", "team:erp-ops", "channel:managers". `repeat`: again each so often, until somebody answers.
    """

    at: float | timedelta
    tell: tuple[str, ...]
    repeat: timedelta | None = None


@dataclass(frozen=True, slots=True)
class ResponsePolicy:
    """The targets of one severity. Shares of `remind` are of the target (0.5 is 50%), ascending.

    `ladder` are the steps of the ladder that `escalate` names. `acknowledge_for`: how long an answer holds when nothing follows it.
    """

    severity: Severity
    acknowledge: timedelta
    resolve: timedelta | None = None
    update: timedelta | None = None
    calendar: str = "24x7"
    remind: tuple[float, ...] = (0.5, 1.0)
    escalate: str = ""
    ladder: tuple[Step, ...] = ()
    acknowledge_for: timedelta | None = None
    version: str = ""


@dataclass(frozen=True, slots=True)
class Person:
    id: str
    name: str
    slack: str = ""
    email: str = ""
    login: str = ""
    language: str = ""
    quiet: Calendar | None = None
    """When they are told nothing but P1 directly."""


@dataclass(frozen=True, slots=True)
class Team:
    """People who own systems together, and the channel in which they are told."""

    id: str
    title: Text
    members: tuple[str, ...]
    channel: str = ""


@dataclass(frozen=True, slots=True)
class ChannelSpec:
    """A way out. `options` holds the kind's own keys, secrets resolved: never log it. `fallback` is the channel to try next."""

    name: str
    kind: str
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    language: str = ""
    fallback: str = ""
    pace: Pace | None = None


@dataclass(frozen=True, slots=True)
class Rulebook:
    """One applied configuration of rules, whole and checked. `version` is the hash of all of it.

    `tightened` are the systems under a go-live watch, for as long as it runs (`core.tightening`).
    """

    systems: Mapping[str, System] = field(default_factory=dict)
    severity: Sequence[SeverityRule] = ()
    response: Mapping[Severity, ResponsePolicy] = field(default_factory=dict)
    calendars: Mapping[str, Calendar] = field(default_factory=lambda: {"24x7": ALWAYS})
    people: Mapping[str, Person] = field(default_factory=dict)
    teams: Mapping[str, Team] = field(default_factory=dict)
    channels: Mapping[str, ChannelSpec] = field(default_factory=dict)
    oncall: Mapping[str, OnCall] = field(default_factory=dict)
    golive: GoLivePolicy = field(default_factory=GoLivePolicy)
    tightened: Mapping[str, Tightened] = field(default_factory=dict)
    reopen_within: timedelta = timedelta(minutes=15)
    alarms_to: tuple[str, ...] = ()
    default_channel: str | None = None
    has_mail: bool = False
    """Whether there is a mail server, so that people can be reached by their addresses."""
    fallback_after: timedelta = timedelta(minutes=2)
    """How long a channel may leave a notice unconfirmed before the next one is told as well."""
    version: str = ""

    def check(self, system: str, check: str) -> Check | None:
        known = self.systems.get(system)
        return next((c for c in known.checks if c.name == check), None) if known else None

    def policy_for(self, system: str, severity: Severity) -> ResponsePolicy | None:
        """The response policy that a clock of the system starts with now."""
        known = self.tightened.get(system)
        return (self.response if known is None else known.response).get(severity)

    def phase_of(self, system: str) -> str:
        """The phase of the go-live watch that a system is under; empty when there is none."""
        known = self.tightened.get(system)
        return "" if known is None else known.phase

    def owner_of(self, system: System, language: str = "") -> Person | None:
        """The person who owns a system; a team reads as one, by its title and its members' names."""
        team = self.teams.get(system.owner)
        if team is None:
            return self.people.get(system.owner)
        names = ", ".join(self.people[member].name for member in team.members)
        return Person(team.id, f"{in_language(team.title, language)} ({names})")

    def language_of(self, channel: str) -> str:
        """The language of a channel, or of the person whom "person:li.na" or "mail:li.na" reaches; empty when it is nobody's own."""
        kind, _, name = channel.partition(":")
        if kind in ("person", "mail") and name:
            return self.people[name].language if name in self.people else ""
        return self.channels[channel].language if channel in self.channels else ""

    def pace_of(self, channel: str) -> Pace | None:
        """How fast a channel, or the way to a person, takes messages; None: as fast as it answers."""
        if channel in self.channels:
            return self.channels[channel].pace
        person = self.people.get(channel.removeprefix("person:")) if channel.startswith("person:") else None
        return PACES["slack"] if person is not None and person.slack else None

    def channels_of(self, system: System) -> tuple[str, ...]:
        """The channels that are told about a system's incidents."""
        if system.notify:
            return system.notify
        return (self.default_channel,) if self.default_channel else ()
