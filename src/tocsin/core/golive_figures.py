"""Figures of a system under a go-live watch, out of roll-ups: concurrency, error rate, latency, availability; and the same before.

Rows are roll-ups of minutes or hours: counts by status, a latency sketch, and what was counted of each `values` entry.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from tocsin.core.local_time import zone_named
from tocsin.core.sketch import Sketch

Row = Mapping[str, Any]
HOUR = timedelta(hours=1)
WEEK = timedelta(weeks=1)
WEEKS = 4
CONCURRENCY, ERROR_RATE = "concurrency", "error_rate"


def figures(rows: Iterable[Row]) -> dict[str, Any] | None:
    """What roll-ups of one system say; None when nothing was probed.

    `availability` is the share of observed probes that were not down, `error_rate` what the checks report, or else the share of probes
    that were down (`error_source` says which). `concurrency` adds up the checks that report it: each counts its own part.
    """
    counts: dict[str, int] = dict.fromkeys(("up", "degraded", "down", "unobserved"), 0)
    sketch, latency_max_s = Sketch(), 0.0
    seen: dict[str, dict[str, list[Mapping[str, float]]]] = {
        CONCURRENCY: defaultdict(list),
        ERROR_RATE: defaultdict(list),
    }
    for row in rows:
        for name in counts:
            counts[name] += row[name]
        sketch.merge(Sketch.from_bytes(row["latency"]))
        latency_max_s = max(latency_max_s, row["latency_max_s"])
        for name, by_check in seen.items():
            value = (row["values"] or {}).get(name)
            if value is not None and "sum" in value:
                by_check[row["check"]].append(value)
    if not sum(counts.values()):
        return None
    observed = counts["up"] + counts["degraded"] + counts["down"]
    down = counts["down"] / observed if observed else None
    errors = _mean(part for parts in seen[ERROR_RATE].values() for part in parts)
    return {
        "probes": sum(counts.values()),
        **counts,
        "availability": None if down is None else 1.0 - down,
        "concurrency": _sum_of_means(seen[CONCURRENCY]),
        "concurrency_max": _sum_of_peaks(seen[CONCURRENCY]),
        "error_rate": down if errors is None else errors,
        "error_source": "probes" if errors is None else "reported",
        "p50_s": sketch.quantile(0.5),
        "p95_s": sketch.quantile(0.95),
        "p99_s": sketch.quantile(0.99),
        "max_s": latency_max_s,
    }


def _mean(parts: Iterable[Mapping[str, float]]) -> float | None:
    listed = list(parts)
    count = sum(part["count"] for part in listed)
    return sum(part["sum"] for part in listed) / count if count else None


def _sum_of_means(by_check: Mapping[str, Sequence[Mapping[str, float]]]) -> float | None:
    means = [_mean(parts) for parts in by_check.values()]
    return sum(mean for mean in means if mean is not None) if means else None


def _sum_of_peaks(by_check: Mapping[str, Sequence[Mapping[str, float]]]) -> float | None:
    return sum(max(part["max"] for part in parts) for parts in by_check.values()) if by_check else None


# --- before -----------------------------------------------------------------------------------------------------------


def slot(at: datetime, zone: str) -> tuple[int, int]:
    """The weekday and the hour that the zone's wall clock shows."""
    local = at.astimezone(zone_named(zone))
    return local.weekday(), local.hour


def slots_between(start: datetime, end: datetime, zone: str) -> frozenset[tuple[int, int]]:
    """Every weekday and hour that a period touches; a week touches all."""
    if end - start >= WEEK:
        return frozenset((day, hour) for day in range(7) for hour in range(24))
    at, found = start.astimezone(UTC), set()
    while at < end:
        found.add(slot(at, zone))
        at += HOUR
    found.add(slot(max(start, end - timedelta(microseconds=1)), zone))
    return frozenset(found)


def baseline(
    rows: Iterable[Row], started_at: datetime, slots: frozenset[tuple[int, int]], zone: str
) -> tuple[dict[str, Any] | None, int]:
    """The figures of the same weekdays and hours in the weeks before, and in how many of these weeks there were any."""
    chosen = [row for row in rows if row["hour"] < started_at and slot(row["hour"], zone) in slots]
    weeks = {
        -((row["hour"] - started_at) // WEEK) for row in chosen if sum(row[name] for name in ("up", "degraded", "down"))
    }
    return figures(chosen), len(weeks)


def by_hour(rows: Iterable[Row]) -> list[tuple[datetime, dict[str, Any]]]:
    """The figures of each hour, in order of time."""
    parts: dict[datetime, list[Row]] = defaultdict(list)
    for row in rows:
        parts[row["hour"]].append(row)
    return [(hour, told) for hour in sorted(parts) if (told := figures(parts[hour])) is not None]
