"""A decision that opens an incident, committed to an SQLite file at FULL: the real applier on the real store, no network.

    python -m benchmarks.decision [ROUNDS]

Target: under 10 ms.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from statistics import quantiles
from time import perf_counter

from tocsin.core.model import Observation, Reason, Sample, Severity, Status
from tocsin.core.policy import Check, Facts, HttpTarget, Judged, ResponsePolicy, Rulebook, SeverityRule, System
from tocsin.daemon.alarms import Alarms
from tocsin.daemon.apply import Applier
from tocsin.daemon.clock import SystemClock
from tocsin.daemon.history import History
from tocsin.daemon.live import LiveState
from tocsin.daemon.poll import Poller
from tocsin.store.store import SqlStore


class Good:
    needs_body = False

    def __call__(self, observation: Observation) -> Judged:
        return Judged()


class NoProbes:
    def start(self, check: Check, done: object) -> None: ...
    def forget(self, check: Check) -> None: ...
    async def close(self) -> None: ...


def is_down(facts: Facts) -> bool:
    return facts.status == "down"


def rulebook(systems: int) -> Rulebook:
    policy = ResponsePolicy(Severity.P1, timedelta(hours=1), timedelta(hours=4))
    rule = SeverityRule("down", 'status == "down"', Severity.P1, is_down, "rules/x.yaml", 1)
    made = {}
    for number in range(systems):
        check = Check(f"s{number}", "health", "http", HttpTarget("http://127.0.0.1/"), Good())
        made[check.system] = System(check.system, {"": check.system}, "nobody", (check,))
    return Rulebook(systems=made, severity=(rule,), response={Severity.P1: policy}, version="bench")


async def measure(rounds: int) -> list[float]:
    with tempfile.TemporaryDirectory() as folder:
        clock, store = SystemClock(), SqlStore(f"sqlite:///{Path(folder) / 'bench.db'}")
        live = LiveState(Rulebook())
        alarms = Alarms(store, clock, lambda: ())
        applier = Applier(live, store, clock, alarms, lambda decision: None)
        poller = Poller(live, NoProbes(), History(store, clock.now()), clock, applier.consider)
        poller.watch(rulebook(rounds), {})
        spent = []
        for number in range(rounds):
            watched = live.watched[f"s{number}"]["health"]
            for _ in range(2):
                poller.take(watched, Sample(clock.now(), Status.DOWN, Reason.STATUS, 0.01, "status == 200"))
            began = perf_counter()
            poller.take(watched, Sample(clock.now(), Status.DOWN, Reason.STATUS, 0.01, "status == 200"))
            await applier.step(clock.now())
            spent.append((perf_counter() - began) * 1000)
            assert live.cases[f"s{number}"].open is not None
        await store.close()
        return spent


def main(rounds: int = 300) -> None:
    spent = asyncio.run(measure(rounds))
    cuts = quantiles(spent, n=100)
    print(
        f"{rounds} incidents opened and committed: p50 {cuts[49]:.1f} ms, p99 {cuts[98]:.1f} ms, max {max(spent):.1f} ms"
    )


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
