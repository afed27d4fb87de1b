"""Instants and spans as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tocsin.cli.times import left, milliseconds, read_moment, read_span, span
from tocsin.errors import UsageError

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59.9, "59s"), (60, "1m 00s"), (3599, "59m 59s"), (3600, "1h 00m"), (90061, "1d 1h"), (-75, "1m 15s")],
)
def test_span_shows_its_two_largest_units(seconds: float, text: str) -> None:
    assert span(seconds) == text


@pytest.mark.parametrize(
    ("due_at", "text", "word"),
    [
        ("2026-11-24T04:00:00Z", "1h 00m left", ""),
        ("2026-11-24T03:14:59Z", "14m 59s left", "soon"),
        ("2026-11-24T11:00:00+08:00", "0s left", "soon"),
        ("2026-11-24T02:59:00Z", "1m 00s over", "late"),
    ],
)
def test_left_says_how_much_and_how_urgent(due_at: str, text: str, word: str) -> None:
    assert left(due_at, NOW) == (text, word)


@pytest.mark.parametrize(("seconds", "text"), [(None, "-"), (0.0123, "12.3 ms"), (1.5, "1.50 s")])
def test_milliseconds_reads_well_at_any_size(seconds: float | None, text: str) -> None:
    assert milliseconds(seconds) == text


def test_read_span_reads_what_rules_hold() -> None:
    assert read_span("1h30m") == timedelta(minutes=90)


def test_read_span_says_what_would_be_right() -> None:
    with pytest.raises(UsageError, match="90s"):
        read_span("soon")


BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-12-04T22:00+08:00", datetime(2026, 12, 4, 14, tzinfo=UTC)),
        ("2026-12-04T22:00Z", datetime(2026, 12, 4, 22, tzinfo=UTC)),
        ("2026-12-04 22:00", datetime(2026, 12, 4, 21, tzinfo=UTC)),
        ("2026-07-04T22:00", datetime(2026, 7, 4, 20, tzinfo=UTC)),
    ],
)
def test_moment_without_offset_is_local(text: str, moment: datetime) -> None:
    assert read_moment(text, BERLIN) == moment


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2026-03-29T02:30", "does not exist in Europe/Berlin.*2026-03-29T03:30:00\\+02:00"),
        ("2026-10-25T02:30", "exists twice in Europe/Berlin.*02:30:00\\+02:00 or .*02:30:00\\+01:00"),
        ("tomorrow", "not a moment"),
        ("0001-01-01T00:00+10:00", "not a moment"),
        ("9999-12-31T23:59-10:00", "not a moment"),
    ],
)
def test_moment_that_is_not_one_is_refused(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        read_moment(text, BERLIN)
