"""What systems under a go-live watch measure, from the store and from what is not written yet; and the same hours before.

Hours that are over are read once: a page that asks every two seconds costs the minutes of the present hour.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from tocsin.core import golive_figures as figures
from tocsin.core.golive import GoLive
from tocsin.core.golive_figures import HOUR, WEEK, WEEKS, Row
from tocsin.daemon.history import History
from tocsin.daemon.live import LiveState
from tocsin.ports import Store

SETTLED_AFTER = timedelta(minutes=10)
"""When an hour that is over changes no more."""
KEPT_HOURS = 50_000
CHUNK = timedelta(days=1)


class GoLiveFigures:
    def __init__(self, store: Store, live: LiveState, history: History) -> None:
        self._store = store
        self._live = live
        self._history = history
        self._hours: dict[tuple[str, datetime], list[Row]] = {}

    # --- rows ---

    async def rows(self, system: str, start: datetime, end: datetime, now: datetime) -> list[Row]:
        """Roll-ups of a period: whole hours where they are over, minutes at its edges, and what is not written yet."""
        first, last = _ceiling(start), _floor(min(end, now - SETTLED_AFTER))
        if first >= last:
            return await self._minutes(system, start, end)
        edges = [*await self._minutes(system, start, first), *await self._minutes(system, last, end)]
        return [*await self.hours(system, first, last, now), *edges]

    async def _minutes(self, system: str, start: datetime, end: datetime) -> list[Row]:
        if start >= end:
            return []
        since = start.replace(second=0, microsecond=0)
        # What is in memory is looked at first: a minute that is written meanwhile is then seen twice rather than never.
        waiting = {(row["check"], row["minute"]): row for row in self._waiting(system, since, end)}
        stored = await self._store.read(lambda q: q.minutes(system, since, end))
        both = [row for row in stored if not _is_same(row, waiting.get((row["check"], row["minute"])))]
        return [*both, *waiting.values()]

    def _waiting(self, system: str, start: datetime, end: datetime) -> list[Row]:
        return [row for row in self._history.unwritten(system) if start <= row["minute"] < end]

    async def hours(self, system: str, start: datetime, end: datetime, now: datetime) -> list[Row]:
        """One row for each check and hour, from whole hour to whole hour."""
        found: list[Row] = []
        at = start
        while at < end:
            until = min(_day_after(at), end)
            wanted = _hours(at, until)
            if all((system, hour) in self._hours for hour in wanted):
                found += [row for hour in wanted for row in self._hours[system, hour]]
            else:
                found += await self._read(system, at, until, now)
            at = until
        return found

    async def _read(self, system: str, start: datetime, end: datetime, now: datetime) -> list[Row]:
        """Read hours, and keep those that are over."""
        read: list[Row] = list(await self._store.read(lambda q: q.hours(system, start, end)))
        if len(self._hours) > KEPT_HOURS:
            self._hours.clear()
        for hour in _hours(start, end):
            if hour + HOUR <= now - SETTLED_AFTER:
                self._hours[system, hour] = [row for row in read if row["hour"] == hour]
        return read

    async def before(self, golive: GoLive, system: str, now: datetime) -> list[Row]:
        """The hours of the weeks before a watch."""
        start = golive.started_at or golive.starts_at
        return await self.hours(system, _floor(start - WEEKS * WEEK), _floor(min(start, now)), now)

    # --- figures ---

    async def drawn(
        self, golive: GoLive, zone: str, start: datetime, end: datetime, now: datetime
    ) -> list[dict[str, Any]]:
        """Each system of a watch over a period, beside the same weekdays and hours before."""
        return [await self.of_system(golive, system, zone, start, end, now) for system in golive.systems]

    async def of_system(
        self, golive: GoLive, system: str, zone: str, start: datetime, end: datetime, now: datetime
    ) -> dict[str, Any]:
        began = golive.started_at or golive.starts_at
        live = figures.figures(await self.rows(system, start, end, now)) if start < end else None
        slots = figures.slots_between(start, max(end, start + timedelta(minutes=1)), zone)
        before, weeks = figures.baseline(await self.before(golive, system, now), began, slots, zone)
        return {
            "system": system,
            "status": self._live.status_of(system, now).value,
            "from": start.isoformat(),
            "to": end.isoformat(),
            "live": live,
            "before": before,
            "weeks": weeks,
            "reported": self.reported(system),
        }

    def reported(self, system: str) -> dict[str, Any]:
        """The newest values that the system's checks report of themselves."""
        found: dict[str, Any] = {}
        for watched in self._live.watched.get(system, {}).values():
            for name, value in (watched.last.values if watched.last is not None else {}).items():
                if name == figures.CONCURRENCY and isinstance(found.get(name), float):
                    found[name] += value
                else:
                    found[name] = value
        return found

    def sampled(self, systems: Sequence[str], since: datetime) -> frozenset[str]:
        """The systems that have a sample since an instant."""
        seen = {
            name: [watched.observed_at for watched in self._live.watched.get(name, {}).values()] for name in systems
        }
        return frozenset(name for name, ats in seen.items() if any(at is not None and at >= since for at in ats))

    async def series(self, golive: GoLive, system: str, zone: str, now: datetime, minutes: int = 180) -> dict[str, Any]:
        """What charts are drawn of: the hours of the watch with the same hour before, and its newest minutes."""
        start = golive.started_at or golive.starts_at
        end = min(golive.ended_at or now, now)
        before = await self.before(golive, system, now)
        known = _by_slot(before, start, zone)
        rows = await self.rows(system, _floor(start), end, now)
        hours = figures.by_hour(
            [{**row, "hour": row["hour"] if "hour" in row else _floor(row["minute"])} for row in rows]
        )
        newest = await self._minutes(system, max(start, end - timedelta(minutes=minutes)), end)
        recent = figures.by_hour([{**row, "hour": row["minute"]} for row in newest])
        return {
            "system": system,
            "hours": [_point(at, told, known.get(figures.slot(at, zone))) for at, told in hours],
            "minutes": [_point(at, told, known.get(figures.slot(at, zone))) for at, told in recent],
        }


def _by_slot(rows: Sequence[Row], start: datetime, zone: str) -> Mapping[tuple[int, int], dict[str, Any]]:
    parts: dict[tuple[int, int], list[Row]] = {}
    for row in rows:
        if row["hour"] < start:
            parts.setdefault(figures.slot(row["hour"], zone), []).append(row)
    return {key: told for key, listed in parts.items() if (told := figures.figures(listed)) is not None}


_CHARTED = ("concurrency", "error_rate", "p50_s", "p95_s", "p99_s", "availability")


def _point(at: datetime, told: Mapping[str, Any], before: Mapping[str, Any] | None) -> dict[str, Any]:
    then = {f"before_{name}": None if before is None else before[name] for name in _CHARTED}
    return {"at": at.isoformat(), **{name: told[name] for name in _CHARTED}, **then}


def _is_same(stored: Row, waiting: Row | None) -> bool:
    """Whether a row that waits was written while we looked, rather than added to what another run had written of its minute."""
    names = ("up", "degraded", "down", "unobserved", "latency_sum_s")
    return waiting is not None and all(stored[name] == waiting[name] for name in names)


def _floor(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _ceiling(at: datetime) -> datetime:
    floor = _floor(at)
    return floor if floor == at else floor + HOUR


def _day_after(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0, microsecond=0) + CHUNK


def _hours(start: datetime, end: datetime) -> list[datetime]:
    return [start + number * HOUR for number in range(max(0, -(-(end - start) // HOUR)))]
