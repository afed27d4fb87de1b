"""The live state: what every check is now, and what the store knows of each system's incident. Written by the daemon's loops in one
thread, read by everybody else.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tocsin.core.case import Case, FailingCheck
from tocsin.core.check import CheckState, Transition, forget, observe, worst
from tocsin.core.model import Sample, Status
from tocsin.core.policy import Rulebook
from tocsin.ports import CheckView, StoredCheck

LATENCY_EDGES_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
LAG_EDGES_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
TRANSITIONS_KEPT = 1000


class Histogram:
    """Counts by bucket; as many edges as given, and one bucket more for what lies above."""

    __slots__ = ("counts", "edges", "total_s")

    def __init__(self, edges: Sequence[float]) -> None:
        self.edges = edges
        self.counts = [0] * (len(edges) + 1)
        self.total_s = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(self.edges, seconds)] += 1
        self.total_s += seconds


@dataclass(slots=True)
class Watched(CheckView):
    """A check that is being polled: its view, its decided state, and when it is probed next (monotonic seconds)."""

    state: CheckState = field(default_factory=CheckState)
    bad: Sample | None = None
    is_held: bool = False
    is_busy: bool = False
    is_gone: bool = False
    planned_at: float = 0.0
    started_at: float = 0.0
    observed_at: datetime | None = None
    stale_after: timedelta = timedelta(0)

    def status_at(self, now: datetime) -> Status:
        """The status that is shown: unobserved when samples stopped coming."""
        if self.observed_at is None or now - self.observed_at > self.stale_after:
            return Status.UNOBSERVED
        return self.state.status


class LiveState:
    """All checks by system, the cases as last committed, latency histograms, and what waits to be committed."""

    def __init__(self, rulebook: Rulebook) -> None:
        self.rulebook = rulebook
        self.watched: dict[str, dict[str, Watched]] = {}
        self.cases: dict[str, Case] = {}
        self.latencies: dict[str, Histogram] = {}
        self.lag = Histogram(LAG_EDGES_S)
        self.transitions: dict[str, list[tuple[str, Transition, Sample]]] = {}
        self.last_sample_at: datetime | None = None

    # --- for /metrics and the page ---

    def checks(self) -> Iterable[CheckView]:
        for by_name in self.watched.values():
            yield from by_name.values()

    def latency_buckets(self, system: str) -> tuple[Sequence[float], Sequence[int], float]:
        histogram = self.latencies.get(system) or Histogram(LATENCY_EDGES_S)
        return histogram.edges, histogram.counts, histogram.total_s

    def status_of(self, system: str, now: datetime) -> Status:
        return worst([watched.status_at(now) for watched in self.watched.get(system, {}).values()])

    # --- for decisions ---

    def failing(self, system: str, now: datetime) -> tuple[FailingCheck, ...]:
        return tuple(
            _failing(watched, now)
            for watched in self.watched.get(system, {}).values()
            if watched.state.status.is_failing
        )

    def has_failing(self, system: str) -> bool:
        return any(watched.state.status.is_failing for watched in self.watched.get(system, {}).values())

    def keep_transition(self, system: str, check: str, transition: Transition, sample: Sample) -> None:
        """Put a change of status aside until it is committed; bounded, the oldest go first."""
        waiting = self.transitions.setdefault(system, [])
        waiting.append((check, transition, sample))
        if len(waiting) > TRANSITIONS_KEPT:
            del waiting[0]

    def forget_transitions(self, system: str, checks: Collection[str]) -> None:
        """Drop what waits of checks that went away; the changes of the others are still to be committed."""
        waiting = self.transitions.pop(system, [])
        kept = [change for change in waiting if change[0] not in checks]
        if kept:
            self.transitions[system] = kept

    def refresh(self, now: datetime) -> None:
        """Bring the shown statuses up to date (a check becomes unobserved by the passing of time alone)."""
        for watched in self.checks():
            assert isinstance(watched, Watched)
            shown = watched.status_at(now)
            if shown is not watched.status:
                watched.status = shown
                is_gap = shown is Status.UNOBSERVED
                watched.since = (watched.observed_at or now) if is_gap else (watched.state.since or now)


def absorb(watched: Watched, sample: Sample) -> Transition | None:
    """Take an observed sample into a check's state; returns the change of status if it decided one."""
    if watched.observed_at is None or sample.at - watched.observed_at > watched.stale_after:
        watched.state = forget(watched.state)
    watched.observed_at = sample.at
    if sample.status.is_failing:
        watched.bad = sample
    check = watched.check
    watched.state, transition = observe(watched.state, sample.status, sample.at, check.fail_after, check.recover_after)
    watched.status = watched.state.status
    if transition is not None:
        watched.since = transition.at
        watched.failing_since = watched.state.failing_since
    return transition


def _failing(watched: Watched, now: datetime) -> FailingCheck:
    bad = watched.bad
    return FailingCheck(
        name=watched.check.name,
        kind=watched.check.kind,
        status=watched.state.status,
        reason=bad.reason.value if bad is not None else "",
        text=bad.text if bad is not None else "",
        failing_since=watched.state.failing_since or now,
        values=bad.values if bad is not None else {},
        is_held=watched.is_held,
        is_observed=watched.status_at(now) is not Status.UNOBSERVED,
    )


def stored_of(watched: Watched) -> StoredCheck:
    """What the store keeps of a check."""
    bad = watched.bad if watched.state.status.is_failing else None
    return StoredCheck(
        system=watched.check.system,
        name=watched.check.name,
        kind=watched.check.kind,
        status=watched.state.status.value,
        since=watched.state.since,
        failing_since=watched.state.failing_since,
        reason=bad.reason.value if bad is not None else "",
        text=bad.text if bad is not None else "",
        values=dict(bad.values) if bad is not None else {},
        is_held=watched.is_held,
    )
