"""The worked examples of docs/incidents.md, each run as it stands there."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from case_parts import MINUTE, RESOLUTION, RESPONSE, T0, Play, bad, minute, slow
from tocsin.core.case import Decision, FailingCheck
from tocsin.core.model import Clock, ClockKind, NoticeKind, Resolution, Severity

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "incidents.md").read_text(encoding="utf-8")
EXAMPLES = [
    tuple(cell.strip() for cell in line.strip("|\n").split("|"))
    for line in TEXT.split("## Examples")[1].splitlines()
    if line.startswith("| `")
]
RINGS = {
    "opened": "page",
    "reminder": "reminder",
    "breached": "breach",
    "late_summary": "late summary",
    "reopened": "reopened",
    "rose": "rise",
    "severity_changed": "rise by hand",
}


def instant(text: str) -> datetime:
    hours, minutes = text.split(":")
    return minute(int(hours) * 60 + int(minutes))


def shown(at: datetime | None) -> str:
    minutes = int(((at or T0) - T0) / MINUTE)
    return f"{minutes // 60}:{minutes % 60:02}"


class Example:
    """Plays the steps of one example with two checks, the timekeeper waking for everything unless Tocsin is stopped."""

    def __init__(self) -> None:
        self.play = Play()
        self.failing: dict[str, FailingCheck] = {}

    def run(self, steps: str) -> None:
        for step in re.findall(r"`([^`]+)`", steps):
            self.step(step)

    def step(self, step: str) -> None:
        if stop := re.fullmatch(r"stopped (\S+) to (\S+)", step):
            self.play.until(instant(stop[1]))
            self.play.time(instant(stop[2]))
            return
        at, what = step.split(" ", 1)
        self.play.until(instant(at))
        self.do(what, instant(at))

    def do(self, what: str, now: datetime) -> Decision | None:
        play = self.play
        match what.split(" "):
            case ["second", status]:
                return self.look("login", status, now)
            case ["up" | "down" | "slow" | "unobserved" as status]:
                return self.look("health", status, now)
            case ["ack"]:
                return play.ack(now)
            case ["ack", "of", clicked]:
                return play.ack(instant(clicked), now)
            case ["unack"]:
                return play.unack(now)
            case ["set", severity]:
                return play.set_severity(Severity(severity), now)
            case ["close"]:
                return play.resolve(now, *self.failing.values())
            case ["close", "anyway"]:
                decision = play.resolve(now, *self.failing.values(), anyway=True)
                self.failing = {name: replace(check, is_held=True) for name, check in self.failing.items()}
                return decision
            case ["no", "longer", "watched"]:
                return play.withdraw(now, "health")
            case ["wait"]:
                return None
        raise AssertionError(f"no step {what!r}")

    def look(self, name: str, status: str, now: datetime) -> Decision:
        known = self.failing.pop(name, None)
        if status != "up":
            check = bad(name, since=now) if status == "down" else slow(name, since=now)
            is_held = known is not None and known.is_held
            self.failing[name] = replace(check, is_held=is_held, is_observed=status != "unobserved")
        return self.play.look(self.failing.values(), now)

    # --- as the table says it ---

    def incident(self) -> str:
        incident = self.play.incident
        state = "withdrawn" if incident.resolution is Resolution.WITHDRAWN else incident.state.value
        number = f"#{incident.id} " if incident.id > 1 else ""
        return f"{number}{incident.severity} {state}"

    def clock(self, kind: ClockKind) -> str:
        clock = self.play.clock(kind)
        words = [_outcome(clock)]
        if clock.breached_at is not None and clock.met_at is not None:
            words.append(f"met {shown(clock.met_at)}")
        if clock.breached_at is not None and clock.is_running:
            words.append("still owed")
        if clock.detected_late:
            words.append("found late")
        return ", ".join(words)

    def rings(self) -> str:
        loud = (NoticeKind.PAGE, NoticeKind.BROADCAST)
        return ", ".join(RINGS[notice.event] for notice in self.play.notices if notice.kind in loud)


def _outcome(clock: Clock) -> str:
    if clock.outcome is None:
        return f"due {shown(clock.due_at)}"
    at = {"met": clock.met_at, "breached": clock.breached_at}.get(clock.outcome.value)
    return f"{clock.outcome.value} {shown(at)}" if at is not None else clock.outcome.value


@pytest.mark.parametrize(
    ("steps", "incident", "response", "resolution", "rings"), EXAMPLES, ids=[example[0] for example in EXAMPLES]
)
def test_the_example_comes_out_as_it_is_told(
    steps: str, incident: str, response: str, resolution: str, rings: str
) -> None:
    example = Example()
    example.run(steps)
    told = (example.incident(), example.clock(RESPONSE), example.clock(RESOLUTION), example.rings())
    assert told == (incident, response, resolution, rings)


def test_there_are_examples_and_they_use_the_policies_that_the_page_names() -> None:
    assert len(EXAMPLES) > 25
    policies = Play().rulebook.response
    assert (policies[Severity.P1].acknowledge, policies[Severity.P1].resolve) == (
        timedelta(hours=1),
        timedelta(hours=4),
    )
    assert (policies[Severity.P2].acknowledge, policies[Severity.P2].resolve) == (
        timedelta(hours=4),
        timedelta(hours=24),
    )
