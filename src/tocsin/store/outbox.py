"""What the outbox is asked when a channel is behind: what waits too long, and what of it can be told together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, func, or_, select, update

from tocsin.core.bundle import BUNDLED
from tocsin.core.model import PRIORITY_ORDER, Incident, NoticeKind, Priority
from tocsin.ports import PendingNotice
from tocsin.store.rows import incident_of, notice_of
from tocsin.store.schema import incidents, notices

_IS_PENDING = notices.c.state == "pending"
_IS_GRAVEST = notices.c.priority == PRIORITY_ORDER[Priority.P1]
AT_ONCE = 500


def unconfirmed(connection: Connection, limit: int) -> list[tuple[int, datetime]]:
    """Everything but edits that waits, each with the instant from which it could go.

    The gravest first, then the oldest: where more wait than are looked at, it is not P1 that is passed over.
    """
    columns = (notices.c.id, notices.c.promised_at, notices.c.next_at, notices.c.attempts)
    query = select(*columns).where(_IS_PENDING, notices.c.kind != NoticeKind.EDIT.value)
    found = connection.execute(query.order_by(notices.c.priority, notices.c.id).limit(limit))
    return [(number, held or at) if attempts == 0 else (number, at) for number, at, held, attempts in found]


def _can_be_bundled(channel: str, now: datetime) -> ColumnElement[bool]:
    """Lines of incidents that may go now. What may be on the wire already is looked up by itself."""
    is_free = or_(notices.c.next_at.is_(None), notices.c.next_at <= now)
    is_known = or_(~notices.c.is_unknown, notices.c.attempts == 0)
    kinds = notices.c.kind.in_([kind.value for kind in BUNDLED])
    return (notices.c.channel == channel) & _IS_PENDING & kinds & notices.c.incident.is_not(None) & is_free & is_known


def count_waiting(connection: Connection, channel: str, now: datetime) -> tuple[int, int]:
    """How many notices that could be bundled wait for a channel: of the highest priority, and others."""
    gravest = func.coalesce(func.sum(case((_IS_GRAVEST, 1), else_=0)), 0)
    found = connection.execute(select(gravest, func.count()).where(_can_be_bundled(channel, now))).one()
    return int(found[0]), int(found[1]) - int(found[0])


def bundleable(
    connection: Connection, channel: str, now: datetime, limit: int, *, gravest: bool
) -> list[PendingNotice]:
    chosen = _IS_GRAVEST if gravest else ~_IS_GRAVEST
    query = select(notices).where(_can_be_bundled(channel, now), chosen).order_by(notices.c.id).limit(limit)
    return [pending(row) for row in connection.execute(query).mappings()]


def settle(connection: Connection, listed: Sequence[int], state: str, at: datetime, error: str | None) -> None:
    for start in range(0, len(listed), AT_ONCE):
        chosen = notices.c.id.in_(listed[start : start + AT_ONCE])
        connection.execute(update(notices).where(chosen).values(state=state, settled_at=at, error=error))


def incidents_of(connection: Connection, listed: Iterable[int]) -> dict[int, Incident]:
    numbers = list(listed)
    found: dict[int, Incident] = {}
    for start in range(0, len(numbers), AT_ONCE):
        query = select(incidents).where(incidents.c.id.in_(numbers[start : start + AT_ONCE]))
        found |= {row["id"]: incident_of(row) for row in connection.execute(query).mappings()}
    return found


def pending(row: Mapping[Any, Any]) -> PendingNotice:
    return PendingNotice(
        id=row["id"],
        notice=notice_of(row),
        attempts=row["attempts"],
        is_unknown=row["is_unknown"],
        next_at=row["next_at"],
        error=row["error"],
    )
