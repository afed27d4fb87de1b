"""Deadlines that fire among many that are merely open: the real timekeeper on the real store (SQLite at FULL), with the real clock.

    python -m benchmarks.deadlines [OPEN] [SECONDS]

Targets: a deadline is recorded and told within 200 ms at p99, and what a second costs does not depend on how many are merely open.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from statistics import quantiles
from time import process_time

from sqlalchemy import insert

from tocsin.core.case import Case, Decision
from tocsin.core.model import Clock, ClockKind, Incident, IncidentState, RuleReference, Severity
from tocsin.core.policy import Rulebook
from tocsin.daemon.alarms import Alarms
from tocsin.daemon.clock import SystemClock
from tocsin.daemon.timekeeper import Timekeeper
from tocsin.ports import Transaction
from tocsin.store.rows import row_of_clock, row_of_incident
from tocsin.store.schema import clocks, incidents
from tocsin.store.store import SqlStore
from tocsin.store.transaction import SqlTransaction

TARGET = timedelta(hours=4)
RULE = RuleReference("down", "rules/x.yaml", 1, 'status == "down"')
EACH_SECOND = 35
"""What 100,000 incidents with targets of four hours and four reminders bring in a second, on average."""


@dataclass(frozen=True, slots=True)
class Measured:
    lateness_ms: list[float]
    cpu_s: float


def opened(number: int, at: datetime) -> Incident:
    return Incident(
        id=number,
        system=f"s{number}",
        key="",
        severity=Severity.P1,
        state=IncidentState.OPEN,
        title="is down",
        rule=RULE,
        text="health: status == 200",
        failing_since=at,
        opened_at=at,
        severity_at=at,
        rule_severity=Severity.P1,
        checks=("health",),
        channels=("ops",),
    )


def owed(number: int, due_at: datetime) -> Clock:
    return Clock(
        incident=number,
        kind=ClockKind.RESPONSE,
        severity=Severity.P1,
        calendar="24x7",
        policy_version="bench",
        calendar_version="24x7",
        target=TARGET,
        started_at=due_at - TARGET,
        due_at=due_at,
    )


async def fill(store: SqlStore, first: int, dues: list[datetime]) -> None:
    """Incidents with one running clock each, as many as there are instants."""
    for start in range(0, len(dues), 2000):
        part = list(enumerate(dues[start : start + 2000], first + start))

        def work(tx: Transaction, part: list[tuple[int, datetime]] = part) -> None:
            assert isinstance(tx, SqlTransaction)
            rows = [row_of_incident(opened(number, due_at - TARGET)) for number, due_at in part]
            tx.connection.execute(insert(incidents), rows)
            tx.connection.execute(insert(clocks), [row_of_clock(owed(number, due_at)) for number, due_at in part])

        await store.write(work)


async def measure(merely_open: int, seconds: int) -> Measured:
    with tempfile.TemporaryDirectory() as folder:
        clock, store = SystemClock(), SqlStore(f"sqlite:///{Path(folder) / 'bench.db'}")
        later = clock.now() + timedelta(days=1)
        await fill(store, 1, [later + timedelta(milliseconds=n) for n in range(merely_open)])
        begin = clock.now() + timedelta(seconds=2)
        count = EACH_SECOND * seconds
        await fill(store, merely_open + 1, [begin + timedelta(seconds=n / EACH_SECOND) for n in range(count)])
        lateness: list[float] = []

        def remember(case: Case, decision: Decision) -> None:
            breached_at = next(clock.breached_at for clock in case.clocks if clock.breached_at is not None)
            lateness.append((clock.now() - breached_at).total_seconds() * 1000)

        keeper = Timekeeper(store, Alarms(store, clock, lambda: ()), remember, Rulebook)
        await asyncio.sleep(max(0.0, (begin - clock.now()).total_seconds() - 0.1))
        spent = process_time()
        while len(lateness) < count:
            wake_at = await keeper.step(clock.now())
            await asyncio.sleep(max(0.0, (wake_at - clock.now()).total_seconds()))
        spent = process_time() - spent
        await store.close()
        return Measured(lateness, spent)


async def compare(merely_open: int, seconds: int) -> None:
    for number in (merely_open // 100, merely_open):
        found = await measure(number, seconds)
        cuts, due = quantiles(found.lateness_ms, n=100), len(found.lateness_ms)
        print(
            f"{number} merely open, {EACH_SECOND} due a second: told after p50 {cuts[49]:.1f} ms, p99 {cuts[98]:.1f} ms, "
            f"max {max(found.lateness_ms):.1f} ms; {found.cpu_s * 1000 / seconds:.0f} ms CPU a second, "
            f"{found.cpu_s * 1000 / due:.2f} ms each"
        )


def main(merely_open: int = 100_000, seconds: int = 20) -> None:
    asyncio.run(compare(merely_open, seconds))


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
