"""What is read: pages, commands, figures. JSON-ready values in the shapes of docs/json.md, on a read-only connection."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, Table, func, select

from tocsin.core.case import Case
from tocsin.core.golive import GoLive
from tocsin.core.model import BADNESS, Clock, Incident, IncidentState, Pause, Reminder, Status
from tocsin.core.sketch import Sketch
from tocsin.store import golives, retention
from tocsin.store import journal as chain
from tocsin.store.hours import by_hour
from tocsin.store.rollup import joined_values
from tocsin.store.rows import clock_of, incident_of
from tocsin.store.schema import clocks, failures, hourly_rollups, incidents, journal, notices, rollups

RESPONSE_EDGES_S = (300, 900, 1800, 3600, 7200, 14400, 28800, 86400)


def instant(at: datetime | None) -> str | None:
    return None if at is None else chain.instant(at)


class SqlQueries:
    """Read-only verbs over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def _rows(self, query: Select[Any]) -> list[Mapping[Any, Any]]:
        return list(self._connection.execute(query).mappings())

    # --- incidents ---

    def incidents(
        self, *, everything: bool = False, limit: int = 200, before: int | None = None
    ) -> list[dict[str, Any]]:
        query = select(incidents).order_by(incidents.c.id.desc()).limit(limit)
        if not everything:
            query = query.where(incidents.c.state != IncidentState.RESOLVED.value)
        if before is not None:
            query = query.where(incidents.c.id < before)
        found = [incident_of(row) for row in self._rows(query)]
        by_incident = self._clocks_of([incident.id for incident in found])
        return [incident_as_json(incident, by_incident[incident.id]) for incident in found]

    def incident(self, incident: int) -> dict[str, Any] | None:
        rows = self._rows(select(incidents).where(incidents.c.id == incident))
        if not rows:
            return None
        return incident_as_json(incident_of(rows[0]), self._clocks_of([incident])[incident])

    def _clocks_of(self, ids: list[int]) -> dict[int, list[Clock]]:
        found: dict[int, list[Clock]] = defaultdict(list)
        for row in self._rows(select(clocks).where(clocks.c.incident.in_(ids)).order_by(clocks.c.id)):
            found[row["incident"]].append(clock_of(row))
        return found

    def timeline(self, incident: int) -> list[dict[str, Any]]:
        """The journal's view of an incident: {at, actor, action, sequence, and the entry's own data}."""
        query = (
            select(journal).where(journal.c.subject == f"incident:{incident}").order_by(journal.c.sequence).limit(5000)
        )
        lines = [chain.as_line(row) for row in self._rows(query)]
        lines.sort(key=lambda line: (line["at"], line["sequence"]))
        keys = ("at", "actor", "action", "sequence")
        return [{**{key: line[key] for key in keys}, "data": line["data"] or {}} for line in lines]

    # --- outbox ---

    def notices(self, *, state: str | None, incident: int | None, limit: int) -> list[dict[str, Any]]:
        query = select(notices).order_by(notices.c.id.desc()).limit(limit)
        if state is not None:
            query = query.where(notices.c.state == state)
        if incident is not None:
            query = query.where(notices.c.incident == incident)
        shown = ("id", "key", "channel", "kind", "event", "incident", "state", "attempts", "error")
        return [
            {
                **{name: row[name] for name in shown},
                "promised_at": instant(row["promised_at"]),
                "settled_at": instant(row["settled_at"]),
                "next_at": instant(row["next_at"]),
            }
            for row in self._rows(query)
        ]

    # --- history ---

    def strips(self, since: datetime, minutes: int) -> dict[tuple[str, str], list[str]]:
        """One word a minute for each check, oldest first: the worst that was seen, unobserved where nothing was."""
        found: dict[tuple[str, str], list[str]] = defaultdict(lambda: [Status.UNOBSERVED.value] * minutes)
        columns = (
            rollups.c.system,
            rollups.c.check,
            rollups.c.minute,
            rollups.c.up,
            rollups.c.degraded,
            rollups.c.down,
        )
        for system, check, minute, up, degraded, down in self._connection.execute(
            select(*columns).where(rollups.c.minute >= since)
        ):
            index = int((minute - since).total_seconds() // 60)
            if 0 <= index < minutes:
                found[(system, check)][index] = minute_word(up, degraded, down)
        return dict(found)

    def history(self, system: str, check: str | None, start: datetime, end: datetime) -> list[dict[str, Any]]:
        """Response time and failure rate of each check (and of the system, `check` None) over a period of whole minutes.

        Where minutes were compacted, whole hours count: `from` and `to` say what is covered.
        """
        totals: dict[str | None, _Total] = defaultdict(_Total)
        hours = self._measured(hourly_rollups, "hour", system, check, retention.hour_of(start), end)
        minutes = self._measured(rollups, "minute", system, check, start, end)
        covered = [start, end, *(at for row in hours for at in (row["hour"], row["hour"] + retention.HOUR))]
        for row in (*hours, *minutes):
            totals[row["check"]].add(row)
            if check is None:
                totals[None].add(row)
        order = sorted(totals, key=lambda name: (name is not None, name or ""))
        return [totals[name].as_json(system, name, min(covered), max(covered)) for name in order]

    def _measured(
        self, table: Table, stamp: str, system: str, check: str | None, start: datetime, end: datetime
    ) -> list[Mapping[Any, Any]]:
        query = select(table).where(table.c.system == system, table.c[stamp] >= start, table.c[stamp] < end)
        if check is not None:
            query = query.where(table.c.check == check)
        return self._rows(query.order_by(table.c[stamp]))

    def failures(
        self, system: str, check: str | None, start: datetime, end: datetime, limit: int
    ) -> list[dict[str, Any]]:
        query = (
            select(failures)
            .where(failures.c.system == system, failures.c.at >= start, failures.c.at < end)
            .order_by(failures.c.at.desc())
            .limit(limit)
        )
        if check is not None:
            query = query.where(failures.c.check == check)
        return [{**row, "at": instant(row["at"])} for row in self._rows(query)]

    def hours(self, system: str, start: datetime, end: datetime) -> list[dict[str, Any]]:
        """What each check of a system measured, by whole hours from `start` to before `end`: minutes and compacted hours added up."""
        return by_hour(self._connection, system, start, end)

    def minutes(self, system: str, start: datetime, end: datetime) -> list[dict[str, Any]]:
        """Roll-ups of single minutes of a system, oldest first."""
        return [dict(row) for row in self._measured(rollups, "minute", system, None, start, end)]

    # --- go-live watches ---

    def golives(self, limit: int) -> list[GoLive]:
        """The newest ones first."""
        return golives.newest(self._connection, limit)

    def golive(self, number: int) -> GoLive | None:
        return golives.find(self._connection, number)

    def golive_floor(self) -> datetime | None:
        """Where the detail that running watches need begins; None when none runs."""
        return golives.running_since(self._connection)

    def golives_over(self, system: str, start: datetime, end: datetime | None) -> list[int]:
        """The watches under which a system was at any time of a period that may not have ended."""
        return golives.over(self._connection, system, start, end)

    def cases_between(self, systems: Sequence[str], start: datetime, end: datetime) -> list[Case]:
        return golives.cases_between(self._connection, systems, start, end)

    def journal_of(self, subject: str, limit: int = 20_000) -> list[dict[str, Any]]:
        """The entries of a subject, oldest first, with their hashes."""
        return chain.read(self._connection, limit=limit, subject=subject)

    def journal_between(self, actions: Sequence[str], start: datetime, end: datetime) -> list[dict[str, Any]]:
        """The entries of some actions between two instants, oldest first."""
        query = select(journal).where(journal.c.action.in_(list(actions)), journal.c.at >= start, journal.c.at <= end)
        return [chain.as_line(row) for row in self._rows(query.order_by(journal.c.sequence).limit(5000))]

    # --- figures for /metrics ---

    def figures(self, now: datetime) -> dict[str, Any]:
        """Counters of stored things; see `tocsin.web.metrics` for what becomes of them."""
        return {
            "incidents_total": self._counts(incidents.c.system, incidents.c.severity, table=incidents),
            "incidents_open": self._counts(
                incidents.c.system, incidents.c.severity, incidents.c.state, table=incidents, where=_UNRESOLVED
            ),
            "clocks_total": self._counts(
                clocks.c.severity,
                clocks.c.kind,
                clocks.c.outcome,
                table=clocks,
                where=clocks.c.outcome.is_not(None) & _COUNTS,
            ),
            "open_deadlines": self._open_deadlines(),
            "response_seconds": self._spans("response"),
            "resolution_seconds": self._spans("resolution"),
            "notices_total": self._counts(
                notices.c.channel, notices.c.state, table=notices, where=notices.c.state != "pending"
            ),
            "outbox": self.outbox(now),
            "journal": self._journal(),
        }

    def _counts(self, *columns: Any, table: Any, where: Any = None) -> dict[tuple[str, ...], int]:
        query = select(*columns, func.count()).select_from(table).group_by(*columns)
        if where is not None:
            query = query.where(where)
        return {tuple(row[:-1]): row[-1] for row in self._connection.execute(query)}

    def _open_deadlines(self) -> list[tuple[int, str, str, str, float]]:
        """Deadlines that somebody still owes; what is paused has none."""
        columns = (incidents.c.system, clocks.c.severity, clocks.c.kind, clocks.c.due_at, clocks.c.pauses)
        query = (
            select(clocks.c.incident, *columns)
            .join(incidents, incidents.c.id == clocks.c.incident)
            .where(_UNRESOLVED, clocks.c.ended_at.is_(None), clocks.c.superseded_at.is_(None))
            .order_by(clocks.c.id)
        )
        return [
            (incident, system, severity, kind, due.timestamp())
            for incident, system, severity, kind, due, pauses in self._connection.execute(query)
            if not pauses or pauses[-1]["to"] is not None
        ]

    def _spans(self, kind: str) -> dict[str, tuple[list[int], int, float]]:
        """By severity: cumulative counts at the edges, the count, the sum of seconds from opening to the clock's `met_at`."""
        query = (
            select(clocks.c.severity, incidents.c.opened_at, clocks.c.met_at)
            .join(incidents, incidents.c.id == clocks.c.incident)
            .where(clocks.c.kind == kind, clocks.c.met_at.is_not(None), clocks.c.superseded_at.is_(None))
        )
        found: dict[str, tuple[list[int], int, float]] = {}
        for severity, opened_at, met_at in self._connection.execute(query):
            seconds = max(0.0, (met_at - opened_at).total_seconds())
            edges, count, total = found.get(severity, ([0] * len(RESPONSE_EDGES_S), 0, 0.0))
            edges = [n + (seconds <= edge) for n, edge in zip(edges, RESPONSE_EDGES_S, strict=True)]
            found[severity] = (edges, count + 1, total + seconds)
        return found

    def outbox(self, now: datetime) -> dict[str, tuple[int, float]]:
        """By channel: how many notices wait, and how many seconds the oldest has waited."""
        query = (
            select(notices.c.channel, func.count(), func.min(notices.c.promised_at))
            .where(notices.c.state == "pending")
            .group_by(notices.c.channel)
        )
        return {
            channel: (count, max(0.0, (now - oldest).total_seconds()))
            for channel, count, oldest in self._connection.execute(query)
        }

    def _journal(self) -> tuple[int, str]:
        head = chain.head_of(self._connection)
        return head.sequence, head.hash

    def journal_after(self, sequence: int, limit: int) -> list[dict[str, Any]]:
        return chain.read(self._connection, after=sequence, limit=limit)

    def journal_tail(self, count: int) -> list[dict[str, Any]]:
        return chain.newest(self._connection, count)

    # --- retention ---

    def journal_until(self, before: datetime) -> tuple[int, str] | None:
        """Sequence and hash of the last of the entries that are all older than an instant; None when there is none."""
        found = retention.journal_until(self._connection, before)
        return None if found is None else (found.sequence, found.hash)

    def hour_to_compact(self, before: datetime) -> tuple[datetime, list[tuple[str, str]]] | None:
        """The oldest hour that still has minutes of its own and ended before an instant, with its checks."""
        return retention.hour_to_compact(self._connection, before)

    def used_bytes(self) -> int | None:
        """How much of an SQLite file is in use; None for PostgreSQL."""
        return retention.used_bytes(self._connection)


_UNRESOLVED = incidents.c.state != IncidentState.RESOLVED.value
# `core.clock.counts` in SQL: what was replaced while it ran does not count.
_COUNTS = clocks.c.superseded_at.is_(None) | clocks.c.ended_at.is_not(None)


def minute_word(up: int, degraded: int, down: int) -> str:
    seen = [status for status, count in ((Status.DOWN, down), (Status.DEGRADED, degraded), (Status.UP, up)) if count]
    return max(seen, key=BADNESS.__getitem__, default=Status.UNOBSERVED).value


class _Total:
    """Sums of roll-ups; percentages leave out what was not observed."""

    def __init__(self) -> None:
        self.counts = dict.fromkeys(("up", "degraded", "down", "unobserved"), 0)
        self.latency_sum_s = 0.0
        self.latency_max_s = 0.0
        self.sketch = Sketch()
        self.values: dict[str, dict[str, Any]] = {}

    def add(self, row: Mapping[Any, Any]) -> None:
        for name in self.counts:
            self.counts[name] += row[name]
        self.latency_sum_s += row["latency_sum_s"]
        self.latency_max_s = max(self.latency_max_s, row["latency_max_s"])
        self.sketch.merge(Sketch.from_bytes(row["latency"]))
        self.values = joined_values(self.values, row["values"] or {})

    def as_json(self, system: str, check: str | None, start: datetime, end: datetime) -> dict[str, Any]:
        observed = sum(self.counts[name] for name in ("up", "degraded", "down"))
        measured = self.sketch.count
        return {
            "system": system,
            "check": check,
            "from": instant(start),
            "to": instant(end),
            "probes": sum(self.counts.values()),
            **self.counts,
            "failure_rate": self.counts["down"] / observed if observed else None,
            "latency_s": {
                "mean": self.latency_sum_s / measured if measured else None,
                "p50": self.sketch.quantile(0.5),
                "p95": self.sketch.quantile(0.95),
                "p99": self.sketch.quantile(0.99),
                "max": self.latency_max_s if measured else None,
            },
            "values": self.values,
        }


def incident_as_json(incident: Incident, its_clocks: list[Clock]) -> dict[str, Any]:
    """The contract's shape of an incident."""
    return {
        "id": incident.id,
        "system": incident.system,
        "key": incident.key,
        "severity": incident.severity.value,
        "state": incident.state.value,
        "title": incident.title,
        "reason": incident.rule.name,
        "rule": {
            "name": incident.rule.name,
            "file": incident.rule.file,
            "line": incident.rule.line,
            "text": incident.rule.text,
        },
        "text": incident.text,
        "checks": list(incident.checks),
        "failing_since": instant(incident.failing_since),
        "opened_at": instant(incident.opened_at),
        "acknowledged_at": instant(incident.acknowledged_at),
        "acknowledged_by": incident.acknowledged_by,
        "assignee": incident.assignee,
        "resolved_at": instant(incident.resolved_at),
        "resolved_by": incident.resolved_by,
        "resolution": incident.resolution.value if incident.resolution else None,
        "reopened": incident.reopened,
        "clocks": [_clock_as_json(clock) for clock in its_clocks if clock.superseded_at is None],
        "superseded": [_clock_as_json(clock) for clock in its_clocks if clock.superseded_at is not None],
    }


def _clock_as_json(clock: Clock) -> dict[str, Any]:
    running = clock.breached_at is None
    return {
        "clock": clock.kind.value,
        "severity": clock.severity.value,
        "started_at": instant(clock.started_at),
        "due_at": instant(clock.due_at),
        "target_s": clock.target / timedelta(seconds=1),
        "calendar": clock.calendar,
        "calendar_version": clock.calendar_version,
        "policy_version": clock.policy_version,
        "outcome": clock.outcome.value if clock.outcome else None,
        "met_at": instant(clock.met_at),
        "breached_at": instant(clock.breached_at),
        "detected_late": clock.detected_late,
        "superseded_at": instant(clock.superseded_at),
        "next_reminder_at": instant(clock.plan[0].at) if clock.plan and running and not clock.is_paused else None,
        "paused": _paused_as_json(clock),
        "pauses": [_pause_as_json(pause) for pause in clock.pauses],
        "exclusion": clock.exclusion,
        "steps": [*(_step_as_json(s, ran=True) for s in clock.ran), *(_step_as_json(s) for s in clock.plan if s.tell)],
        "held_until": instant(clock.held_until),
    }


def _step_as_json(step: Reminder, *, ran: bool = False) -> dict[str, Any]:
    return {
        "step": step.step,
        "share": step.share,
        "at": instant(step.at),
        "tell": list(step.tell),
        "repeat_s": step.repeat.total_seconds() if step.repeat is not None else None,
        "ran": ran,
    }


def _paused_as_json(clock: Clock) -> dict[str, Any] | None:
    if not clock.is_paused:
        return None
    return {"since": instant(clock.paused_since), "reason": clock.pauses[-1].reason, "actor": clock.pauses[-1].actor}


def _pause_as_json(pause: Pause) -> dict[str, Any]:
    return {"from": instant(pause.start), "to": instant(pause.end), "reason": pause.reason, "actor": pause.actor}
