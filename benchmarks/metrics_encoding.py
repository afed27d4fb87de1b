"""How long /metrics takes for 10,000 checks, and how long it holds up the loop at most.

    python benchmarks/metrics_encoding.py [CHECKS]

Targets: under 250 ms of encoding, no slice longer than 20 ms.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from time import perf_counter

from tocsin.testing.live import FakeLive
from tocsin.web.figures import OwnFigures, StoredFigures
from tocsin.web.metrics import Metrics

CHECKS = 10_000
TARGET_S = 0.250
SLICE_S = 0.020
ROUNDS = 5


async def scrape(metrics: Metrics) -> tuple[float, float, int]:
    """Seconds of all, seconds of the longest stretch without the loop turning, bytes."""
    longest = size = 0
    began = last = perf_counter()
    async for piece in metrics():
        now = perf_counter()
        longest, last = max(longest, now - last), now
        size += len(piece)
    return perf_counter() - began, longest, size


async def measure(checks: int) -> bool:
    async def stored() -> StoredFigures:
        return StoredFigures()

    own = OwnFigures(("P1", "P2"), ("slack",), {"storage": False}, 0, True, ((0.01, 0.1), (9, 1, 0), 0.02))
    metrics = Metrics(FakeLive(checks // 10, 10), stored, lambda: own, "0")
    await scrape(metrics)
    gc.collect()
    rounds = [await scrape(metrics) for _ in range(ROUNDS)]
    total, longest = (min(r[i] for r in rounds) for i in (0, 1))
    print(f"{checks} checks: {total * 1000:.0f} ms, longest slice {longest * 1000:.1f} ms, {rounds[0][2] / 1e6:.1f} MB")
    return total < TARGET_S and longest < SLICE_S


if __name__ == "__main__":
    asked = int(sys.argv[1]) if len(sys.argv) > 1 else CHECKS
    sys.exit(0 if asyncio.run(measure(asked)) else 1)
