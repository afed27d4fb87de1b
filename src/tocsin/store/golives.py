"""Go-live watches between rows and values, and what is asked of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from tocsin.core.case import Case
from tocsin.core.golive import GoLive, GoLiveDecision, Phase, SignOff
from tocsin.core.model import Clock
from tocsin.errors import StoreError
from tocsin.store.rows import clock_of, incident_of, row_of_clock
from tocsin.store.schema import clocks, golives, incidents

UNFINISHED = tuple(phase.value for phase in Phase if not phase.has_ended)
_CLOCK_INSTANTS = ("started_at", "due_at", "met_at", "breached_at", "ended_at", "superseded_at")
_INSTANTS = ("created_at", "opening_at", "next_checkpoint_at", "next_status_at", "duty_until")
_PLAIN = ("created_by", "ended_by")
_LISTED = ("exit", "signers", "channels")
_SPANS = ("watch_for", "checkpoint_every")
_COLUMNS = ("id", "version", "owner", "starts_at", "started_at", "ended_at", "revision")


def row_of(golive: GoLive) -> dict[str, Any]:
    return {
        **{name: getattr(golive, name) for name in _COLUMNS},
        "systems": list(golive.systems),
        "phase": golive.phase.value,
        "review_due_at": golive.review_due_at,
        "wake_at": golive.wake_at,
        "detail": {
            **{name: _written(getattr(golive, name)) for name in _INSTANTS},
            **{name: getattr(golive, name) for name in _PLAIN},
            **{name: list(getattr(golive, name)) for name in _LISTED},
            **{name: getattr(golive, name).total_seconds() for name in _SPANS},
            "duty": dict(golive.duty),
            "clocks": [_clock_as_json(clock) for clock in golive.clocks],
            "sign_offs": [[one.person, _written(one.at), one.actor, one.text] for one in golive.sign_offs],
        },
    }


def golive_of(row: Mapping[Any, Any]) -> GoLive:
    detail = row["detail"]
    told: dict[str, Any] = {name: row[name] for name in _COLUMNS}
    told |= {name: _read(detail[name]) for name in _INSTANTS}
    told |= {name: detail[name] for name in _PLAIN}
    told |= {name: tuple(detail[name]) for name in _LISTED}
    told |= {name: timedelta(seconds=detail[name]) for name in _SPANS}
    return GoLive(
        systems=tuple(row["systems"]),
        phase=Phase(row["phase"]),
        duty=detail["duty"],
        clocks=tuple(_clock_of_json(one) for one in detail["clocks"]),
        sign_offs=tuple(
            SignOff(person, datetime.fromisoformat(at), actor, text) for person, at, actor, text in detail["sign_offs"]
        ),
        **told,
    )


def _clock_as_json(clock: Clock) -> dict[str, Any]:
    row = row_of_clock(clock)
    return {name: _written(value) if isinstance(value, datetime) else value for name, value in row.items()}


def _clock_of_json(told: Mapping[str, Any]) -> Clock:
    return clock_of({**told, "id": None, **{name: _read(told[name]) for name in _CLOCK_INSTANTS}})


def _written(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _read(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


# --- verbs ------------------------------------------------------------------------------------------------------------


def next_id(connection: Connection) -> int:
    return (connection.execute(select(func.max(golives.c.id))).scalar() or 0) + 1


def find(connection: Connection, number: int) -> GoLive | None:
    row = connection.execute(select(golives).where(golives.c.id == number)).mappings().first()
    return None if row is None else golive_of(row)


def unfinished(connection: Connection) -> list[GoLive]:
    query = select(golives).where(golives.c.phase.in_(UNFINISHED)).order_by(golives.c.id)
    return [golive_of(row) for row in connection.execute(query).mappings()]


def newest(connection: Connection, limit: int) -> list[GoLive]:
    query = select(golives).order_by(golives.c.id.desc()).limit(limit)
    return [golive_of(row) for row in connection.execute(query).mappings()]


def running_since(connection: Connection) -> datetime | None:
    """The start of the oldest watch that has not ended; None when there is none."""
    query = select(func.min(golives.c.starts_at)).where(golives.c.phase.in_(UNFINISHED))
    return connection.execute(query).scalar()


def over(connection: Connection, system: str, start: datetime, end: datetime | None) -> list[int]:
    """The watches under which a system was at any time of a period."""
    query = select(golives.c.id, golives.c.systems).where(golives.c.started_at.is_not(None))
    query = query.where(golives.c.ended_at.is_(None) | (golives.c.ended_at >= start))
    if end is not None:
        query = query.where(golives.c.started_at <= end)
    return [number for number, systems in connection.execute(query.order_by(golives.c.id)) if system in systems]


def save(connection: Connection, before: GoLive | None, decision: GoLiveDecision) -> None:
    """Write a watch; it names the revision that it read, so what somebody else changed meanwhile is refused."""
    row = row_of(decision.golive)
    if before is None:
        connection.execute(insert(golives).values(row))
        return
    read = (golives.c.id == before.id) & (golives.c.revision == before.revision)
    if connection.execute(update(golives).where(read).values(row)).rowcount != 1:
        raise StoreError(f"go-live #{before.id} was changed by somebody else meanwhile (try again)")


def cases_between(connection: Connection, systems: Sequence[str], start: datetime, end: datetime) -> list[Case]:
    """The incidents of some systems that were open at any time between two instants, oldest first."""
    query = select(incidents).where(incidents.c.system.in_(list(systems)), incidents.c.opened_at < end)
    query = query.where(incidents.c.resolved_at.is_(None) | (incidents.c.resolved_at >= start))
    found = [incident_of(row) for row in connection.execute(query.order_by(incidents.c.id)).mappings()]
    mine: dict[int, list[Clock]] = {incident.id: [] for incident in found}
    wanted = select(clocks).where(clocks.c.incident.in_(list(mine))).order_by(clocks.c.id)
    for row in connection.execute(wanted).mappings():
        mine[row["incident"]].append(clock_of(row))
    return [Case(incident.system, 0, incident, tuple(mine[incident.id])) for incident in found]
