"""Prometheus' text format 0.0.4, written line by line: cheaper than building an object for each sample."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from itertools import islice

from tocsin.web.figures import Buckets

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
LINES_PER_SLICE = 1000


def labels(**named: object) -> str:
    """`system="erp",check="health"`, escaped."""
    return ",".join(f'{name}="{escaped(str(value))}"' for name, value in named.items())


def escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def family(name: str, kind: str, text: str) -> str:
    """The two lines that introduce a metric."""
    return f"# HELP {name} {text}\n# TYPE {name} {kind}\n"


def sample(name: str, value: float, **named: object) -> str:
    return f"{name}{{{labels(**named)}}} {value}\n" if named else f"{name} {value}\n"


def histogram(name: str, buckets: Buckets, **named: object) -> Iterator[str]:
    """The lines of one histogram; `buckets` holds counts per bucket, the lines hold cumulative ones."""
    edges, counts, total = buckets
    cumulative: list[int] = []
    for count in counts:
        cumulative.append(count + (cumulative[-1] if cumulative else 0))
    return cumulative_histogram(name, edges, cumulative[:-1], cumulative[-1], total, **named)


def cumulative_histogram(
    name: str, edges: Sequence[float], at_edges: Sequence[int], count: int, total: float, **named: object
) -> Iterator[str]:
    own = f"{labels(**named)}," if named else ""
    for edge, below in zip(edges, at_edges, strict=True):
        yield f'{name}_bucket{{{own}le="{float(edge)}"}} {below}\n'
    yield f'{name}_bucket{{{own}le="+Inf"}} {count}\n'
    yield sample(f"{name}_sum", total, **named)
    yield sample(f"{name}_count", count, **named)


async def in_slices(lines: Iterable[str]) -> AsyncIterator[bytes]:
    """Encode in slices and let the loop turn between them: probing must not wait for a scrape."""
    remaining = iter(lines)
    while chunk := list(islice(remaining, LINES_PER_SLICE)):
        yield "".join(chunk).encode()
        await asyncio.sleep(0)
