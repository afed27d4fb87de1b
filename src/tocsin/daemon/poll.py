"""Polling: when each check is probed, and what becomes of each answer. The hot path: a sample that changes nothing touches no database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from zlib import crc32

from tocsin.core import verdict
from tocsin.core.check import CheckState
from tocsin.core.model import Observation, Phases, Reason, Sample, Status, TransportFailure
from tocsin.core.policy import Check, Rulebook
from tocsin.daemon.history import History
from tocsin.daemon.live import LATENCY_EDGES_S, Histogram, LiveState, Watched, absorb
from tocsin.daemon.wheel import TICK_S, Wheel
from tocsin.log import get_log
from tocsin.ports import Prober, StoredCheck, WallClock

log = get_log(__name__)

FIRST_WITHIN_S = 10.0
STALL_S = 0.25
STALE_ROUNDS = 3


class Poller:
    """Turns the wheel, starts probes, takes in samples. `consider` is told of a system whose incident may have to change."""

    def __init__(
        self, live: LiveState, prober: Prober, history: History, clock: WallClock, consider: Callable[[str], None]
    ) -> None:
        self._live = live
        self._prober = prober
        self._history = history
        self._clock = clock
        self._consider = consider
        self._wheel: Wheel[Watched] = Wheel(clock.monotonic())
        self._timer: asyncio.TimerHandle | None = None
        self._armed_for = 0.0
        self._stalled_at = float("-inf")
        self._stall_s = 0.0
        self._is_running = False
        self.turned_at = clock.monotonic()

    # --- which checks ---

    def watch(self, rulebook: Rulebook, stored: dict[tuple[str, str], StoredCheck]) -> list[tuple[str, str]]:
        """Watch the checks of a rulebook. Checks that stay keep their state; returns those that went away."""
        wanted = {(check.system, check.name): check for s in rulebook.systems.values() for check in s.checks}
        gone = [
            (system, name)
            for system, by_name in self._live.watched.items()
            for name in by_name
            if (system, name) not in wanted
        ]
        for system, name in gone:
            self._drop(system, name)
        self._live.rulebook = rulebook
        for key, check in wanted.items():
            self._take_in(check, stored.get(key))
        for system in [name for name in self._live.latencies if name not in rulebook.systems]:
            del self._live.latencies[system]
        return gone

    def tighten(self, rulebook: Rulebook) -> None:
        """Watch the same checks closer, or as they were."""
        self.watch(rulebook, {})

    def _drop(self, system: str, name: str) -> None:
        watched = self._live.watched[system].pop(name)
        watched.is_gone = True
        self._prober.forget(watched.check)
        if not self._live.watched[system]:
            del self._live.watched[system]

    def _take_in(self, check: Check, stored: StoredCheck | None) -> None:
        known = self._live.watched.setdefault(check.system, {}).get(check.name)
        self._live.latencies.setdefault(check.system, Histogram(LATENCY_EDGES_S))
        stale_after = check.every * STALE_ROUNDS + check.timeout
        if known is not None:
            if known.check.version != check.version:
                self._prober.forget(known.check)
            is_closer = check.every < known.check.every
            known.check, known.stale_after = check, stale_after
            if is_closer and not known.is_busy:
                # What stands in the wheel for later is passed over when it comes up.
                self._plan(known, min(known.planned_at, self._next(known)))
            return
        watched = Watched(check, state=_state_of(stored), stale_after=stale_after)
        if stored is not None:
            watched.is_held = stored.is_held
            watched.bad = _bad_of(stored)
            watched.failing_since = stored.failing_since
        self._live.watched[check.system][check.name] = watched
        now = self._clock.monotonic()
        self._plan(watched, now + _phase(check) * min(check.every.total_seconds(), FIRST_WITHIN_S))

    def recent_stall_s(self) -> float:
        """How long the loop stood still, if it did within the last minute."""
        return self._stall_s if self._clock.monotonic() - self._stalled_at < 60.0 else 0.0

    # --- when ---

    def start(self) -> None:
        self._is_running = True
        self._arm()

    def stop(self) -> None:
        self._is_running = False
        if self._timer is not None:
            self._timer.cancel()

    def _plan(self, watched: Watched, at: float) -> None:
        watched.planned_at = at
        self._wheel.add(at, watched)
        if self._is_running and at < self._armed_for:
            self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        at = self._wheel.next_at()
        now = self._clock.monotonic()
        # At least every quarter of a second, so that a stall of the loop is noticed while probes are under way.
        self._armed_for = min(at, now + STALL_S) if at is not None else now + STALL_S
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(max(0.0, self._armed_for - now), self._turn)

    def _turn(self) -> None:
        now = self._clock.monotonic()
        if now - self._armed_for > STALL_S:
            self._stalled_at, self._stall_s = now, now - self._armed_for
        for watched in self._wheel.turn(now):
            if not watched.is_gone and not _is_passed_over(watched, now):
                self._live.lag.add(max(0.0, now - watched.planned_at))
                self._launch(watched, now)
        self.turned_at = now
        self._timer = None
        if self._is_running:
            self._arm()

    def _launch(self, watched: Watched, now: float) -> None:
        watched.is_busy = True
        watched.started_at = now
        try:
            self._prober.start(watched.check, lambda observation: self._done(watched, observation))
        except Exception as error:
            # A fault of ours: this check is unobserved and is tried again at its next slot, the others go on.
            log.exception("A probe could not be started", action="probe_failed", check=watched.check.id)
            self._done(watched, Observation(0.0, TransportFailure(Reason.INTERNAL, f"a fault in Tocsin: {error!r}")))

    def _done(self, watched: Watched, observation: Observation) -> None:
        watched.is_busy = False
        if watched.is_gone or not self._is_running:
            return
        try:
            self.take(watched, verdict.judge(watched.check, observation, self._clock.now()))
        except Exception:
            # One bad row must not end the polling of this check.
            log.exception("A sample could not be taken in", action="sample_failed", check=watched.check.id)
        finally:
            self._plan(watched, self._next(watched))

    def _next(self, watched: Watched) -> float:
        """The next slot of the check's stable phase; sooner while the last samples disagree with its status."""
        check, now = watched.check, self._clock.monotonic()
        every = check.every.total_seconds()
        offset = _phase(check) * every
        regular = ((now - offset) // every + 1) * every + offset
        if watched.state.is_undecided:
            return min(regular, max(now, watched.started_at + check.confirm_every.total_seconds()))
        return regular

    # --- what came back ---

    def take(self, watched: Watched, sample: Sample) -> None:
        """Count a sample, decide the check's status, and say so when an incident may have to change."""
        if sample.status.is_failing and self._was_stalled(watched):
            sample = replace(sample, status=Status.UNOBSERVED, reason=Reason.LATE)
        check = watched.check
        self._count(watched, sample)
        self._history.add(check, sample)
        if sample.status is Status.UNOBSERVED:
            return
        self._live.last_sample_at = sample.at
        transition = absorb(watched, sample)
        if transition is not None:
            self._live.keep_transition(check.system, check.name, transition, sample)
            self._consider(check.system)
        elif watched.state.status.is_failing and sample.status.is_failing:
            self._consider(check.system)

    def _count(self, watched: Watched, sample: Sample) -> None:
        watched.last = sample
        watched.success = sample.status is Status.UP or sample.status is Status.DEGRADED
        watched.duration_s = sample.duration_s
        watched.phases = sample.phases
        watched.probes[sample.status.value] += 1
        if sample.certificate is not None:
            watched.tls_expires_at = sample.certificate.expires_at
        self._live.latencies[watched.check.system].add(sample.duration_s)

    def _was_stalled(self, watched: Watched) -> bool:
        """Whether our own loop stood still during the probe for long enough to have made the failure itself."""
        is_during = self._stalled_at >= watched.started_at > 0.0
        return is_during and self._stall_s >= 0.2 * watched.check.timeout.total_seconds()


def _is_passed_over(watched: Watched, now: float) -> bool:
    """Whether this slot was given up for an earlier one: that probe is under way, or was made and planned the next."""
    return watched.is_busy or watched.planned_at > now + TICK_S


def _phase(check: Check) -> float:
    """A stable place in the interval, from 0 to 1, spread evenly over all checks by their names."""
    return crc32(check.id.encode()) / 2**32


def _state_of(stored: StoredCheck | None) -> CheckState:
    if stored is None:
        return CheckState()
    return CheckState(Status(stored.status), stored.since, stored.failing_since)


def _bad_of(stored: StoredCheck) -> Sample | None:
    if not Status(stored.status).is_failing or stored.failing_since is None:
        return None
    reason = next((known for known in Reason if known.value == stored.reason), Reason.INTERNAL)
    at: datetime = stored.failing_since
    return Sample(at, Status(stored.status), reason, 0.0, stored.text, Phases(), stored.values)
