"""Everything that is committed at one moment, read from the disk for the invariants."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from tocsin.core.model import Clock, Incident
from tocsin.ports import Reference, StoredCheck
from tocsin.simulation.store import Disk
from tocsin.store import journal
from tocsin.store.rows import clock_of, incident_of
from tocsin.store.schema import clocks, incidents, messages, notices, rollups
from tocsin.store.transaction import SqlTransaction

_INCIDENTS = select(incidents).order_by(incidents.c.id)
_CLOCKS = select(clocks).order_by(clocks.c.id)
_NOTICES = select(notices).order_by(notices.c.id)
_MESSAGES = select(messages)
_ROLLUPS = select(rollups.c.system, rollups.c.check, rollups.c.up, rollups.c.degraded, rollups.c.down)

Line = Mapping[str, Any]
Row = Mapping[Any, Any]


@dataclass(frozen=True, slots=True)
class Picture:
    """`lines` is the journal, oldest first; `lines_of` the part of it that is about one incident."""

    incidents: Mapping[int, Incident]
    clocks: Mapping[int, Sequence[Clock]]
    notices: Sequence[Row]
    lines: Sequence[Line]
    lines_of: Mapping[int, Sequence[Line]]
    roots: Mapping[tuple[str, int], Reference]
    checks: Mapping[tuple[str, str], StoredCheck]
    counted: Mapping[str, int]
    chain: journal.Verification

    def current_clocks(self, incident: int) -> list[Clock]:
        return [clock for clock in self.clocks[incident] if clock.superseded_at is None]

    def unresolved(self) -> list[Incident]:
        return [incident for incident in self.incidents.values() if incident.is_unresolved]


def take_picture(disk: Disk) -> Picture:
    return disk.look(_read)


def _read(connection: Connection) -> Picture:
    lines = list(journal.read_all(connection))
    found = [incident_of(row) for row in connection.execute(_INCIDENTS).mappings()]
    return Picture(
        incidents={incident.id: incident for incident in found},
        clocks=_clocks(connection),
        notices=list(connection.execute(_NOTICES).mappings()),
        lines=lines,
        lines_of=_by_incident(lines),
        roots=_roots(connection),
        checks=SqlTransaction(connection).stored_checks(),
        counted=_counted(connection),
        chain=journal.verify(connection),
    )


def _clocks(connection: Connection) -> Mapping[int, Sequence[Clock]]:
    found: dict[int, list[Clock]] = defaultdict(list)
    for row in connection.execute(_CLOCKS).mappings():
        found[row["incident"]].append(clock_of(row))
    return found


def _by_incident(lines: Sequence[Line]) -> Mapping[int, Sequence[Line]]:
    found: dict[int, list[Line]] = defaultdict(list)
    for line in lines:
        kind, _, number = str(line["subject"]).partition(":")
        if kind == "incident":
            found[int(number)].append(line)
    return found


def _roots(connection: Connection) -> Mapping[tuple[str, int], Reference]:
    found = {}
    for row in connection.execute(_MESSAGES).mappings():
        kind, _, number = row["subject"].partition(":")
        if kind == "incident":
            found[row["channel"], int(number)] = Reference(row["place"], row["message"])
    return found


def _counted(connection: Connection) -> Mapping[str, int]:
    """Samples in the stored roll-ups, by check."""
    found: dict[str, int] = defaultdict(int)
    for system, check, *counts in connection.execute(_ROLLUPS):
        found[f"{system}/{check}"] += sum(counts)
    return found
