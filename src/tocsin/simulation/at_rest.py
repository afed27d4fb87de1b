"""What must hold once troubles and crashes are over, everything was given its time, and nothing is due any more."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime

from tocsin.core.model import Incident, NoticeKind, Severity, Status
from tocsin.simulation.channel import Workspace
from tocsin.simulation.invariants import is_due
from tocsin.simulation.life import Life
from tocsin.simulation.picture import Picture, Row
from tocsin.simulation.record import Record
from tocsin.simulation.rules import STAND_IN


def at_rest(picture: Picture, record: Record, workspace: Workspace, life: Life, now: datetime) -> Iterator[str]:
    yield from nothing_is_overdue(picture, now)
    yield from everything_is_told(picture, workspace)
    yield from lines_stand_in_order(picture, workspace)
    for incident in picture.incidents.values():
        yield from root_shows_the_end(picture, workspace, incident)
    yield from memory_is_the_disk(picture, life)
    yield from incidents_are_what_fails(picture, record, life)
    yield from nothing_opened_for_nothing(picture, record)


def nothing_is_overdue(picture: Picture, now: datetime) -> Iterator[str]:
    for incident in picture.incidents.values():
        for clock in picture.clocks[incident.id]:
            if is_due(clock, now):
                yield f"#{incident.id}: the {clock.kind} was due at {clock.due_at} and nobody noticed until {now}"
            if clock.is_running and clock.plan and clock.plan[0].at <= now:
                yield f"#{incident.id}: a reminder of {clock.plan[0].at} was not reached until {now}"


def everything_is_told(picture: Picture, workspace: Workspace) -> Iterator[str]:
    told = {posted.key for posted in workspace.posted}
    for row in picture.notices:
        is_edit = row["kind"] == NoticeKind.EDIT
        if row["state"] == "pending":
            yield f"{row['key']} was never sent: {row['error']}"
        elif row["state"] not in (("sent", "covered") if is_edit else ("sent",)):
            yield f"{row['key']} ended as {row['state']}"
        elif not is_edit and row["key"] not in told:
            yield f"{row['key']} counts as sent and stands nowhere"


def lines_stand_in_order(picture: Picture, workspace: Workspace) -> Iterator[str]:
    """In each channel the lines of an incident stand in the order in which they were promised."""
    first = {posted.key: place for place, posted in reversed(list(enumerate(workspace.posted)))}
    lines: dict[tuple[str, int], list[Row]] = defaultdict(list)
    for row in picture.notices:
        if row["incident"] is not None and row["kind"] != NoticeKind.EDIT:
            lines[row["channel"], row["incident"]].append(row)
    for (channel, incident), rows in lines.items():
        if any(row["key"] in workspace.refused for row in rows):
            continue
        places = [first[row["key"]] for row in rows if row["key"] in first]
        if places != sorted(places):
            yield f"#{incident}: its lines in {channel} do not stand in the order of what happened"


def root_shows_the_end(picture: Picture, workspace: Workspace, incident: Incident) -> Iterator[str]:
    expected = {
        "state": incident.state.value,
        "severity": incident.severity.value,
        "acknowledged_by": incident.acknowledged_by,
        "due": sorted((clock.kind.value, clock.due_at) for clock in picture.current_clocks(incident.id)),
    }
    for channel in (*incident.channels, STAND_IN):
        root = picture.roots.get((channel, incident.id))
        posted = workspace.at(root) if root is not None else None
        if posted is None and channel == STAND_IN:
            continue
        if posted is None:
            yield f"#{incident.id} has no root message in {channel}"
        elif posted.shows != expected:
            yield f"#{incident.id} shows {posted.shows} in {channel}, it is {expected}"


def memory_is_the_disk(picture: Picture, life: Life) -> Iterator[str]:
    """The live state is what a restart would find."""
    for system, by_name in life.live.watched.items():
        for name, watched in by_name.items():
            stored = picture.checks.get((system, name))
            status = Status(stored.status) if stored is not None else Status.UNOBSERVED
            if watched.state.status is not status and not (stored is None and watched.state.status is Status.UP):
                yield f"{system}/{name} is {watched.state.status} in memory, {status} on disk"
            if stored is not None and watched.is_held is not stored.is_held:
                yield f"{system}/{name} is held {watched.is_held} in memory, {stored.is_held} on disk"
    for system, case in life.live.cases.items():
        mine = [incident for incident in picture.incidents.values() if incident.system == system]
        latest = max(mine, key=lambda incident: (incident.is_unresolved, incident.id), default=None)
        if case.incident != latest:
            yield f"{system}: memory has {case.incident}, the disk {latest}"


# --- an independent model: what the checks truly are says which incidents there must be --------------------------------


def incidents_are_what_fails(picture: Picture, record: Record, life: Life) -> Iterator[str]:
    """Only valid after each check was probed long enough for its truth to be decided."""
    held = _held(picture)
    unresolved = {incident.system: incident for incident in picture.unresolved()}
    watched = {system: set(by_name) for system, by_name in life.live.watched.items()}
    for system in {*watched, *unresolved}:
        failing = {name for name in watched.get(system, ()) if record.truth[f"{system}/{name}"].is_failing}
        grave = {name for name in failing if _severity(record, system, name) and f"{system}/{name}" not in held}
        incident = unresolved.get(system)
        if incident is None:
            if grave:
                yield f"{system}: {', '.join(sorted(grave))} fails and there is no incident"
        elif not grave <= set(incident.checks) <= failing:
            yield f"{system}: #{incident.id} names {incident.checks}, failing are {sorted(failing)}"
        elif not incident.checks and not _is_reopened_by_hand(picture, incident):
            yield f"{system}: nothing fails and #{incident.id} is {incident.state}"
        elif wrongly := {f"{system}/{name}" for name in incident.checks} & (held - record.dropped_ever):
            yield f"{system}: #{incident.id} is {incident.state} for {wrongly}, which somebody closed although it fails"
        else:
            yield from _grave_enough(picture, record, incident, grave)


def _severity(record: Record, system: str, check: str) -> Severity | None:
    """The rules of `rules.py`, said a second time."""
    is_down = record.truth[f"{system}/{check}"] is Status.DOWN
    match system:
        case "erp":
            return Severity.P1 if is_down else Severity.P2
        case "crm":
            return Severity.P2
        case _:
            return Severity.P3 if is_down else None


def _grave_enough(picture: Picture, record: Record, incident: Incident, grave: set[str]) -> Iterator[str]:
    lines = picture.lines_of[incident.id]
    if any(line["action"] == "incident_severity_changed" and line["actor"] != "tocsin" for line in lines):
        return
    for name in grave:
        severity = _severity(record, incident.system, name)
        if severity is not None and severity.is_graver_than(incident.severity):
            yield f"#{incident.id} is {incident.severity}, {name} makes it {severity}"


def _held(picture: Picture) -> set[str]:
    """Checks whose incident somebody closed although they failed, and which were neither up nor taken up again since."""
    held: set[str] = set()
    for line in picture.lines:
        kind, _, name = line["subject"].partition(":")
        if line["action"] == "incident_resolved":
            system = picture.incidents[int(name)].system
            held |= {f"{system}/{check}" for check in line["data"].get("still_failing", ())}
        elif line["action"] == "incident_reopened" and line["actor"] != "tocsin":
            system = picture.incidents[int(name)].system
            held = {check for check in held if not check.startswith(f"{system}/")}
        elif line["action"] == "check_changed" and not Status(line["data"]["to"]).is_failing:
            held.discard(name)
        elif kind == "configuration":
            held = {check for check in held if tuple(check.split("/")) in picture.checks}
    return held


def _is_reopened_by_hand(picture: Picture, incident: Incident) -> bool:
    reopened = [line for line in picture.lines_of[incident.id] if line["action"] == "incident_reopened"]
    return bool(reopened) and reopened[-1]["actor"] != "tocsin"


def nothing_opened_for_nothing(picture: Picture, record: Record) -> Iterator[str]:
    """Whatever troubles Tocsin itself had, no incident names a check that was never seen failing."""
    for incident, lines in picture.lines_of.items():
        system = picture.incidents[incident].system
        for line in lines:
            named = line["data"].get("checks", ()) if line["action"] == "incident_opened" else ()
            for name in named:
                if record.bad_samples[f"{system}/{name}"] < 2:
                    yield f"#{incident} opened for {system}/{name}, which was not seen failing"
