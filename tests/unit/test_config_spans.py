from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.config.spans import parse_span, show_span


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("500ms", timedelta(milliseconds=500)),
        ("90s", timedelta(seconds=90)),
        ("1h30m", timedelta(hours=1, minutes=30)),
        ("30d", timedelta(days=30)),
        ("2w", timedelta(weeks=2)),
        ("1w2d3h4m5s6ms", timedelta(weeks=1, days=2, hours=3, minutes=4, seconds=5, milliseconds=6)),
        ("0s", timedelta()),
    ],
)
def test_spans_are_read_as_people_write_them(text: str, span: timedelta) -> None:
    assert parse_span(text) == span


@pytest.mark.parametrize(
    "text", ["", "5", "1.5h", "-1h", "1h ", "h", "30m1h", "1h1h", "1H", "１s", "5 m", "9999999999w"]
)
def test_what_is_no_span_is_refused_with_advice(text: str) -> None:
    with pytest.raises(ValueError, match="write a span with its units"):
        parse_span(text)


def test_a_span_beyond_all_time_is_refused() -> None:
    with pytest.raises(ValueError, match="too long a span"):
        parse_span("999999999w")


@pytest.mark.parametrize("value", [5, 5.0])
def test_a_number_has_no_unit(value: float) -> None:
    with pytest.raises(ValueError, match="has no unit"):
        parse_span(value)


@pytest.mark.parametrize("value", [True, None, ["1h"], {}])
def test_other_types_are_no_spans(value: object) -> None:
    with pytest.raises(ValueError, match="write a span with its units"):
        parse_span(value)


@given(st.integers(0, 10**12))
def test_a_shown_span_reads_as_itself(milliseconds: int) -> None:
    span = timedelta(milliseconds=milliseconds)
    assert parse_span(show_span(span)) == span
