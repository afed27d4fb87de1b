"""Telling apart what happened to the clocks of the machine between two looks at them: it slept, or somebody set the wall clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

TOLERANCE = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class Reading:
    """Three clocks at one moment: the wall's, seconds that the machine was awake, seconds since it was started, sleep included."""

    wall: datetime
    awake_s: float
    boot_s: float


class Odd(StrEnum):
    SLEPT = "slept"
    STEPPED = "stepped"


def compare(before: Reading, after: Reading) -> tuple[Odd, timedelta] | None:
    """What is odd about the time between two readings, and by how much (a step may be negative); None when all agree.

    When the time since the boot went on and the time awake did not, the machine slept. When only the wall clock differs, it was set.
    """
    slept = timedelta(seconds=(after.boot_s - before.boot_s) - (after.awake_s - before.awake_s))
    stepped = (after.wall - before.wall) - timedelta(seconds=after.boot_s - before.boot_s)
    if abs(stepped) > TOLERANCE:
        return Odd.STEPPED, stepped
    if slept > TOLERANCE:
        return Odd.SLEPT, slept
    return None
