"""From samples to the status of one check.

A window of the last observed samples is compared with the present status. It changes to the gravest status that `fail_after.count` of
the last `fail_after.window` samples reached, or, when the last `recover_after` samples were all better, to the worst of those.
A change empties the window. Unobserved samples do not count. Windows are not stored: after a restart counting starts again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from tocsin.core.model import BADNESS, Status
from tocsin.core.policy import Threshold

Seen = tuple[Status, datetime]


@dataclass(frozen=True, slots=True)
class CheckState:
    """`status` is the decided one (UNOBSERVED: none yet). `is_cold`: nothing was confirmed since the start."""

    status: Status = Status.UNOBSERVED
    since: datetime | None = None
    failing_since: datetime | None = None
    window: tuple[Seen, ...] = ()
    is_cold: bool = True

    @property
    def is_undecided(self) -> bool:
        """Whether the last samples disagree with the status, so that it is probed faster."""
        return bool(self.window)


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of status: decided at `at`, true since `first_at`, the first sample of the run that led to it."""

    previous: Status
    status: Status
    first_at: datetime
    at: datetime
    failing_since: datetime | None


def observe(
    state: CheckState, status: Status, at: datetime, fail_after: Threshold, recover_after: int
) -> tuple[CheckState, Transition | None]:
    """Return the state after one sample, and the transition if it decided one. The same state object when nothing changed."""
    if status is Status.UNOBSERVED:
        return state, None
    if status is state.status and not state.window:
        return (replace(state, is_cold=False) if state.is_cold else state), None
    failures = _confirming(fail_after) if state.is_cold else fail_after
    recoveries = max(recover_after, 2) if state.is_cold and state.status is not Status.UNOBSERVED else recover_after
    window = (*state.window, (status, at))[-max(failures.window, recoveries) :]
    decided = _worse(state.status, window, failures) or _better(state.status, window, recoveries)
    if decided is not None:
        return _changed(state, *decided, at)
    if all(seen is state.status for seen, _ in window):
        return replace(state, window=(), is_cold=False), None
    return replace(state, window=window), None


def forget(state: CheckState) -> CheckState:
    """Drop the window: what was seen before a gap in observation does not count towards what comes after."""
    return replace(state, window=()) if state.window else state


def _confirming(threshold: Threshold) -> Threshold:
    return threshold if threshold.count > 1 else Threshold(2, max(2, threshold.window))


def _worse(status: Status, window: tuple[Seen, ...], threshold: Threshold) -> tuple[Status, datetime] | None:
    recent = window[-threshold.window :]
    for level in (Status.DOWN, Status.DEGRADED):
        if BADNESS[level] <= BADNESS[status]:
            return None
        reached = [at for seen, at in recent if BADNESS[seen] >= BADNESS[level]]
        if len(reached) >= threshold.count:
            return level, next(at for seen, at in recent if seen.is_failing)
    return None


def _better(status: Status, window: tuple[Seen, ...], count: int) -> tuple[Status, datetime] | None:
    if status is Status.UNOBSERVED:
        seen, at = window[-1]
        return (seen, at) if seen is Status.UP else None
    recent = window[-count:]
    if len(recent) < count or any(BADNESS[seen] >= BADNESS[status] for seen, _ in recent):
        return None
    return max((seen for seen, _ in recent), key=BADNESS.__getitem__), recent[0][1]


def _changed(
    state: CheckState, status: Status, first_at: datetime, at: datetime
) -> tuple[CheckState, Transition | None]:
    failing_since = (state.failing_since or first_at) if status.is_failing else None
    after = CheckState(status=status, since=at, failing_since=failing_since, is_cold=False)
    return after, Transition(state.status, status, first_at, at, failing_since)


def worst(statuses: list[Status]) -> Status:
    """The status of a system: the worst of its checks; unobserved only when all are (or it has none)."""
    return max(statuses, key=BADNESS.__getitem__, default=Status.UNOBSERVED)
