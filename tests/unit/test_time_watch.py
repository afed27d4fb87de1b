"""A step of the wall clock and a sleep of the machine are told apart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tocsin.core.time_watch import Odd, Reading, compare

START = Reading(datetime(2026, 11, 24, 3, 0, tzinfo=UTC), 100.0, 500.0)


def later(*, wall_s: float, awake_s: float, boot_s: float) -> Reading:
    return Reading(START.wall + timedelta(seconds=wall_s), START.awake_s + awake_s, START.boot_s + boot_s)


@pytest.mark.parametrize(
    ("reading", "expected"),
    [
        (later(wall_s=5, awake_s=5, boot_s=5), None),
        (later(wall_s=6, awake_s=5, boot_s=5), None),
        (later(wall_s=3605, awake_s=5, boot_s=3605), (Odd.SLEPT, timedelta(hours=1))),
        (later(wall_s=3605, awake_s=5, boot_s=5), (Odd.STEPPED, timedelta(hours=1))),
        (later(wall_s=-3595, awake_s=5, boot_s=5), (Odd.STEPPED, -timedelta(hours=1))),
        (later(wall_s=7205, awake_s=5, boot_s=3605), (Odd.STEPPED, timedelta(hours=1))),
    ],
    ids=["all agree", "within tolerance", "slept", "set forward", "set back", "slept and was set"],
)
def test_what_happened_to_the_clocks_is_named(reading: Reading, expected: tuple[Odd, timedelta] | None) -> None:
    assert compare(START, reading) == expected
