"""Checks that were probed a while, for tests of figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from tocsin.core.model import Observation, Phases, Reason, Sample, Status
from tocsin.core.policy import Check, HttpTarget, Judged
from tocsin.ports import CheckView

EDGES_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class AlwaysGood:
    """A judge that finds nothing wrong."""

    needs_body = False

    def __call__(self, observation: Observation) -> Judged:
        return Judged()


class FakeLive:
    """Checks that were probed a while: every system one histogram, every fifth check failing."""

    def __init__(self, systems: int = 3, checks: int = 2, at: datetime = datetime(2026, 11, 27, 6, tzinfo=UTC)) -> None:
        self.views = [
            a_view(f"system-{s}", f"check-{c}", Status.DOWN if (s * checks + c) % 5 == 4 else Status.UP, at)
            for s in range(systems)
            for c in range(checks)
        ]

    def checks(self) -> Iterable[CheckView]:
        return iter(self.views)

    def latency_buckets(self, system: str) -> tuple[Sequence[float], Sequence[int], float]:
        return EDGES_S, [0, 40, 55, 3, 1, 0, 0, 1, 0, 0, 0], 2.125


def a_view(system_name: str, name: str, status: Status, at: datetime) -> CheckView:
    phases = Phases(dns=0.0004, connect=0.0011, tls=0.0093, first_byte=0.0123, transfer=0.0002)
    target = HttpTarget(f"https://{system_name}.example.com/{name}")
    reason = Reason.OK if status is Status.UP else Reason.STATUS
    return CheckView(
        Check(system_name, name, "http", target, AlwaysGood()),
        status=status,
        since=at,
        last=Sample(at, status, reason, 0.0233, phases=phases),
        success=status is Status.UP,
        duration_s=0.0233,
        phases=phases,
        tls_expires_at=at + timedelta(days=80),
        probes={"up": 1200, "degraded": 2, "down": 3, "unobserved": 1},
    )
