"""The statements that run for every decision and every notice, built once: SQLAlchemy needs longer to build one than SQLite to run it."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Integer, bindparam, case, exists, func, select, update

from tocsin.core.model import IncidentState, NoticeKind
from tocsin.store.schema import UtcDateTime, clocks, incidents, messages, notices

_NOW = bindparam("now", type_=UtcDateTime())
_MOST = bindparam("most", type_=Integer())
_IS_PENDING = notices.c.state == "pending"


def _waits() -> ColumnElement[bool]:
    """Whether something that was promised of the same incident earlier has to go first.

    Alarms stand in one thread, as the lines of one incident do: the first of them starts it, so the others wait for it. So do those of
    go-live watches.
    """
    earlier = notices.alias("earlier")
    alarm = NoticeKind.ALARM.value
    are_alarms = (earlier.c.kind == alarm) & (notices.c.kind == alarm)
    are_golives = earlier.c.event.startswith("golive_") & notices.c.event.startswith("golive_")
    return exists().where(
        earlier.c.channel == notices.c.channel,
        (earlier.c.incident == notices.c.incident) | are_alarms | are_golives,
        earlier.c.state == "pending",
        earlier.c.id < notices.c.id,
        earlier.c.kind != NoticeKind.EDIT.value,
    )


UNRESOLVED_FIRST = case((incidents.c.state != IncidentState.RESOLVED.value, 0), else_=1)

CASE = (
    select(incidents)
    .where(incidents.c.system == bindparam("system"), incidents.c.key == bindparam("key"))
    .order_by(UNRESOLVED_FIRST, incidents.c.id.desc())
    .limit(1)
)
INCIDENT = select(incidents).where(incidents.c.id == bindparam("incident"))
LAST_INCIDENT = select(func.max(incidents.c.id))
CLOCKS = select(clocks).where(clocks.c.incident == bindparam("incident")).order_by(clocks.c.id)

# First the clocks by their index, then their incidents: grouped in one go, SQLite would walk through every clock there ever was.
_DUE = (
    select(clocks.c.incident, clocks.c.wake_at)
    .where(clocks.c.wake_at <= _NOW)
    .order_by(clocks.c.wake_at)
    .limit(_MOST)
    .subquery()
)
TO_WAKE = select(_DUE.c.incident).group_by(_DUE.c.incident).order_by(func.min(_DUE.c.wake_at), _DUE.c.incident)
NEXT_WAKE = select(clocks.c.wake_at).where(clocks.c.wake_at.is_not(None)).order_by(clocks.c.wake_at).limit(1)

PENDING = (
    select(notices)
    .where(notices.c.channel == bindparam("channel"), _IS_PENDING, ~_waits())
    .where(notices.c.next_at.is_(None) | (notices.c.next_at <= _NOW))
    .order_by(notices.c.priority, notices.c.id)
    .limit(_MOST)
)
CHANNELS = (
    select(
        notices.c.channel,
        func.max(case((notices.c.next_at.is_(None), 1), else_=0)),
        func.min(notices.c.next_at),
    )
    .where(_IS_PENDING, ~_waits())
    .group_by(notices.c.channel)
)
LAST_NOTICE = select(func.max(notices.c.id))
REFERENCE = select(messages.c.place, messages.c.message, messages.c.sent_at).where(
    messages.c.channel == bindparam("channel"), messages.c.subject == bindparam("subject")
)
COVER = (
    update(notices)
    .where(notices.c.channel == bindparam("of_channel"), notices.c.incident == bindparam("of_incident"), _IS_PENDING)
    .where(notices.c.kind == NoticeKind.EDIT.value, notices.c.id <= bindparam("up_to"))
    .values(state="covered", settled_at=bindparam("at", type_=UtcDateTime()))
)
SETTLE = (
    update(notices)
    .where(notices.c.id == bindparam("notice"))
    .values(
        state=bindparam("as_state"),
        settled_at=bindparam("at", type_=UtcDateTime()),
        error=bindparam("because"),
        attempts=notices.c.attempts + 1,
    )
)
