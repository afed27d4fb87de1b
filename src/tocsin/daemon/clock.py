"""The one place that reads clocks."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from tocsin.core.time_watch import Reading


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def reading(self) -> Reading:
        """All three clocks at once."""
        return Reading(self.now(), time.clock_gettime(time.CLOCK_MONOTONIC), time.clock_gettime(time.CLOCK_BOOTTIME))
