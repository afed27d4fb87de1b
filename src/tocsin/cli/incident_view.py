"""How incidents look on a terminal and in a pipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from tocsin.cli.journal_view import details
from tocsin.cli.output import Cell, print_facts, print_table, say, word
from tocsin.cli.times import left_of, local, read_instant, span


def headline(incident: Mapping[str, Any]) -> str:
    """`#142 P1 acknowledged  ERP is down  (person:li.na)`: an incident in one line."""
    by = f"  (by {incident['acknowledged_by']})" if incident.get("acknowledged_by") else ""
    return f"#{incident['id']} {incident['severity']} {incident['state']}: {incident['title']}{by}"


def print_incidents(incidents: Sequence[Mapping[str, Any]]) -> None:
    now = datetime.now(UTC)
    headers = ("ID", "SEVERITY", "STATE", "SYSTEM", "OPENED", "DEADLINE", "TITLE")
    rows = [
        (
            f"#{i['id']}",
            word(i["severity"]),
            word(i["state"]),
            i["system"],
            local(i["opened_at"]),
            next_deadline(i, now),
            i["title"],
        )
        for i in incidents
    ]
    print_table(headers, rows, empty="No incidents.")


def next_deadline(incident: Mapping[str, Any], now: datetime) -> Cell:
    """The nearest due time of a clock that still runs."""
    owed = sorted(
        (c for c in incident["clocks"] if is_owed(c)),
        key=lambda c: (c.get("paused") is not None, c["due_at"], c["clock"]),
    )
    if not owed or incident["state"] == "resolved":
        return word(None)
    text, lateness = left_of(owed[0], now)
    return Cell(f"{owed[0]['clock']}: {text}", word(lateness).style)


def is_owed(clock: Mapping[str, Any]) -> bool:
    """Whether somebody still owes something: a breached clock runs on until it is met."""
    return clock["outcome"] is None or (clock["outcome"] == "breached" and clock["met_at"] is None)


def print_incident(incident: Mapping[str, Any]) -> None:
    rule = incident["rule"]
    print_facts(
        [
            (
                f"#{incident['id']}",
                Cell(f"{incident['severity']}  {incident['title']}", word(incident["severity"]).style),
            ),
            ("system", incident["system"]),
            ("state", word(incident["state"])),
            ("what failed", incident["text"]),
            (
                "why",
                f"{rule['name']}: {rule['text']}  ({rule['file']}:{rule['line']})",
            ),
            ("set by hand", _by_hand(incident.get("severity_set"))),
            ("failing since", local(incident["failing_since"])),
            ("opened", local(incident["opened_at"])),
            ("acknowledged", _by(incident, "acknowledged")),
            ("resolved", _by(incident, "resolved")),
            ("assigned to", incident.get("assignee")),
        ]
    )
    say()
    _print_clocks(incident)
    say()
    rows = [(local(line["at"]), line["actor"], line["action"], details(line["data"])) for line in incident["timeline"]]
    print_table(("AT", "WHO", "WHAT", "DETAILS"), rows, empty="No timeline.")


def _by_hand(change: Mapping[str, Any] | None) -> str | None:
    if change is None:
        return None
    return f"{local(change['at'])} by {change['actor']}, it was {change['from']}: {change['reason']}"


def _by(incident: Mapping[str, Any], what: str) -> str | None:
    at, actor = incident.get(f"{what}_at"), incident.get(f"{what}_by")
    return None if at is None else f"{local(at)}{f' by {actor}' if actor else ''}"


def _print_clocks(incident: Mapping[str, Any]) -> None:
    now = datetime.now(UTC)
    rows = [
        (
            clock["clock"],
            local(clock["due_at"]),
            word(clock["outcome"]) if clock["outcome"] else Cell("running"),
            _time_of(clock, incident, now),
            _remark(clock),
        )
        for clock in incident["clocks"]
    ]
    print_table(("CLOCK", "DUE", "OUTCOME", "TIME", ""), rows, empty="No clocks.")


def _remark(clock: Mapping[str, Any]) -> str:
    paused, excluded = clock.get("paused"), clock.get("exclusion")
    said = ["detected late"] if clock["detected_late"] else []
    if paused is not None:
        said.append(f"paused since {local(paused['since'])} by {paused['actor']}: {paused['reason']}")
    if excluded is not None:
        said.append(f"excluded by {excluded['actor']}: {excluded['reason']}")
    return "; ".join(said)


def _time_of(clock: Mapping[str, Any], incident: Mapping[str, Any], now: datetime) -> Cell:
    """The time left while somebody owes something, else how long it took."""
    if is_owed(clock) and incident["state"] != "resolved":
        text, lateness = left_of(clock, now)
        return Cell(text, word(lateness).style)
    if clock["met_at"] is None:
        return Cell("")
    took = read_instant(clock["met_at"]) - read_instant(incident["opened_at"])
    return Cell(f"after {span(took.total_seconds())}")
