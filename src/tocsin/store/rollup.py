"""Adding up roll-ups: two parts of the same minute, or the minutes of a period."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tocsin.core.sketch import Sketch

COUNTED = ("up", "degraded", "down", "unobserved")
MEASURED = (*COUNTED, "latency_sum_s", "latency_max_s", "latency", "values")

Values = Mapping[str, Mapping[str, Any]]


def joined(before: Mapping[Any, Any] | None, row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of roll-ups with what was stored of its minute before."""
    if before is None:
        return dict(row)
    sketch = Sketch.from_bytes(before["latency"])
    sketch.merge(Sketch.from_bytes(row["latency"]))
    return {
        **row,
        **{name: before[name] + row[name] for name in (*COUNTED, "latency_sum_s")},
        "latency_max_s": max(before["latency_max_s"], row["latency_max_s"]),
        "latency": sketch.to_bytes(),
        "values": joined_values(before["values"] or {}, row["values"] or {}) or None,
    }


def summed(rows: Sequence[Mapping[Any, Any]]) -> dict[str, Any]:
    """What several rows measured, oldest first, as one."""
    sketch = Sketch()
    values: Values = {}
    for row in rows:
        sketch.merge(Sketch.from_bytes(row["latency"]))
        values = joined_values(values, row["values"] or {})
    return {
        **{name: sum(row[name] for row in rows) for name in (*COUNTED, "latency_sum_s")},
        "latency_max_s": max(row["latency_max_s"] for row in rows),
        "latency": sketch.to_bytes(),
        "values": dict(values) or None,
    }


def joined_values(before: Values, after: Values) -> dict[str, Any]:
    return {**before, **{name: _joined(before.get(name), seen) for name, seen in after.items()}}


def _joined(before: Mapping[str, Any] | None, seen: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers add up; of words only the last counts."""
    if before is None or "sum" not in before or "sum" not in seen:
        return dict(seen)
    return {
        "count": before["count"] + seen["count"],
        "sum": before["sum"] + seen["sum"],
        "min": min(before["min"], seen["min"]),
        "max": max(before["max"], seen["max"]),
        "last": seen["last"],
    }
