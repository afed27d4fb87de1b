"""What the outside world knows of a run, kept apart from the daemon and its disk, to hold against them afterwards."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime

from tocsin.core.case import Decision
from tocsin.core.model import Status


@dataclass(slots=True)
class Record:
    """`truth` is how each check really is. `versions` and `keys` are what the daemon heard as committed: incidents, promised notices.

    `awake` holds the spans in which the daemon had its turn, `kept` the instants at which the timekeeper completed a round.
    `answered` holds acknowledgements that a person was told of: incident, actor.
    """

    truth: dict[str, Status] = field(default_factory=dict)
    bad_samples: Counter[str] = field(default_factory=Counter)
    samples: Counter[str] = field(default_factory=Counter)
    good_at: dict[str, list[datetime]] = field(default_factory=lambda: defaultdict(list))
    versions: dict[int, int] = field(default_factory=dict)
    keys: set[str] = field(default_factory=set)
    answered: set[tuple[int, str]] = field(default_factory=set)
    awake: list[tuple[datetime, datetime]] = field(default_factory=list)
    kept: list[datetime] = field(default_factory=list)
    dropped_ever: set[str] = field(default_factory=set)
    crashes: int = 0

    def hear(self, decision: Decision) -> None:
        """The daemon heard that this decision is committed: from now on it must never be lost."""
        self.keys |= {notice.key for notice in decision.notices}
        incident = decision.case.incident
        if incident is not None:
            self.versions[incident.id] = max(incident.version, self.versions.get(incident.id, 0))

    def feed(self, check: str, at: datetime) -> Status:
        """Note a sample of a check as it truly is; returns that."""
        status = self.truth[check]
        self.samples[check] += 1
        self.bad_samples[check] += status.is_failing
        if not status.is_failing:
            self.good_at[check].append(at)
        return status

    def was_good_within(self, check: str, after: datetime, until: datetime) -> bool:
        return any(after < at <= until for at in self.good_at[check])

    def was_awake_within(self, start: datetime, end: datetime) -> bool:
        return any(since <= end and start <= until for since, until in self.awake)

    def kept_time_within(self, start: datetime, end: datetime) -> bool:
        return any(start <= at <= end for at in self.kept)
