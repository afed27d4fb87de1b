"""Old history goes in small slices: minutes into hours, hours and failures away, the journal from its start."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Table, delete, insert, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from tocsin.store.journal import BASE_KEY, Head
from tocsin.store.rollup import MEASURED, summed
from tocsin.store.schema import failures, hourly_rollups, journal, meta, rollups, transitions

HOUR = timedelta(hours=1)
_TABLES: Mapping[str, tuple[Table, str]] = {
    "rollups": (rollups, "minute"),
    "hourly_rollups": (hourly_rollups, "hour"),
    "failures": (failures, "at"),
    "transitions": (transitions, "at"),
}


def prune(connection: Connection, table: str, before: datetime, limit: int) -> int:
    """Delete the oldest rows of a history table before an instant, at most `limit`, by one statement; returns how many."""
    chosen, stamp = _TABLES[table]
    key = tuple_(*chosen.primary_key.columns)
    oldest = select(*chosen.primary_key.columns).where(chosen.c[stamp] < before).order_by(chosen.c[stamp]).limit(limit)
    return connection.execute(delete(chosen).where(key.in_(oldest))).rowcount


# --- minutes into hours ---


def hour_of(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def hour_to_compact(connection: Connection, before: datetime) -> tuple[datetime, list[tuple[str, str]]] | None:
    """The oldest hour that has minutes of its own and ended before an instant, with its checks."""
    oldest = connection.execute(select(rollups.c.minute).order_by(rollups.c.minute).limit(1)).scalar()
    if oldest is None:
        return None
    hour = hour_of(oldest)
    if hour + HOUR > before:
        return None
    query = select(rollups.c.system, rollups.c.check).distinct()
    found = connection.execute(query.where(rollups.c.minute >= hour, rollups.c.minute < hour + HOUR))
    return hour, [(system, check) for system, check in found]


def compact(connection: Connection, hour: datetime, checks: Iterable[tuple[str, str]]) -> int:
    """Put the minutes of an hour of some checks into one row each; returns how many rows went."""
    gone, rows = 0, []
    for system, check in checks:
        mine = (rollups.c.system == system) & (rollups.c.check == check)
        mine &= (rollups.c.minute >= hour) & (rollups.c.minute < hour + HOUR)
        minutes = connection.execute(select(rollups).where(mine).order_by(rollups.c.minute)).mappings().all()
        if minutes:
            parts = [*_hour_of(connection, system, check, hour), *minutes]
            rows.append({"system": system, "check": check, "hour": hour, **summed(parts)})
            gone += connection.execute(delete(rollups).where(mine)).rowcount
    if rows:
        _keep_hours(connection, rows)
    return gone


def _hour_of(connection: Connection, system: str, check: str, hour: datetime) -> Sequence[Mapping[Any, Any]]:
    """What the hour has already: a clock that was set back can bring minutes of it again."""
    its = (hourly_rollups.c.system == system, hourly_rollups.c.check == check, hourly_rollups.c.hour == hour)
    return connection.execute(select(hourly_rollups).where(*its)).mappings().all()


def _keep_hours(connection: Connection, rows: list[dict[str, Any]]) -> None:
    made = sqlite_insert if connection.dialect.name == "sqlite" else postgresql_insert
    statement = made(hourly_rollups)
    changes = {name: statement.excluded[name] for name in MEASURED}
    connection.execute(
        statement.on_conflict_do_update(index_elements=["system", "check", "hour"], set_=changes),
        rows,
    )


# --- the journal ---


def journal_until(connection: Connection, before: datetime) -> Head | None:
    """The last of the entries at the chain's start that are all older than an instant; None when the first one is not."""
    younger = select(journal.c.sequence).where(journal.c.at >= before).order_by(journal.c.sequence).limit(1)
    first = connection.execute(younger).scalar()
    query = select(journal.c.sequence, journal.c.hash).order_by(journal.c.sequence.desc()).limit(1)
    row = connection.execute(query if first is None else query.where(journal.c.sequence < first)).first()
    return None if row is None else Head(row[0], row[1])


def prune_journal(connection: Connection, through: int, limit: int) -> int:
    """Remove the oldest entries, at most `limit` and none after `through`; the chain then stands on the last one removed."""
    query = select(journal.c.sequence, journal.c.hash).where(journal.c.sequence <= through)
    gone = connection.execute(query.order_by(journal.c.sequence).limit(limit)).all()
    if gone:
        connection.execute(delete(journal).where(journal.c.sequence <= gone[-1][0]))
        _keep_base(connection, Head(gone[-1][0], gone[-1][1]))
    return len(gone)


def _keep_base(connection: Connection, base: Head) -> None:
    value = f"{base.sequence} {base.hash}"
    if connection.execute(update(meta).where(meta.c.key == BASE_KEY).values(value=value)).rowcount == 0:
        connection.execute(insert(meta).values(key=BASE_KEY, value=value))


# --- size ---


def used_bytes(connection: Connection) -> int | None:
    """How much of an SQLite file is in use, what a deletion gave back left out; None for PostgreSQL."""
    if connection.dialect.name != "sqlite":
        return None
    pages, free, size = (
        connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
        for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)
