"""How go-lives look on a terminal and in a pipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from tocsin.cli.journal_view import details
from tocsin.cli.output import Cell, print_facts, print_table, say, say_styled, word
from tocsin.cli.times import left, local, milliseconds, span

Json = Mapping[str, Any]
SHOWN = 20
STATES = {
    "planned": "planned",
    "watching": "watched",
    "extended": "extended",
    "in_review": "in review",
    "signed_off": "signed off",
    "cancelled": "cancelled",
    "rolled_back": "rolled back",
}


def headline(golive: Json) -> str:
    """`#3 erp 2.3: watched since …, review due …`: a watch in one line."""
    head = f"Go-live #{golive['id']} {', '.join(golive['systems'])} {golive['version']}"
    state = STATES.get(golive["state"], golive["state"])
    if golive["state"] == "planned":
        return f"{head}: planned for {local(golive['starts_at'])}, review due {local(golive['review_due_at'])}"
    if golive["ended_at"] is not None:
        return f"{head}: {state} {local(golive['ended_at'])} by {golive['ended_by']}"
    return f"{head}: {state} since {local(golive['started_at'])}, {review_of(golive)}"


def review_of(golive: Json) -> str:
    if golive["reviewed_at"] is not None:
        missing = ", ".join(golive["unsigned"])
        return f"reviewed {local(golive['reviewed_at'])}" + (f", {missing} must sign" if missing else "")
    text, _ = left(golive["review_due_at"], datetime.now(UTC))
    return f"review due {local(golive['review_due_at'])} ({text})"


def print_golives(golives: Sequence[Json]) -> None:
    headers = ("ID", "STATE", "SYSTEMS", "VERSION", "OWNER", "START", "REVIEW")
    rows = [
        (
            f"#{one['id']}",
            _state(one["state"]),
            ", ".join(one["systems"]),
            one["version"],
            one["owner_name"],
            local(one["started_at"] or one["starts_at"]),
            local(one["reviewed_at"]) if one["reviewed_at"] else _due(one),
        )
        for one in golives
    ]
    print_table(headers, rows, empty="No go-live is watched (start one with 'tocsin golive start SYSTEM --version V').")


def _state(state: str) -> Cell:
    styles = {"watching": "bold", "extended": "yellow", "in_review": "yellow", "rolled_back": "bold red"}
    return Cell(STATES.get(state, state), styles.get(state, ""))


def _due(one: Json) -> Cell:
    if one["ended_at"] is not None:
        return word(None)
    text, lateness = left(one["review_due_at"], datetime.now(UTC))
    return Cell(text, word(lateness).style)


def print_golive(golive: Json) -> None:
    print_facts(
        [
            (f"#{golive['id']}", Cell(f"{', '.join(golive['systems'])} {golive['version']}", "bold")),
            ("state", _state(golive["state"])),
            ("owner", golive["owner_name"]),
            ("start", local(golive["started_at"] or golive["starts_at"])),
            ("review", review_of(golive) if golive["ended_at"] is None else _clocks(golive)),
            ("ended", f"{local(golive['ended_at'])} by {golive['ended_by']}" if golive["ended_at"] else None),
            ("signed by", ", ".join(one["person"] for one in golive["sign_offs"])),
            ("must sign", ", ".join(golive["unsigned"]) if golive["ended_at"] is None else None),
            ("on call", ", ".join(f"{who} ({name})" for name, who in golive["duty"].items() if who)),
        ]
    )
    say()
    print_figures(golive["figures"])
    say()
    print_exit(golive["exit"])
    say()
    _print_incidents(golive["incidents"])
    say()
    _print_timeline(golive["timeline"])


def _clocks(golive: Json) -> str:
    return ", ".join(f"{clock['outcome'] or 'open'} (due {local(clock['due_at'])})" for clock in golive["clocks"])


def print_review(golive: Json) -> None:
    say(headline(golive))
    is_go = golive["verdict"] == "go"
    say_styled("GO: every exit criterion is met." if is_go else "EXTEND: not every exit criterion is met.", "bold")
    say()
    print_exit(golive["exit"])
    if golive["ended_at"] is None and golive["unsigned"]:
        say(f"\nMust sign: {', '.join(golive['unsigned'])} (tocsin golive signoff {golive['id']})")


def print_exit(criteria: Sequence[Json]) -> None:
    rows = [
        (Cell("met", "green") if one["met"] else Cell("not met", "red"), one["rule"], now_of(one)) for one in criteria
    ]
    print_table(("EXIT", "CRITERION", "NOW"), rows)


def now_of(one: Json) -> str:
    if one.get("because"):
        return f"cannot be judged: {one['because']}"
    values = one["value"] if isinstance(one["value"], Mapping) else {one["rule"]: one["value"]}
    told = [_value(name, value) for name, value in values.items()]
    return ", ".join(told)


def _value(name: str, value: float) -> str:
    if "quiet_for" in name:
        return span(value) if value else "not quiet"
    return f"{value:.0%}" if "answered_in_time" in name else f"{value:g}"


FIGURES = ("availability", "error_rate", "concurrency", "p50_s", "p95_s", "p99_s")
_LABELS = {
    "availability": "availability",
    "error_rate": "error rate",
    "concurrency": "concurrency",
    "p50_s": "latency p50",
    "p95_s": "latency p95",
    "p99_s": "latency p99",
}


def print_figures(systems: Sequence[Json]) -> None:
    rows = []
    for one in systems:
        weeks = one["weeks"]
        before = f"before ({weeks} week{'' if weeks == 1 else 's'})" if weeks else "before: none"
        for name in FIGURES:
            live, then = one["live"], one["before"]
            rows.append((one["system"], _LABELS[name], figure(name, live), figure(name, then) if weeks else before))
    print_table(("SYSTEM", "FIGURE", "LIVE", "SAME HOURS BEFORE"), rows, empty="Nothing is measured yet.")


def figure(name: str, told: Json | None) -> str:
    value = None if told is None else told[name]
    if value is None:
        return "-"
    if name.endswith("_s"):
        return milliseconds(value)
    return f"{value:,.1f}" if name == "concurrency" else f"{value:.3%}"


def _print_incidents(incidents: Sequence[Json]) -> None:
    rows = [
        (f"#{i['id']}", word(i["severity"]), word(i["state"]), local(i["opened_at"]), word(i["response"]), i["title"])
        for i in incidents
    ]
    print_table(("INCIDENT", "SEVERITY", "STATE", "OPENED", "RESPONSE", "TITLE"), rows, empty="No incidents.")


def _print_timeline(lines: Sequence[Json]) -> None:
    hidden = len(lines) - SHOWN
    if hidden > 0:
        say(f"({hidden} earlier lines; see 'tocsin golive log')")
    for line in lines[-SHOWN:]:
        say(f"{local(line['at'])}  {line['actor']}  {line['action']}  {_told(line)}".rstrip())


def _told(line: Json) -> str:
    data = line["data"]
    if line["action"] in ("golive_checkpoint", "golive_status", "golive_handover"):
        exit_met = sum(one["met"] for one in data.get("exit", ()))
        told = f"{exit_met} of {len(data.get('exit', ()))} criteria met, {len(data.get('incidents', ()))} incidents"
        return f"{data.get('kind', '')} {told} {data.get('text', '')}".strip()
    shown = {key: data[key] for key in ("text", "reason", "verdict", "kind") if data.get(key)}
    if "for_s" in data:
        shown["for"] = str(timedelta(seconds=data["for_s"]))
    return details(shown) if shown else ""
