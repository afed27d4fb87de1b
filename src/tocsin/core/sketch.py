"""A mergeable latency histogram with logarithmic buckets: 12 a decade, from 100 µs to 1,000 s, within ± 10 %.

In bytes: a version byte, then (bucket, count) pairs as varints, only for buckets that hold something.
"""

from __future__ import annotations

from math import ceil, log10

PER_DECADE = 12
LOWEST_S = 1e-4
BUCKETS = PER_DECADE * 7 + 1
_VERSION = 1


def bucket_of(seconds: float) -> int:
    """The bucket of a latency: bucket i holds (edge(i-1), edge(i)]; the last holds all that is longer."""
    if seconds <= LOWEST_S:
        return 0
    return min(BUCKETS - 1, ceil(log10(seconds / LOWEST_S) * PER_DECADE - 1e-9))


def edge(bucket: int) -> float:
    """The upper edge of a bucket in seconds."""
    return float(LOWEST_S * 10.0 ** (bucket / PER_DECADE))


class Sketch:
    """Counts by bucket. Mutable: it is counted into on the hot path."""

    __slots__ = ("counts",)

    def __init__(self, counts: dict[int, int] | None = None) -> None:
        self.counts: dict[int, int] = counts if counts is not None else {}

    @property
    def count(self) -> int:
        return sum(self.counts.values())

    def add(self, seconds: float) -> None:
        bucket = bucket_of(seconds)
        self.counts[bucket] = self.counts.get(bucket, 0) + 1

    def merge(self, other: Sketch) -> None:
        for bucket, count in other.counts.items():
            self.counts[bucket] = self.counts.get(bucket, 0) + count

    def quantile(self, share: float) -> float | None:
        """The upper edge of the bucket in which the quantile lies; None when nothing was counted."""
        rank = ceil(share * self.count)
        passed = 0
        for bucket in sorted(self.counts):
            passed += self.counts[bucket]
            if passed >= rank:
                return edge(bucket)
        return None

    def to_bytes(self) -> bytes:
        out = bytearray([_VERSION])
        for bucket in sorted(self.counts):
            out.append(bucket)
            count = self.counts[bucket]
            while count >= 0x80:
                out.append(count & 0x7F | 0x80)
                count >>= 7
            out.append(count)
        return bytes(out)

    @classmethod
    def from_bytes(cls, data: bytes) -> Sketch:
        if not data or data[0] != _VERSION:
            raise ValueError("not a latency sketch of this version")
        counts: dict[int, int] = {}
        at = 1
        try:
            while at < len(data):
                bucket, shift, count = data[at], 0, 0
                at += 1
                while data[at] & 0x80:
                    count |= (data[at] & 0x7F) << shift
                    shift += 7
                    at += 1
                counts[bucket] = count | data[at] << shift
                at += 1
        except IndexError:
            raise ValueError("not a latency sketch: it is cut off") from None
        if any(bucket >= BUCKETS for bucket in counts):
            raise ValueError("not a latency sketch: it has buckets that there are not")
        return cls(counts)
