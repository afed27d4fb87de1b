"""When a disk will be full, by how it went so far."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.core.forecast import LEAST_SAMPLES, gone_in

START = datetime(2026, 11, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def hourly(*left: int) -> list[tuple[datetime, int]]:
    return [(START + n * HOUR, free) for n, free in enumerate(left)]


def test_steady_use_is_carried_on() -> None:
    assert gone_in(hourly(*range(1000, 500, -10))) == timedelta(hours=51)


@pytest.mark.parametrize("left", [[500] * 48, list(range(100, 148))], ids=["even", "growing"])
def test_what_does_not_shrink_lasts(left: list[int]) -> None:
    assert gone_in(hourly(*left)) is None


def test_too_few_samples_say_nothing() -> None:
    assert gone_in(hourly(*range(1000, 1000 - LEAST_SAMPLES + 1, -1))) is None
    assert gone_in([]) is None


def test_one_large_file_is_no_trend() -> None:
    assert gone_in(hourly(*[1000] * 30, *[100] * 10)) is None


def test_nightly_clean_up_does_not_hide_the_trend() -> None:
    """It falls by 10 an hour and gets 200 back each night: 40 a day are gone for good."""
    left = [5000 - 10 * n + 200 * (n // 24) for n in range(24 * 7)]
    lasts = gone_in(hourly(*left))
    assert lasts is not None
    assert timedelta(days=50) < lasts < timedelta(days=130)


@given(st.lists(st.integers(0, 10**13), max_size=40))
def test_any_history_gives_a_span_or_nothing(left: list[int]) -> None:
    lasts = gone_in(hourly(*left))
    assert lasts is None or lasts >= timedelta()
