"""Roll-ups by whole hours, whether their minutes were compacted or not: the grain in which go-lives are compared with before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from tocsin.store.retention import hour_of
from tocsin.store.rollup import summed
from tocsin.store.schema import hourly_rollups, rollups

BATCH = 2000


def by_hour(connection: Connection, system: str, start: datetime, end: datetime) -> list[dict[str, Any]]:
    """One row for each check and hour: {check, hour, minutes, the counts, latency (a sketch's bytes), values}."""
    parts: dict[tuple[datetime, str], list[Mapping[Any, Any]]] = defaultdict(list)
    found: list[dict[str, Any]] = []
    hours = select(hourly_rollups).where(
        hourly_rollups.c.system == system, hourly_rollups.c.hour >= start, hourly_rollups.c.hour < end
    )
    for row in connection.execute(hours).mappings():
        parts[row["hour"], row["check"]].append(row)
    minutes = select(rollups).where(rollups.c.system == system, rollups.c.minute >= start, rollups.c.minute < end)
    result = connection.execute(minutes.order_by(rollups.c.minute).execution_options(yield_per=BATCH)).mappings()
    for row in result:
        parts[hour_of(row["minute"]), row["check"]].append(row)
    for (hour, check), rows in sorted(parts.items()):
        found.append({"check": check, "hour": hour, "minutes": len(rows), **summed(rows)})
    return found
