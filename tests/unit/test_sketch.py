"""The latency histogram: within ten percent, mergeable, and the same after a way through bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.core.sketch import BUCKETS, LOWEST_S, Sketch, bucket_of, edge

LATENCIES = st.floats(min_value=LOWEST_S, max_value=999.0)


@given(LATENCIES)
def test_a_bucket_holds_what_lies_between_its_edges(seconds: float) -> None:
    bucket = bucket_of(seconds)
    assert seconds <= edge(bucket) * 1.0001
    assert bucket == 0 or seconds > edge(bucket - 1) * 0.9999


@given(LATENCIES)
def test_the_quantile_of_one_latency_is_that_latency_and_at_most_a_fifth_more(seconds: float) -> None:
    sketch = Sketch()
    sketch.add(seconds)
    found = sketch.quantile(0.5)
    assert found is not None
    assert seconds * 0.9999 <= found <= seconds * 10 ** (1 / 12) * 1.0001


@pytest.mark.parametrize(
    ("seconds", "bucket"), [(0.0, 0), (1e-9, 0), (LOWEST_S, 0), (1e9, BUCKETS - 1), (1000.0, BUCKETS - 1), (-1.0, 0)]
)
def test_what_is_too_short_or_too_long_has_its_place_at_the_ends(seconds: float, bucket: int) -> None:
    assert bucket_of(seconds) == bucket


def test_an_edge_belongs_to_the_bucket_below_it() -> None:
    assert [bucket_of(edge(bucket)) for bucket in range(BUCKETS)] == list(range(BUCKETS))


def test_quantiles_are_read_in_order() -> None:
    sketch = Sketch()
    for milliseconds in range(1, 101):
        sketch.add(milliseconds / 1000)
    quantiles = [sketch.quantile(share) for share in (0.0, 0.5, 0.95, 0.99, 1.0)]
    assert quantiles == sorted(quantiles, key=lambda found: found or 0.0)
    assert sketch.quantile(0.5) == pytest.approx(0.050, rel=0.22)
    assert sketch.quantile(0.99) == pytest.approx(0.099, rel=0.22)
    assert sketch.count == 100


def test_nothing_counted_has_no_quantile() -> None:
    assert Sketch().quantile(0.5) is None


@given(st.lists(LATENCIES), st.lists(LATENCIES))
def test_two_merged_are_as_if_all_had_been_counted_into_one(first: list[float], second: list[float]) -> None:
    one, other, both = Sketch(), Sketch(), Sketch()
    for seconds in first:
        one.add(seconds)
        both.add(seconds)
    for seconds in second:
        other.add(seconds)
        both.add(seconds)
    one.merge(other)
    assert one.counts == both.counts


@given(st.dictionaries(st.integers(0, BUCKETS - 1), st.integers(1, 2**40)))
def test_bytes_bring_the_same_counts_back(counts: dict[int, int]) -> None:
    assert Sketch.from_bytes(Sketch(counts).to_bytes()).counts == counts


@pytest.mark.parametrize("data", [b"", b"\x02\x05\x01", b"\x01\x05", b"\x01\x05\x80", b"\x01\xff\x01"])
def test_bytes_that_are_no_sketch_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="not a latency sketch"):
        Sketch.from_bytes(data)


def test_a_quiet_minute_takes_few_bytes() -> None:
    sketch = Sketch()
    for _ in range(12):
        sketch.add(0.0123)
    assert len(sketch.to_bytes()) == 3
