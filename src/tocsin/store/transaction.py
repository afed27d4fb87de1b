"""The verbs of one unit of work. Everything that one decision asks for is written here, in the caller's one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from tocsin.core.case import Case, Decision
from tocsin.core.golive import GoLive, GoLiveDecision
from tocsin.core.model import Clock, Entry, Incident, IncidentState, Notice
from tocsin.errors import StoreError
from tocsin.ports import PendingNotice, Reference, StoredCheck
from tocsin.store import golives, journal, outbox, retention, statements
from tocsin.store.rollup import MEASURED, joined
from tocsin.store.rows import clock_of, incident_of, row_of_clock, row_of_incident, row_of_notice
from tocsin.store.schema import (
    checks,
    clocks,
    configurations,
    failures,
    incidents,
    jobs,
    messages,
    meta,
    notices,
    rollups,
    transitions,
)

_CHECK_COLUMNS = tuple(column.name for column in checks.columns)


class SqlTransaction:
    """One open transaction. Lives only inside the unit of work that it was handed to."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._insert = sqlite_insert if connection.dialect.name == "sqlite" else postgresql_insert

    # --- incidents and clocks ---

    def case(self, system: str, key: str = "") -> Case:
        """The system's unresolved incident, or else its last resolved one."""
        row = self.connection.execute(statements.CASE, {"system": system, "key": key}).mappings().first()
        return self._case_with(system, None if row is None else incident_of(row))

    def case_of(self, incident: int) -> Case | None:
        row = self.connection.execute(statements.INCIDENT, {"incident": incident}).mappings().first()
        return None if row is None else self._case_with(row["system"], incident_of(row))

    def has_other_unresolved(self, incident: Incident) -> int | None:
        """The unresolved incident of the same key, if it is another one."""
        query = select(incidents.c.id).where(
            incidents.c.system == incident.system,
            incidents.c.key == incident.key,
            incidents.c.state != IncidentState.RESOLVED.value,
            incidents.c.id != incident.id,
        )
        return self.connection.execute(query).scalar()

    def _case_with(self, system: str, incident: Incident | None) -> Case:
        next_id = (self.connection.execute(statements.LAST_INCIDENT).scalar() or 0) + 1
        if incident is None:
            return Case(system, next_id)
        rows = self.connection.execute(statements.CLOCKS, {"incident": incident.id}).mappings()
        return Case(system, next_id, incident, tuple(clock_of(row) for row in rows))

    def unresolved_incidents(self) -> list[Incident]:
        query = select(incidents).where(incidents.c.state != IncidentState.RESOLVED.value).order_by(incidents.c.id)
        return [incident_of(row) for row in self.connection.execute(query).mappings()]

    def commit_decision(self, before: Case, decision: Decision) -> Case:
        """Write a decision whole: incident, clocks, journal entries, notices; returns the case as it is stored then.

        Names the version that it read: a case that somebody else changed meanwhile is refused.
        """
        if decision.changes_nothing and decision.case == before:
            return before
        self._save_incident(before, decision.case)
        stored = self._save_clocks(before, decision.case)
        self.append(decision.entries)
        self.promise(decision.notices)
        incident = decision.case.incident
        next_id = max(before.next_id, incident.id + 1 if incident is not None else 0)
        return replace(decision.case, clocks=stored, next_id=next_id)

    def _save_incident(self, before: Case, after: Case) -> None:
        incident = after.incident
        if incident is None or incident == before.incident:
            return
        if before.incident is None or before.incident.id != incident.id:
            self.connection.execute(insert(incidents).values(row_of_incident(incident)))
            return
        read = (incidents.c.id == incident.id) & (incidents.c.version == before.incident.version)
        written = self.connection.execute(update(incidents).where(read).values(row_of_incident(incident)))
        if written.rowcount != 1:
            raise StoreError(f"incident #{incident.id} was changed by somebody else meanwhile (try again)")

    def _save_clocks(self, before: Case, after: Case) -> tuple[Clock, ...]:
        known = {clock.id: clock for clock in before.clocks}
        stored = []
        for clock in after.clocks:
            if clock.id is None:
                made = self.connection.execute(insert(clocks).values(row_of_clock(clock)))
                assert made.inserted_primary_key is not None
                clock = replace(clock, id=made.inserted_primary_key[0])
            elif clock != known.get(clock.id):
                self.connection.execute(update(clocks).where(clocks.c.id == clock.id).values(row_of_clock(clock)))
            stored.append(clock)
        return tuple(sorted(stored, key=lambda clock: clock.id or 0))

    def incidents_to_wake(self, now: datetime, limit: int) -> list[int]:
        """Incidents with a clock that has something due, the most overdue first: those of the `limit` most overdue clocks."""
        return list(self.connection.execute(statements.TO_WAKE, {"now": now, "most": limit}).scalars())

    def next_wake(self) -> datetime | None:
        return self.connection.execute(statements.NEXT_WAKE).scalar()

    def push_wake(self, incident: int, until: datetime) -> None:
        """Put off the clocks of an incident that could not be processed, so that the others go on."""
        mine = (clocks.c.incident == incident) & clocks.c.wake_at.is_not(None)
        self.connection.execute(update(clocks).where(mine).values(wake_at=until))

    # --- checks ---

    def stored_checks(self, system: str | None = None) -> dict[tuple[str, str], StoredCheck]:
        query = select(checks)
        if system is not None:
            query = query.where(checks.c.system == system)
        return {(row["system"], row["name"]): StoredCheck(**row) for row in self.connection.execute(query).mappings()}

    def save_check(self, check: StoredCheck) -> None:
        self.save_checks([check])

    def save_checks(self, many: Sequence[StoredCheck]) -> None:
        if not many:
            return
        rows = [
            {name: getattr(check, name) for name in _CHECK_COLUMNS} | {"values": dict(check.values)} for check in many
        ]
        statement = self._insert(checks)
        changed = {name: statement.excluded[name] for name in _CHECK_COLUMNS if name not in ("system", "name")}
        self.connection.execute(statement.on_conflict_do_update(index_elements=["system", "name"], set_=changed), rows)

    def hold_checks(self, system: str, names: Iterable[str]) -> None:
        mine = (checks.c.system == system) & checks.c.name.in_(list(names))
        self.connection.execute(update(checks).where(mine).values(is_held=True))

    def release_checks(self, system: str) -> None:
        mine = (checks.c.system == system) & checks.c.is_held
        self.connection.execute(update(checks).where(mine).values(is_held=False))

    def forget_check(self, system: str, name: str) -> None:
        self.connection.execute(delete(checks).where(checks.c.system == system, checks.c.name == name))

    # --- journal ---

    def append(self, entries: Sequence[Entry]) -> None:
        if entries:
            journal.append(self.connection, entries)

    # --- outbox ---

    def promise(self, promised: Sequence[Notice]) -> None:
        """Put notices into the outbox; a key that is already there is the same fact and stays as it is."""
        if promised:
            statement = self._insert(notices).on_conflict_do_nothing(index_elements=["key"])
            self.connection.execute(statement, [row_of_notice(notice) for notice in promised])

    def is_promised(self, key: str) -> bool:
        """Whether a fact is, or was, promised on a channel: its key names both."""
        return self.connection.execute(select(notices.c.id).where(notices.c.key == key)).first() is not None

    def pending_notices(self, channel: str, now: datetime, limit: int) -> list[PendingNotice]:
        """What may be sent now, by priority and then in the order in which it was promised.

        A line of an incident waits while something that was promised of it earlier (other than an edit) is still pending.
        """
        wanted = {"channel": channel, "now": now, "most": limit}
        return [outbox.pending(row) for row in self.connection.execute(statements.PENDING, wanted).mappings()]

    def channels_with_pending(self) -> list[tuple[str, datetime | None]]:
        """Channels that have something to send, each with the earliest instant at which it may be tried (None: at once).

        What waits for another line of its incident does not count: it can go no sooner than that one.
        """
        found = self.connection.execute(statements.CHANNELS)
        return [(channel, None if at_once else at) for channel, at_once, at in found]

    def pending_notice(self, notice: int) -> PendingNotice | None:
        query = select(notices).where(notices.c.id == notice, notices.c.state == "pending")
        row = self.connection.execute(query).mappings().first()
        return None if row is None else outbox.pending(row)

    def unconfirmed(self, limit: int) -> list[tuple[int, datetime]]:
        return outbox.unconfirmed(self.connection, limit)

    def count_waiting(self, channel: str, now: datetime) -> tuple[int, int]:
        return outbox.count_waiting(self.connection, channel, now)

    def bundleable(self, channel: str, now: datetime, limit: int, *, gravest: bool) -> list[PendingNotice]:
        return outbox.bundleable(self.connection, channel, now, limit, gravest=gravest)

    def settle_notices(self, listed: Sequence[int], state: str, at: datetime, error: str | None = None) -> None:
        outbox.settle(self.connection, listed, state, at, error)

    def incidents_of(self, listed: Iterable[int]) -> dict[int, Incident]:
        return outbox.incidents_of(self.connection, listed)

    def settle_notice(self, notice: int, state: str, at: datetime, error: str | None = None) -> None:
        """The end of a notice: sent, covered (by a later edit), or dead."""
        values = {"notice": notice, "as_state": state, "at": at, "because": error}
        self.connection.execute(statements.SETTLE, values)

    def cover_edits(self, channel: str, incident: int, up_to: int, at: datetime) -> None:
        """Pending edits that the one just sent has made superfluous: it showed the present state."""
        edits = {"of_channel": channel, "of_incident": incident, "up_to": up_to, "at": at}
        self.connection.execute(statements.COVER, edits)

    def last_notice_id(self) -> int:
        return self.connection.execute(statements.LAST_NOTICE).scalar() or 0

    def postpone_notice(self, notice: int, next_at: datetime, error: str, *, is_unknown: bool) -> None:
        values = {"next_at": next_at, "error": error, "is_unknown": is_unknown, "attempts": notices.c.attempts + 1}
        self.connection.execute(update(notices).where(notices.c.id == notice).values(values))

    def doubt_pending(self) -> None:
        """After a start nobody knows which pending notices were on the wire: look them up before sending."""
        self.connection.execute(update(notices).where(notices.c.state == "pending").values(is_unknown=True))

    def retry_notices(self, notice: int | None) -> int:
        """Make dead notices pending again; returns how many."""
        dead = notices.c.state == "dead"
        chosen = dead if notice is None else dead & (notices.c.id == notice)
        values = {"state": "pending", "next_at": None, "settled_at": None, "is_unknown": True}
        return self.connection.execute(update(notices).where(chosen).values(values)).rowcount

    def reference(self, channel: str, subject: str) -> Reference | None:
        row = self.connection.execute(statements.REFERENCE, {"channel": channel, "subject": subject}).first()
        return None if row is None else Reference(*row)

    def keep_reference(self, channel: str, subject: str, reference: Reference, at: datetime) -> None:
        row = {
            "channel": channel,
            "subject": subject,
            "place": reference.place,
            "message": reference.message,
            "sent_at": at,
        }
        statement = self._insert(messages).values(row)
        self.connection.execute(
            statement.on_conflict_do_update(
                index_elements=["channel", "subject"],
                set_={"place": reference.place, "message": reference.message, "sent_at": at},
            )
        )

    def forget_reference(self, channel: str, subject: str) -> None:
        mine = (messages.c.channel == channel) & (messages.c.subject == subject)
        self.connection.execute(delete(messages).where(mine))

    # --- configurations, facts, jobs ---

    def last_configuration(self) -> tuple[str, str] | None:
        """Version and document (JSON text) of the configuration that was applied last."""
        query = select(configurations.c.version, configurations.c.document).order_by(configurations.c.id.desc())
        row = self.connection.execute(query.limit(1)).first()
        return None if row is None else (row[0], row[1])

    def keep_configuration(self, version: str, document: str, actor: str, at: datetime) -> None:
        self.connection.execute(
            insert(configurations).values(version=version, document=document, actor=actor, applied_at=at)
        )

    def get_fact(self, key: str) -> str | None:
        return self.connection.execute(select(meta.c.value).where(meta.c.key == key)).scalar()

    def put_fact(self, key: str, value: str) -> None:
        statement = self._insert(meta).values(key=key, value=value)
        self.connection.execute(statement.on_conflict_do_update(index_elements=["key"], set_={"value": value}))

    def last_run(self, job: str) -> datetime | None:
        return self.connection.execute(select(jobs.c.last_run_at).where(jobs.c.name == job)).scalar()

    def ran(self, job: str, at: datetime) -> None:
        statement = self._insert(jobs).values(name=job, last_run_at=at)
        self.connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"last_run_at": at}))

    # --- go-live watches ---

    def next_golive(self) -> int:
        return golives.next_id(self.connection)

    def golive(self, number: int) -> GoLive | None:
        return golives.find(self.connection, number)

    def golives(self) -> list[GoLive]:
        """Those that have not ended."""
        return golives.unfinished(self.connection)

    def commit_golive(self, before: GoLive | None, decision: GoLiveDecision) -> None:
        """Write a decision about a watch whole: the watch, journal entries, notices. Names the revision that it read."""
        if decision.golive != before:
            golives.save(self.connection, before, decision)
        self.append(decision.entries)
        self.promise(decision.notices)

    def cases_between(self, systems: Sequence[str], start: datetime, end: datetime) -> list[Case]:
        """The incidents of some systems that were open at any time between two instants, oldest first."""
        return golives.cases_between(self.connection, systems, start, end)

    # --- history ---

    def keep_rollups(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write one-minute roll-ups; a minute that is already there (before a stop, or a step back of the clock) is added to."""
        if not rows:
            return
        statement = self._insert(rollups)
        changes = {name: statement.excluded[name] for name in MEASURED}
        known = self._rollups_of({row["minute"] for row in rows})
        sums: dict[tuple[str, str, datetime], dict[str, Any]] = {}
        for row in rows:
            key = (row["system"], row["check"], row["minute"])
            sums[key] = joined(sums.get(key) or known.get(key), row)
        self.connection.execute(
            statement.on_conflict_do_update(index_elements=["system", "check", "minute"], set_=changes),
            list(sums.values()),
        )

    def _rollups_of(self, minutes: set[datetime]) -> dict[tuple[str, str, datetime], Mapping[Any, Any]]:
        query = select(rollups).where(rollups.c.minute.in_(minutes))
        found = self.connection.execute(query).mappings()
        return {(row["system"], row["check"], row["minute"]): row for row in found}

    def keep_failures(self, rows: Sequence[Mapping[str, Any]]) -> None:
        if rows:
            self.connection.execute(insert(failures), list(rows))

    def keep_transition(self, row: Mapping[str, Any]) -> bool:
        """Write a change of status; False when it is there already, since the answer to its first commit was lost."""
        return bool(self.keep_transitions([row]))

    def keep_transitions(self, rows: Sequence[Mapping[str, Any]]) -> set[tuple[str, str]]:
        """Write changes of status, one a check at most; returns the checks whose change was not there already."""
        if not rows:
            return set()
        column = transitions.c
        mine = column.system.in_([row["system"] for row in rows]) & column.at.in_([row["at"] for row in rows])
        found = self.connection.execute(select(column.system, column.check, column.at, column.status).where(mine))
        there = {tuple(row) for row in found}
        fresh = [row for row in rows if (row["system"], row["check"], row["at"], row["status"]) not in there]
        if fresh:
            self.connection.execute(insert(transitions), fresh)
        return {(row["system"], row["check"]) for row in fresh}

    def prune(self, table: str, before: datetime, limit: int) -> int:
        """Delete at most `limit` of a history table's rows older than `before`; returns how many went."""
        return retention.prune(self.connection, table, before, limit)

    def compact(self, hour: datetime, checks_of_it: Sequence[tuple[str, str]]) -> int:
        """Put the minutes of an hour of some checks into one row each; returns how many rows went."""
        return retention.compact(self.connection, hour, checks_of_it)

    def prune_journal(self, through: int, limit: int) -> int:
        """Remove at most `limit` entries from the journal's start, none after `through`; returns how many went."""
        return retention.prune_journal(self.connection, through, limit)
